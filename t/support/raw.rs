//! A bare TCP client: hostile bytes, exact wire checks, pipelining, slow reading.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::in_time;
use super::tls::Trust;

pub struct Raw {
    socket: Box<dyn Wire>,
    descriptor: RawFd,
    unread: Vec<u8>,
}

/// A socket that is closed with this option sends a reset.
const RESET: libc::linger = libc::linger { l_onoff: 1, l_linger: 0 };

/// TCP, or TLS over it.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// An answer as it stood on the wire.
#[derive(Debug)]
pub struct RawAnswer {
    pub status_line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl RawAnswer {
    pub fn status(&self) -> u16 {
        self.status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).count()
    }

    pub fn explanation(&self) -> Option<&str> {
        self.header(super::EXPLAIN)
    }
}

impl Raw {
    pub async fn connect(port: u16) -> Self {
        Self::over(Self::open(port, None).await)
    }

    /// From another address of this machine, such as 127.0.0.2.
    pub async fn connect_from(from: Ipv4Addr, port: u16) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((from, 0))).expect("an address of this machine");
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self::over(in_time("connect", socket.connect(to)).await.expect("connect"))
    }

    /// Over TLS, HTTP/1.1 agreed on.
    pub async fn over_tls(port: u16, trust: &Trust) -> Self {
        let socket = Self::open(port, None).await;
        let descriptor = socket.as_raw_fd();
        let stream = trust.handshake(socket, false).await.expect("a TLS handshake");
        Self { socket: Box::new(stream), descriptor, unread: Vec::new() }
    }

    /// A client whose kernel takes little, so that the server soon has to wait for it.
    pub async fn with_small_window(port: u16) -> Self {
        Self::over(Self::open(port, Some(4096)).await)
    }

    fn over(socket: TcpStream) -> Self {
        let descriptor = socket.as_raw_fd();
        Self { socket: Box::new(socket), descriptor, unread: Vec::new() }
    }

    async fn open(port: u16, window: Option<u32>) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = window {
            socket.set_recv_buffer_size(bytes).expect("SO_RCVBUF");
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let socket = in_time("connect", socket.connect(address)).await.expect("connect");
        socket.set_nodelay(true).expect("TCP_NODELAY");
        socket
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("a raw write");
    }

    /// For a server that may have closed.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        in_time("a raw write", async {
            self.socket.write_all(bytes.as_ref()).await?;
            self.socket.flush().await
        })
        .await
    }

    /// `METHOD target HTTP/1.1` with a Host line, the given header lines, and no body.
    pub async fn request(&mut self, start: &str, headers: &[&str]) {
        let mut text = format!("{start} HTTP/1.1\r\nHost: localhost\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        self.send(text).await;
    }

    /// Begins a POST of `length` bytes and waits until a worker is ready to read them.
    pub async fn begin_upload(&mut self, target: &str, length: usize) {
        let length = format!("Content-Length: {length}");
        self.request(&format!("POST {target}"), &["Expect: 100-continue", &length]).await;
        assert_eq!(self.head().await.status(), 100);
    }

    /// Everything up to and including `mark`.
    pub async fn until(&mut self, mark: &str) -> Vec<u8> {
        loop {
            if let Some(at) = find(&self.unread, mark.as_bytes()) {
                return self.unread.drain(..at + mark.len()).collect();
            }
            assert!(self.more().await, "closed before '{mark:?}': {:?}", self.show());
        }
    }

    pub async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            assert!(self.more().await, "closed before {count} bytes: {:?}", self.show());
        }
        self.unread.drain(..count).collect()
    }

    /// Status line and headers.
    pub async fn head(&mut self) -> RawAnswer {
        let head = String::from_utf8_lossy(&self.until("\r\n\r\n").await).into_owned();
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().expect("a status line").to_owned();
        let headers = lines
            .map(|line| line.split_once(':').unwrap_or_else(|| panic!("header line '{line}'")))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        RawAnswer { status_line, headers, body: Vec::new() }
    }

    /// Status line and headers; none if the server closes instead.
    pub async fn head_or_close(&mut self) -> Option<RawAnswer> {
        while find(&self.unread, b"\r\n\r\n").is_none() {
            if !self.more().await {
                return None;
            }
        }
        Some(self.head().await)
    }

    /// Status line and headers; none as soon as there is a reason not to expect them.
    pub async fn head_unless(&mut self, reason: impl Fn() -> bool) -> Option<RawAnswer> {
        let given_up = super::wait_for("an answer, or none", || async { reason().then_some(()) });
        tokio::select! {
            head = self.head() => Some(head),
            () = given_up => None,
        }
    }

    /// One complete answer, by Content-Length or chunks.
    pub async fn answer(&mut self) -> RawAnswer {
        let mut answer = self.head().await;
        if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                answer.body.extend(chunk);
            }
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().expect("a length");
            answer.body = self.exactly(length).await;
        }
        answer
    }

    /// The next chunk; none for the last one.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = String::from_utf8_lossy(&self.until("\r\n").await).into_owned();
        let size = usize::from_str_radix(size.trim_end(), 16)
            .unwrap_or_else(|_| panic!("chunk size '{size}'"));
        let mut chunk = self.exactly(size + 2).await;
        assert_eq!(chunk.split_off(size), b"\r\n", "a chunk ends with CRLF");
        (size > 0).then_some(chunk)
    }

    #[track_caller]
    pub fn expect_chunk(&mut self, bytes: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let chunk = self.chunk().await.unwrap_or_else(|| panic!("{caller}: the last chunk"));
            let (seen, wanted) =
                (String::from_utf8_lossy(&chunk), String::from_utf8_lossy(bytes.as_ref()));
            assert_eq!(seen, wanted, "{caller}");
        }
    }

    /// Whatever has come and was not read, or else what comes next; none when the server closes.
    pub async fn some(&mut self) -> Option<Vec<u8>> {
        if self.unread.is_empty() && !self.more().await {
            return None;
        }
        Some(std::mem::take(&mut self.unread))
    }

    /// Everything until the server closes; a reset counts as the end.
    pub async fn until_close(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.unread)
    }

    /// The server closes and sends nothing more.
    pub async fn expect_close(&mut self) {
        let rest = self.until_close().await;
        assert!(rest.is_empty(), "more bytes: {:?}", String::from_utf8_lossy(&rest));
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        self.set(libc::SOL_SOCKET, libc::SO_LINGER, &RESET).expect("SO_LINGER");
    }

    /// Shuts down the sending side.
    pub async fn half_close(&mut self) {
        self.socket.shutdown().await.expect("shutdown");
    }

    /// Goes away without a word to the server, as a machine that loses power; whatever the server sends
    /// after that is answered with a reset. Without the privilege to do so, resets at once.
    pub fn vanish(self) {
        let on: libc::c_int = 1;
        // A socket in repair is closed without a segment.
        if self.set(libc::IPPROTO_TCP, libc::TCP_REPAIR, &on).is_err() {
            self.reset();
        }
    }

    fn set<T>(&self, level: libc::c_int, name: libc::c_int, value: &T) -> std::io::Result<()> {
        let len = size_of::<T>() as libc::socklen_t;
        // SAFETY: setsockopt reads `value`; the descriptor is open as long as the socket lives.
        let done = unsafe {
            libc::setsockopt(self.descriptor, level, name, std::ptr::from_ref(value).cast(), len)
        };
        if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    }

    fn show(&self) -> String {
        String::from_utf8_lossy(&self.unread).into_owned()
    }

    async fn more(&mut self) -> bool {
        let read = in_time("bytes of a raw connection", self.socket.read_buf(&mut self.unread));
        matches!(read.await, Ok(count) if count > 0)
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

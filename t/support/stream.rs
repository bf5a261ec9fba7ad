//! A response that is read while it is still being written.

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{HeaderMap, Response};

use super::in_time;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With the last chunk or, in HTTP/1.0, the close.
    Clean,
    /// The connection broke in the middle.
    Cut,
}

#[derive(Debug)]
pub struct Stream {
    pub status: u16,
    pub headers: HeaderMap,
    body: Incoming,
    unread: BytesMut,
    end: Option<End>,
}

impl Stream {
    pub(super) fn new(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        Self { status, headers: head.headers, body, unread: BytesMut::new(), end: None }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a printable header"))
    }

    /// The next line without its line feed.
    pub async fn line(&mut self) -> String {
        match self.next_line().await {
            Ok(line) => line,
            Err(end) => panic!("the stream ended ({end:?}) before a line"),
        }
    }

    /// The next line, or how the stream ended.
    pub async fn next_line(&mut self) -> Result<String, End> {
        in_time("a line of a stream", async {
            let mut seen = 0;
            loop {
                if let Some(at) = self.unread[seen..].iter().position(|&byte| byte == b'\n') {
                    let line = self.unread.split_to(seen + at);
                    self.unread.advance(1);
                    return Ok(String::from_utf8_lossy(&line).into_owned());
                }
                seen = self.unread.len();
                self.more().await?;
            }
        })
        .await
    }

    pub async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::with_capacity(count);
        for _ in 0..count {
            lines.push(self.line().await);
        }
        lines
    }

    pub async fn exactly(&mut self, count: usize) -> Vec<u8> {
        in_time("bytes of a stream", async {
            while self.unread.len() < count {
                if let Err(end) = self.more().await {
                    panic!("the stream ended ({end:?}) after {:?}", self.unread);
                }
            }
            self.unread.split_to(count).to_vec()
        })
        .await
    }

    /// The next bytes must be these.
    #[track_caller]
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let bytes = bytes.as_ref();
            let seen = self.exactly(bytes.len()).await;
            assert!(
                seen == bytes,
                "{caller}: expected '{}', got '{}'",
                String::from_utf8_lossy(bytes),
                String::from_utf8_lossy(&seen)
            );
        }
    }

    /// Everything up to the end.
    pub async fn rest(&mut self) -> (Vec<u8>, End) {
        in_time("the end of a stream", async {
            loop {
                if let Err(end) = self.more().await {
                    return (self.unread.split().to_vec(), end);
                }
            }
        })
        .await
    }

    /// The stream must end properly with exactly `bytes`.
    pub async fn ends_with(&mut self, bytes: &str) {
        let (rest, end) = self.rest().await;
        assert_eq!((String::from_utf8_lossy(&rest).as_ref(), end), (bytes, End::Clean));
    }

    async fn more(&mut self) -> Result<(), End> {
        if let Some(end) = self.end {
            return Err(end);
        }
        let end = match self.body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    self.unread.extend_from_slice(&data);
                }
                return Ok(());
            }
            Some(Err(_)) => End::Cut,
            None => End::Clean,
        };
        self.end = Some(end);
        Err(end)
    }
}

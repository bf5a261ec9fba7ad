//! A WebSocket client that says exactly what it is told to, and shows exactly what it hears.

use std::io::Read;

use flate2::read::DeflateDecoder;

use super::{Nginx, Raw, RawAnswer};

/// The example of RFC 6455 section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// FIN, reserved bits and opcode.
    pub start: u8,
    pub payload: Vec<u8>,
}

pub struct Socket {
    pub raw: Raw,
    pub head: RawAnswer,
}

/// The header lines of a handshake.
pub fn handshake() -> Vec<String> {
    vec![
        "Upgrade: websocket".into(),
        "Connection: Upgrade".into(),
        format!("Sec-WebSocket-Key: {KEY}"),
        "Sec-WebSocket-Version: 13".into(),
    ]
}

/// A request with these header lines too; one of HTTP/1.0 has no Host.
pub fn request(version: &str, target: &str, headers: &[&str]) -> String {
    let host = if version == "HTTP/1.0" { "" } else { "Host: localhost\r\n" };
    let mut text = format!("GET {target} {version}\r\n{host}");
    for line in handshake().iter().map(String::as_str).chain(headers.iter().copied()) {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text + "\r\n"
}

/// A masked frame with the shortest length.
pub fn frame(start: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = head(start, payload.len());
    bytes[1] |= 0x80;
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ MASK[i % 4]));
    bytes
}

/// A frame without mask, with the shortest length.
pub fn unmasked(start: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    [&head(start, payload.len()), payload].concat()
}

/// The head of a frame without mask.
fn head(start: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![start];
    match len {
        0..=125 => bytes.push(len as u8),
        126..=0xffff => {
            bytes.push(126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes
}

/// The payload of a close frame.
pub fn closing(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

/// The payload of a frame that was compressed (RFC 7692 section 7.2.2).
pub fn inflated(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    let compressed = [&frame.payload[..], &[0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]].concat();
    DeflateDecoder::new(&compressed[..]).read_to_end(&mut out).expect("a compressed payload");
    out
}

impl Socket {
    pub async fn open(raw: Raw, target: &str, headers: &[&str]) -> Self {
        Self::open_by(raw, "HTTP/1.1", target, headers).await
    }

    /// By a request of this version of HTTP.
    pub async fn open_by(mut raw: Raw, version: &str, target: &str, headers: &[&str]) -> Self {
        raw.send(request(version, target, headers)).await;
        let head = raw.head().await;
        assert_eq!(head.status_line, "HTTP/1.1 101 Switching Protocols", "{head:?}");
        Self { raw, head }
    }

    pub async fn send(&mut self, start: u8, payload: impl AsRef<[u8]>) {
        self.raw.send(frame(start, payload)).await;
    }

    pub async fn send_unmasked(&mut self, start: u8, payload: impl AsRef<[u8]>) {
        self.raw.send(unmasked(start, payload)).await;
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Frame {
        let head = self.raw.exactly(2).await;
        assert_eq!(head[1] & 0x80, 0, "a server's frame is masked");
        let len = match head[1] {
            126 => u16::from_be_bytes(self.raw.exactly(2).await.try_into().expect("2")).into(),
            127 => u64::from_be_bytes(self.raw.exactly(8).await.try_into().expect("8")) as usize,
            len => usize::from(len),
        };
        Frame { start: head[0], payload: self.raw.exactly(len).await }
    }

    #[track_caller]
    pub fn expect(&mut self, start: u8, payload: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let seen = self.frame().await;
            let wanted = Frame { start, payload: payload.as_ref().to_vec() };
            assert!(
                seen == wanted,
                "{caller}: expected {start:#x} {:?}, got {:#x} {:?}",
                String::from_utf8_lossy(&wanted.payload),
                seen.start,
                String::from_utf8_lossy(&seen.payload)
            );
        }
    }

    /// The next frame is this text.
    #[track_caller]
    pub fn text(&mut self, text: &str) -> impl Future<Output = ()> {
        self.expect(0x81, text)
    }

    /// The next frame closes with this code, and then the server ends the connection.
    #[track_caller]
    pub fn fails_with(&mut self, code: u16) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let seen = self.frame().await;
            let said = seen.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
            assert_eq!((seen.start, said), (0x88, Some(code)), "{caller}: {seen:?}");
            self.raw.expect_close().await;
        }
    }

    /// The server closes without a code; the client answers, and the server ends the connection.
    pub async fn closes(&mut self) {
        self.expect(0x88, b"").await;
        self.send(0x88, b"").await;
        self.raw.expect_close().await;
    }
}

impl Nginx {
    /// An open WebSocket.
    pub async fn socket(&self, target: &str) -> Socket {
        self.socket_with(target, &[]).await
    }

    /// A WebSocket that is asked for by HTTP/1.0, without Host.
    pub async fn old_socket(&self, target: &str) -> Socket {
        Socket::open_by(self.raw().await, "HTTP/1.0", target, &[]).await
    }

    /// A WebSocket whose handshake has these header lines too.
    pub async fn socket_with(&self, target: &str, headers: &[&str]) -> Socket {
        Socket::open(self.raw().await, target, headers).await
    }
}

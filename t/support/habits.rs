//! WebSocket clients that do not do what RFC 6455 wants of them, and are served all the same.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// By which version of HTTP a client asks, and whether it masks its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    pub version: &'static str,
    pub masks: bool,
}

impl Habits {
    pub const MODERN: Habits = Habits { version: "HTTP/1.1", masks: true };
    pub const OLD: Habits = Habits { version: "HTTP/1.0", masks: true };
    pub const UNMASKED: Habits = Habits { version: "HTTP/1.1", masks: false };
    /// What is found in the field.
    pub const DEVICE: Habits = Habits { version: "HTTP/1.0", masks: false };
    pub const ALL: [Habits; 4] = [Self::MODERN, Self::DEVICE, Self::OLD, Self::UNMASKED];

    /// Opens a WebSocket over a connection; an error if that breaks or the request is refused. Returns the
    /// head of the answer, too.
    pub async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        mut stream: S,
        request: &Request,
    ) -> std::io::Result<(WebSocketStream<S>, String)> {
        let target = request.uri().path_and_query().expect("a target");
        let mut text = format!("GET {target} {}\r\n", self.version);
        // A device leaves Host out, as HTTP/1.0 lets it.
        let headers = request.headers().iter();
        for (name, value) in headers.filter(|(name, _)| self != Self::DEVICE || *name != "host") {
            text += &format!("{name}: {}\r\n", value.to_str().expect("a printable value"));
        }
        stream.write_all((text + "\r\n").as_bytes()).await?;
        stream.flush().await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        if !head.starts_with("HTTP/1.1 101 ") {
            return Err(std::io::Error::other(head));
        }
        // The library masks what a client sends, and nothing that a server does.
        let role = if self.masks { Role::Client } else { Role::Server };
        let config = WebSocketConfig::default().accept_unmasked_frames(true);
        Ok((WebSocketStream::from_raw_socket(stream, role, Some(config)).await, head))
    }
}

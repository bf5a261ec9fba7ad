//! What a WebSocket location has beyond other subscriber locations.

use std::time::Duration;

use super::error::CheckError;
use super::settings::{LocationSettings, Refuse};
use crate::protocol::websocket::rules::Masking;

/// Settings of the connections of one location, with defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSocket {
    /// Whether text from the client is published to its channels (DIR-31, WS-91).
    pub allow_publish: bool,
    /// How a request is refused that shook hands properly.
    pub refuse: Refuse,
    pub masking: Masking,
    /// Whether close frames of normal endings have a code; else they are `88 00` (WS-63).
    pub close_codes: bool,
    /// The most bytes of a message from the client; `None`: as the location's request bodies.
    pub max_message_size: Option<u64>,
    /// How long a client may take to answer a ping; `None`: for ever (WS-60).
    pub pong_timeout: Option<Duration>,
    /// Whether binary messages come and go as they are.
    pub binary: bool,
    /// Whether permessage-deflate is agreed to.
    pub deflate: bool,
    /// In the order configured; empty: none is ever chosen.
    pub subprotocols: Vec<Vec<u8>>,
    /// Empty: any origin may connect.
    pub allowed_origins: Vec<Vec<u8>>,
}

impl WebSocket {
    /// Applies defaults and checks.
    pub fn resolve(settings: &LocationSettings) -> Result<Self, CheckError> {
        if settings.websocket_pong_timeout == Some(Duration::ZERO) {
            return Err(CheckError::Zero("push_stream_websocket_pong_timeout"));
        }
        Ok(Self {
            allow_publish: settings.websocket_allow_publish.unwrap_or(false),
            refuse: settings.websocket_refuse.unwrap_or_default(),
            masking: settings.websocket_masking.unwrap_or_default(),
            close_codes: settings.websocket_close_codes.unwrap_or(false),
            max_message_size: settings.websocket_max_message_size.map(|size| size as u64),
            pong_timeout: settings.websocket_pong_timeout,
            binary: settings.websocket_binary.unwrap_or(false),
            deflate: settings.websocket_deflate.unwrap_or(false),
            subprotocols: settings.websocket_subprotocols.clone().unwrap_or_default(),
            allowed_origins: settings.websocket_allowed_origins.clone().unwrap_or_default(),
        })
    }

    /// Whether a page of this origin may connect (WS-GAP-19). Clients that are no browsers send
    /// none, and could send any.
    pub fn allows(&self, origin: Option<&[u8]>) -> bool {
        let Some(origin) = origin.filter(|_| !self.allowed_origins.is_empty()) else { return true };
        self.allowed_origins.iter().any(|allowed| matches(allowed, origin))
    }
}

/// The same, in any letter case; `*` after `//` stands for one or more labels of the host.
fn matches(allowed: &[u8], origin: &[u8]) -> bool {
    let Some(at) = allowed.windows(4).position(|part| part == b"//*.") else {
        return allowed.eq_ignore_ascii_case(origin);
    };
    let (scheme, rest) = (&allowed[..at + 2], &allowed[at + 3..]);
    let Some(labels) = origin.len().checked_sub(scheme.len() + rest.len()) else { return false };
    let (begin, end) = origin.split_at(scheme.len() + labels);
    let (begin, labels) = begin.split_at(scheme.len());
    let is_label = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    begin.eq_ignore_ascii_case(scheme)
        && end.eq_ignore_ascii_case(rest)
        && !labels.is_empty()
        && labels.iter().all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(origins: &[&str]) -> WebSocket {
        let allowed_origins = origins.iter().map(|origin| origin.as_bytes().to_vec()).collect();
        WebSocket { allowed_origins, ..WebSocket::default() }
    }

    #[test]
    fn origins() {
        // WS-GAP-19
        assert!(of(&[]).allows(Some(b"http://any")));
        let some = of(&["https://a.example", "https://*.b.example:8443"]);
        assert!(some.allows(None));
        for origin in ["https://a.example", "HTTPS://A.example", "https://x.y.b.example:8443"] {
            assert!(some.allows(Some(origin.as_bytes())), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://a.example",
            "https://a.example.evil",
            "https://b.example:8443",
            "https://.b.example",
            "https://evil/x.b.example:8443",
            "https://xb.example:8443",
        ] {
            assert!(!some.allows(Some(origin.as_bytes())), "{origin}");
        }
    }

    #[test]
    fn no_time_for_pongs_is_refused() {
        let settings = LocationSettings {
            websocket_pong_timeout: Some(Duration::ZERO),
            ..LocationSettings::default()
        };
        assert_eq!(
            WebSocket::resolve(&settings),
            Err(CheckError::Zero("push_stream_websocket_pong_timeout"))
        );
    }
}

//! The opening handshake's values (RFC 6455 section 4.2).

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

/// The headers of the request, each value as received; several headers of one name are several
/// values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    pub upgrade: &'a [&'a [u8]],
    pub connection: &'a [&'a [u8]],
    pub key: &'a [&'a [u8]],
    pub version: &'a [&'a [u8]],
}

/// Why there is no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// WS-13.
    #[error(
        "Don't have at least one of the mandatory headers: Connection, Upgrade, Sec-WebSocket-Key \
         and Sec-WebSocket-Version"
    )]
    Missing,
    /// WS-15.
    #[error("Version not supported. Supported versions: 8, 13")]
    Version,
    /// WS-GAP-2.
    #[error("The Upgrade header does not ask for websocket.")]
    Upgrade,
    /// WS-GAP-3.
    #[error("The Connection header does not ask for an upgrade.")]
    Connection,
    /// WS-GAP-4.
    #[error("The Sec-WebSocket-Key header is not 16 bytes in base64.")]
    Key,
}

/// The base64 of a key, with padding. The last letter before it has four bits that mean nothing, which
/// need not be zero: the example of RFC 6455 section 4.1 sets one of them.
const KEY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Checks the request and returns the value of `Sec-WebSocket-Accept` (WS-13..19, WS-GAP-2..4).
pub fn accept(request: &Request<'_>) -> Result<String, HandshakeError> {
    let mandatory = [request.upgrade, request.connection, request.key, request.version];
    if mandatory.iter().any(|values| values.is_empty()) {
        return Err(HandshakeError::Missing);
    }
    if !matches!(request.version, [version] if is_supported(version)) {
        return Err(HandshakeError::Version);
    }
    if !lists_token(request.upgrade, b"websocket") {
        return Err(HandshakeError::Upgrade);
    }
    if !lists_token(request.connection, b"upgrade") {
        return Err(HandshakeError::Connection);
    }
    match request.key {
        [key] if KEY.decode(key).is_ok_and(|nonce| nonce.len() == 16) => Ok(answer_to(key)),
        _ => Err(HandshakeError::Key),
    }
}

/// Decimal digits that make 8 or 13 (WS-14).
fn is_supported(version: &[u8]) -> bool {
    let digits = !version.is_empty() && version.iter().all(u8::is_ascii_digit);
    let zeroes = version.iter().take_while(|digit| **digit == b'0').count();
    digits && matches!(&version[zeroes..], b"8" | b"13")
}

fn lists_token(values: &[&[u8]], token: &[u8]) -> bool {
    let mut items = values.iter().flat_map(|value| value.split(|byte| *byte == b','));
    items.any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}

fn answer_to(key: &[u8]) -> String {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// The first of the client's subprotocols that is among ours (WS-GAP-18).
pub fn subprotocol<'o>(offered: &[&[u8]], ours: &'o [Vec<u8>]) -> Option<&'o [u8]> {
    let mut items = offered.iter().flat_map(|value| value.split(|byte| *byte == b','));
    items.find_map(|item| ours.iter().find(|our| *our == item.trim_ascii())).map(Vec::as_slice)
}

/// The response head of an open connection, these lines and no others (WS-20).
pub fn head(accept: &str, subprotocol: Option<&[u8]>, extension: Option<&str>) -> Vec<u8> {
    let mut head = b"HTTP/1.1 101 Switching Protocols\r\n\
        Expires: Thu, 01 Jan 1970 00:00:01 GMT\r\n\
        Cache-Control: no-cache, no-store, must-revalidate\r\n\
        Upgrade: WebSocket\r\n\
        Connection: Upgrade\r\n"
        .to_vec();
    let lines = [
        ("Sec-WebSocket-Accept", Some(accept.as_bytes())),
        ("Sec-WebSocket-Protocol", subprotocol),
        ("Sec-WebSocket-Extensions", extension.map(str::as_bytes)),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Request<'static> = Request {
        upgrade: &[b"websocket"],
        connection: &[b"Upgrade"],
        key: &[b"dGhlIHNhbXBsZSBub25jZQ=="],
        version: &[b"13"],
    };

    #[test]
    fn the_rfcs_example() {
        // WS-19
        assert_eq!(accept(&GOOD).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn every_header_must_be_there() {
        // WS-13
        for request in [
            Request { upgrade: &[], ..GOOD },
            Request { connection: &[], ..GOOD },
            Request { key: &[], ..GOOD },
            Request { version: &[], ..GOOD },
        ] {
            assert_eq!(accept(&request), Err(HandshakeError::Missing));
        }
    }

    #[test]
    fn versions() {
        // WS-14, WS-15
        for version in [&b"8"[..], b"13", b"013", b"0008"] {
            assert!(accept(&Request { version: &[version], ..GOOD }).is_ok());
        }
        for version in [&b"12"[..], b"+13", b"13.0", b"8,13", b"", b"0", b"113"] {
            let request = Request { version: &[version], ..GOOD };
            assert_eq!(accept(&request), Err(HandshakeError::Version));
        }
        assert_eq!(
            accept(&Request { version: &[b"13", b"8"], ..GOOD }),
            Err(HandshakeError::Version)
        );
    }

    #[test]
    fn tokens_in_lists() {
        // WS-GAP-2, WS-GAP-3
        let listed: [&[u8]; 1] = [b"keep-alive, Upgrade"];
        assert!(accept(&Request { connection: &listed, ..GOOD }).is_ok());
        assert!(accept(&Request { upgrade: &[b"h2c", b"WebSocket"], ..GOOD }).is_ok());
        let close: [&[u8]; 1] = [b"close"];
        assert_eq!(
            accept(&Request { connection: &close, ..GOOD }),
            Err(HandshakeError::Connection)
        );
        let h2c: [&[u8]; 1] = [b"h2c"];
        assert_eq!(accept(&Request { upgrade: &h2c, ..GOOD }), Err(HandshakeError::Upgrade));
    }

    #[test]
    fn keys() {
        // WS-17, WS-GAP-4
        let good = GOOD.key[0];
        for keys in [
            &[&b"x"[..]][..],
            &[b""],
            &[good, good],
            // No padding, or less; 15 bytes and 17.
            &[b"dGhlIHNhbXBsZSBub25jZQ"],
            &[b"dGhlIHNhbXBsZSBub25jZQ="],
            &[b"AAECAwQFBgcICQoLDA0O"],
            &[b"AAECAwQFBgcICQoLDA0ODxA="],
            // 24 characters that are no base64, or that of URLs.
            &[b"AQIDBAUGBwgJCgsMDQ4PE==="],
            &[b"AQIDBAUG wgJCgsMDQ4PEA=="],
            &[b"AQIDBAUG-wgJCgsMDQ4P_A=="],
            &[b"AQIDBAUGBwgJCgsMDQ4PEA\0\0"],
        ] {
            assert_eq!(accept(&Request { key: keys, ..GOOD }), Err(HandshakeError::Key));
        }
    }

    #[test]
    fn keys_with_bits_that_mean_nothing() {
        // WS-17, WS-19, WS-GAP-4: the answer is to the text, not to what it decodes to
        for (key, answer) in [
            (b"AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
            (b"AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
        ] {
            assert_eq!(accept(&Request { key: &[key], ..GOOD }).as_deref(), Ok(answer));
        }
        for last in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
            let mut key = *b"AQIDBAUGBwgJCgsMDQ4PEA==";
            key[21] = *last;
            assert!(accept(&Request { key: &[&key], ..GOOD }).is_ok(), "{}", char::from(*last));
        }
    }

    #[test]
    fn subprotocols() {
        // WS-GAP-18
        let ours = [b"chat".to_vec(), b"v2".to_vec()];
        assert_eq!(subprotocol(&[b"x, v2", b"chat"], &ours), Some(&b"v2"[..]));
        assert_eq!(subprotocol(&[b"x"], &ours), None);
        assert_eq!(subprotocol(&[], &ours), None);
    }
}

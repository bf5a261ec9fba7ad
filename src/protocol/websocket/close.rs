//! How a WebSocket ends: status codes, and close frames with them (RFC 6455 section 7).

use super::frame::{self, MAX_CONTROL_PAYLOAD, Opcode};

/// A status code of a close frame (RFC 6455 section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Status {
    /// The purpose of the connection is fulfilled.
    Normal = 1000,
    /// The server goes down or its configuration was replaced.
    GoingAway = 1001,
    ProtocolError = 1002,
    /// A kind of data that is not accepted.
    Unsupported = 1003,
    /// Data that is not what its kind promises: text that is not UTF-8.
    InvalidPayload = 1007,
    /// Refused for a reason that has no code of its own (WS-40).
    PolicyViolation = 1008,
    MessageTooBig = 1009,
    InternalError = 1011,
    /// Too much waits for this client.
    TryAgainLater = 1013,
}

/// The payload of a close frame from the client, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code the client gave; it may be one of its own (3000..4999).
    pub code: Option<u16>,
}

/// Why a close frame's payload is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseError {
    #[error("a close frame with a payload of one byte")]
    HalfCode,
    #[error("a close frame with code {0}, which is not for the wire")]
    Code(u16),
    #[error("a close reason that is not UTF-8")]
    Reason,
}

impl Close {
    /// Reads a close frame's payload (WS-GAP-11, RFC 6455 sections 5.5.1 and 7.4).
    pub fn parse(payload: &[u8]) -> Result<Self, CloseError> {
        let (code, reason) = match payload {
            [] => return Ok(Self { code: None }),
            [_] => return Err(CloseError::HalfCode),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        if !is_for_the_wire(code) {
            return Err(CloseError::Code(code));
        }
        match std::str::from_utf8(reason) {
            Ok(_) => Ok(Self { code: Some(code) }),
            Err(_) => Err(CloseError::Reason),
        }
    }
}

fn is_for_the_wire(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Appends a close frame. Without a code it is `88 00` (WS-63). A reason that does not fit is cut at
/// a character's end.
pub fn append(code: Option<u16>, reason: &str, out: &mut Vec<u8>) {
    let Some(code) = code else { return frame::append(Opcode::Close, &[], out) };
    let mut end = reason.len().min(MAX_CONTROL_PAYLOAD - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    frame::append_header(Opcode::Close, false, 2 + end, out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&reason.as_bytes()[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame_of(code: Option<u16>, reason: &str) -> Vec<u8> {
        let mut out = Vec::new();
        append(code, reason, &mut out);
        out
    }

    #[test]
    fn frames() {
        // WS-40, WS-63
        assert_eq!(frame_of(None, ""), [0x88, 0]);
        assert_eq!(frame_of(Some(1000), ""), [0x88, 2, 3, 0xe8]);
        assert_eq!(frame_of(Some(Status::PolicyViolation as u16), "no"), b"\x88\x04\x03\xf0no");
    }

    #[test]
    fn payloads() {
        // WS-78, WS-79, WS-GAP-11
        assert_eq!(Close::parse(b""), Ok(Close { code: None }));
        assert_eq!(Close::parse(b"\x03\xe8"), Ok(Close { code: Some(1000) }));
        assert_eq!(Close::parse(b"\x0f\xa0bye"), Ok(Close { code: Some(4000) }));
        assert_eq!(Close::parse(b"\x03"), Err(CloseError::HalfCode));
        assert_eq!(Close::parse(b"\x03\xe8\xff"), Err(CloseError::Reason));
        assert_eq!(Close::parse(b"\x03\xe8\xed\xa0\x80"), Err(CloseError::Reason));
    }

    #[test]
    fn codes_that_are_not_for_the_wire() {
        // WS-GAP-11
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535_u16] {
            assert_eq!(Close::parse(&code.to_be_bytes()), Err(CloseError::Code(code)));
        }
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999_u16] {
            assert_eq!(Close::parse(&code.to_be_bytes()), Ok(Close { code: Some(code) }));
        }
    }

    proptest! {
        #[test]
        fn any_reason_fits_and_stays_text(code in 3000u16..5000, reason: String) {
            let frame = frame_of(Some(code), &reason);
            prop_assert!(frame.len() <= 2 + MAX_CONTROL_PAYLOAD);
            prop_assert_eq!(usize::from(frame[1]), frame.len() - 2);
            prop_assert_eq!(Close::parse(&frame[2..]), Ok(Close { code: Some(code) }));
            prop_assert!(reason.as_bytes().starts_with(&frame[4..]));
        }
    }
}

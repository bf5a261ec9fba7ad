//! The head of a frame, as the server writes it (RFC 6455 section 5.2): never masked, never a
//! fragment.

/// The longest payload of a control frame (RFC 6455 section 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    /// `None`: a reserved one (WS-GAP-7).
    pub fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// How many bytes [`append_header`] appends for a payload of this length.
pub const fn header_len(payload: usize) -> usize {
    match payload {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

/// Appends the head of a whole message's frame, with the shortest length (WS-50, WS-52). A
/// compressed one says so in RSV1 (RFC 7692 section 6).
pub fn append_header(opcode: Opcode, compressed: bool, payload: usize, out: &mut Vec<u8>) {
    const FIN: u8 = 0x80;
    const RSV1: u8 = 0x40;
    out.push(FIN | if compressed { RSV1 } else { 0 } | opcode as u8);
    match payload {
        0..=125 => out.push(payload as u8),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(payload as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload as u64).to_be_bytes());
        }
    }
}

/// Appends a whole frame.
pub fn append(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    append_header(opcode, false, payload.len(), out);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_shortest() {
        // WS-52
        let head = |len| {
            let mut out = Vec::new();
            append_header(Opcode::Text, false, len, &mut out);
            assert_eq!(out.len(), header_len(len));
            out
        };
        assert_eq!(head(0), [0x81, 0]);
        assert_eq!(head(125), [0x81, 125]);
        assert_eq!(head(126), [0x81, 126, 0, 126]);
        assert_eq!(head(65535), [0x81, 126, 0xff, 0xff]);
        assert_eq!(head(65536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn kinds() {
        // WS-51, WS-58, WS-76
        let mut out = Vec::new();
        append(Opcode::Ping, b"", &mut out);
        append(Opcode::Pong, b"x", &mut out);
        append(Opcode::Binary, b"\0", &mut out);
        append_header(Opcode::Text, true, 1, &mut out);
        assert_eq!(out, [0x89, 0, 0x8a, 1, b'x', 0x82, 1, 0, 0xc1, 1]);
    }

    #[test]
    fn reserved_opcodes() {
        // WS-69, WS-GAP-7
        let known = (0..16).filter(|bits| Opcode::from_bits(*bits).is_some());
        assert_eq!(known.collect::<Vec<_>>(), [0, 1, 2, 8, 9, 10]);
        assert!(Opcode::Close.is_control() && !Opcode::Binary.is_control());
    }
}

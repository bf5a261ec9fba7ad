//! Chunked transfer coding of HTTP/1.1, written around a payload in the same buffer.

/// What ends a body (SUB-41).
pub const LAST: &[u8] = b"0\r\n\r\n";

const LINE_END: &[u8] = b"\r\n";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Opens a chunk whose payload has exactly `len` bytes; the payload and [`end`] must follow.
///
/// An empty chunk would end the body: what renders to nothing is left out by the caller (TPL-13).
pub fn begin(len: usize, out: &mut Vec<u8>) {
    debug_assert!(len > 0, "an empty chunk ends the body");
    let mut shift = 4 * size_digits(len);
    while shift > 0 {
        shift -= 4;
        out.push(HEX[(len >> shift) & 0xf]);
    }
    out.extend_from_slice(LINE_END);
}

/// Closes the chunk.
pub fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(LINE_END);
}

/// The exact size of a chunk with a payload of `len` bytes, framing included.
pub fn framed_len(len: usize) -> usize {
    size_digits(len) + LINE_END.len() + len + LINE_END.len()
}

fn size_digits(len: usize) -> usize {
    len.checked_ilog2().map_or(1, |exponent| exponent as usize / 4 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(framed_len(payload.len()));
        let capacity = out.capacity();
        begin(payload.len(), &mut out);
        out.extend_from_slice(payload);
        end(&mut out);
        assert_eq!(out.len(), framed_len(payload.len()));
        assert_eq!(out.capacity(), capacity);
        out
    }

    #[test]
    fn a_chunk_on_the_wire() {
        // SUB-41
        assert_eq!(framed(b" "), b"1\r\n \r\n");
        assert_eq!(framed(b"0123456789abcdef"), b"10\r\n0123456789abcdef\r\n");
        assert_eq!(LAST, b"0\r\n\r\n");
    }

    #[test]
    fn sizes_at_digit_borders() {
        for len in [1, 9, 10, 15, 16, 255, 256, 4095, 4096, 65_535, 65_536, usize::MAX] {
            let mut out = Vec::new();
            begin(len, &mut out);
            assert_eq!(out, format!("{len:x}\r\n").as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_payload_is_framed(payload in prop::collection::vec(any::<u8>(), 1..600)) {
            let head = format!("{:x}\r\n", payload.len());
            prop_assert_eq!(framed(&payload), [head.as_bytes(), &payload[..], b"\r\n"].concat());
        }

        #[test]
        fn any_size_is_written_in_hexadecimal(len in 1..usize::MAX) {
            let mut out = Vec::new();
            begin(len, &mut out);
            prop_assert_eq!(out, format!("{len:x}\r\n").into_bytes());
        }
    }
}

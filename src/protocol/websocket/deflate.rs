//! permessage-deflate (RFC 7692) without context takeover: each message is compressed by itself, so
//! that one compressed form serves all subscribers.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// What the server answers to an offer it takes.
pub const ACCEPTED: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The end of a flushed block, which is not sent (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Whether one of the offers of `Sec-WebSocket-Extensions` can be taken (RFC 7692 section 7.1). One
/// that asks for a smaller window of the server is left.
pub fn accepts(offers: &[u8]) -> bool {
    let Ok(offers) = std::str::from_utf8(offers) else { return false };
    offers.split(',').any(takes)
}

fn takes(offer: &str) -> bool {
    let mut parts = offer.split(';').map(str::trim);
    if !parts.next().is_some_and(|name| name.eq_ignore_ascii_case("permessage-deflate")) {
        return false;
    }
    let mut seen: Vec<String> = Vec::new();
    for parameter in parts {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (parameter, None),
        };
        let name = name.to_ascii_lowercase();
        let bits = |value: &str| value.parse::<u8>().is_ok_and(|bits| (8..=15).contains(&bits));
        let taken = match (name.as_str(), value) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => true,
            ("client_max_window_bits", value) => value.is_none_or(bits),
            ("server_max_window_bits", Some(value)) => value == "15",
            _ => false,
        };
        if !taken || seen.contains(&name) {
            return false;
        }
        seen.push(name);
    }
    true
}

/// Compresses a message's payload.
pub fn compress(payload: &[u8], out: &mut Vec<u8>) {
    let mut deflate = Compress::new(Compression::fast(), false);
    let begin = out.len();
    out.reserve(payload.len() / 2 + 64);
    loop {
        let read = deflate.total_in() as usize;
        let done = deflate
            .compress_vec(&payload[read..], out, FlushCompress::Sync)
            .is_ok_and(|_| deflate.total_in() as usize == payload.len());
        if done && out.len() < out.capacity() {
            break;
        }
        out.reserve(out.len() - begin + 64);
    }
    debug_assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - TAIL.len());
}

/// Why a message cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// It is, or would be, longer than allowed.
    TooBig,
    Corrupt,
}

/// Decompresses a message's payload to at most `max` bytes.
pub fn inflate(payload: &[u8], max: u64) -> Result<Vec<u8>, InflateError> {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let mut inflate = Decompress::new(false);
    let mut out = Vec::with_capacity(payload.len().saturating_mul(2).clamp(64, 4096));
    for piece in [payload, &TAIL] {
        let begin = inflate.total_in();
        loop {
            let read = (inflate.total_in() - begin) as usize;
            let before = out.len();
            let status = inflate
                .decompress_vec(&piece[read..], &mut out, FlushDecompress::Sync)
                .map_err(|_| InflateError::Corrupt)?;
            if out.len() > max {
                return Err(InflateError::TooBig);
            }
            // A final block may end a message early; what follows is empty (RFC 7692 7.2.3.4).
            if status == Status::StreamEnd {
                return Ok(out);
            }
            let all_read = (inflate.total_in() - begin) as usize == piece.len();
            if out.len() == out.capacity() {
                out.reserve(out.len().min(max.saturating_sub(out.len()).saturating_add(1)));
            } else if all_read {
                break;
            } else if out.len() == before {
                return Err(InflateError::Corrupt);
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compressed(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        compress(payload, &mut out);
        out
    }

    #[test]
    fn the_rfcs_examples() {
        // RFC 7692 section 7.2.3
        assert_eq!(inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", 5).unwrap(), b"Hello");
        assert_eq!(inflate(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 5).unwrap(), b"Hello");
        assert_eq!(inflate(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 5).unwrap(), b"Hello");
        assert_eq!(
            inflate(b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 5).unwrap(),
            b"Hello"
        );
        assert_eq!(inflate(b"\x00", 0).unwrap(), b"");
    }

    #[test]
    fn offers() {
        assert!(accepts(b"permessage-deflate"));
        assert!(accepts(b"permessage-deflate; client_max_window_bits"));
        assert!(accepts(b"x-webkit, permessage-deflate; server_max_window_bits=15"));
        assert!(accepts(b"permessage-deflate; server_max_window_bits=10, permessage-deflate"));
        assert!(!accepts(b""));
        assert!(!accepts(b"permessage-deflate; server_max_window_bits=10"));
        assert!(!accepts(b"permessage-deflate; server_max_window_bits"));
        assert!(!accepts(b"permessage-deflate; client_max_window_bits=7"));
        assert!(!accepts(b"permessage-deflate; something"));
        assert!(!accepts(
            b"permessage-deflate; server_no_context_takeover; server_no_context_takeover"
        ));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = compressed(&vec![0; 10 << 20]);
        assert!(bomb.len() < 64 << 10);
        assert_eq!(inflate(&bomb, 1 << 20), Err(InflateError::TooBig));
        assert_eq!(inflate(&bomb, 10 << 20).map(|out| out.len()), Ok(10 << 20));
    }

    #[test]
    fn what_is_not_deflate() {
        assert_eq!(inflate(b"\xff\xff\xff", 100), Err(InflateError::Corrupt));
    }

    proptest! {
        #[test]
        fn any_payload_comes_back(payload in prop::collection::vec(any::<u8>(), 0..5000)) {
            let out = compressed(&payload);
            prop_assert_eq!(inflate(&out, payload.len() as u64), Ok(payload.clone()));
            if !payload.is_empty() {
                let less = payload.len() as u64 - 1;
                prop_assert_eq!(inflate(&out, less), Err(InflateError::TooBig));
            }
        }

        #[test]
        fn anything_ends(payload: Vec<u8>, max in 0u64..1000) {
            if let Ok(out) = inflate(&payload, max) {
                prop_assert!(out.len() as u64 <= max);
            }
        }
    }
}

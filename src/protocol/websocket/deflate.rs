//! permessage-deflate (RFC 7692) without context takeover: each message is compressed by itself, so
//! that one compressed form serves all subscribers.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::extensions::{Offer, offers};

/// The end of a flushed block, which is not sent (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// An empty last block. Read after [`TAIL`] it shows whether the message ended where a block did.
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// Final blocks that one message may have; behind each decompressing begins anew.
const MAX_FINAL_BLOCKS: usize = 256;

/// What decompressing a message costs before its first byte, as so many bytes.
pub const BEGIN: u64 = 128;

/// What a compressed byte costs at most, as so many bytes: those of blocks that have codes of their own and
/// hardly any text.
pub const WEIGHT: u64 = 8;

/// What the server answers to the first offer that it can take, of one line of
/// `Sec-WebSocket-Extensions` (RFC 7692 sections 5.1 and 7.1). One that asks for a smaller window of the
/// server is left, and so is one with parameters that are unknown, wrong, or named twice.
pub fn answer(line: &[u8]) -> Option<&'static str> {
    offers(line)?.iter().filter(|offer| offer.is("permessage-deflate")).find_map(answer_to)
}

fn answer_to(offer: &Offer<'_>) -> Option<&'static str> {
    let mut seen: Vec<&str> = Vec::new();
    let mut with_window = false;
    for (name, value) in &offer.parameters {
        let known = ["server_no_context_takeover", "client_no_context_takeover"]
            .into_iter()
            .chain(["server_max_window_bits", "client_max_window_bits"])
            .find(|known| known.eq_ignore_ascii_case(name))?;
        if seen.contains(&known) {
            return None;
        }
        seen.push(known);
        match (known, value.as_deref()) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
            // Ours is the largest; taking the offer is to repeat it (section 7.1.2.1).
            ("server_max_window_bits", Some("15")) => with_window = true,
            ("client_max_window_bits", None) => {}
            ("client_max_window_bits", Some(bits)) if is_window(bits) => {}
            _ => return None,
        }
    }
    Some(match with_window {
        true => {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=15"
        }
        false => "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    })
}

/// 8 to 15, without leading zeroes (section 7.1.2).
fn is_window(bits: &str) -> bool {
    matches!(bits, "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15")
}

/// The most bytes of the compressed form of a message of `max` bytes. Compressing makes some things
/// longer: 5 bytes for each block, and a client that compresses in the smallest blocks has one for 127.
pub fn compressed_limit(max: u64) -> u64 {
    max.saturating_add(max / 16).saturating_add(64)
}

/// How hard compressing tries. The lowest level leaves some texts half as long again, and the next
/// ones take longer for little.
const LEVEL: u32 = 2;

/// Compresses a message's payload.
pub fn compress(payload: &[u8], out: &mut Vec<u8>) {
    let mut deflate = Compress::new(Compression::new(LEVEL), false);
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

/// Decompresses a message's payload to at most `max` bytes, and never takes more memory than one byte
/// above that.
pub fn inflate(payload: &[u8], max: u64) -> Result<Vec<u8>, InflateError> {
    if payload.is_empty() {
        // Some leave out the octet of RFC 7692 section 7.2.3.6.
        return Ok(Vec::new());
    }
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let mut inflate = Decompress::new(false);
    let mut out = Vec::with_capacity(payload.len().saturating_mul(2).clamp(64, 4096).min(max));
    let mut ended = false;
    let mut final_blocks = 0;
    for mut piece in [payload, &TAIL, &LAST_BLOCK] {
        if ended {
            // Nothing but a final block was needed, though the RFC has an empty one behind it.
            break;
        }
        let mut full = false;
        // Where all room was used, some of what was read may not have been written.
        while !piece.is_empty() || full && !ended {
            if ended {
                // A final block may end any part of a message (RFC 7692 section 7.2.3.4).
                inflate.reset(false);
                final_blocks += 1;
                if final_blocks >= MAX_FINAL_BLOCKS {
                    return Err(InflateError::Corrupt);
                }
            }
            if out.len() == out.capacity() {
                let most = max.saturating_add(1).saturating_sub(out.len());
                out.reserve_exact(out.len().max(64).min(most));
            }
            let (read, written) = (inflate.total_in(), out.len());
            let status = inflate
                .decompress_vec(piece, &mut out, FlushDecompress::Sync)
                .map_err(|_| InflateError::Corrupt)?;
            if out.len() > max {
                return Err(InflateError::TooBig);
            }
            ended = status == Status::StreamEnd;
            full = out.len() == out.capacity();
            let read = (inflate.total_in() - read) as usize;
            if !ended && read == 0 && out.len() == written && !piece.is_empty() {
                return Err(InflateError::Corrupt);
            }
            piece = &piece[read..];
        }
    }
    if ended { Ok(out) } else { Err(InflateError::Corrupt) }
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
        assert_eq!(inflate(b"", 0).unwrap(), b"");
    }

    #[test]
    fn offers_and_answers() {
        const PLAIN: &str =
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        for line in [
            "permessage-deflate",
            "Permessage-Deflate; Client_Max_Window_Bits",
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate;client_max_window_bits=\"15\"",
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
            "x-webkit, permessage-deflate; something, permessage-deflate",
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        ] {
            assert_eq!(answer(line.as_bytes()), Some(PLAIN), "{line}");
        }
        // RFC 7692 section 7.1.2.1: it is taken by saying it too.
        let with_window = format!("{PLAIN}; server_max_window_bits=15");
        let line = b"permessage-deflate; server_max_window_bits=15; client_max_window_bits";
        assert_eq!(answer(line), Some(&with_window[..]));
    }

    #[test]
    fn offers_that_are_left() {
        for line in [
            "",
            "deflate-frame",
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=015",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=08",
            "permessage-deflate; client_max_window_bits=+9",
            "permessage-deflate; client_max_window_bits=9x",
            "permessage-deflate; client_max_window_bits=\"9",
            "permessage-deflate; client_no_context_takeover=1",
            "permessage-deflate; server_no_context_takeover=\"\"",
            "permessage-deflate; something",
            "permessage-deflate;",
            "permessage-deflate; client_max_window_bits; Client_Max_Window_Bits=9",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "x; y=\", permessage-deflate\"",
        ] {
            assert_eq!(answer(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_final_block_ends_no_message() {
        // RFC 7692 section 7.2.3.4
        let twice = b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00";
        assert_eq!(inflate(twice, 10).unwrap(), b"HelloHello");
        assert_eq!(inflate(twice, 9), Err(InflateError::TooBig));
        let bare = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
        assert_eq!(inflate(bare, 5).unwrap(), b"Hello", "as some say it");
        assert_eq!(inflate(&bare.repeat(256), 2000).unwrap(), b"Hello".repeat(256));
        assert_eq!(inflate(&bare.repeat(257), 2000), Err(InflateError::Corrupt));
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
        // It ends within a block: a stored one of 5 bytes with 2, and half of "Hello".
        assert_eq!(inflate(b"\x00\x05\x00\xfa\xff\x48\x65", 100), Err(InflateError::Corrupt));
        assert_eq!(inflate(b"\xf2\x48\xcd", 100), Err(InflateError::Corrupt));
        // What it repeats lies before its beginning.
        assert_eq!(inflate(b"\x02\x02\x00\x00", 100), Err(InflateError::Corrupt));
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
                prop_assert!(out.capacity() as u64 <= max + 1);
            }
        }
    }
}

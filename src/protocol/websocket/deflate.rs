//! permessage-deflate (RFC 7692) without context takeover: each message is compressed by itself, so
//! that one compressed form serves all subscribers.

use flate2::{Compress, Compression, FlushCompress};

use super::extensions::{Offer, offers};
use crate::protocol::reserve;

/// The end of a flushed block, which is not sent (RFC 7692 section 7.2.1).
pub const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

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
    reserve::more(out, payload.len() / 2 + 64);
    loop {
        let read = deflate.total_in() as usize;
        let done = deflate
            .compress_vec(&payload[read..], out, FlushCompress::Sync)
            .is_ok_and(|_| deflate.total_in() as usize == payload.len());
        if done && out.len() < out.capacity() {
            break;
        }
        reserve::more(out, out.len() - begin + 64);
    }
    debug_assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - TAIL.len());
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

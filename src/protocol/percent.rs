//! Percent-decoding of the values that a configuration computes for each request, and the encoding
//! in which plain text shows what it cannot hold.

use memchr::memchr;

/// Decodes `%HH` once, into a copy (PATH-4, DIR-162, DIR-163).
///
/// Malformed escapes follow PATH-5: a `%` before a byte that is no hexadecimal digit is dropped and
/// the byte kept; a bad second digit drops all three bytes; an escape cut short is dropped.
/// `?` is an ordinary byte and `+` is not a space.
pub fn decode(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(percent) = memchr(b'%', rest) {
        decoded.extend_from_slice(&rest[..percent]);
        rest = match rest[percent + 1..] {
            [high, low, ref after @ ..] if high.is_ascii_hexdigit() => {
                if let (Some(high), Some(low)) = (digit(high), digit(low)) {
                    decoded.push(high << 4 | low);
                }
                after
            }
            [high, ..] if high.is_ascii_hexdigit() => &[],
            [byte, ref after @ ..] => {
                decoded.push(byte);
                after
            }
            [] => &[],
        };
    }
    decoded.extend_from_slice(rest);
    decoded
}

/// Appends a value for plain text: printable UTF-8 as it is; other bytes, line breaks of every kind
/// and `%` itself as `%HH` (STAT-41, PUB-67). [`decode`] gives the value back.
pub fn append_printable(value: &[u8], out: &mut Vec<u8>) {
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut utf_8 = [0; 4];
            let bytes = character.encode_utf8(&mut utf_8).as_bytes();
            match character {
                '%' | '\u{2028}' | '\u{2029}' => append_escaped(bytes, out),
                control if control.is_control() => append_escaped(bytes, out),
                _ => out.extend_from_slice(bytes),
            }
        }
        append_escaped(chunk.invalid(), out);
    }
}

/// Appends a value as a component of a URL or an item of a list: letters, digits and `-._~` as they are, every
/// other byte as `%HH`. [`decode`] gives the value back.
pub fn append_component(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            letter if letter.is_ascii_alphanumeric() => out.push(*byte),
            other => append_escaped(&[*other], out),
        }
    }
}

fn append_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
        out.extend_from_slice(&[b'%', DIGITS[high], DIGITS[low]]);
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn components() {
        let mut out = Vec::new();
        append_component(b"aZ9-._~ ,/%\xc3\xa9", &mut out);
        assert_eq!(out, b"aZ9-._~%20%2C%2F%25%C3%A9");
        assert_eq!(decode(&out), b"aZ9-._~ ,/%\xc3\xa9");
    }

    #[test]
    fn escapes_become_bytes() {
        // DIR-162, PATH-4
        assert_eq!(decode(b"k%41"), b"kA");
        assert_eq!(decode(b"%2f%2F%2E"), b"//.");
        assert_eq!(decode(b"%00%0a%FF"), b"\x00\x0a\xff");
        assert_eq!(decode(b"a+b"), b"a+b");
        assert_eq!(decode(b""), b"");
    }

    #[test]
    fn decoding_is_done_once() {
        // PATH-3
        assert_eq!(decode(b"%2525"), b"%25");
        assert_eq!(decode(b"me%252Ff"), b"me%2Ff");
    }

    #[test]
    fn malformed_escapes() {
        // PATH-5, DIR-162
        assert_eq!(decode(b"%zz"), b"zz");
        assert_eq!(decode(b"a%zzb"), b"azzb");
        assert_eq!(decode(b"%4z"), b"");
        assert_eq!(decode(b"a%4zb"), b"ab");
        assert_eq!(decode(b"a%"), b"a");
        assert_eq!(decode(b"a%4"), b"a");
        assert_eq!(decode(b"a%z"), b"az");
        assert_eq!(decode(b"%%41"), b"%41");
        assert_eq!(decode(b"%4%41"), b"41");
    }

    #[test]
    fn a_question_mark_is_ordinary() {
        // PATH-6, the sane choice
        assert_eq!(decode(b"d%3Fxx"), b"d?xx");
        assert_eq!(decode(b"q1?b%41"), b"q1?bA");
    }

    fn printable(value: &[u8]) -> String {
        let mut out = Vec::new();
        append_printable(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn printing() {
        // STAT-41, PUB-67
        assert_eq!(printable(b"news 1, <x>: \"\\\""), "news 1, <x>: \"\\\"");
        assert_eq!(printable("caf\u{e9}".as_bytes()), "caf\u{e9}");
        assert_eq!(printable(b"a\r\n\0\x7f"), "a%0D%0A%00%7F");
        assert_eq!(printable("\u{85}\u{2028}".as_bytes()), "%C2%85%E2%80%A8");
        assert_eq!(printable(b"\xff\xc3("), "%FF%C3(");
        assert_eq!(printable(b"100%41"), "100%2541");
    }

    fn encode(value: &[u8], escape: impl Fn(u8) -> bool) -> Vec<u8> {
        let mut encoded = Vec::new();
        for &byte in value {
            if byte == b'%' || escape(byte) {
                encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
            } else {
                encoded.push(byte);
            }
        }
        encoded
    }

    proptest! {
        #[test]
        fn an_encoded_value_comes_back(value: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&value, |_| true)), value.clone());
            prop_assert_eq!(decode(&encode(&value, |_| false)), value.clone());
            prop_assert_eq!(decode(&encode(&value, |byte| byte % 3 == 0)), value);
        }

        #[test]
        fn a_printed_value_is_one_line_and_comes_back(value: Vec<u8>) {
            let printed = printable(&value);
            prop_assert!(!printed.chars().any(char::is_control));
            prop_assert_eq!(decode(printed.as_bytes()), value);
        }

        #[test]
        fn printed_text_comes_back(value: String) {
            prop_assert_eq!(decode(printable(value.as_bytes()).as_bytes()), value.into_bytes());
        }

        #[test]
        fn a_value_never_grows(value in "[%0-9a-gA-G?+/]{0,40}") {
            let decoded = decode(value.as_bytes());
            prop_assert!(decoded.len() <= value.len());
            if !value.contains('%') {
                prop_assert_eq!(decoded, value.into_bytes());
            }
        }
    }
}

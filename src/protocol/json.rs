//! JSON text for values that come from clients.

/// Appends a JSON string, quotes included, with everything escaped that would end it (STAT-41,
/// PUB-67). Bytes that are not UTF-8 show as U+FFFD.
pub fn append_string(value: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(value);
    serde_json::to_writer(out, &*text).expect("writing to a vector cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn string(value: &[u8]) -> String {
        let mut out = Vec::new();
        append_string(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escaping() {
        // STAT-41, PUB-67
        assert_eq!(string(b"news"), r#""news""#);
        assert_eq!(string(b"q\"uote\\"), r#""q\"uote\\""#);
        assert_eq!(string(b"a\r\n\0\x1f"), r#""a\r\n\u0000\u001f""#);
        assert_eq!(string("é/<x>".as_bytes()), "\"é/<x>\"");
    }

    #[test]
    fn bytes_that_are_not_utf_8() {
        assert_eq!(string(b"a\xff\xfeb"), "\"a\u{fffd}\u{fffd}b\"");
    }

    proptest! {
        #[test]
        fn any_bytes_parse_back(value: Vec<u8>) {
            let parsed: String = serde_json::from_str(&string(&value)).unwrap();
            prop_assert_eq!(parsed, String::from_utf8_lossy(&value));
        }

        #[test]
        fn any_text_parses_back_unchanged(value: String) {
            let parsed: String = serde_json::from_str(&string(value.as_bytes())).unwrap();
            prop_assert_eq!(parsed, value);
        }
    }
}

//! YAML scalars for values that come from clients.

use super::json;

/// Appends a scalar that stands alone after `name: ` on a line (STAT-41, PUB-67): plain if it is a simple
/// name or a decimal integer, which all readers of YAML take for the same; otherwise as a JSON string, which
/// is YAML as well. Bytes that are not UTF-8 show as U+FFFD.
pub fn append_scalar(value: &[u8], out: &mut Vec<u8>) {
    if is_simple_name(value) || is_decimal(value) {
        out.extend_from_slice(value);
    } else {
        append_quoted(value, out);
    }
}

/// A letter and more of what has no meaning in YAML, and no word that some reader takes for a truth value or
/// for nothing.
fn is_simple_name(value: &[u8]) -> bool {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./".contains(byte);
    value.first().is_some_and(u8::is_ascii_alphabetic)
        && value.iter().all(is_safe)
        && !WORDS.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

/// An integer whose one way of writing is this, small enough for every reader.
fn is_decimal(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let leading = digits.first().is_some_and(|first| (b'1'..=b'9').contains(first));
    (value == b"0" || leading) && digits.len() <= 15 && digits.iter().all(u8::is_ascii_digit)
}

fn append_quoted(value: &[u8], out: &mut Vec<u8>) {
    let mut text = Vec::new();
    json::append_string(value, &mut text);
    for character in String::from_utf8_lossy(&text).chars() {
        match character {
            // JSON has them as they are; for YAML 1.1 they are line breaks, or not printable.
            '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let escape = format!("\\u{:04x}", u32::from(character));
                out.extend_from_slice(escape.as_bytes());
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use saphyr::{LoadableYamlNode, Yaml};

    fn scalar(value: &[u8]) -> String {
        let mut out = Vec::new();
        append_scalar(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn simple_names_and_integers_stand_as_they_are() {
        // PUB-60, PUB-64
        for id in ["news", "user/1", "v1.5", "a-b_c", "e", "nullable", "ON-1", "2026", "-5", "0"] {
            assert_eq!(scalar(id.as_bytes()), id);
        }
    }

    #[test]
    fn everything_else_is_a_json_string() {
        // STAT-41, PUB-67
        let unsafe_ids = "- ~ :x a:b #a [a] x%41 caf\u{e9} null Null TRUE no Y = << --- 1a 1.5 1e3 +1 -0 00 010 \
                          0x1F 1_000 1:30 .inf .NaN 2026-11-21 10.0.0.1 12345678901234567890";
        for id in unsafe_ids.split(' ').chain(["", " a", "a ", "a: b", "- a"]) {
            assert_eq!(scalar(id.as_bytes()), format!("\"{id}\""));
        }
        assert_eq!(scalar(b"say: \"\\\""), r#""say: \"\\\"""#);
        assert_eq!(scalar(b"a\r\n\0\x7f"), r#""a\r\n\u0000\u007f""#);
        assert_eq!(scalar("\u{85}\u{2028}\u{feff}".as_bytes()), r#""\u0085\u2028\ufeff""#);
        assert_eq!(scalar(b"a\xffb"), "\"a\u{fffd}b\"");
    }

    /// What a reader gets of a value: text, or an integer.
    fn parsed(value: &[u8]) -> String {
        let document = format!("channel: {}\r\nother: 1\r\n", scalar(value));
        let documents = Yaml::load_from_str(&document).unwrap();
        assert_eq!(documents.len(), 1, "{document}");
        assert_eq!(documents[0]["other"].as_integer(), Some(1), "{document}");
        let value = &documents[0]["channel"];
        match value.as_integer() {
            Some(number) => number.to_string(),
            None => value.as_str().unwrap_or_else(|| panic!("no text: {document}")).to_owned(),
        }
    }

    proptest! {
        #[test]
        fn any_bytes_parse_back(value: Vec<u8>) {
            prop_assert_eq!(parsed(&value), String::from_utf8_lossy(&value));
        }

        #[test]
        fn any_text_parses_back(value: String) {
            prop_assert_eq!(parsed(value.as_bytes()), value);
        }

        #[test]
        fn numbers_dates_and_indicators_parse_back(value in "[-+?:,#&*!|~.0-9_eExXoObBtTzZ \\[{\"%\\\\\t\r\n]{0,12}") {
            prop_assert_eq!(parsed(value.as_bytes()), value);
        }

        #[test]
        fn words_parse_back(value in "[-+.~]?(?i:null|true|false|yes|no|on|off|y|n|inf|nan|<<|=)") {
            prop_assert_eq!(parsed(value.as_bytes()), value);
        }
    }
}

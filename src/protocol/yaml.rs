//! YAML scalars for values that come from clients.
//!
//! Readers of YAML 1.1 are as common as those of 1.2, and take more for numbers, dates and truth
//! values: a plain scalar must be safe with both.

use std::io::Write;

/// Appends a scalar that stands alone after `name: ` on a line (STAT-41, PUB-67): plain if every
/// reader takes it for this text, or for the decimal integer that is written so; otherwise in double
/// quotes. Bytes that are not UTF-8 show as U+FFFD.
pub fn append_scalar(value: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(value);
    if is_plain(&text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        append_quoted(&text, out);
    }
}

fn append_quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        let code = u32::from(character);
        let written = match character {
            '"' | '\\' => write!(out, "\\{character}"),
            _ if is_printable(character) => write!(out, "{character}"),
            _ if code <= 0xff => write!(out, "\\x{code:02X}"),
            _ => write!(out, "\\u{code:04X}"),
        };
        written.expect("writing to a vector cannot fail");
    }
    out.push(b'"');
}

/// Printable for YAML 1.1 and 1.2, and no line break for either.
fn is_printable(character: char) -> bool {
    match character {
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        other => !other.is_control(),
    }
}

/// Whether all readers take `text`, unquoted, for itself.
fn is_plain(text: &str) -> bool {
    let begins_plain = match text.as_bytes() {
        [] | [b' ', ..] => false,
        [b'-' | b'?', after @ ..] => !matches!(after, [] | [b' ', ..]),
        // A colon begins a symbol for readers in Ruby.
        [first, ..] => !b":,[]{}#&*!|>'\"%@`".contains(first),
    };
    begins_plain
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(is_printable)
        && (is_decimal(text) || !means_something_else(text))
}

/// An integer whose one way of writing is this, small enough for every reader.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let leading = digits.first().is_some_and(|first| (b'1'..=b'9').contains(first));
    (text == "0" || leading) && digits.len() <= 15 && digits.iter().all(u8::is_ascii_digit)
}

/// Whether some reader takes the plain scalar for a number, a date, a truth value or nothing at all.
fn means_something_else(text: &str) -> bool {
    const WORDS: [&str; 17] = [
        "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<", ".inf",
        "+.inf", "-.inf", ".nan", "---",
    ];
    // Some readers take their integers after a sign or a base from a parser that takes a sign too.
    let number = text.trim_start_matches(['+', '-']);
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || is_based(number)
        || is_number(number)
        || is_date(text)
}

/// `0x1F`, `0o17`, `0b101`
fn is_based(number: &str) -> bool {
    let Some(rest) = number.strip_prefix('0') else { return false };
    let is_digit = |byte: u8| byte.is_ascii_hexdigit() || byte == b'_';
    rest.starts_with(['x', 'X', 'o', 'O', 'b', 'B'])
        && rest[1..].trim_start_matches(['+', '-']).bytes().all(is_digit)
}

/// `1_000`, `1,000`, `1.5e3`, and `12:30:45.5` to the base of sixty.
fn is_number(number: &str) -> bool {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, ""));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'_' | b',');
    digits.bytes().all(|byte| is_digit(byte) || matches!(byte, b'.' | b':'))
        && digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1
        && exponent.bytes().all(is_digit)
}

/// `2026-11-21`, whatever follows.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let digits = |part: Option<&str>| part.map(|part| part.bytes().all(|b| b.is_ascii_digit()));
    year.is_some_and(|year| year.len() == 4)
        && digits(year) == Some(true)
        && digits(month) == Some(true)
        && day.is_some_and(|day| day.starts_with(|c: char| c.is_ascii_digit()))
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
    fn ordinary_ids_stand_as_they_are() {
        // PUB-60, PUB-64
        for id in [
            "news",
            "a b",
            "user/1",
            "a:b",
            "a#b",
            "-x",
            "?x",
            "1a",
            "v1.5",
            "10.0.0.1",
            "1-2",
            "a\"b",
            "it's",
            "caf\u{e9}",
            "x%41",
            "<x>",
            "a, b",
            "a]",
            "e",
            ".",
            "+",
            "0xyz",
            "2026",
            "123",
            "-5",
            "0",
            "2026-11",
            "nullable",
            "ON-1",
        ] {
            assert_eq!(scalar(id.as_bytes()), id);
        }
    }

    #[test]
    fn what_would_be_read_as_something_else_is_quoted() {
        // STAT-41, PUB-67
        for id in [
            "",
            " a",
            "a ",
            "-",
            "- a",
            "? a",
            ":",
            ":x",
            "a:",
            "a: b",
            "a #b",
            "#a",
            "[a]",
            "{a}",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "'a",
            "@a",
            "`a",
            "%a",
            ",a",
            "~",
            "null",
            "Null",
            "TRUE",
            "no",
            "off",
            "Y",
            "=",
            "<<",
            "1.5",
            "1e3",
            "+1",
            "++1",
            "0x-1F",
            "0o+7",
            "00",
            "010",
            "0x1F",
            "-0b1",
            "0o7",
            "1_000",
            "1,000",
            "1:30",
            "12:30:45",
            ".5",
            "5.",
            ".inf",
            "-.INF",
            ".NaN",
            "2026-11-21",
            "2026-1-2 10:00:00",
            "12345678901234567890",
        ] {
            assert_eq!(scalar(id.as_bytes()), format!("\"{id}\""));
        }
        assert_eq!(scalar(b"say: \"\\\""), r#""say: \"\\\"""#);
        assert_eq!(scalar(b"a\r\n\0\x7f"), r#""a\x0D\x0A\x00\x7F""#);
        assert_eq!(scalar("\u{85}\u{2028}\u{feff}".as_bytes()), r#""\x85\u2028\uFEFF""#);
        assert_eq!(scalar(b"a\xffb"), "a\u{fffd}b");
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
        fn indicators_parse_back(value in "[-?:,\\[\\]{}#&*!|>'\"%@` a\\\\\t\r\n]{0,12}") {
            prop_assert_eq!(parsed(value.as_bytes()), value);
        }

        #[test]
        fn numbers_and_dates_parse_back(value in "[-+]?[0-9._,:eExXoObBaAfFtTzZ -]{0,12}") {
            prop_assert_eq!(parsed(value.as_bytes()), value);
        }

        #[test]
        fn words_parse_back(value in "[-+.~]?(?i:null|true|false|yes|no|on|off|y|n|inf|nan|<<|=)") {
            prop_assert_eq!(parsed(value.as_bytes()), value);
        }
    }
}

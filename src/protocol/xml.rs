//! XML text for values that come from clients.

/// Appends character data that no parser takes for markup or changes while it reads (STAT-41,
/// PUB-67). Bytes that are not UTF-8, and characters that XML cannot carry, show as U+FFFD.
pub fn append_text(value: &[u8], out: &mut Vec<u8>) {
    for character in String::from_utf8_lossy(value).chars() {
        match character {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            // As they are, a parser could make them a line feed or trim them.
            '\t' => out.extend_from_slice(b"&#9;"),
            '\n' => out.extend_from_slice(b"&#10;"),
            '\r' => out.extend_from_slice(b"&#13;"),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => append(char::REPLACEMENT_CHARACTER, out),
            other => append(other, out),
        }
    }
}

fn append(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(value: &[u8]) -> String {
        let mut out = Vec::new();
        append_text(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escaping() {
        // STAT-41, PUB-67
        assert_eq!(text(b"news"), "news");
        assert_eq!(text(b"<x> & \"y\"]]>"), "&lt;x&gt; &amp; \"y\"]]&gt;");
        assert_eq!(text("caf\u{e9}".as_bytes()), "caf\u{e9}");
        assert_eq!(text(b"a\r\n\tb"), "a&#13;&#10;&#9;b");
    }

    #[test]
    fn what_xml_cannot_carry() {
        assert_eq!(text(b"a\0\x1fb\xff"), "a\u{fffd}\u{fffd}b\u{fffd}");
        assert_eq!(text("\u{fffe}\u{ffff}".as_bytes()), "\u{fffd}\u{fffd}");
    }

    /// What a reader gets of a value: the same text, but for what XML has no way to write.
    fn carried(value: &[u8]) -> String {
        let allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        let text = String::from_utf8_lossy(value).into_owned();
        text.chars().map(|c| if allowed(&c) { c } else { '\u{fffd}' }).collect()
    }

    fn parsed(value: &[u8]) -> String {
        let document = format!("<name>{}</name>", text(value));
        let document = roxmltree::Document::parse(&document).unwrap();
        document.root_element().text().unwrap_or_default().to_owned()
    }

    proptest! {
        #[test]
        fn any_bytes_parse_back(value: Vec<u8>) {
            prop_assert_eq!(parsed(&value), carried(&value));
        }

        #[test]
        fn any_text_parses_back(value: String) {
            prop_assert_eq!(parsed(value.as_bytes()), carried(value.as_bytes()));
        }

        #[test]
        fn markup_parses_back(value in "[<>&;#x1\\[\\]!\\-\"' \t\r\n]{0,20}") {
            prop_assert_eq!(parsed(value.as_bytes()), value);
        }
    }
}

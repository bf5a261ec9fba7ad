//! The event stream format of `EventSource` (`text/event-stream`).

use memchr::memchr2;

/// Splits a text at its first line break, CRLF, CR or LF, whatever else it holds (DIR-137): line, line
/// break and rest. `None`: it has none.
pub(super) fn split_line(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (line, after) = text.split_at(memchr2(b'\r', b'\n', text)?);
    let (end, rest) = after.split_at(if after.starts_with(b"\r\n") { 2 } else { 1 });
    Some((line, end, rest))
}

/// The lines of a text, each with the line break that ends it. The last line may have none.
pub fn lines(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, end, after) = split_line(rest).unwrap_or((rest, &[], &[]));
        rest = after;
        Some((line, end))
    })
}

/// Header or footer of an event stream: a text as comment lines, which clients skip (DIR-130..133).
///
/// Each line that is not empty becomes `: <line>\n`. A text that begins with `: ` is a comment
/// already: it stays as it is, except that no line is left uncommented or without an end (the sane
/// reading of DIR-131).
pub fn comment(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 3);
    if !text.starts_with(b": ") {
        for (line, _) in lines(text).filter(|(line, _)| !line.is_empty()) {
            out.extend([b": ", line, b"\n"].concat());
        }
        return out;
    }
    for (line, end) in lines(text) {
        if !line.is_empty() && !line.starts_with(b":") {
            out.extend_from_slice(b": ");
        }
        out.extend_from_slice(line);
        out.extend_from_slice(if end.is_empty() { b"\n" } else { end });
    }
    out
}

/// The template that each line of a message goes through: a `data` field, unless it begins with one
/// already (DIR-134). It has no line break at its end; every rendered line gets exactly one (the
/// sane reading of DIR-135).
pub fn message_template(source: &[u8]) -> Vec<u8> {
    const FIELD: &[u8] = b"data: ";
    let source = match source {
        b"" => b"~text~",
        source => source,
    };
    let breaks = source.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let source = &source[..source.len() - breaks];
    match source.starts_with(FIELD) {
        true => source.to_vec(),
        false => [FIELD, source].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn comment(text: &str) -> String {
        String::from_utf8(super::comment(text.as_bytes())).unwrap()
    }

    fn template(source: &str) -> String {
        String::from_utf8(message_template(source.as_bytes())).unwrap()
    }

    #[test]
    fn lines_end_at_every_line_break() {
        // DIR-137
        let split = |text: &'static [u8]| lines(text).map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(split(b""), Vec::<&[u8]>::new());
        assert_eq!(split(b"a"), [b"a"]);
        assert_eq!(split(b"a\rb\nc\r\nd\0\re"), [&b"a"[..], b"b", b"c", b"d\0", b"e"]);
        assert_eq!(split(b"\n\r\n\r\r"), [b"", b"", b"", b""]);
    }

    #[test]
    fn each_line_becomes_a_comment() {
        // DIR-130, DIR-132, DIR-133
        assert_eq!(comment("HH"), ": HH\n");
        assert_eq!(comment("h1\rh2\r\n\nh3\n"), ": h1\n: h2\n: h3\n");
        assert_eq!(comment("a\n: b"), ": a\n: : b\n");
        assert_eq!(comment(":a"), ": :a\n");
        assert_eq!(comment("\r\n\n"), "");
        assert_eq!(comment(""), "");
    }

    #[test]
    fn comments_stay_comments() {
        // DIR-130, DIR-131
        assert_eq!(comment(": a\n"), ": a\n");
        assert_eq!(comment(": a\r\n:b\n\n"), ": a\r\n:b\n\n");
        assert_eq!(comment(": a\nb\r: c"), ": a\n: b\r: c\n");
    }

    #[test]
    fn a_message_is_a_data_field() {
        // DIR-134, DIR-135
        assert_eq!(template(""), "data: ~text~");
        assert_eq!(template("~text~"), "data: ~text~");
        assert_eq!(template("data: ~id~ ~text~"), "data: ~id~ ~text~");
        assert_eq!(template("data: ~text~\r\n"), "data: ~text~");
        assert_eq!(template("~text~\n\n"), "data: ~text~");
        assert_eq!(template("data:~text~"), "data: data:~text~");
        assert_eq!(template("\n"), "data: ");
    }

    proptest! {
        #[test]
        fn lines_are_all_of_the_text(text in "[a\0\r\n]{0,20}") {
            let joined: Vec<u8> =
                lines(text.as_bytes()).flat_map(|(line, end)| [line, end].concat()).collect();
            prop_assert_eq!(joined, text.as_bytes());
        }

        #[test]
        fn comments_hold_nothing_but_comments(text in "(: )?[ab: \0\r\n]{0,20}") {
            let out = super::comment(text.as_bytes());
            for (line, end) in lines(&out) {
                prop_assert!(!end.is_empty() && (line.is_empty() || line.starts_with(b":")));
            }
        }
    }
}

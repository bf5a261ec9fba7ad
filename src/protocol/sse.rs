//! One event of an event stream, as the HTML standard's parser reads it back.
//!
//! No text can end a line or the event too early: every line of it, wherever CRLF, CR or LF end one, is
//! rendered through the template on its own and ends with one line break (ES-4, ES-5, ES-7..9, DIR-135..137).
//! Empty lines are kept and every other byte, NUL included, is an ordinary one. A parser joins the lines
//! with LF, so that with `data: ~text~` it reads the text that was published.

use std::borrow::Cow;

use memchr::memchr2;

use super::cursor;
use super::sse_template::split_line;
use super::template::{MessageView, Template};

/// The whole ping: a comment (ES-12).
pub const PING: &[u8] = b": -1\n";

/// The line that says how long a client waits before it comes back.
pub fn retry(milliseconds: u128) -> Vec<u8> {
    format!("retry: {milliseconds}\n").into_bytes()
}

/// The event that tells of lost messages: type `gap`, and the percent-encoded ids of the channels, separated
/// by commas.
pub fn gap(channels: &[u8]) -> Vec<u8> {
    [b"event: gap\ndata: ", channels, b"\n\n"].concat()
}

/// Tells a client where it is without telling it anything else: no event comes of it.
pub fn position(time: u64, tag: u32) -> Vec<u8> {
    let mut out = b"id: ".to_vec();
    cursor::append_id(time, tag, &mut out);
    out.extend_from_slice(b"\n\n");
    out
}

/// Bytes of [`append_field`].
pub fn field_len(name: &str, value: &[u8]) -> usize {
    name.len() + b": ".len() + value.len() + b"\n".len()
}

/// Appends a line `<name>: <value>` (ES-10). Bytes of the value that would end the line are blanked.
pub fn append_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(&in_one_line(value));
    out.push(b'\n');
}

/// Bytes of [`append_message`].
pub fn message_len(template: &Template, message: &MessageView<'_>) -> usize {
    let line_len = |text| template.rendered_len(&MessageView { text, ..*message }) + 1;
    Lines::of(message.text).map(line_len).sum::<usize>() + 1
}

/// Appends the lines of a message and the empty line that dispatches them.
///
/// `~text~` and `~size~` of the template stand for a line (TPL-1). The template is one of
/// [`message_template`](super::event_stream::message_template): without line break at its end.
pub fn append_message(template: &Template, message: &MessageView<'_>, out: &mut Vec<u8>) {
    let channel = in_one_line(message.channel);
    let event_id = message.event_id.map(in_one_line);
    let event_type = message.event_type.map(in_one_line);
    let message = MessageView {
        channel: &channel,
        event_id: event_id.as_deref(),
        event_type: event_type.as_deref(),
        ..*message
    };
    for text in Lines::of(message.text) {
        template.render(&MessageView { text, ..message }, out);
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// The value without line ends, its length unchanged.
fn in_one_line(value: &[u8]) -> Cow<'_, [u8]> {
    match memchr2(b'\r', b'\n', value) {
        None => Cow::Borrowed(value),
        Some(_) => {
            value.iter().map(|&b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }).collect()
        }
    }
}

/// The lines of a text: one more than there are line ends. Splitting on length, not on NUL (ES-8).
pub struct Lines<'t>(Option<&'t [u8]>);

impl<'t> Lines<'t> {
    pub fn of(text: &'t [u8]) -> Self {
        Self(Some(text))
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        let Some((line, _, rest)) = split_line(self.0?) else { return self.0.take() };
        self.0 = Some(rest);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sse_template::message_template;
    use super::*;
    use proptest::prelude::*;

    fn view<'a>(text: &'a [u8]) -> MessageView<'a> {
        MessageView { id: 7, channel: b"ch", text, ..MessageView::ping(b"") }
    }

    fn event(template: &[u8], message: &MessageView<'_>) -> Vec<u8> {
        let template = Template::parse(&message_template(template));
        let mut out = b">".to_vec();
        append_message(&template, message, &mut out);
        assert_eq!(out.len() - 1, message_len(&template, message));
        out.split_off(1)
    }

    fn field(name: &str, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        append_field(name, value, &mut out);
        assert_eq!(out.len(), field_len(name, value));
        out
    }

    #[track_caller]
    fn reads(text: &[u8], wire: &[u8]) {
        let (seen, wanted) = (event(b"data: ~text~", &view(text)), wire);
        assert_eq!(seen.escape_ascii().to_string(), wanted.escape_ascii().to_string());
    }

    #[test]
    fn every_line_is_a_data_line() {
        // ES-4, ES-5, ES-7, DIR-136, DIR-137.
        reads(b"one", b"data: one\n\n");
        reads(b"two\r\nlines", b"data: two\ndata: lines\n\n");
        reads(b"a\rb\nc", b"data: a\ndata: b\ndata: c\n\n");
        reads(b"lone\rcr", b"data: lone\ndata: cr\n\n");
        reads(b"a\n\nb", b"data: a\ndata: \ndata: b\n\n");
        reads(b"\n", b"data: \ndata: \n\n");
        reads(b"a\n", b"data: a\ndata: \n\n");
        reads(b"\r\n\r", b"data: \ndata: \ndata: \n\n");
        reads(b"", b"data: \n\n");
    }

    #[test]
    fn nothing_after_nul_escapes() {
        // ES-8, DIR-137.
        reads(b"nul\0x\ny", b"data: nul\0x\ndata: y\n\n");
        reads(b"x\rid: 99\rdata: y", b"data: x\ndata: id: 99\ndata: data: y\n\n");
    }

    #[test]
    fn a_template_cannot_end_lines_twice_or_never() {
        // ES-9, DIR-135.
        for template in ["", "~text~", "data: ~text~", "data: ~text~\n", "data: ~text~\r\n\n"] {
            let seen = event(template.as_bytes(), &view(b"a\nb"));
            assert_eq!(seen, b"data: a\ndata: b\n\n", "{template:?}");
        }
    }

    #[test]
    fn tokens_stand_for_a_line() {
        // ES-6, TPL-1.
        let seen = event(b"data: {~id~,~size~,'~text~'}", &view(b"one\nthree"));
        assert_eq!(seen, b"data: {7,3,'one'}\ndata: {7,5,'three'}\n\n");
    }

    #[test]
    fn fields() {
        // ES-10, DIR-138.
        assert_eq!(field("id", b"ev 1"), b"id: ev 1\n");
        assert_eq!(field("event", b""), b"event: \n");
        assert_eq!(field("id", b"1\r\ndata: x"), b"id: 1  data: x\n");
    }

    #[test]
    fn what_comes_before_messages() {
        assert_eq!(retry(500), b"retry: 500\n");
        let stream = [position(17, 3), gap(b"a%20b,c"), event(b"", &view(b"x"))].concat();
        let told = |event_type: &[u8], data: &[u8]| Read {
            last_id: b"17:3".to_vec(),
            event_type: event_type.to_vec(),
            data: data.to_vec(),
        };
        assert_eq!(parse(&stream), [told(b"gap", b"a%20b,c"), told(b"", b"x")]);
    }

    /// What a page gets of one event.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Read {
        last_id: Vec<u8>,
        event_type: Vec<u8>,
        data: Vec<u8>,
    }

    /// The parser of the HTML standard, section "Interpreting an event stream", on bytes.
    fn parse(stream: &[u8]) -> Vec<Read> {
        let mut events = Vec::new();
        let (mut last_id, mut event_type, mut data) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = stream;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let line = &rest[..end];
            rest = &rest[if rest[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 }..];
            if line.is_empty() {
                let (event_type, mut data) =
                    (std::mem::take(&mut event_type), std::mem::take(&mut data));
                if !data.is_empty() {
                    assert_eq!(data.pop(), Some(b'\n'));
                    events.push(Read { last_id: last_id.clone(), event_type, data });
                }
                continue;
            }
            let (name, value) = match line.iter().position(|&byte| byte == b':') {
                Some(0) => continue,
                Some(colon) => (&line[..colon], &line[colon + 1..]),
                None => (line, &b""[..]),
            };
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match name {
                b"event" => event_type = value.to_vec(),
                b"data" => data.extend(value.iter().chain(b"\n")),
                b"id" if !value.contains(&0) => last_id = value.to_vec(),
                _ => {}
            }
        }
        assert!(rest.is_empty(), "an unfinished line");
        events
    }

    /// Line ends as a parser hands them on.
    fn with_lf(text: &[u8]) -> Vec<u8> {
        let text = text.to_vec();
        let mut out = Vec::new();
        for (i, &byte) in text.iter().enumerate() {
            match byte {
                b'\r' => out.push(b'\n'),
                b'\n' if i > 0 && text[i - 1] == b'\r' => {}
                byte => out.push(byte),
            }
        }
        out
    }

    fn nasty() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            3 => prop::collection::vec(any::<u8>(), 0..6),
            1 => Just(b"\r".to_vec()),
            1 => Just(b"\n".to_vec()),
            1 => Just(b"\r\n".to_vec()),
            1 => Just(b"\0".to_vec()),
            1 => Just(b"data: x".to_vec()),
            1 => Just(b"\nid: 1\n\n".to_vec()),
            1 => Just(b": ".to_vec()),
            1 => Just(b"~text~".to_vec()),
            1 => Just(" é\u{feff}".as_bytes().to_vec()),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_parser_reads_back_what_was_published(
            messages in prop::collection::vec(
                (nasty(), prop::option::of(nasty()), prop::option::of(nasty())), 1..5),
            template in prop::sample::select(vec!["", "~text~", "data: ~text~", "data: ~text~\r\n"]),
        ) {
            let template = Template::parse(&message_template(template.as_bytes()));
            let mut stream = b": \n".to_vec();
            let mut expected = Vec::new();
            let mut last_id = Vec::new();
            for (text, event_id, event_type) in &messages {
                let (event_id, event_type) = (event_id.as_deref(), event_type.as_deref());
                let message = MessageView { event_id, event_type, ..view(text) };
                if let Some(id) = event_id {
                    append_field("id", id, &mut stream);
                    if !id.contains(&0) {
                        last_id = in_one_line(id).into_owned();
                    }
                }
                if let Some(kind) = event_type {
                    append_field("event", kind, &mut stream);
                }
                let before = stream.len();
                append_message(&template, &message, &mut stream);
                prop_assert_eq!(stream.len() - before, message_len(&template, &message));
                stream.extend_from_slice(PING);
                expected.push(Read {
                    last_id: last_id.clone(),
                    event_type: in_one_line(event_type.unwrap_or_default()).into_owned(),
                    data: with_lf(text),
                });
            }
            prop_assert_eq!(parse(&stream), expected);
        }

        #[test]
        fn every_token_stays_in_its_line(
            text in nasty(), event_id in nasty(), event_type in nasty(),
            template in prop::collection::vec(prop::sample::select(vec![
                "~text~", "~id~", "~event-id~", "~event-type~", "~size~", "~channel~", "x", " "]), 0..6),
        ) {
            let template = Template::parse(format!("data: {}", template.concat()).as_bytes());
            let (event_id, event_type) = (Some(&event_id[..]), Some(&event_type[..]));
            let message = MessageView { event_id, event_type, ..view(&text) };
            let mut stream = Vec::new();
            append_message(&template, &message, &mut stream);
            prop_assert_eq!(stream.len(), message_len(&template, &message));
            let events = parse(&stream);
            prop_assert_eq!(events.len(), 1);
            let lines = events[0].data.split(|&byte| byte == b'\n').count();
            prop_assert_eq!(lines, Lines::of(&text).count());
            prop_assert!(events[0].last_id.is_empty() && events[0].event_type.is_empty());
        }
    }
}

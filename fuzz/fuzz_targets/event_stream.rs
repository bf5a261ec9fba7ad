//! Event streams (ES rules, DIR-130..137): a client that follows the HTML standard reads exactly what
//! was published, whatever it holds.
//!
//! An input is a header, a template, an event id, an event type, a channel, and the texts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::sse::{
    PING, append_field, append_message, field_len, message_len,
};
use ngx_http_push_stream_module::protocol::sse_template::{comment, message_template};
use ngx_http_push_stream_module::protocol::template::{MessageView, Template};
use ngx_push_stream_fuzz::{SEPARATOR, fields};

fuzz_target!(|input: &[u8]| {
    let [header, source, event_id, event_type, channel, texts] = fields(input);
    let template = Template::parse(&message_template(source));
    let mut stream = comment(header);
    let mut expected = Vec::new();
    // Every other message has an id and a type; the last id goes on to those without.
    let mut last_id = Vec::new();
    for (n, text) in texts.split(|&byte| byte == SEPARATOR).enumerate() {
        let with_fields = n % 2 == 0 && !event_id.is_empty();
        let message = MessageView {
            id: 1 + n as i64,
            channel,
            text,
            time: 1_795_289_129,
            tag: 7,
            event_id: with_fields.then_some(event_id),
            event_type: with_fields.then_some(event_type),
            binary: false,
        };
        if with_fields {
            exactly(field_len("id", event_id), &mut stream, |out| {
                append_field("id", event_id, out)
            });
            exactly(field_len("event", event_type), &mut stream, |out| {
                append_field("event", event_type, out);
            });
            if !event_id.contains(&0) {
                last_id = blanked(event_id);
            }
        }
        exactly(message_len(&template, &message), &mut stream, |out| {
            append_message(&template, &message, out);
        });
        stream.extend_from_slice(PING);
        expected.push(Event {
            last_id: last_id.clone(),
            kind: if with_fields { blanked(event_type) } else { Vec::new() },
            data: data(&template, &message),
        });
    }
    stream.extend_from_slice(&comment(header));

    // A template of several lines is the operator's own affair: it may hold any field.
    let template = template.source();
    if !template.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        assert_eq!(read(&stream), expected);
    }
});

/// What a page gets of one event.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    last_id: Vec<u8>,
    kind: Vec<u8>,
    data: Vec<u8>,
}

fn exactly(len: usize, out: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
    out.reserve_exact(len);
    let (before, capacity) = (out.len(), out.capacity());
    append(out);
    assert_eq!(out.len() - before, len);
    assert_eq!(out.capacity(), capacity, "writing allocated");
}

/// Each line of the text through the template, joined as a client joins them.
fn data(template: &Template, message: &MessageView<'_>) -> Vec<u8> {
    let event_id = message.event_id.map(blanked);
    let event_type = message.event_type.map(blanked);
    let message = MessageView {
        channel: &blanked(message.channel),
        event_id: event_id.as_deref(),
        event_type: event_type.as_deref(),
        ..*message
    };
    let lines = lines(message.text).into_iter().map(|text| {
        let mut line = Vec::new();
        template.render(&MessageView { text: &text, ..message }, &mut line);
        line.strip_prefix(b"data: ").expect("a data field").to_vec()
    });
    lines.collect::<Vec<_>>().join(&b'\n')
}

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    let mut last = 0;
    for &byte in text {
        match (last, byte) {
            (b'\r', b'\n') => {}
            (_, b'\r' | b'\n') => lines.push(Vec::new()),
            _ => lines.last_mut().expect("never empty").push(byte),
        }
        last = byte;
    }
    lines
}

fn blanked(value: &[u8]) -> Vec<u8> {
    value.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }).collect()
}

/// HTML, section 9.2.6 "Interpreting an event stream", on bytes.
fn read(stream: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    let (mut last_id, mut kind, mut data) = (Vec::new(), Vec::new(), Vec::new());
    let mut lines = lines(stream);
    assert_eq!(lines.pop(), Some(Vec::new()), "an unfinished line");
    for line in lines {
        if line.is_empty() {
            let kind = std::mem::take(&mut kind);
            let mut data: Vec<u8> = std::mem::take(&mut data);
            if data.pop().is_some() {
                events.push(Event { last_id: last_id.clone(), kind, data });
            }
            continue;
        }
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"event" => kind = value.to_vec(),
            b"data" => data.extend([value, b"\n"].concat()),
            b"id" if !value.contains(&0) => last_id = value.to_vec(),
            b"" | b"id" => {}
            other => panic!("no field of ours: {}", other.escape_ascii()),
        }
    }
    events
}

//! Message templates (TPL-1..5, DIR-107..119) against a renderer that tries each token everywhere.
//!
//! An input is source, channel, event id, event type, id, time, tag and text.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::template::{MessageView, Template};
use ngx_push_stream_fuzz::{fields, number};

fuzz_target!(|input: &[u8]| {
    let [source, channel, event_id, event_type, id, time, tag, text] = fields(input);
    let message = MessageView {
        id: number(id),
        channel,
        text,
        time: number(time),
        tag: number(tag),
        event_id: present(event_id),
        event_type: present(event_type),
        binary: false,
    };
    let template = Template::parse(source);
    assert_eq!(template.source(), source);

    let len = template.rendered_len(&message);
    let mut out = Vec::with_capacity(1 + len);
    out.push(b'>');
    let capacity = out.capacity();
    template.render(&message, &mut out);
    assert_eq!(out.len(), 1 + len);
    assert_eq!(out.capacity(), capacity, "rendering allocated");
    assert_eq!(out[1..], expand(source, &message));
});

fn present(field: &[u8]) -> Option<&[u8]> {
    (!field.is_empty()).then_some(field)
}

fn expand(mut source: &[u8], message: &MessageView<'_>) -> Vec<u8> {
    // 9999-12-31T23:59:59: a date has four digits for the year.
    let time = UNIX_EPOCH + Duration::from_secs(message.time.min(253_402_300_799));
    let values: [(&str, Vec<u8>); 8] = [
        ("~id~", message.id.to_string().into()),
        ("~event-id~", message.event_id.unwrap_or_default().into()),
        ("~event-type~", message.event_type.unwrap_or_default().into()),
        ("~channel~", message.channel.into()),
        ("~text~", message.text.into()),
        ("~size~", message.text.len().to_string().into()),
        ("~tag~", message.tag.to_string().into()),
        ("~time~", httpdate::fmt_http_date(time).into()),
    ];
    let mut out = Vec::new();
    while let [byte, after @ ..] = source {
        let start = source[..source.len().min(16)].to_ascii_lowercase();
        source = match values.iter().find(|(token, _)| start.starts_with(token.as_bytes())) {
            Some((token, value)) => {
                out.extend_from_slice(value);
                &source[token.len()..]
            }
            None => {
                out.push(*byte);
                after
            }
        };
    }
    out
}

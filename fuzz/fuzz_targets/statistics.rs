//! The bodies that tell about channels: a parser of each format reads back what was written
//! (PUB-58..67, STAT-29..44), whatever the ids hold.
//!
//! An input is a hostname, five numbers, and the ids.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::statistics::{
    ChannelInfo, GroupHead, json_channel, json_group,
};
use ngx_push_stream_fuzz::{SEPARATOR, fields, number};
use serde_json::{Value, json};

fuzz_target!(|input: &[u8]| {
    let [hostname, time, published, stored, subscribers, uptime, ids] = fields(input);
    let head = GroupHead {
        hostname,
        time: number::<u32>(time).into(),
        channels: number(stored),
        wildcard_channels: number(subscribers),
        uptime: number(uptime),
    };
    let channels: Vec<_> = ids
        .split(|&byte| byte == SEPARATOR)
        .map(|id| ChannelInfo {
            id,
            published: number(published),
            stored: number(stored),
            subscribers: number(subscribers),
        })
        .collect();

    let mut body = Vec::new();
    json_channel(&channels[0], &mut body);
    assert_eq!(parsed(&body), expected(&channels[0]));

    body.clear();
    json_group(&head, channels.iter().copied(), &mut body);
    let group = parsed(&body);
    assert_eq!(group["hostname"], text(hostname));
    assert_eq!(group["channels"], head.channels);
    assert_eq!(group["wildcard_channels"], head.wildcard_channels);
    assert_eq!(group["uptime"], head.uptime);
    assert_eq!(group["infos"], Value::Array(channels.iter().map(expected).collect()));
});

fn parsed(body: &[u8]) -> Value {
    assert!(body.ends_with(b"}\r\n"));
    serde_json::from_slice(body).expect("JSON")
}

fn expected(channel: &ChannelInfo<'_>) -> Value {
    json!({
        "channel": text(channel.id),
        "published_messages": channel.published,
        "stored_messages": channel.stored,
        "subscribers": channel.subscribers,
    })
}

/// JSON is text: other bytes show as U+FFFD.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

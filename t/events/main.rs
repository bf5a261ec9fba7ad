//! The events channel: what it tells, who may touch it, and what becomes of it
//! (docs/spec/lifecycle.md, "Events channel"; docs/spec/directives.md, "Events channel").

#[path = "../support/mod.rs"]
mod support;

mod event_contents;
mod faults;
mod protection;
mod reload;

use support::{Builder, Nginx, Stream};

/// With an events channel of this id, and a location that subscribes to it.
fn with_events(id: &str) -> Builder {
    events_channel(Nginx::builder(), id).subscriber(
        "events",
        "push_stream_allow_connections_to_events_channel on; \
         push_stream_message_template \"~id~ ~event-type~ ~text~\\n\";",
    )
}

fn events_channel(builder: Builder, id: &str) -> Builder {
    builder.http(&format!("push_stream_events_channel_id {id};"))
}

/// The line of one event, as [`with_events`] shows it.
fn line(id: u64, kind: &str, channel: &str) -> String {
    format!("{id} {kind} {{\"type\": \"{kind}\", \"channel\": \"{channel}\"}}")
}

/// The next lines of a stream are these events.
async fn expect(stream: &mut Stream, first: u64, events: &[(&str, &str)]) {
    for (id, (kind, channel)) in (first..).zip(events) {
        assert_eq!(stream.line().await, line(id, kind, channel));
    }
}

//! The WebSocket location (docs/spec/websocket.md, RFC 6455).

#[path = "../support/mod.rs"]
mod support;

mod agreed;
mod bodies;
mod bounds;
mod channels;
mod clients;
mod closing;
mod configuration;
mod conformance;
mod crowd;
mod frames;
mod guide;
mod handshake;
mod life;
mod messages;
mod migration;
mod publishing;
mod refusals;
mod resume;
mod transport;

use support::{Builder, Nginx};

const MESSAGES: &str = "push_stream_message_template \"~id~ ~channel~ ~text~\";";

/// `/ws/<path>` with ids in its messages, and `/say/<path>` whose clients may publish.
fn builder() -> Builder {
    let say = "push_stream_websocket_allow_publish on;";
    Nginx::builder().websocket("ws", MESSAGES).websocket("say", say)
}

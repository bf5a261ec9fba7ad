//! The server that takes the load.

use crate::support::{Builder, Nginx};

/// A line of every mode: channel, id, text, tag and time.
const LINE: &str = "~channel~ ~id~ ~text~ ~tag~ ~time~";
/// The same for another configuration.
const BARS: &str = "~channel~|~id~|~text~|~tag~|~time~";

/// Locations of all modes over all versions and TLS; `workers` share one listening socket.
pub fn builder(workers: usize, zone: &str) -> Builder {
    let builder = Nginx::builder().workers(workers).listen("").http2().tls().zone(zone);
    locations(builder, LINE)
        .expect_log("reads too slowly")
        .expect_log("unable to allocate")
        .expect_log("no memory")
        .expect_log("a websocket's message of")
}

/// The same with another message template, for a reload.
pub fn changed(builder: Builder, round: usize) -> Builder {
    let template = if round % 2 == 0 { BARS } else { LINE };
    locations(builder.without_http().without_server(), template)
}

fn locations(builder: Builder, template: &str) -> Builder {
    let lines = format!(r#"push_stream_message_template "{template}\n";"#);
    let plain = format!(r#"push_stream_message_template "{template}";"#);
    let publishing = "push_stream_websocket_allow_publish on; push_stream_store_messages on;";
    builder
        .http("push_stream_longpolling_connection_ttl 500ms;")
        .http("push_stream_ping_message_interval 1s; push_stream_ping_message_text ping;")
        .http("push_stream_subscriber_max_pending 1m;")
        .location("/stub", "stub_status;")
        .subscriber("st", &lines)
        .mode("eventsource", "es", &format!("push_stream_event_id auto; {plain}"))
        .mode("long-polling", "lp", &lines)
        .mode("polling", "poll", &lines)
        .mode("long-polling", "wait", "push_stream_longpolling_connection_ttl 600s;")
        .websocket("ws", &plain)
        .websocket("say", &format!("{publishing} {plain}"))
}

//! What nginx's log is told of a subscriber, in words.

use crate::ngx_ext::log::{Level, Quoted};
use crate::store::StoreError;
use crate::worker::output::sink::Sink;
use crate::worker::subscriber::effect::{LogLine, Publication};

/// Writes a line about a subscriber of the worker with this process id.
pub fn write(sink: &Sink, line: &LogLine, pid: u32) {
    let closed = |why: &dyn std::fmt::Display| {
        sink.log(Level::Info, format_args!("a websocket is closed: {why}"));
    };
    match line {
        LogLine::SlowReader { channel, waiting, len, max_pending, dropped } => sink.log(
            Level::Warn,
            format_args!(
                "a subscriber of channel {} in worker {pid} reads too slowly: \
                 {waiting} bytes wait, {len} more are over push_stream_subscriber_max_pending \
                 {max_pending}; it ends, messages dropped: {dropped}",
                Quoted(channel),
            ),
        ),
        LogLine::Violation(violation) => closed(violation),
        LogLine::MessageIncomplete => closed(&"a message was not completed"),
        LogLine::NoPong => closed(&"no pong in time"),
        LogLine::ClientLeft => {
            let line = "client closed prematurely connection";
            sink.log(Level::Info, format_args!("{line}"));
        }
    }
}

/// A WebSocket's message is refused.
pub fn write_not_published(sink: &Sink, publication: &Publication, pid: u32, error: &StoreError) {
    let Publication { targets, text, .. } = publication;
    sink.log(
        Level::Error,
        format_args!(
            "a websocket's message of {} bytes is not published to {} channels, \
             the first of them {}, by worker {pid}: {error}",
            text.len(),
            targets.len(),
            Quoted(targets.first().map_or(&[], |(_, id)| id)),
        ),
    );
}

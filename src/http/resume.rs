//! Where a client goes on: what it says it has had last.

use super::context::RequestContext;
use crate::ngx_ext::request::OutOfMemory;
use crate::protocol::cursor::{self, Cursor};
use crate::store::{JoinItem, ResumePoint};

/// Time, tag and event id of the client: from the directive if there is one, else from the header that
/// stands for it (OLD-1, OLD-2).
pub fn client_cursor(exchange: &RequestContext<'_>) -> Result<Cursor, OutOfMemory> {
    let location = exchange.location;
    let time =
        exchange.value_or_header(&location.last_received_message_time, "If-Modified-Since")?;
    let tag = exchange.value_or_header(&location.last_received_message_tag, "If-None-Match")?;
    let event_id = exchange.value_or_header(&location.last_event_id, "Last-Event-Id")?;
    Ok(Cursor::from_values(time.as_deref(), tag.as_deref(), event_id.as_deref()))
}

/// With `push_stream_event_id auto` an event id is a position in the order of all messages, whether it is one
/// of ours or that of a message. It leads on in every channel, and is later than any backtrack, which
/// was sent when the client first came.
pub fn resolve_event_id(
    exchange: &RequestContext<'_>,
    items: &mut [JoinItem<'_>],
    since: &mut ResumePoint<'_>,
) {
    if !exchange.location.auto_event_id {
        return;
    }
    let Some(event_id) = since.event_id else { return };
    let of_message = || {
        let stamp = exchange.zone.stamp_of_event(items, event_id)?;
        Some((stamp.second, stamp.tag))
    };
    if let Some((time, tag)) = cursor::parse_id(event_id).or_else(of_message) {
        *since = ResumePoint { time: Some(time), tag: Some(tag), event_id: None };
        items.iter_mut().for_each(|item| item.backtrack = 0);
    }
}

//! How a request becomes a subscriber, by whatever transport: its channels, its body, its admission. From
//! there on it is the worker's.

use nginx_sys::ngx_int_t;
use smallvec::SmallVec;

use super::context::{INTERNAL_ERROR, RequestContext};
use super::request_error::RequestError;
use super::{body, channels, resume};
use crate::ngx_ext::log::{Level, Quoted};
use crate::ngx_ext::request::OutOfMemory;
use crate::protocol::channel_path::{self, Items};
use crate::store::{JoinItem, ResumePoint, StoreError};
use crate::worker::{self, Delivery, Failure, Outcome, SubscribeRequest};

/// Ids with their backtracks.
pub type Channels = Vec<(Box<[u8]>, u64)>;

/// What one way to serve a subscriber adds to the steps that all of them share.
pub trait Transport: 'static {
    /// How the worker is to serve the subscriber.
    fn delivery(&self, exchange: &RequestContext<'_>) -> Result<Delivery<'_>, OutOfMemory>;
    /// Tells the client that it is refused.
    fn refuse(&self, exchange: &RequestContext<'_>, error: RequestError) -> Outcome;
}

/// The channels of the path, a channel named twice taken once (SUB-47). Items are judged from left to
/// right: before a wrong one, the store says what it thinks of those before it (ADM-1).
pub fn channels(exchange: &RequestContext<'_>, path: &[u8]) -> Result<Channels, RequestError> {
    let items = channel_path::parse(path)
        .inspect_err(|error| channels::log_path_error(exchange, path, *error))?;
    for (i, item) in items.iter().enumerate() {
        let checked = match item.is_reserved() {
            true => Err(RequestError::ReservedId),
            false => channels::check_length(exchange, item.id),
        };
        if let Err(error) = checked {
            let before: SmallVec<[_; 4]> = items[..i]
                .iter()
                .map(|item| JoinItem { id: item.id, backtrack: item.backtrack })
                .collect();
            exchange.zone.admit(&before, &exchange.location.join_rules(), &exchange.main.limits)?;
            return Err(error);
        }
    }
    let items: Items<'_> = channel_path::merge_duplicates(items);
    Ok(items.iter().map(|item| (item.id.into(), item.backtrack)).collect())
}

/// Reads the body, which nobody wants, and then subscribes to the channels or refuses them.
pub fn subscribe(
    exchange: &RequestContext<'_>,
    callback: &'static str,
    channels: Result<Channels, RequestError>,
    transport: impl Transport,
) -> ngx_int_t {
    body::read(exchange, callback, move |exchange| {
        channels
            .and_then(|channels| admit(exchange, &channels, &transport))
            .unwrap_or_else(|error| transport.refuse(exchange, error))
    })
}

/// Subscribes to all of the channels, or says why to none.
fn admit(
    exchange: &RequestContext<'_>,
    channels: &[(Box<[u8]>, u64)],
    transport: &impl Transport,
) -> Result<Outcome, RequestError> {
    // A decision about access (a token, a hook) can stand here: client and channels are known, nothing has
    // been joined, and an error is told in the way of the transport.
    match join(exchange, channels, transport) {
        Ok(outcome) => Ok(outcome),
        Err(Failure::Unsent(rc)) => Ok(Outcome::Answered(rc)),
        Err(Failure::Refused(error)) => {
            log_refused(exchange, channels, error);
            Err(error.into())
        }
    }
}

/// Hands the request to the worker.
fn join(
    exchange: &RequestContext<'_>,
    channels: &[(Box<[u8]>, u64)],
    transport: &impl Transport,
) -> Result<Outcome, Failure> {
    let mut items: SmallVec<[JoinItem<'_>; 4]> =
        channels.iter().map(|(id, backtrack)| JoinItem { id, backtrack: *backtrack }).collect();
    let failed = |OutOfMemory| Failure::Unsent(INTERNAL_ERROR);
    let cursor = resume::client_cursor(exchange).map_err(failed)?;
    let mut since =
        ResumePoint { time: cursor.time, tag: cursor.tag, event_id: cursor.event_id.as_deref() };
    resume::resolve_event_id(exchange, &mut items, &mut since);
    let order = SubscribeRequest {
        location: exchange.location,
        main: exchange.main,
        items: &items,
        since,
        kind: transport.delivery(exchange).map_err(failed)?,
    };
    // SAFETY: a request that is kept is finalized by the subscriber alone.
    unsafe { worker::serve(exchange.request, &order) }
}

/// Logs what the store refused (ADM-4..9, LIFE-54).
fn log_refused(exchange: &RequestContext<'_>, channels: &[(Box<[u8]>, u64)], error: StoreError) {
    exchange.request.log(
        Level::Error,
        format_args!(
            "subscription refused, {error}: {} channels, first {}",
            channels.len(),
            Quoted(channels.first().map_or(&[], |(id, _)| id))
        ),
    );
}

//! A publisher location, in the order in which a request meets it: method, channels, body, effect
//! (PUB-5, PUB-32, PUB-97).

use std::borrow::Cow;
use std::collections::HashMap;

use nginx_sys::{
    NGX_HTTP_DELETE, NGX_HTTP_GET, NGX_HTTP_OPTIONS, NGX_HTTP_POST, NGX_HTTP_PUT, ngx_int_t,
};
use smallvec::SmallVec;

use super::context::{INTERNAL_ERROR, RequestContext};
use super::request_error::RequestError;
use super::{body, channels, response};
use crate::conf::PublisherMode;
use crate::ngx_ext::log::{Level, Quoted};
use crate::ngx_ext::request::OutOfMemory;
use crate::protocol::statistics::ChannelInfo;
use crate::protocol::{channel_path, content_type};
use crate::store::{Parts, StoreError};
use crate::worker::{self, Outcome};

/// The channels of a request, in path order.
type Ids = Vec<Box<[u8]>>;

/// Admits the request, answers it if it has no effect, or reads its body first.
pub fn handle(exchange: &RequestContext<'_>, mode: PublisherMode) -> ngx_int_t {
    let request = exchange.request;
    let methods = match mode {
        PublisherMode::Normal => "GET, POST, PUT",
        PublisherMode::Admin => "GET, POST, PUT, DELETE",
    };
    let begun = response::begin(request).and_then(|()| response::allow_origin(exchange, methods));
    if let Err(OutOfMemory) = begun {
        return INTERNAL_ERROR;
    }

    match (request.method(), mode) {
        (NGX_HTTP_OPTIONS, _) => return response::empty(request, 200),
        (NGX_HTTP_GET | NGX_HTTP_POST | NGX_HTTP_PUT, _) => {}
        (NGX_HTTP_DELETE, PublisherMode::Admin) => {}
        _ => return response::not_allowed(request, methods),
    }

    let Ok(path) = exchange.decoded(&exchange.location.channels_path) else {
        return INTERNAL_ERROR;
    };
    let ids = match named_channels(exchange, &path) {
        Ok(ids) => ids,
        Err(refusal) => return response::refuse(request, refusal),
    };

    if request.method() == NGX_HTTP_GET {
        let ids = ids.iter().map(|id| &**id);
        return channels::find(exchange, ids, channels::representation(exchange));
    }
    if request.bits().request_body_no_buffering() {
        // Another location has handed it on as it arrived, and then this one was chosen.
        request.log(
            Level::Error,
            format_args!(
                "the request body was passed on unbuffered, channel {}",
                Quoted(ids.first().map_or(&[], |id| id))
            ),
        );
        return response::empty(request, 500);
    }
    body::read(exchange, "a publish", move |exchange| Outcome::Answered(apply(exchange, &ids)))
}

/// All ids of the path, each checked before anything is created (PUB-17..32).
fn named_channels(exchange: &RequestContext<'_>, path: &[u8]) -> Result<Ids, RequestError> {
    let items = channel_path::parse(path)
        .inspect_err(|error| channels::log_path_error(exchange, path, *error))?;
    for item in &items {
        if item.is_reserved() {
            return Err(RequestError::ReservedId);
        }
        channels::check_length(exchange, item.id)?;
        check_not_events(exchange, item.id)?;
    }
    Ok(items.iter().map(|item| item.id.into()).collect())
}

/// Only the module itself changes the events channel (PUB-94, EVT-17); anybody may look at it (EVT-18).
fn check_not_events(exchange: &RequestContext<'_>, id: &[u8]) -> Result<(), RequestError> {
    let request = exchange.request;
    if request.method() == NGX_HTTP_GET || !exchange.zone.is_events_channel(id) {
        return Ok(());
    }
    request.log(
        Level::Error,
        format_args!("only internal routines can change events channel {}", Quoted(id)),
    );
    Err(RequestError::EventsChannel)
}

/// The request has its effect.
fn apply(exchange: &RequestContext<'_>, ids: &[Box<[u8]>]) -> ngx_int_t {
    let request = exchange.request;
    let ids: SmallVec<[&[u8]; 4]> = ids.iter().map(|id| &**id).collect();
    #[cfg(planted_fault)]
    if ids[0] == crate::ngx_ext::planted_fault::CHANNEL {
        crate::ngx_ext::planted_fault::read_freed_memory(request);
    }
    let pieces = match request.body() {
        Ok(pieces) => pieces,
        Err(error) => {
            request.log(
                Level::Error,
                format_args!(
                    "unable to read the request body for channel {}: {error}",
                    Quoted(ids[0])
                ),
            );
            return response::empty(request, 500);
        }
    };
    let text: SmallVec<[&[u8]; 4]> = pieces.iter().map(Cow::as_ref).collect();
    match request.method() {
        NGX_HTTP_DELETE => delete(exchange, &ids, &text),
        _ => publish(exchange, &ids, &text),
    }
}

/// POST and PUT (PUB-36..53).
fn publish(exchange: &RequestContext<'_>, ids: &[&[u8]], text: &[&[u8]]) -> ngx_int_t {
    let request = exchange.request;
    if text.is_empty() {
        request.log(
            Level::Error,
            format_args!("Post request was sent with no message, channel {}", Quoted(ids[0])),
        );
        return response::refuse(request, RequestError::EmptyPost);
    }
    let parts = Parts {
        text,
        event_id: request.header("Event-Id"),
        event_type: request.header("Event-Type"),
        binary: content_type::is_binary(request.header("Content-Type")),
    };
    let published = worker::publish(ids, &parts, exchange.location.store_messages, exchange.main);
    let published = match published {
        Ok(published) => published,
        Err(error) => return fail(exchange, ids, text, error),
    };
    if !exchange.location.channel_info_on_publish {
        return response::empty(request, 200);
    }
    let mut shown: SmallVec<[_; 4]> =
        ids.iter().zip(&published.channels).map(|(id, info)| channels::shown(id, *info)).collect();
    if shown.len() > 1 {
        // A channel that is named again shows in both places what it is in the end (PUB-25, PUB-50).
        let last: HashMap<&[u8], ChannelInfo<'_>> =
            shown.iter().map(|info| (info.id, *info)).collect();
        shown.iter_mut().for_each(|info| *info = last[info.id]);
    }
    channels::show(exchange, &shown, channels::representation(exchange))
}

/// The store took nothing more (PUB-78..82).
fn fail(
    exchange: &RequestContext<'_>,
    ids: &[&[u8]],
    text: &[&[u8]],
    error: StoreError,
) -> ngx_int_t {
    let refusal = RequestError::from(error);
    let what = match refusal {
        RequestError::TooManyChannels => "number of channels were exceeded",
        RequestError::EventsChannel => "only internal routines can change events channel",
        _ => "unable to allocate message in shared memory",
    };
    let len: usize = text.iter().map(|piece| piece.len()).sum();
    // Which of several it was, the store does not say.
    let of_several = match ids.len() {
        0 | 1 => String::new(),
        n => format!(" (the first of {n})"),
    };
    exchange.request.log(
        Level::Error,
        format_args!(
            "{what}, channel {}{of_several}, message of {len} bytes",
            Quoted(ids.first().copied().unwrap_or_default())
        ),
    );
    response::refuse(exchange.request, refusal)
}

/// DELETE: each channel's subscribers are told with the body, or else the configured text
/// (PUB-84..87).
fn delete(exchange: &RequestContext<'_>, ids: &[&[u8]], text: &[&[u8]]) -> ngx_int_t {
    if worker::slot().is_none() {
        return fail(exchange, ids, text, StoreError::Full);
    }
    let text = (!text.is_empty()).then_some(text);
    let mut deleted = false;
    for id in ids {
        deleted |= worker::delete(id, text);
    }
    if deleted {
        response::explained(exchange.request, 200, "Channel deleted.")
    } else {
        response::empty(exchange.request, 404)
    }
}

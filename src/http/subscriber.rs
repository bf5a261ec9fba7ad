//! A subscriber location in streaming mode, in the order in which a request meets it: method, channels,
//! admission, response head; from there on it is the worker's.

use nginx_sys::{
    NGX_HTTP_GET, NGX_HTTP_OPTIONS, NGX_OK, ngx_http_finalize_request, ngx_http_request_t,
    ngx_int_t,
};
use smallvec::SmallVec;

use super::refusal::Refusal;
use super::{Exchange, INTERNAL_ERROR, answer, channels};
use crate::conf::{self, Expanded};
use crate::ngx_ext::guard::guard;
use crate::ngx_ext::log::{Level, Quoted};
use crate::ngx_ext::request::OutOfMemory;
use crate::protocol::channel_path::{self, Items};
use crate::protocol::cursor::Cursor;
use crate::store::{JoinItem, Since, StoreError};
use crate::worker;

/// The channels of the request with their backtracks, kept while its body is read.
struct Wanted(Vec<(Box<[u8]>, u64)>);

/// Refuses the request, or reads its body, which nobody wants, and subscribes it (SUB-16..21).
pub fn handle(exchange: &Exchange<'_>) -> ngx_int_t {
    let request = exchange.request;
    let begun = match request.method() {
        NGX_HTTP_OPTIONS => {
            request.bits().set_disable_not_modified(true);
            Ok(())
        }
        _ => answer::begin(request),
    };
    match begun.and_then(|()| answer::allow_origin(exchange, "GET")) {
        Ok(()) => {}
        Err(OutOfMemory) => return INTERNAL_ERROR,
    }
    match request.method() {
        NGX_HTTP_OPTIONS => return answer::empty(request, 200),
        NGX_HTTP_GET => {}
        _ => return answer::not_allowed(request, "GET"),
    }
    if !request.is_main() {
        let line = "push stream module: a subscriber cannot be part of another response";
        request.log(Level::Error, format_args!("{line}"));
        return INTERNAL_ERROR;
    }

    let path = match exchange.decoded(&exchange.location.channels_path) {
        Ok(path) => path,
        Err(OutOfMemory) => return INTERNAL_ERROR,
    };
    let wanted = match wanted(exchange, &path) {
        Ok(wanted) => wanted,
        Err(refusal) => return answer::refuse(request, refusal),
    };
    match request.set_state(conf::ctx_index(), wanted) {
        Ok(()) => request.read_body(body_read),
        Err(OutOfMemory) => INTERNAL_ERROR,
    }
}

/// The channels of the path, a channel named twice taken once (SUB-47). Items are judged from left to
/// right: before a wrong one, the store says what it thinks of those before it (ADM-1).
fn wanted(exchange: &Exchange<'_>, path: &[u8]) -> Result<Wanted, Refusal> {
    let items = channel_path::parse(path)
        .inspect_err(|error| channels::log_path_error(exchange, path, *error))?;
    for (i, item) in items.iter().enumerate() {
        let fault = match item.is_reserved() {
            true => Err(Refusal::ReservedId),
            false => channels::check_length(exchange, item.id),
        };
        if let Err(refusal) = fault {
            let before = join_items(&items[..i]);
            exchange.zone.admit(&before, &exchange.location.join_rules(), &exchange.main.limits)?;
            return Err(refusal);
        }
    }
    let items: Items<'_> = channel_path::merge_duplicates(items);
    Ok(Wanted(items.iter().map(|item| (item.id.into(), item.backtrack)).collect()))
}

fn join_items<'a>(items: &[channel_path::Item<'a>]) -> SmallVec<[JoinItem<'a>; 4]> {
    items.iter().map(|item| JoinItem { id: item.id, backtrack: item.backtrack }).collect()
}

/// The body, if there was one, is read and forgotten.
unsafe extern "C" fn body_read(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls with a live request, whose handler has to finalize it or to keep it.
    unsafe {
        let log = (*(*r).connection).log;
        let rc = guard(log, "a subscription", Some(INTERNAL_ERROR), || match Exchange::of(r) {
            Some(exchange) => subscribe(&exchange).err(),
            None => Some(INTERNAL_ERROR),
        });
        if let Some(rc) = rc {
            ngx_http_finalize_request(r, rc);
        }
    }
}

/// Subscribes and answers. An error is the return code for a request that did not become a subscriber.
fn subscribe(exchange: &Exchange<'_>) -> Result<(), ngx_int_t> {
    let request = exchange.request;
    let wanted = request.state::<Wanted>(conf::ctx_index()).ok_or(INTERNAL_ERROR)?;
    let items: SmallVec<[JoinItem<'_>; 4]> =
        wanted.0.iter().map(|(id, backtrack)| JoinItem { id, backtrack: *backtrack }).collect();
    let cursor = cursor(exchange).map_err(|OutOfMemory| INTERNAL_ERROR)?;
    let since = Since { time: cursor.time, tag: cursor.tag, event_id: cursor.event_id.as_deref() };

    let (location, main) = (exchange.location, exchange.main);
    // SAFETY: from here on the request is finalized by the subscriber, or below with an error.
    let opened = unsafe { worker::subscribe(request, location, main, &items, &since) };
    let opened = opened.map_err(|error| refuse(exchange, &items, error))?;

    request.set_status(200);
    request.set_default_content_type();
    let rc = request.send_header();
    if rc != NGX_OK as ngx_int_t && rc != nginx_sys::NGX_AGAIN as ngx_int_t {
        return Err(rc);
    }
    // The head leaves at once, with the header template if there is one (HDR-11, SUB-40).
    let left = match location.header.as_slice() {
        [] => request.flush().map(drop),
        header => request.output_constant(header).map(drop),
    };
    left.map_err(|_| nginx_sys::NGX_ERROR as ngx_int_t)?;
    opened.start();
    Ok(())
}

/// Time, tag and event id of the client: from the directive if there is one, else from the header that
/// stands for it (OLD-1, OLD-2).
fn cursor(exchange: &Exchange<'_>) -> Result<Cursor, OutOfMemory> {
    let location = exchange.location;
    let value = |directive: &Option<Expanded>, header| match directive {
        Some(directive) => exchange.decoded(directive).map(Some),
        None => Ok(exchange.request.header(header).map(<[u8]>::to_vec)),
    };
    let time = value(&location.last_received_message_time, "If-Modified-Since")?;
    let tag = value(&location.last_received_message_tag, "If-None-Match")?;
    let event_id = value(&location.last_event_id, "Last-Event-Id")?;
    Ok(Cursor::from_values(time.as_deref(), tag.as_deref(), event_id.as_deref()))
}

/// Answers what the store refused (ADM-4..9, LIFE-54).
fn refuse(exchange: &Exchange<'_>, items: &[JoinItem<'_>], error: StoreError) -> ngx_int_t {
    exchange.request.log(
        Level::Error,
        format_args!(
            "push stream module: subscription refused, {error}: {} channels, first {}",
            items.len(),
            Quoted(items.first().map_or(&[], |item| item.id))
        ),
    );
    answer::refuse(exchange.request, Refusal::from(error))
}

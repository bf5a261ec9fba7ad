//! A subscriber location in every mode but WebSocket, in the order in which a request meets it: method,
//! channels, mode, admission; from there on it is the worker's.

use nginx_sys::{
    NGX_HTTP_GET, NGX_HTTP_OPTIONS, ngx_http_finalize_request, ngx_http_request_t, ngx_int_t,
};
use smallvec::SmallVec;

use super::context::{INTERNAL_ERROR, RequestContext};
use super::request_error::RequestError;
use super::{channels, response};
use crate::conf::{self, ComplexValue, SubscriberMode};
use crate::ngx_ext::guard::guard_or;
use crate::ngx_ext::log::{Level, Quoted};
use crate::ngx_ext::request::{OutOfMemory, Request};
use crate::protocol::channel_path::{self, Items};
use crate::protocol::cursor::{self, Cursor};
use crate::protocol::jsonp;
use crate::protocol::padding::Minimums;
use crate::store::{JoinItem, ResumePoint, StoreError, WaitPolicy};
use crate::worker::{self, Delivery, Failure, Outcome, SubscribeRequest};

/// What the request asks for, kept while its body is read.
struct Wanted {
    channels: Named,
    mode: Mode,
}

/// Ids with their backtracks.
pub(super) type Named = Vec<(Box<[u8]>, u64)>;

/// How the request is to be served (MODE-2).
enum Mode {
    Stream,
    Poll { patience: WaitPolicy, callback: Option<Vec<u8>> },
}

/// Refuses the request, or reads its body, which nobody wants, and serves it (SUB-16..21).
pub fn handle(exchange: &RequestContext<'_>, mode: SubscriberMode) -> ngx_int_t {
    let request = exchange.request;
    let begun = match request.method() {
        NGX_HTTP_OPTIONS => {
            request.bits().set_disable_not_modified(true);
            Ok(())
        }
        _ => response::begin(request),
    };
    match begun.and_then(|()| allow_origin(exchange)) {
        Ok(()) => {}
        Err(OutOfMemory) => return INTERNAL_ERROR,
    }
    match request.method() {
        NGX_HTTP_OPTIONS => return response::empty(request, 200),
        NGX_HTTP_GET => {}
        _ => return response::not_allowed(request, "GET"),
    }
    if let Err(rc) = response::refuse_if_unheard(request) {
        return rc;
    }

    let path = match exchange.decoded(&exchange.location.channels_path) {
        Ok(path) => path,
        Err(OutOfMemory) => return INTERNAL_ERROR,
    };
    let wanted = channels(exchange, &path)
        .and_then(|channels| Ok(Wanted { channels, mode: asked_mode(exchange, mode)? }));
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(refusal) => return response::refuse(request, refusal),
    };
    match request.set_state(conf::ctx_index(), wanted) {
        Ok(()) => request.read_body(body_read),
        Err(OutOfMemory) => INTERNAL_ERROR,
    }
}

/// Lets a page of an allowed origin read the answer and all that it needs to go on (SUB-22, and the sane
/// reading of SUB-24).
fn allow_origin(exchange: &RequestContext<'_>) -> Result<(), OutOfMemory> {
    let Some(origin) = exchange.allowed_origin()? else { return Ok(()) };
    let request = exchange.request;
    let headers = [response::ALLOWED_HEADERS, "X-Nginx-PushStream-Mode"].join(",");
    request.push_header("Access-Control-Allow-Origin", &origin)?;
    request.push_header("Access-Control-Allow-Methods", b"GET")?;
    request.push_header("Access-Control-Allow-Headers", headers.as_bytes())?;
    request.push_header(
        "Access-Control-Expose-Headers",
        b"Etag,Last-Modified,X-Nginx-PushStream-Explain,X-Nginx-PushStream-Gap",
    )
}

/// The channels of the path, a channel named twice taken once (SUB-47). Items are judged from left to
/// right: before a wrong one, the store says what it thinks of those before it (ADM-1).
pub(super) fn channels(exchange: &RequestContext<'_>, path: &[u8]) -> Result<Named, RequestError> {
    let items = channel_path::parse(path)
        .inspect_err(|error| channels::log_path_error(exchange, path, *error))?;
    for (i, item) in items.iter().enumerate() {
        let fault = match item.is_reserved() {
            true => Err(RequestError::ReservedId),
            false => channels::check_length(exchange, item.id),
        };
        if let Err(refusal) = fault {
            let before = join_items(&items[..i]);
            exchange.zone.admit(&before, &exchange.location.join_rules(), &exchange.main.limits)?;
            return Err(refusal);
        }
    }
    let items: Items<'_> = channel_path::merge_duplicates(items);
    Ok(items.iter().map(|item| (item.id.into(), item.backtrack)).collect())
}

/// The channels as the store wants to hear of them.
pub(super) fn wanted_items(channels: &[(Box<[u8]>, u64)]) -> SmallVec<[JoinItem<'_>; 4]> {
    channels.iter().map(|(id, backtrack)| JoinItem { id, backtrack: *backtrack }).collect()
}

fn join_items<'a>(items: &[channel_path::Item<'a>]) -> SmallVec<[JoinItem<'a>; 4]> {
    items.iter().map(|item| JoinItem { id: item.id, backtrack: item.backtrack }).collect()
}

/// The location's mode, unless the request header names another way to poll (MODE-1, and the sane reading
/// of MODE-3). Only polls look for a callback (JP-1).
fn asked_mode(
    exchange: &RequestContext<'_>,
    location: SubscriberMode,
) -> Result<Mode, RequestError> {
    let header = exchange.request.header("X-Nginx-PushStream-Mode");
    let is = |word: &str| header.is_some_and(|value| value.eq_ignore_ascii_case(word.as_bytes()));
    let patience = match location {
        _ if is("polling") => WaitPolicy::None,
        _ if is("long-polling") => WaitPolicy::Wait,
        SubscriberMode::Polling => WaitPolicy::None,
        SubscriberMode::LongPolling => WaitPolicy::Wait,
        _ => return Ok(Mode::Stream),
    };
    Ok(Mode::Poll { patience, callback: jsonp::callback(exchange.request.query())? })
}

/// The body, if there was one, is read and forgotten.
unsafe extern "C" fn body_read(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls with a live request, whose handler has to finalize it or to keep it.
    unsafe {
        let log = (*(*r).connection).log;
        let failed = || Outcome::Answered(worker::failed_request(Request::from_raw(r)));
        let outcome = guard_or(log, "a subscription", failed, || {
            let Some(exchange) = RequestContext::of(r) else {
                return Outcome::Answered(INTERNAL_ERROR);
            };
            serve(&exchange).unwrap_or_else(Outcome::Answered)
        });
        match outcome {
            Outcome::Answered(rc) => ngx_http_finalize_request(r, rc),
            // It may be there for days. A location for errors, which may want the body, is out of reach now.
            Outcome::Kept => Request::from_raw(r).forget_body(body_read),
        }
    }
}

/// Subscribes or answers. An error is the return code for a request that failed.
fn serve(exchange: &RequestContext<'_>) -> Result<Outcome, ngx_int_t> {
    let (request, location, main) = (exchange.request, exchange.location, exchange.main);
    let wanted = request.state::<Wanted>(conf::ctx_index()).ok_or(INTERNAL_ERROR)?;
    let mut items = wanted_items(&wanted.channels);
    let cursor = client_cursor(exchange).map_err(|OutOfMemory| INTERNAL_ERROR)?;
    let mut since =
        ResumePoint { time: cursor.time, tag: cursor.tag, event_id: cursor.event_id.as_deref() };
    resume(exchange, &mut items, &mut since);
    let kind = match &wanted.mode {
        Mode::Stream => Delivery::Stream(padding(exchange).map_err(|OutOfMemory| INTERNAL_ERROR)?),
        Mode::Poll { patience, callback } => {
            Delivery::Poll { patience: *patience, callback: callback.as_deref() }
        }
    };
    let order = SubscribeRequest { location, main, items: &items, since, kind };
    // SAFETY: a request that is kept is finalized by the subscriber alone.
    match unsafe { worker::serve(request, &order) } {
        Ok(outcome) => Ok(outcome),
        Err(Failure::Refused(error)) => Err(refuse(exchange, &items, error)),
        Err(Failure::Unsent(rc)) => Err(rc),
    }
}

/// Time, tag and event id of the client: from the directive if there is one, else from the header that
/// stands for it (OLD-1, OLD-2).
pub(super) fn client_cursor(exchange: &RequestContext<'_>) -> Result<Cursor, OutOfMemory> {
    let location = exchange.location;
    let time = configured(exchange, &location.last_received_message_time, "If-Modified-Since")?;
    let tag = configured(exchange, &location.last_received_message_tag, "If-None-Match")?;
    let event_id = configured(exchange, &location.last_event_id, "Last-Event-Id")?;
    Ok(Cursor::from_values(time.as_deref(), tag.as_deref(), event_id.as_deref()))
}

/// With `push_stream_event_id auto` an event id is a position in the order of all messages, whether it is one
/// of ours or that of a message. It leads on in every channel, and is later than any backtrack, which
/// was sent when the client first came.
pub(super) fn resume(
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

/// The padding of this client (PAD-4).
fn padding(exchange: &RequestContext<'_>) -> Result<Option<Minimums>, OutOfMemory> {
    let agent = configured(exchange, &exchange.location.user_agent, "User-Agent")?;
    Ok(agent.and_then(|agent| exchange.location.padding_for(&agent)))
}

fn configured(
    exchange: &RequestContext<'_>,
    directive: &Option<ComplexValue>,
    header: &str,
) -> Result<Option<Vec<u8>>, OutOfMemory> {
    match directive {
        Some(directive) => exchange.decoded(directive).map(Some),
        None => Ok(exchange.request.header(header).map(<[u8]>::to_vec)),
    }
}

/// Answers what the store refused (ADM-4..9, LIFE-54).
fn refuse(exchange: &RequestContext<'_>, items: &[JoinItem<'_>], error: StoreError) -> ngx_int_t {
    log_refused(exchange, items, error);
    response::refuse(exchange.request, RequestError::from(error))
}

pub(super) fn log_refused(
    exchange: &RequestContext<'_>,
    items: &[JoinItem<'_>],
    error: StoreError,
) {
    exchange.request.log(
        Level::Error,
        format_args!(
            "push stream module: subscription refused, {error}: {} channels, first {}",
            items.len(),
            Quoted(items.first().map_or(&[], |item| item.id))
        ),
    );
}

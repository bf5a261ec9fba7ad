//! A WebSocket location, in the order in which a request meets it: method, handshake, origin, channels,
//! admission; from there on it is the worker's.

use std::cell::Cell;

use nginx_sys::{
    NGX_HTTP_GET, NGX_HTTP_VERSION_20, ngx_http_finalize_request, ngx_http_request_t, ngx_int_t,
};

use super::context::{INTERNAL_ERROR, RequestContext};
use super::request_error::RequestError;
use super::{response, subscriber};
use crate::conf::{self, Refuse};
use crate::ngx_ext::guard::guard_or;
use crate::ngx_ext::log::{Level, Quoted};
use crate::ngx_ext::request::{OutOfMemory, Request};
use crate::protocol::websocket::deflate;
use crate::protocol::websocket::handshake::{self, HandshakeError};
use crate::protocol::websocket::rules::ReaderLimits;
use crate::store::ResumePoint;
use crate::worker::output::frames::Frames;
use crate::worker::{self, Delivery, Failure, Opening, Outcome, SubscribeRequest};

/// What the request asks for, kept while its body is read.
struct Wanted {
    opening: Opening,
    channels: Result<subscriber::Named, RequestError>,
}

/// Refuses the request, or reads its body, which nobody wants, and opens the connection (WS-11..24).
pub fn handle(exchange: &RequestContext<'_>) -> ngx_int_t {
    let request = exchange.request;
    request.bits().set_keepalive(false);
    if request.method() != NGX_HTTP_GET {
        return response::not_allowed(request, "GET");
    }
    if let Err(rc) = response::refuse_if_unheard(request) {
        return rc;
    }
    if let Err(OutOfMemory) = response::begin(request) {
        return INTERNAL_ERROR;
    }
    let opening = match opening(exchange) {
        Ok(opening) => opening,
        Err(error) => return no_handshake(exchange, error),
    };
    let origin = request.header("Origin");
    if !exchange.location.websocket.allows(origin) {
        request.log(
            Level::Warn,
            format_args!(
                "push stream module: a page of {} is not among push_stream_websocket_allowed_origins",
                Quoted(origin.unwrap_or_default())
            ),
        );
        return response::explained(request, 403, "Origin not allowed.");
    }
    let path = match exchange.decoded(&exchange.location.channels_path) {
        Ok(path) => path,
        Err(OutOfMemory) => return INTERNAL_ERROR,
    };
    let wanted = Wanted { opening, channels: subscriber::channels(exchange, &path) };
    match request.set_state(conf::ctx_index(), Cell::new(Some(wanted))) {
        Ok(()) => request.read_body(body_read),
        Err(OutOfMemory) => INTERNAL_ERROR,
    }
}

/// Checks the handshake and chooses what is agreed on (WS-13..20, WS-24, WS-GAP-1..4, WS-GAP-18).
fn opening(exchange: &RequestContext<'_>) -> Result<Opening, HandshakeError> {
    let (request, settings) = (exchange.request, &exchange.location.websocket);
    // There is no Connection header in HTTP/2 and later (WS-24), and no header at all below 1.0.
    if request.http_version() >= NGX_HTTP_VERSION_20 {
        return Err(HandshakeError::Missing);
    }
    let lines = |name| request.header_lines(name).collect::<Vec<_>>();
    let accept = handshake::accept(&handshake::Request {
        upgrade: &lines("Upgrade"),
        connection: &lines("Connection"),
        key: &lines("Sec-WebSocket-Key"),
        version: &lines("Sec-WebSocket-Version"),
    })?;
    let offers = lines("Sec-WebSocket-Extensions").into_iter().filter(|_| settings.deflate);
    let extension = offers.into_iter().find_map(deflate::answer);
    let offered = lines("Sec-WebSocket-Protocol");
    let subprotocol = handshake::subprotocol(&offered, &settings.subprotocols);
    let max = settings.max_message_size.or_else(|| request.client_max_body_size());
    Ok(Opening {
        head: handshake::head(&accept, subprotocol, extension),
        frames: Frames { binary: settings.binary, deflate: extension.is_some() },
        rules: ReaderLimits {
            max_message: max.filter(|max| *max > 0).unwrap_or(u64::MAX),
            keep: settings.allow_publish,
            masking: settings.masking,
            binary: settings.binary,
            deflate: extension.is_some(),
        },
    })
}

fn no_handshake(exchange: &RequestContext<'_>, error: HandshakeError) -> ngx_int_t {
    let request = exchange.request;
    if error == HandshakeError::Version {
        if let Err(OutOfMemory) = request.push_header("Sec-WebSocket-Version", b"8, 13") {
            return INTERNAL_ERROR;
        }
    }
    response::explained(request, 400, &error.to_string())
}

/// The body, if there was one, is read and forgotten.
unsafe extern "C" fn body_read(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls with a live request, whose handler has to finalize it or to keep it.
    unsafe {
        let log = (*(*r).connection).log;
        let failed = || Outcome::Answered(worker::failed_request(Request::from_raw(r)));
        let outcome = guard_or(log, "a WebSocket", failed, || {
            let Some(exchange) = RequestContext::of(r) else {
                return Outcome::Answered(INTERNAL_ERROR);
            };
            serve(&exchange)
        });
        match outcome {
            Outcome::Answered(rc) => ngx_http_finalize_request(r, rc),
            // It may be there for days. A location for errors, which may want the body, is out of reach now.
            Outcome::Kept => Request::from_raw(r).forget_body(body_read),
        }
    }
}

fn serve(exchange: &RequestContext<'_>) -> Outcome {
    let (request, location, main) = (exchange.request, exchange.location, exchange.main);
    let failed = Outcome::Answered(INTERNAL_ERROR);
    // Taken: a connection may be open for days.
    let wanted = request.state::<Cell<Option<Wanted>>>(conf::ctx_index()).and_then(Cell::take);
    let Some(Wanted { opening, channels }) = wanted else { return failed };
    let opening = &opening;
    let channels = match channels {
        Ok(channels) => channels,
        Err(refusal) => return refuse(exchange, opening, refusal),
    };
    let mut items = subscriber::wanted_items(&channels);
    let Ok(cursor) = subscriber::client_cursor(exchange) else { return failed };
    let mut since =
        ResumePoint { time: cursor.time, tag: cursor.tag, event_id: cursor.event_id.as_deref() };
    subscriber::resume(exchange, &mut items, &mut since);
    let order = SubscribeRequest {
        location,
        main,
        items: &items,
        since,
        kind: Delivery::WebSocket(opening),
    };
    // SAFETY: a request that is kept is finalized by the subscriber alone.
    match unsafe { worker::serve(request, &order) } {
        Ok(outcome) => outcome,
        Err(Failure::Refused(error)) => {
            subscriber::log_refused(exchange, &items, error);
            refuse(exchange, opening, RequestError::from(error))
        }
        Err(Failure::Unsent(rc)) => Outcome::Answered(rc),
    }
}

/// Refuses a request that shook hands properly, in the location's way (WS-22, WS-40, WS-41).
fn refuse(exchange: &RequestContext<'_>, opening: &Opening, refusal: RequestError) -> Outcome {
    let (request, location) = (exchange.request, exchange.location);
    if location.websocket.refuse == Refuse::Close {
        let status = refusal.status();
        let reason = format!("{{\"http_status\": {status}, \"explain\":\"{refusal}\"}}");
        // SAFETY: a request that is kept is finalized by the subscriber alone.
        if let Ok(outcome) = unsafe { worker::turn_away(request, location, opening, &reason) } {
            return outcome;
        }
    }
    Outcome::Answered(response::refuse(request, refusal))
}

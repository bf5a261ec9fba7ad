//! A WebSocket location: method, handshake, allowed origins, and how a client is refused.

use nginx_sys::{NGX_HTTP_GET, NGX_HTTP_VERSION_20, ngx_int_t};

use super::context::{INTERNAL_ERROR, RequestContext};
use super::request_error::RequestError;
use super::response;
use super::subscribe::{self, Transport};
use crate::conf::Refuse;
use crate::ngx_ext::log::{Level, Quoted};
use crate::ngx_ext::request::OutOfMemory;
use crate::protocol::websocket::deflate;
use crate::protocol::websocket::handshake::{self, HandshakeError};
use crate::protocol::websocket::rules::ReaderLimits;
use crate::worker::output::frames::Frames;
use crate::worker::{self, Delivery, Opening, Outcome};

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
                "a page of {} is not among push_stream_websocket_allowed_origins",
                Quoted(origin.unwrap_or_default())
            ),
        );
        return response::explained(request, 403, "Origin not allowed.");
    }
    let Ok(path) = exchange.decoded(&exchange.location.channels_path) else {
        return INTERNAL_ERROR;
    };
    // An error waits until the body is read, too: it may be told in a close frame.
    let channels = subscribe::channels(exchange, &path);
    subscribe::subscribe(exchange, "a WebSocket", channels, opening)
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

impl Transport for Opening {
    fn delivery(&self, _: &RequestContext<'_>) -> Result<Delivery<'_>, OutOfMemory> {
        Ok(Delivery::WebSocket(self))
    }

    /// Refuses a request that shook hands properly, in the location's way (WS-22, WS-40, WS-41).
    fn refuse(&self, exchange: &RequestContext<'_>, error: RequestError) -> Outcome {
        let (request, location) = (exchange.request, exchange.location);
        if location.websocket.refuse == Refuse::Close {
            let status = error.status();
            let reason = format!("{{\"http_status\": {status}, \"explain\":\"{error}\"}}");
            // SAFETY: a request that is kept is finalized by the subscriber alone.
            if let Ok(outcome) = unsafe { worker::turn_away(request, location, self, &reason) } {
                return outcome;
            }
        }
        Outcome::Answered(response::refuse(request, error))
    }
}

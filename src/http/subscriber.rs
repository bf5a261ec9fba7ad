//! A subscriber location in every mode but WebSocket: method, allowed origins, mode, padding.

use nginx_sys::{NGX_HTTP_GET, NGX_HTTP_OPTIONS, ngx_int_t};

use super::context::{INTERNAL_ERROR, RequestContext};
use super::request_error::RequestError;
use super::response;
use super::subscribe::{self, Transport};
use crate::conf::SubscriberMode;
use crate::ngx_ext::request::OutOfMemory;
use crate::protocol::jsonp;
use crate::protocol::padding::Minimums;
use crate::store::WaitPolicy;
use crate::worker::{Delivery, Outcome};

const MODE_HEADER: &str = "X-Nginx-PushStream-Mode";

/// How the request is to be served (MODE-2).
enum HttpTransport {
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

    let Ok(path) = exchange.decoded(&exchange.location.channels_path) else {
        return INTERNAL_ERROR;
    };
    let wanted = subscribe::channels(exchange, &path)
        .and_then(|channels| Ok((channels, asked_mode(exchange, mode)?)));
    match wanted {
        Ok((channels, transport)) => {
            subscribe::subscribe(exchange, "a subscription", Ok(channels), transport)
        }
        Err(error) => response::refuse(request, error),
    }
}

impl Transport for HttpTransport {
    fn delivery(&self, exchange: &RequestContext<'_>) -> Result<Delivery<'_>, OutOfMemory> {
        Ok(match self {
            HttpTransport::Stream => Delivery::Stream(padding(exchange)?),
            HttpTransport::Poll { patience, callback } => {
                Delivery::Poll { patience: *patience, callback: callback.as_deref() }
            }
        })
    }

    fn refuse(&self, exchange: &RequestContext<'_>, error: RequestError) -> Outcome {
        Outcome::Answered(response::refuse(exchange.request, error))
    }
}

/// Lets a page of an allowed origin read the answer and all that it needs to go on (SUB-22, and the sane
/// reading of SUB-24).
fn allow_origin(exchange: &RequestContext<'_>) -> Result<(), OutOfMemory> {
    let Some(origin) = exchange.allowed_origin()? else { return Ok(()) };
    let request = exchange.request;
    let headers = [response::ALLOWED_HEADERS, MODE_HEADER].join(",");
    request.push_header("Access-Control-Allow-Origin", &origin)?;
    request.push_header("Access-Control-Allow-Methods", b"GET")?;
    request.push_header("Access-Control-Allow-Headers", headers.as_bytes())?;
    request.push_header(
        "Access-Control-Expose-Headers",
        b"Etag,Last-Modified,X-Nginx-PushStream-Explain,X-Nginx-PushStream-Gap",
    )
}

/// The location's mode, unless the request header names another way to poll (MODE-1, and the sane reading
/// of MODE-3). Only polls look for a callback (JP-1).
fn asked_mode(
    exchange: &RequestContext<'_>,
    location: SubscriberMode,
) -> Result<HttpTransport, RequestError> {
    let asked = exchange.request.header(MODE_HEADER).and_then(SubscriberMode::named);
    let way_to_poll =
        asked.filter(|mode| matches!(mode, SubscriberMode::Polling | SubscriberMode::LongPolling));
    let patience = match way_to_poll.unwrap_or(location) {
        SubscriberMode::Polling => WaitPolicy::None,
        SubscriberMode::LongPolling => WaitPolicy::Wait,
        _ => return Ok(HttpTransport::Stream),
    };
    Ok(HttpTransport::Poll { patience, callback: jsonp::callback(exchange.request.query())? })
}

/// The padding of this client (PAD-4).
fn padding(exchange: &RequestContext<'_>) -> Result<Option<Minimums>, OutOfMemory> {
    let agent = exchange.value_or_header(&exchange.location.user_agent, "User-Agent")?;
    Ok(agent.and_then(|agent| exchange.location.padding_for(&agent)))
}

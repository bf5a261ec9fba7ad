//! What all answers of the module have in common.

use nginx_sys::ngx_int_t;
use ngx::core::Status;

use super::context::{INTERNAL_ERROR, RequestContext};
use super::request_error::RequestError;
use crate::ngx_ext::log::Level;
use crate::ngx_ext::request::{OutOfMemory, Request};

/// The request headers a page of another origin may send (PUB-11).
pub const ALLOWED_HEADERS: &str =
    "If-Modified-Since,If-None-Match,Etag,Event-Id,Event-Type,Last-Event-Id";

/// Prepares the response head before anything is decided: never cached (PUB-6, STAT-20), and not
/// subject to conditions that nginx would evaluate after the request took effect (PUB-15, PUB-16,
/// STAT-25).
pub fn begin(request: Request<'_>) -> Result<(), OutOfMemory> {
    request.bits().set_disable_not_modified(true);
    request.drop_ranges();
    request.push_header("Expires", b"Thu, 01 Jan 1970 00:00:01 GMT")?;
    request.push_header("Cache-Control", b"no-cache, no-store, must-revalidate")?;
    request.fix_caching()
}

/// Lets a page of an allowed origin read the answer and use `methods` (PUB-11, DIR-165).
pub fn allow_origin(exchange: &RequestContext<'_>, methods: &str) -> Result<(), OutOfMemory> {
    let Some(origin) = exchange.allowed_origin()? else { return Ok(()) };
    let request = exchange.request;
    request.push_header("Access-Control-Allow-Origin", &origin)?;
    request.push_header("Access-Control-Allow-Methods", methods.as_bytes())?;
    request.push_header("Access-Control-Allow-Headers", ALLOWED_HEADERS.as_bytes())
}

/// Answers without body (PUB-7), whose type is then of no interest, whoever said it. The request's body goes
/// with it (PUB-96).
pub fn empty(request: Request<'_>, status: u32) -> ngx_int_t {
    if let Err(rc) = request.discard_body() {
        return rc;
    }
    request.set_status(status);
    request.clear_content_type();
    request.set_content_length(0);
    request.bits().set_header_only(true);
    request.send_header()
}

/// Answers without body, with a word of explanation (PUB-3).
pub fn explained(request: Request<'_>, status: u32, text: &str) -> ngx_int_t {
    match request.push_header("X-Nginx-PushStream-Explain", text.as_bytes()) {
        Ok(()) => empty(request, status),
        Err(OutOfMemory) => INTERNAL_ERROR,
    }
}

/// Refuses the request.
pub fn refuse(request: Request<'_>, refusal: RequestError) -> ngx_int_t {
    explained(request, refusal.status(), &refusal.to_string())
}

/// Refuses what would be sent where nobody expects it: a subscriber's messages as a part of another
/// response, or behind one that is complete (`post_action`), which a client would take for the answer to
/// its next request.
pub fn refuse_if_unheard(request: Request<'_>) -> Result<(), ngx_int_t> {
    let line = match (request.is_main(), request.bits().header_only()) {
        (true, false) => return Ok(()),
        (true, true) => "a subscriber cannot come after another response",
        (false, _) => "a subscriber cannot be part of another response",
    };
    request.log(Level::Error, format_args!("{line}"));
    Err(INTERNAL_ERROR)
}

/// Answers 405 with the methods that would do (PUB-13, STAT-1).
pub fn not_allowed(request: Request<'_>, methods: &str) -> ngx_int_t {
    match request.push_header("Allow", methods.as_bytes()) {
        Ok(()) => empty(request, 405),
        Err(OutOfMemory) => INTERNAL_ERROR,
    }
}

/// Answers 200 with a body (PUB-8, STAT-22); HEAD with its head alone. The request's body, if it was
/// not read, goes with it.
pub fn body(request: Request<'_>, content_type: &'static str, body: Vec<u8>) -> ngx_int_t {
    if let Err(rc) = request.discard_body() {
        return rc;
    }
    request.set_status(200);
    request.set_content_length(body.len());
    request.set_content_type(content_type);
    match request.send_header() {
        rc if rc != Status::NGX_OK.0 => rc,
        _ if request.bits().header_only() => Status::NGX_OK.0,
        _ => request.send_whole_body(body),
    }
}

//! The response head of a subscriber.

use nginx_sys::{NGX_AGAIN, NGX_OK, ngx_int_t};

use crate::conf::{Location, TemplateKind};
use crate::failpoints;
use crate::ngx_ext::request::{OutOfMemory, Request};
use crate::ngx_ext::substitution::Substitution;
use crate::protocol::{date, jsonp};
use crate::store::Position;
use crate::worker::output::body_wrapper::Media;

/// A head that does not leave: nginx's return code, with which the request is to be finalized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsent(pub ngx_int_t);

impl From<OutOfMemory> for Unsent {
    fn from(_: OutOfMemory) -> Self {
        Unsent(nginx_sys::NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t)
    }
}

/// Sends the head of a stream and its header template, at once (HDR-3, HDR-4, HDR-11, SUB-40).
pub fn of_stream<'r>(
    request: Request<'r>,
    location: &'r Location,
    all_known: bool,
) -> Result<Option<Substitution>, Unsent> {
    request.set_status(200);
    match location.message_template.kind {
        TemplateKind::EventStream => request.set_content_type("text/event-stream; charset=utf-8"),
        TemplateKind::Plain => request.set_default_content_type(),
    }
    send_with_header(request, &location.header, all_known)
}

/// Sends the head of a poll's answer that has messages, with its header template (HDR-6, LP-2, LP-7).
pub fn of_answer<'r>(
    request: Request<'r>,
    location: &'r Location,
    position: Position,
    media: Media,
    all_known: bool,
) -> Result<Option<Substitution>, Unsent> {
    request.set_status(200);
    set_position(request, position, media)?;
    send_with_header(
        request,
        match media {
            Media::Default => &location.header,
            Media::Script => &[],
        },
        all_known,
    )
}

/// Sends a head that is the whole answer: nothing new (LP-1, LP-9, HDR-8). The return code is for
/// finalizing the request.
pub fn nothing_new(request: Request<'_>, position: Position, media: Media) -> ngx_int_t {
    if let Err(Unsent(rc)) = set_position(request, position, media) {
        return rc;
    }
    request.set_status(304);
    request.set_content_length(0);
    request.bits().set_header_only(true);
    request.send_header()
}

/// As plain header lines: filters that change bodies leave them alone.
fn set_position(request: Request<'_>, position: Position, media: Media) -> Result<(), Unsent> {
    match media {
        Media::Default => request.set_default_content_type(),
        Media::Script => request.set_content_type(jsonp::CONTENT_TYPE),
    }
    if let Some(time) = position.time.filter(|&time| time > 0) {
        let mut value = Vec::with_capacity(date::HTTP_LEN);
        date::append_http(time, &mut value);
        request.push_header("Last-Modified", &value)?;
    }
    if let Some(tag) = position.tag {
        request.push_header("Etag", format!("W/{tag}").as_bytes())?;
    }
    Ok(())
}

/// With what has to be known of `sub_filter` to go on. Where not all modules are nginx's own (`all_known`) it goes
/// on as it would by itself: what ends its search ends the body for filters of others.
fn send_with_header<'r>(
    request: Request<'r>,
    header: &'r [u8],
    all_known: bool,
) -> Result<Option<Substitution>, Unsent> {
    let rc = request.send_header();
    if rc != NGX_OK as ngx_int_t && rc != NGX_AGAIN as ngx_int_t {
        return Err(Unsent(rc));
    }
    let substitution = if all_known { request.substitution() } else { None };
    let left = match header {
        [] => request.flush(),
        header => request.output_constant(header, substitution),
    };
    failpoints::point("the head has left");
    left.map_err(|_| Unsent(nginx_sys::NGX_ERROR as ngx_int_t))?;
    Ok(substitution)
}

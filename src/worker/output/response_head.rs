//! The response head of a subscriber.

use nginx_sys::{NGX_HTTP_INTERNAL_SERVER_ERROR, ngx_int_t};
use ngx::core::Status;

use crate::conf::{Location, TemplateKind};
use crate::failpoints;
use crate::ngx_ext::request::{OutOfMemory, Request};
use crate::ngx_ext::substitution::Substitution;
use crate::protocol::{cursor, date, jsonp};
use crate::store::Position;
use crate::worker::output::body_wrapper::Media;

/// What a request is finalized with after a fault of ours.
pub const INTERNAL_ERROR: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;

/// A head that does not leave: nginx's return code, with which the request is to be finalized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsent(pub ngx_int_t);

impl From<OutOfMemory> for Unsent {
    fn from(_: OutOfMemory) -> Self {
        Unsent(INTERNAL_ERROR)
    }
}

/// The head of an answer that has a body.
#[derive(Clone, Copy)]
pub struct Head<'l> {
    pub location: &'l Location,
    /// Every module that is loaded is one of nginx's own.
    pub all_modules_known: bool,
    pub kind: HeadKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadKind {
    /// Of a stream (HDR-3, HDR-4, HDR-11, SUB-40).
    Stream,
    /// Of a poll's answer that has messages (HDR-6, LP-2, LP-7).
    Answer { position: Position, media: Media },
}

/// Sends a head with its header template, at once; what has to be known of `sub_filter` to go on.
pub fn send<'r>(request: Request<'r>, head: &Head<'r>) -> Result<Option<Substitution>, Unsent> {
    let Head { location, all_modules_known, kind } = *head;
    request.set_status(200);
    let header = match kind {
        HeadKind::Stream => {
            match location.message_template.kind {
                TemplateKind::EventStream => {
                    request.set_content_type("text/event-stream; charset=utf-8");
                }
                TemplateKind::Plain => request.set_default_content_type(),
            }
            &location.header[..]
        }
        HeadKind::Answer { position, media } => {
            set_position(request, position, media)?;
            match media {
                Media::Default => &location.header[..],
                Media::Script => &[],
            }
        }
    };
    send_with_header(request, header, all_modules_known)
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
    let mut value = Vec::with_capacity(date::HTTP_LEN);
    if let Some(time) = position.time.filter(|&time| time > 0) {
        date::append_http(time, &mut value);
        request.push_header("Last-Modified", &value)?;
    }
    if let Some(tag) = position.tag {
        value.clear();
        cursor::append_etag(tag, &mut value);
        request.push_header("Etag", &value)?;
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
    if rc != Status::NGX_OK.0 && rc != Status::NGX_AGAIN.0 {
        return Err(Unsent(rc));
    }
    let substitution = if all_known { request.substitution() } else { None };
    let left = match header {
        [] => request.flush(),
        header => request.output_constant(header, substitution),
    };
    failpoints::point("the head has left");
    left.map_err(|_| Unsent(Status::NGX_ERROR.0))?;
    Ok(substitution)
}

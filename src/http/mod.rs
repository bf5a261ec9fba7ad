//! Requests to locations with a role: one file a role, and what they share.

mod body;
mod channels;
mod context;
mod publisher;
mod request_error;
mod response;
mod resume;
mod statistics;
mod subscribe;
mod subscriber;
mod websocket;

use nginx_sys::{ngx_http_request_t, ngx_int_t};

use self::context::{INTERNAL_ERROR, RequestContext};
use crate::conf::{Role, SubscriberMode};
use crate::ngx_ext::guard::guard_or;
use crate::ngx_ext::request::Request;
use crate::worker;

/// Serves every location with a role.
///
/// # Safety
/// For nginx to call as content handler.
pub unsafe extern "C" fn content_handler(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx calls with a live request, whose connection's log lives as long.
    unsafe {
        let log = (*(*r).connection).log;
        let failed = || worker::failed_request(Request::from_raw(r));
        guard_or(log, "the content handler", failed, || {
            let Some(exchange) = RequestContext::of(r) else { return INTERNAL_ERROR };
            match exchange.location.role {
                Role::Publisher(mode) => publisher::handle(&exchange, mode),
                Role::Statistics(format) => statistics::handle(&exchange, format),
                Role::Subscriber(SubscriberMode::WebSocket) => websocket::handle(&exchange),
                Role::Subscriber(mode) => subscriber::handle(&exchange, mode),
            }
        })
    }
}

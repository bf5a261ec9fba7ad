//! The one way to a request's body: it is read to its end before anything has its effect, so that the next
//! request of the connection begins behind it, whether anybody wants this one or not.

use std::cell::Cell;

use nginx_sys::{ngx_http_finalize_request, ngx_http_request_t, ngx_int_t};

use super::context::{INTERNAL_ERROR, RequestContext};
use crate::conf;
use crate::ngx_ext::guard::guard_or;
use crate::ngx_ext::request::{OutOfMemory, Request};
use crate::worker::{self, Outcome};

/// What is done with a request once its body is there.
struct Continuation {
    /// What the log calls it, should it panic.
    callback: &'static str,
    run: Box<dyn FnOnce(&RequestContext<'_>) -> Outcome>,
}

/// Reads the body and then runs `then`. What is returned is for nginx.
pub fn read(
    exchange: &RequestContext<'_>,
    callback: &'static str,
    then: impl FnOnce(&RequestContext<'_>) -> Outcome + 'static,
) -> ngx_int_t {
    let continuation = Continuation { callback, run: Box::new(then) };
    match exchange.request.set_state(conf::ctx_index(), Cell::new(Some(continuation))) {
        Ok(()) => exchange.request.read_body(body_read),
        Err(OutOfMemory) => INTERNAL_ERROR,
    }
}

/// The body is complete: from here on the request has its effect.
unsafe extern "C" fn body_read(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls with the live request whose body it has read, and its handler has to finalize
    // that request or to keep it.
    unsafe {
        let request = Request::from_raw(r);
        // Taken: a subscriber's request may be open for days.
        let continuation =
            request.state::<Cell<Option<Continuation>>>(conf::ctx_index()).and_then(Cell::take);
        let callback = continuation.as_ref().map_or("a request body", |then| then.callback);
        let failed = || Outcome::Answered(worker::failed_request(request));
        let outcome = guard_or(request.error_log(), callback, failed, || {
            match (RequestContext::of(r), continuation) {
                (Some(exchange), Some(then)) => (then.run)(&exchange),
                _ => Outcome::Answered(INTERNAL_ERROR),
            }
        });
        match outcome {
            Outcome::Answered(rc) => ngx_http_finalize_request(r, rc),
            // It may be there for days. A location for errors, which may want the body, is out of reach now.
            Outcome::Kept => request.forget_body(body_read),
        }
    }
}

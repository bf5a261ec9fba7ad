//! The life of a request that stays open: what it waits for, and how it ends.

use std::any::Any;
use std::ffi::c_void;

use nginx_sys::{
    NGX_HTTP_LAST, ngx_http_cleanup_add, ngx_http_finalize_request, ngx_http_request_t,
    ngx_http_run_posted_requests, ngx_http_send_special, ngx_http_test_reading, ngx_int_t,
};
use ngx::core::Status;

use super::conf;
use super::request::{OutOfMemory, Request};

impl<'r> Request<'r> {
    /// nginx notices when the client goes, or that it is gone already; `writable` is called when the
    /// connection can be written or its write timer runs out.
    pub fn hold(self, writable: unsafe extern "C" fn(*mut ngx_http_request_t)) {
        // SAFETY: a live request.
        unsafe {
            (*self.as_ptr()).read_event_handler = Some(ngx_http_test_reading);
            (*self.as_ptr()).write_event_handler = Some(writable);
        }
        self.connection().await_readable();
    }

    /// Calls `handler` with `data` when the request ends, however it does. Its pool, and what nginx still
    /// sends of it, may live on.
    pub fn on_end(
        self,
        handler: unsafe extern "C" fn(*mut c_void),
        data: *mut c_void,
    ) -> Result<(), OutOfMemory> {
        // SAFETY: a live request; nginx calls the handler once.
        unsafe {
            let cleanup = ngx_http_cleanup_add(self.as_ptr(), 0);
            if cleanup.is_null() {
                return Err(OutOfMemory);
            }
            (*cleanup).handler = Some(handler);
            (*cleanup).data = data;
        }
        Ok(())
    }

    /// Keeps a value as long as the request's pool, which is longer than anything of it is sent.
    pub fn keep<T: Any>(self, value: T) -> Result<(), OutOfMemory> {
        // SAFETY: a live request has a pool.
        let kept = unsafe { conf::place_in_pool((*self.as_ptr()).pool, value) };
        if kept.is_null() { Err(OutOfMemory) } else { Ok(()) }
    }

    /// Ends the body and the request: nginx sends what it holds, then keeps or closes the connection.
    pub fn finish(self) {
        // SAFETY: a live request, which this ends. Its connection outlives it.
        unsafe {
            let rc = ngx_http_send_special(self.as_ptr(), NGX_HTTP_LAST as _);
            self.finalize(rc);
        }
    }

    /// Ends the request without an end of its body; the connection is closed.
    pub fn abort(self) {
        self.finalize(Status::NGX_ERROR.0);
    }

    /// Ends the request with a return code: that of a head that is the whole answer, or an error.
    ///
    /// nginx posts part of a request's end, and filters' subrequests; its own handlers run what is posted
    /// afterwards, so ours do.
    pub fn finalize(self, rc: ngx_int_t) {
        // SAFETY: a live request, which this ends. nginx looks whether the connection still serves it.
        unsafe {
            let connection = (*self.as_ptr()).connection;
            ngx_http_finalize_request(self.as_ptr(), rc);
            ngx_http_run_posted_requests(connection);
        }
    }

    /// Runs the subrequests that filters have started. The request may be over after this.
    pub fn run_posted(self) {
        // SAFETY: a live request.
        unsafe { ngx_http_run_posted_requests((*self.as_ptr()).connection) }
    }

    /// When this connection is closed, the peer sees a reset instead of an orderly end, and what it did
    /// not read is given up. Not where other requests share the connection.
    pub fn reset_on_close(self) {
        if self.is_http1() {
            self.connection().reset_on_close();
        }
    }
}

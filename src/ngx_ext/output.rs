//! A request that stays open: its output through the filters, its end, and its waits.

use std::ffi::c_void;

use nginx_sys::{
    NGX_AGAIN, NGX_ERROR, NGX_HTTP_FLUSH, NGX_HTTP_LAST, NGX_HTTP_VERSION_11, NGX_OK, ngx_buf_t,
    ngx_chain_t, ngx_http_cleanup_add, ngx_http_cleanup_pt, ngx_http_core_loc_conf_t,
    ngx_http_core_module, ngx_http_finalize_request, ngx_http_output_filter, ngx_http_request_t,
    ngx_http_send_special, ngx_http_test_reading, ngx_int_t, ngx_pcalloc,
};

use super::connection::{Connection, Failed};
use super::request::{OutOfMemory, Request};

/// Whether the filters and the socket took everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    All,
    /// Something waits; the request's write handler will be called.
    Part,
}

fn taken(rc: ngx_int_t) -> Result<Taken, Failed> {
    match rc {
        rc if rc == NGX_OK as ngx_int_t => Ok(Taken::All),
        rc if rc == NGX_AGAIN as ngx_int_t => Ok(Taken::Part),
        _ => Err(Failed),
    }
}

/// A buffer descriptor of the request, used again and again.
pub struct Descriptor(*mut ngx_buf_t);

impl Descriptor {
    /// Whether the filters are done with the bytes it showed them.
    pub fn is_consumed(&self) -> bool {
        // SAFETY: allocated in the request's pool, which outlives this.
        unsafe { (*self.0).pos == (*self.0).last }
    }
}

impl<'r> Request<'r> {
    pub fn connection(self) -> Connection<'r> {
        // SAFETY: a live request has a live connection.
        unsafe { Connection::from_raw((*self.as_ptr()).connection) }
    }

    /// A descriptor for output that comes again and again.
    pub fn descriptor(self) -> Result<Descriptor, OutOfMemory> {
        // SAFETY: a live request has a pool.
        let buf = unsafe { ngx_pcalloc((*self.as_ptr()).pool, size_of::<ngx_buf_t>()) };
        if buf.is_null() { Err(OutOfMemory) } else { Ok(Descriptor(buf.cast())) }
    }

    /// Gives bytes to the filters, to be sent at once.
    ///
    /// # Safety
    ///
    /// The bytes stay as they are until the descriptor says that it is consumed, or the request ends.
    pub unsafe fn output(self, buffer: &Descriptor, bytes: &[u8]) -> Result<Taken, Failed> {
        debug_assert!(!bytes.is_empty());
        // SAFETY: a live request; its descriptor is not in use (consumed), and filters copy the chain's
        // links, never the buffer.
        unsafe {
            let b = &mut *buffer.0;
            *b = std::mem::zeroed();
            b.pos = bytes.as_ptr().cast_mut();
            b.last = b.pos.add(bytes.len());
            b.start = b.pos;
            b.end = b.last;
            b.set_memory(1);
            b.set_flush(1);
            let mut out = ngx_chain_t { buf: buffer.0, next: std::ptr::null_mut() };
            taken(ngx_http_output_filter(self.as_ptr(), &mut out))
        }
    }

    /// Gives bytes of the configuration to the filters, to be sent at once.
    pub fn output_constant(self, bytes: &'r [u8]) -> Result<Taken, Failed> {
        let descriptor = self.descriptor().map_err(|OutOfMemory| Failed)?;
        // SAFETY: the bytes live as long as the request.
        unsafe { self.output(&descriptor, bytes) }
    }

    /// Goes on with what the filters hold.
    pub fn output_rest(self) -> Result<Taken, Failed> {
        // SAFETY: a live request.
        taken(unsafe { ngx_http_output_filter(self.as_ptr(), std::ptr::null_mut()) })
    }

    /// Lets what was given to the filters leave at once.
    pub fn flush(self) -> Result<Taken, Failed> {
        // SAFETY: a live request.
        taken(unsafe { ngx_http_send_special(self.as_ptr(), NGX_HTTP_FLUSH as _) })
    }

    /// Ends the body and the request: nginx sends what it holds, then keeps or closes the connection.
    pub fn finish(self) {
        // SAFETY: a live request, which this ends.
        unsafe {
            let rc = ngx_http_send_special(self.as_ptr(), NGX_HTTP_LAST as _);
            ngx_http_finalize_request(self.as_ptr(), rc);
        }
    }

    /// Ends the request without an end of its body; the connection is closed.
    pub fn abort(self) {
        // SAFETY: a live request, which this ends.
        unsafe { ngx_http_finalize_request(self.as_ptr(), NGX_ERROR as ngx_int_t) }
    }

    /// Some bytes still are between the filters and the socket.
    pub fn has_output_pending(self) -> bool {
        // SAFETY: a live request.
        let queued =
            unsafe { !(*self.as_ptr()).out.is_null() || !(*self.as_ptr()).postponed.is_null() };
        queued || self.connection().is_buffered() || self.connection().is_delayed()
    }

    /// nginx notices when the client goes; `writable` is called when the connection can be written or
    /// its write timer runs out.
    pub fn hold(self, writable: unsafe extern "C" fn(*mut ngx_http_request_t)) {
        // SAFETY: a live request.
        unsafe {
            (*self.as_ptr()).read_event_handler = Some(ngx_http_test_reading);
            (*self.as_ptr()).write_event_handler = Some(writable);
        }
    }

    /// Calls `handler` with `data` when the request ends, however it does.
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
            let handler: ngx_http_cleanup_pt = Some(handler);
            (*cleanup).handler = handler;
            (*cleanup).data = data;
        }
        Ok(())
    }

    /// `send_timeout` of the request's location, milliseconds.
    pub fn send_timeout(self) -> u64 {
        // SAFETY: every request has a configuration of the core module.
        unsafe { (*self.core_conf()).send_timeout as u64 }
    }

    /// The content type of `default_type`, whatever the URI ends in (HDR-5).
    pub fn set_default_content_type(self) {
        // SAFETY: a live request; the string lives as long as the configuration.
        unsafe {
            let default = (*self.core_conf()).default_type;
            let out = &mut (*self.as_ptr()).headers_out;
            out.content_type = default;
            out.content_type_len = default.len;
            out.content_type_lowcase = std::ptr::null_mut();
        }
    }

    /// Nothing between this request and its connection wants to see the body: no subrequest, HTTP/1,
    /// no filter that asked for buffers, no content coding, no rate limit.
    pub fn has_plain_output(self) -> bool {
        let r = self.as_ptr();
        let bits = self.bits();
        // SAFETY: a live request whose head was sent.
        unsafe {
            r == (*r).main
                && (*r).http_version <= NGX_HTTP_VERSION_11 as _
                && !bits.filter_need_in_memory()
                && !bits.main_filter_need_in_memory()
                && !bits.filter_need_temporary()
                && (*r).headers_out.content_encoding.is_null()
                && (*r).limit_rate == 0
        }
    }

    unsafe fn core_conf(self) -> *const ngx_http_core_loc_conf_t {
        // SAFETY: every request has a configuration of the core module.
        unsafe { (*(*self.as_ptr()).loc_conf.add(ngx_http_core_module.ctx_index)).cast() }
    }
}

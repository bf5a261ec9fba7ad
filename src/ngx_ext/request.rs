//! A request, as far as answering it needs.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::marker::PhantomData;

use nginx_sys::{
    NGX_HTTP_SPECIAL_RESPONSE, ngx_buf_t, ngx_chain_t, ngx_http_discard_request_body,
    ngx_http_output_filter, ngx_http_read_client_request_body, ngx_http_request_t,
    ngx_http_send_header, ngx_int_t, ngx_log_t, ngx_pcalloc, ngx_uint_t,
};
use ngx::core::Status;

use super::body::BodyHandler;
use super::complex_value::ComplexValue;
use super::request_bits::RequestBits;
use super::{body, conf, headers, log, process, str};

/// The request's pool, or the system, has no memory left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("out of memory")]
pub struct OutOfMemory;

/// A live request. It is a handle: nginx owns the request, and other handles may exist.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    r: *mut ngx_http_request_t,
    life: PhantomData<&'r ngx_http_request_t>,
}

impl<'r> Request<'r> {
    /// # Safety
    /// `r` must be a request that nginx keeps alive for the whole of `'r`, and be used by the
    /// thread of nginx's event loop only.
    pub unsafe fn from_raw(r: *mut ngx_http_request_t) -> Self {
        Self { r, life: PhantomData }
    }

    pub fn as_ptr(self) -> *mut ngx_http_request_t {
        self.r
    }

    /// The bit-fields.
    pub fn bits(self) -> RequestBits<'r> {
        // SAFETY: `from_raw` was promised a live request.
        unsafe { RequestBits::of(self.r) }
    }

    /// Whether the client asked for this itself; not a subrequest.
    pub fn is_main(self) -> bool {
        // SAFETY: `from_raw` was promised a live request.
        unsafe { (*self.r).main == self.r }
    }

    /// One of nginx's `NGX_HTTP_GET` and so on.
    pub fn method(self) -> u32 {
        // SAFETY: `from_raw` was promised a live request.
        unsafe { (*self.r).method as u32 }
    }

    /// The log of the request's connection.
    pub fn error_log(self) -> *mut ngx_log_t {
        // SAFETY: `from_raw` was promised a live request, which has a connection with a log.
        unsafe { (*(*self.r).connection).log }
    }

    /// Writes one line to the error log.
    pub fn log(self, level: log::Level, line: fmt::Arguments<'_>) {
        // SAFETY: the log is the live connection's.
        unsafe { log::write(level, self.error_log(), line) }
    }

    /// The first request header of this name.
    pub fn header(self, name: &str) -> Option<&'r [u8]> {
        self.header_lines(name).next()
    }

    /// All request headers of this name, in their order.
    pub fn header_lines(self, name: &str) -> impl Iterator<Item = &'r [u8]> {
        // SAFETY: `from_raw` was promised a live request.
        unsafe { headers::named(self.r, name) }
    }

    /// 1000 times the major version plus the minor one; 9 for HTTP/0.9.
    pub fn http_version(self) -> u32 {
        // SAFETY: `from_raw` was promised a live request.
        unsafe { (*self.r).http_version as u32 }
    }

    /// What follows the `?` of the request line, as it was sent.
    pub fn query(self) -> &'r [u8] {
        // SAFETY: `from_raw` was promised a live request; the text lives as long.
        let args = unsafe { &(*self.r).args };
        match args.len {
            0 => &[],
            // SAFETY: as above.
            len => unsafe { std::slice::from_raw_parts(args.data, len) },
        }
    }

    /// The value of a setting with variables for this request. The configuration must be the one
    /// that serves the request; there is no other in a worker.
    pub fn evaluate(self, value: &ComplexValue) -> Result<&'r [u8], OutOfMemory> {
        // SAFETY: `from_raw` was promised a live request.
        unsafe { value.evaluate(self.r) }.ok_or(OutOfMemory)
    }

    /// Sets a response header; it must hold no control bytes.
    pub fn push_header(self, name: &'static str, value: &[u8]) -> Result<(), OutOfMemory> {
        debug_assert!(!value.iter().any(u8::is_ascii_control));
        // SAFETY: `from_raw` was promised a live request.
        unsafe { headers::push(self.r, name, value) }.ok_or(OutOfMemory)
    }

    /// The `Expires` and `Cache-Control` that were pushed are not changed by `expires`.
    pub fn fix_caching(self) -> Result<(), OutOfMemory> {
        // SAFETY: `from_raw` was promised a live request.
        unsafe { headers::fix_caching(self.r) }.ok_or(OutOfMemory)
    }

    /// `Range` is ignored, and the answer says nothing of it.
    pub fn drop_ranges(self) {
        self.bits().set_allow_ranges(false);
        // SAFETY: `from_raw` was promised a live request.
        unsafe { headers::drop_ranges(self.r) }
    }

    pub fn set_status(self, status: u32) {
        // SAFETY: `from_raw` was promised a live request.
        unsafe { (*self.r).headers_out.status = status as ngx_uint_t };
    }

    /// The length the response head announces.
    pub fn set_content_length(self, len: usize) {
        // SAFETY: `from_raw` was promised a live request.
        unsafe { (*self.r).headers_out.content_length_n = len as _ };
    }

    /// With its parameters; nginx's own settings (`gzip_types`) go by what stands before them.
    pub fn set_content_type(self, content_type: &'static str) {
        // SAFETY: `from_raw` was promised a live request.
        let out = unsafe { &mut (*self.r).headers_out };
        out.content_type = str::constant(content_type);
        out.content_type_len = content_type.find(';').unwrap_or(content_type.len());
        out.content_type_lowcase = std::ptr::null_mut();
        // Of the type before, if the request came with one.
        out.charset.len = 0;
    }

    /// The answer has no content type.
    pub fn clear_content_type(self) {
        self.set_content_type("");
    }

    /// Sends the response head; nginx's return code. A worker that is going keeps no connection, and says
    /// so, which not every nginx does by itself.
    pub fn send_header(self) -> ngx_int_t {
        if process::is_going() {
            self.bits().set_keepalive(false);
        }
        // SAFETY: `from_raw` was promised a live request.
        unsafe { ngx_http_send_header(self.r) }
    }

    /// Sends `bytes` as the whole body, after the head; nginx's return code. They live as long as
    /// the request: a long list is not copied once more.
    pub fn send_whole_body(self, bytes: Vec<u8>) -> ngx_int_t {
        // SAFETY: `from_raw` was promised a live request; the buffer shows the bytes, which move no
        // more and which nobody but the output filters reads.
        unsafe {
            let bytes = conf::place_in_pool((*self.r).pool, bytes);
            let buf: *mut ngx_buf_t = ngx_pcalloc((*self.r).pool, size_of::<ngx_buf_t>()).cast();
            let (Some(bytes), Some(b)) = (bytes.as_mut(), buf.as_mut()) else {
                return Status::NGX_ERROR.0;
            };
            b.pos = bytes.as_mut_ptr();
            b.last = b.pos.add(bytes.len());
            b.start = b.pos;
            b.end = b.last;
            b.set_memory(u32::from(!bytes.is_empty()));
            b.set_last_buf(u32::from(self.r == (*self.r).main));
            b.set_last_in_chain(1);
            let mut out = ngx_chain_t { buf, next: std::ptr::null_mut() };
            ngx_http_output_filter(self.r, &mut out)
        }
    }

    /// Sees to it that the body, if any, is not taken for the next request (PUB-96). Every answer
    /// that is given without reading the body needs it; an error is nginx's return code.
    pub fn discard_body(self) -> Result<(), ngx_int_t> {
        // SAFETY: `from_raw` was promised a live request.
        match unsafe { ngx_http_discard_request_body(self.r) } {
            rc if rc == Status::NGX_OK.0 => Ok(()),
            rc => Err(rc),
        }
    }

    /// Reads the body and then calls `then`, which has to finalize the request. What is returned
    /// is for nginx: the request has been answered, or will be when the body is there.
    pub fn read_body(self, then: BodyHandler) -> ngx_int_t {
        // SAFETY: `from_raw` was promised a live request.
        match unsafe { ngx_http_read_client_request_body(self.r, Some(then)) } {
            rc if rc >= NGX_HTTP_SPECIAL_RESPONSE as ngx_int_t => rc,
            _ => Status::NGX_DONE.0,
        }
    }

    /// The body that was read, in pieces.
    pub fn body(self) -> io::Result<Vec<Cow<'r, [u8]>>> {
        // SAFETY: `from_raw` was promised a live request; without a body there are no pieces.
        unsafe { body::pieces(self.r) }
    }

    /// Gives back the file and the memory of a body that was read for `handler`, and that nobody wants.
    ///
    /// # Safety
    /// No piece of [`Request::body`] is in use.
    pub unsafe fn forget_body(self, handler: BodyHandler) {
        // SAFETY: `from_raw` was promised a live request; no pieces, by the caller's promise.
        unsafe { body::forget(self.r, handler) }
    }

    /// Keeps `state` with the request, in the place of the module with this context index.
    pub fn set_state<T: Any>(self, ctx_index: usize, state: T) -> Result<(), OutOfMemory> {
        let state: Box<dyn Any> = Box::new(state);
        // SAFETY: `from_raw` was promised a live request; the slot of this module is ours alone,
        // and what it points to goes when the request's pool does.
        unsafe {
            let state = conf::place_in_pool((*self.r).pool, state);
            if state.is_null() {
                return Err(OutOfMemory);
            }
            *(*self.r).ctx.add(ctx_index) = state.cast();
        }
        Ok(())
    }

    /// What [`Request::set_state`] kept, if it is a `T`.
    pub fn state<T: Any>(self, ctx_index: usize) -> Option<&'r T> {
        // SAFETY: the slot of this module is null or was filled by `set_state`.
        unsafe { (*(*self.r).ctx.add(ctx_index)).cast::<Box<dyn Any>>().as_ref()?.downcast_ref() }
    }
}

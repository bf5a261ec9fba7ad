//! A request's output through the filters.

use std::ptr;

use nginx_sys::{
    NGX_HTTP_FLUSH, NGX_HTTP_VERSION_11, NGX_HTTP_WRITE_BUFFERED, NGX_LOWLEVEL_BUFFERED,
    NGX_SSL_BUFFERED, ngx_buf_t, ngx_chain_t, ngx_http_output_filter, ngx_http_send_special,
    ngx_http_write_filter, ngx_int_t, ngx_pcalloc,
};
use ngx::core::Status;

use super::connection::{Connection, Failed};
use super::request::{OutOfMemory, Request};
use super::substitution::Substitution;

/// Whether the filters and the socket took everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    All,
    /// Something waits; the request's write handler will be called.
    Part,
}

fn taken(rc: ngx_int_t) -> Result<Taken, Failed> {
    match rc {
        rc if rc == Status::NGX_OK.0 => Ok(Taken::All),
        rc if rc == Status::NGX_AGAIN.0 => Ok(Taken::Part),
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

    /// Whether it came over HTTP/1.x or older, so that its connection is its own.
    pub fn is_http1(self) -> bool {
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).http_version as u32 <= NGX_HTTP_VERSION_11 }
    }

    /// A descriptor for output that comes again and again.
    pub fn descriptor(self) -> Result<Descriptor, OutOfMemory> {
        // SAFETY: a live request has a pool.
        let buf = unsafe { ngx_pcalloc((*self.as_ptr()).pool, size_of::<ngx_buf_t>()) };
        if buf.is_null() { Err(OutOfMemory) } else { Ok(Descriptor(buf.cast())) }
    }

    /// Gives bytes to the filters, to be sent at once. With a `substitution` they are a part of the body
    /// for themselves.
    ///
    /// # Safety
    ///
    /// The bytes stay as they are until the descriptor says that it is consumed, or the request ends.
    pub unsafe fn output(
        self,
        buffer: &Descriptor,
        bytes: &[u8],
        substitution: Option<Substitution>,
    ) -> Result<Taken, Failed> {
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
            b.set_last_in_chain(u32::from(substitution.is_some()));
            let mut out = ngx_chain_t { buf: buffer.0, next: ptr::null_mut() };
            if let Some(substitution) = substitution {
                substitution.begin_anew();
            }
            self.given(ngx_http_output_filter(self.as_ptr(), &mut out))
        }
    }

    /// Gives bytes of the configuration to the filters, to be sent at once.
    pub fn output_constant(
        self,
        bytes: &'r [u8],
        substitution: Option<Substitution>,
    ) -> Result<Taken, Failed> {
        let descriptor = self.descriptor().map_err(|OutOfMemory| Failed)?;
        // SAFETY: the bytes live as long as the request.
        unsafe { self.output(&descriptor, bytes, substitution) }
    }

    /// Goes on with what the filters hold.
    pub fn output_rest(self) -> Result<Taken, Failed> {
        // SAFETY: a live request.
        let rc = unsafe { ngx_http_output_filter(self.as_ptr(), ptr::null_mut()) };
        self.given(rc)
    }

    /// Lets what was given to the filters leave at once.
    pub fn flush(self) -> Result<Taken, Failed> {
        // SAFETY: a live request.
        let rc = unsafe { ngx_http_send_special(self.as_ptr(), NGX_HTTP_FLUSH as _) };
        let taken = self.given(rc)?;
        self.flush_tls()?;
        Ok(taken)
    }

    /// HTTP/2 over TLS: nginx 1.22 knows of no bytes but a stream's own that are to leave, and a head
    /// that no data follow waits below, where TLS makes records of what comes.
    fn flush_tls(self) -> Result<(), Failed> {
        // SAFETY: a live request of HTTP/2 has a stream, whose connection lives longer.
        #[cfg(ngx_feature = "http_v2")]
        unsafe {
            let Some(stream) = (*self.as_ptr()).stream.as_ref() else { return Ok(()) };
            let c = (*stream.connection).connection;
            let is_held = (*c).buffered() & NGX_SSL_BUFFERED != 0 && (*(*c).write).ready() != 0;
            if let Some(send_chain) = (*c).send_chain.filter(|_| is_held) {
                if send_chain(c, ptr::null_mut(), 0).addr() == usize::MAX {
                    return Err(Failed);
                }
            }
        }
        Ok(())
    }

    /// What became of bytes that were given to the filters. Where one of them dropped the mark that they are
    /// to leave at once, nginx collects them up to `postpone_output`, and nobody would ever ask for them.
    fn given(self, rc: ngx_int_t) -> Result<Taken, Failed> {
        let taken = taken(rc)?;
        // SAFETY: a live request.
        let collected = unsafe { !(*self.as_ptr()).out.is_null() };
        if collected && !self.is_full() && !self.connection().is_delayed() {
            // SAFETY: as above; this is the filter behind all others, and is given nothing new.
            return self::taken(unsafe { ngx_http_write_filter(self.as_ptr(), ptr::null_mut()) });
        }
        Ok(taken)
    }

    /// Some bytes still are between the filters and the socket.
    pub fn has_output_pending(self) -> bool {
        // SAFETY: a live request.
        let queued =
            unsafe { !(*self.as_ptr()).out.is_null() || !(*self.as_ptr()).postponed.is_null() };
        queued || self.connection().is_buffered() || self.connection().is_delayed()
    }

    /// Some bytes are behind the filters, or behind a part that another request is making: a filter does not
    /// keep them.
    pub fn waits_for_client(self) -> bool {
        // SAFETY: a live request.
        let queued =
            unsafe { !(*self.as_ptr()).out.is_null() || !(*self.as_ptr()).postponed.is_null() };
        queued || self.is_full() || self.connection().is_delayed()
    }

    /// The socket takes no more, by what is behind the filters. The bits of TLS and HTTP/2 mean that only
    /// where there is one: filters of others use the same.
    fn is_full(self) -> bool {
        let connection = self.connection();
        let below = match (self.is_http1(), connection.is_tls()) {
            (true, false) => 0,
            (true, true) => NGX_SSL_BUFFERED,
            (false, _) => NGX_LOWLEVEL_BUFFERED,
        };
        connection.buffered() & (below | NGX_HTTP_WRITE_BUFFERED) != 0
    }

    /// What is to be sent stands behind a part of the response that another request is making
    /// (`add_before_body`), and
    /// the client has got everything before it.
    pub fn waits_for_part(self) -> bool {
        // SAFETY: a live request.
        let (out, postponed) = unsafe { ((*self.as_ptr()).out, (*self.as_ptr()).postponed) };
        !postponed.is_null() && out.is_null() && !self.is_full()
    }

    /// Nothing between this request and its connection wants to see the body: no subrequest, HTTP/1, no
    /// TLS, no filter that asked for buffers, no content coding, no rate limit.
    pub fn has_plain_output(self) -> bool {
        let r = self.as_ptr();
        let bits = self.bits();
        // SAFETY: a live request whose head was sent.
        unsafe {
            r == (*r).main
                && self.is_http1()
                && !self.connection().is_tls()
                && !bits.filter_need_in_memory()
                && !bits.main_filter_need_in_memory()
                && !bits.filter_need_temporary()
                && (*r).headers_out.content_encoding.is_null()
                && (*r).limit_rate == 0
        }
    }
}

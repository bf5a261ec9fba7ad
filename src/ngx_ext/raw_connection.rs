//! Reading from a connection that no longer speaks HTTP.

use nginx_sys::{
    ngx_add_timer, ngx_del_timer, ngx_handle_read_event, ngx_http_request_t, ngx_msec_t,
    ngx_post_event, ngx_posted_events, ngx_posted_next_events,
};
use ngx::core::Status;

use super::connection::{Connection, Failed};
use super::request::Request;

/// What there was to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes.
    Bytes(usize),
    /// Nothing at present; the read handler will be called when there is.
    Nothing,
    /// The client will send nothing more.
    End,
}

impl Connection<'_> {
    /// Reads what has come, as far as the buffer takes it.
    pub fn receive(self, buffer: &mut [u8]) -> Result<Received, Failed> {
        // SAFETY: a live connection; `recv` writes within the buffer.
        let received = unsafe {
            match (*self.c).recv {
                Some(recv) => recv(self.c, buffer.as_mut_ptr(), buffer.len()),
                None => return Err(Failed),
            }
        };
        match received {
            n if n > 0 => Ok(Received::Bytes(n as usize)),
            0 => Ok(Received::End),
            n if n == Status::NGX_AGAIN.0 => {
                // SAFETY: a live connection has both events.
                match unsafe { ngx_handle_read_event((*self.c).read, 0) } {
                    rc if rc == Status::NGX_OK.0 => Ok(Received::Nothing),
                    _ => Err(Failed),
                }
            }
            _ => Err(Failed),
        }
    }

    /// Calls the read handler in the next turn of the event loop: there is more to be read.
    pub fn post_readable(self) {
        // SAFETY: a live connection has both events; the queue is nginx's own.
        unsafe { ngx_post_event((*self.c).read, &raw mut ngx_posted_next_events) };
    }

    /// Whether the read timer ran out since this was last asked.
    pub fn take_read_timeout(self) -> bool {
        // SAFETY: a live connection has both events.
        unsafe {
            let read = (*self.c).read;
            let timed_out = (*read).timedout() != 0;
            (*read).set_timedout(0);
            timed_out
        }
    }

    /// Calls the read handler `ms` milliseconds from now, even if nothing comes; a time set before is
    /// forgotten. It keeps an exiting worker alive.
    pub fn set_read_timer(self, ms: u64) {
        // SAFETY: a live connection has both events.
        unsafe { ngx_add_timer((*self.c).read, ms as ngx_msec_t) };
    }

    pub fn is_read_timer_set(self) -> bool {
        // SAFETY: a live connection has both events.
        unsafe { (*(*self.c).read).timer_set() != 0 }
    }

    pub fn stop_read_timer(self) {
        if self.is_read_timer_set() {
            // SAFETY: a live connection has both events.
            unsafe { ngx_del_timer((*self.c).read) };
        }
    }
}

impl Request<'_> {
    /// Takes over the connection in both directions: `readable` is called when the client sends or goes
    /// or the read timer runs out, and once in this turn of the event loop; `writable` as in
    /// [`Request::hold`]. What came in one piece with the request is had from [`Request::take_preread`].
    pub fn take_over(
        self,
        readable: unsafe extern "C" fn(*mut ngx_http_request_t),
        writable: unsafe extern "C" fn(*mut ngx_http_request_t),
    ) {
        // SAFETY: a live request.
        unsafe {
            (*self.as_ptr()).read_event_handler = Some(readable);
            (*self.as_ptr()).write_event_handler = Some(writable);
        }
        // There may be something already, which no event will tell.
        // SAFETY: a live connection has both events; the queue is nginx's own.
        unsafe { ngx_post_event((*self.connection().c).read, &raw mut ngx_posted_events) };
    }

    /// The bytes that came in one piece with the request and are no part of it.
    pub fn take_preread(self) -> Vec<u8> {
        // SAFETY: a live HTTP/1 request has the buffer its head was read into.
        unsafe {
            let Some(buffer) = (*self.as_ptr()).header_in.as_mut() else { return Vec::new() };
            let len = buffer.last.offset_from(buffer.pos) as usize;
            if len == 0 {
                return Vec::new();
            }
            let bytes = std::slice::from_raw_parts(buffer.pos, len).to_vec();
            buffer.pos = buffer.last;
            bytes
        }
    }

    /// A response head of `len` bytes was, or is to be, written past the filters.
    pub fn set_head_written(self, status: u32, len: usize) {
        self.set_status(status);
        self.bits().set_header_sent(true);
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).header_size = len };
    }

    /// Ends a request whose response is complete. `linger`: what the client still sends is read for a
    /// while, as far as `lingering_close` allows, so that it gets what was sent to it.
    pub fn end(self, linger: bool) {
        self.bits().set_lingering_close(linger);
        self.finalize(Status::NGX_OK.0);
    }
}

//! A connection, as far as writing to it past the filters needs.

use std::marker::PhantomData;

use nginx_sys::{
    ngx_add_timer, ngx_connection_t, ngx_del_timer, ngx_handle_read_event, ngx_handle_write_event,
    ngx_msec_t, ngx_post_event, ngx_posted_events, ngx_posted_next_events, ngx_tcp_nodelay,
};
use ngx::core::Status;

/// A live connection. A handle: nginx owns it.
#[derive(Clone, Copy)]
pub struct Connection<'c> {
    pub(super) c: *mut ngx_connection_t,
    life: PhantomData<&'c ngx_connection_t>,
}

/// The connection failed; nothing more can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("connection failed")]
pub struct Failed;

impl Connection<'_> {
    /// # Safety
    ///
    /// `c` is a connection that nginx keeps open for the whole of the lifetime, with an event
    /// handler that serves its write event; only the event loop's thread uses it.
    pub unsafe fn from_raw(c: *mut ngx_connection_t) -> Self {
        Self { c, life: PhantomData }
    }

    /// Sends what the socket takes at once; how many bytes that was.
    pub fn send(self, bytes: &[u8]) -> Result<usize, Failed> {
        // SAFETY: a live connection; `send` only reads the bytes.
        let sent = unsafe {
            match (*self.c).send {
                Some(send) => send(self.c, bytes.as_ptr().cast_mut(), bytes.len()),
                None => return Err(Failed),
            }
        };
        match sent {
            n if n >= 0 => Ok(n as usize),
            n if n == Status::NGX_AGAIN.0 => Ok(0),
            _ => Err(Failed),
        }
    }

    /// Whether some layer below (TLS, the request's output) still holds bytes.
    pub fn is_buffered(self) -> bool {
        self.buffered() != 0
    }

    /// nginx's bits for who holds bytes; filters may set such bits too.
    pub(super) fn buffered(self) -> u32 {
        // SAFETY: a live connection.
        unsafe { (*self.c).buffered() }
    }

    /// Whether `limit_rate` holds output back at this moment.
    pub fn is_delayed(self) -> bool {
        // SAFETY: a live connection has both events.
        unsafe { (*(*self.c).write).delayed() != 0 }
    }

    /// Whether the time to write something has run out.
    pub fn write_timed_out(self) -> bool {
        // SAFETY: a live connection has both events.
        unsafe { (*(*self.c).write).timedout() != 0 }
    }

    /// Asks for the write handler to be called when the socket takes more, or when it has taken nothing
    /// for `timeout` milliseconds. Time that runs already goes on unless there was `progress`.
    pub fn await_writable(self, timeout: u64, progress: bool) -> Result<(), Failed> {
        // SAFETY: a live connection has both events.
        unsafe {
            let write = (*self.c).write;
            if !Status(ngx_handle_write_event(write, 0)).is_ok() {
                return Err(Failed);
            }
            if (*write).delayed() == 0 && (progress || (*write).timer_set() == 0) {
                ngx_add_timer(write, timeout as ngx_msec_t);
            }
        }
        Ok(())
    }

    /// Calls the write handler when the handler at hand is done, whatever the socket says.
    pub fn post_writable(self) {
        // SAFETY: a live connection has both events; the queue is nginx's own.
        unsafe { ngx_post_event((*self.c).write, &raw mut ngx_posted_events) };
    }

    /// Calls the write handler in the next turn of the event loop, whatever the socket says.
    pub fn post_writable_next(self) {
        // SAFETY: a live connection has both events; the queue is nginx's own.
        unsafe { ngx_post_event((*self.c).write, &raw mut ngx_posted_next_events) };
    }

    /// All is written: no time runs.
    pub fn stop_write_timer(self) {
        // SAFETY: a live connection has both events.
        unsafe {
            let write = (*self.c).write;
            if (*write).timer_set() != 0 && (*write).delayed() == 0 {
                ngx_del_timer(write);
            }
        }
    }

    /// Asks for the read handler to be called when the client sends or goes, and lets it look at once if
    /// it did already.
    pub fn await_readable(self) {
        // SAFETY: a live connection has both events; the queue is nginx's own.
        unsafe {
            let read = (*self.c).read;
            if (*read).ready() != 0 {
                ngx_post_event(read, &raw mut ngx_posted_events);
            } else {
                // A failure is met at the next write.
                ngx_handle_read_event(read, 0);
            }
        }
    }

    /// Has small messages leave at once, each in a packet of its own.
    pub fn set_nodelay(self) {
        // SAFETY: a live connection; a failure is logged and leaves it usable.
        unsafe { ngx_tcp_nodelay(self.c) };
    }

    /// Whether TLS stands between.
    pub fn is_tls(self) -> bool {
        #[cfg(any(ngx_feature = "ssl", ngx_feature = "compat"))]
        // SAFETY: a live connection.
        return unsafe { !(*self.c).ssl.is_null() };
        #[cfg(not(any(ngx_feature = "ssl", ngx_feature = "compat")))]
        false
    }

    /// The peer will see a reset instead of an orderly end: what it did not read is given up.
    pub fn reset_on_close(self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: the option's value is a `linger` of the size said; a failure changes nothing.
        unsafe {
            libc::setsockopt(
                (*self.c).fd,
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of::<libc::linger>() as libc::socklen_t,
            );
        }
    }
}

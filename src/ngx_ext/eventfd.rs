//! An eventfd that wakes an event loop.

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nginx_sys::{
    ngx_connection_t, ngx_cycle_t, ngx_event_t, ngx_free_connection, ngx_get_connection,
    ngx_handle_read_event,
};
use ngx::core::Status;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, read, write};

use super::timer::Handler;

/// A counter in the kernel that a process adds to and another waits for. Close-on-exec: a binary
/// upgrade does not inherit it.
pub struct EventFd(OwnedFd);

impl EventFd {
    pub fn new() -> io::Result<EventFd> {
        Ok(EventFd(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Wakes whoever waits.
    pub fn signal(&self) -> io::Result<()> {
        match write(&self.0, &1u64.to_ne_bytes()) {
            // Again: the counter is at its end, so the other side is awake already.
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the signals that have come.
    pub fn clear(&self) {
        // Nothing to read is fine.
        let _ = read(&self.0, &mut [0; 8]);
    }

    /// Has `handler` called in this event loop when it is signalled, and when nginx begins a graceful
    /// shutdown: then the connection's `close` is set ([`is_shutdown`]). False: there is no connection
    /// for it.
    ///
    /// # Safety
    ///
    /// `cycle` is the one this process serves. The descriptor stays open as long as the process.
    pub unsafe fn watch(&self, cycle: *mut ngx_cycle_t, handler: Handler) -> bool {
        // SAFETY: the caller vouches for the cycle; a connection has both events.
        unsafe {
            let c = ngx_get_connection(self.0.as_raw_fd(), (*cycle).log);
            if c.is_null() {
                return false;
            }
            let (read, write) = ((*c).read, (*c).write);
            (*read).log = (*cycle).log;
            (*write).log = (*cycle).log;
            (*read).handler = Some(handler);
            // As nginx's own channel between processes: no socket left open at exit.
            (*read).set_channel(1);
            (*write).set_channel(1);
            (*c).set_idle(1);
            if !Status(ngx_handle_read_event(read, 0)).is_ok() {
                ngx_free_connection(c);
                return false;
            }
        }
        true
    }
}

/// Whether the handler of [`EventFd::watch`] is called because nginx begins to shut down.
///
/// # Safety
///
/// `event` is the one that the handler was called with.
pub unsafe fn is_shutdown(event: *mut ngx_event_t) -> bool {
    // SAFETY: a connection's event names its connection.
    unsafe {
        let c: *mut c_void = (*event).data;
        (*c.cast::<ngx_connection_t>()).close() != 0
    }
}

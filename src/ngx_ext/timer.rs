//! nginx's timers and posted events, owned by Rust.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem::offset_of;

use nginx_sys::{
    ngx_add_timer, ngx_connection_t, ngx_current_msec, ngx_del_timer, ngx_delete_posted_event,
    ngx_event_t, ngx_log_t, ngx_msec_t, ngx_post_event, ngx_posted_events, ngx_posted_next_events,
};

/// What nginx calls when an event happens.
pub type Handler = unsafe extern "C" fn(*mut ngx_event_t);

/// One event that is not a connection's: a timer, or work for the end of this turn of the event loop.
/// It stays where it is and ends with its owner.
///
/// The timer does not keep an exiting worker alive, unless [`Event::keeps_worker`].
pub struct Event(Box<UnsafeCell<Owned>>);

/// An event and what its handler is given: what nginx knows as the event's data is not free for that.
#[repr(C)]
struct Owned {
    event: ngx_event_t,
    data: *mut c_void,
}

/// Stands for the connection that nginx takes every event's data for: a log of level debug shows the
/// descriptor of each timer.
#[repr(C)]
struct NoConnection {
    pointers: [usize; 3],
    descriptor: i32,
}

static NO_CONNECTION: NoConnection = NoConnection { pointers: [0; 3], descriptor: -1 };

const _: () = assert!(offset_of!(NoConnection, descriptor) == offset_of!(ngx_connection_t, fd));

impl Event {
    /// # Safety
    ///
    /// `log` outlives the event. `data` is for the handler, which must know what it is.
    pub unsafe fn new(handler: Handler, data: *mut c_void, log: *mut ngx_log_t) -> Event {
        // SAFETY: zeroes are a valid event that waits for nothing.
        let mut event: ngx_event_t = unsafe { std::mem::zeroed() };
        event.handler = Some(handler);
        event.data = (&raw const NO_CONNECTION).cast_mut().cast();
        event.log = log;
        event.set_cancelable(1);
        Event(Box::new(UnsafeCell::new(Owned { event, data })))
    }

    /// A worker that is told to finish its requests does not exit while the timer runs.
    pub fn keeps_worker(self) -> Event {
        // SAFETY: the event is ours, pinned in its box, and used by the event loop's thread only.
        unsafe { (*self.as_ptr()).set_cancelable(0) };
        self
    }

    fn as_ptr(&self) -> *mut ngx_event_t {
        self.0.get().cast()
    }

    /// Calls the handler `ms` milliseconds from now, once; a time set before is forgotten.
    pub fn set_timer(&self, ms: u64) {
        // SAFETY: the event is ours, pinned in its box, and used by the event loop's thread only.
        unsafe { ngx_add_timer(self.as_ptr(), ms as ngx_msec_t) };
    }

    pub fn is_timer_set(&self) -> bool {
        // SAFETY: as in `set_timer`.
        unsafe { (*self.as_ptr()).timer_set() != 0 }
    }

    /// Calls the handler at the end of this turn of the event loop, once. From a handler that was called
    /// so, that is at once: nginx empties the queue.
    pub fn post(&self) {
        // SAFETY: as in `set_timer`; the queue is nginx's own.
        unsafe { ngx_post_event(self.as_ptr(), &raw mut ngx_posted_events) };
    }

    /// Calls the handler in the next turn of the event loop, after connections and timers were served.
    pub fn post_next(&self) {
        // SAFETY: as in `post`.
        unsafe { ngx_post_event(self.as_ptr(), &raw mut ngx_posted_next_events) };
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let event = self.as_ptr();
        // SAFETY: as in `set_timer`; nginx must not find the event after this.
        unsafe {
            if (*event).timer_set() != 0 {
                ngx_del_timer(event);
            }
            if (*event).posted() != 0 {
                ngx_delete_posted_event(event);
            }
        }
    }
}

/// The owner that an event was given as data.
///
/// # Safety
///
/// The event is an [`Event`], made with a pointer to a `T` that still lives.
pub unsafe fn data<'a, T>(event: *mut ngx_event_t) -> &'a T {
    // SAFETY: the caller's promise; the event is the first in what it is part of.
    unsafe { &*(*event.cast::<Owned>()).data.cast::<T>() }
}

/// Milliseconds of nginx's own steady clock, which timers use.
pub fn now_ms() -> u64 {
    // SAFETY: a number that this thread updates.
    unsafe { ngx_current_msec as u64 }
}

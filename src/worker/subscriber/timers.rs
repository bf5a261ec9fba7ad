//! A subscriber's one timer: for its next ping, or for the end of its time, whichever is first.
//!
//! Messages do not move the timer; when it fires too early because something was sent meanwhile
//! (PING-1), it is set for the rest.

use std::ffi::c_void;
use std::rc::Rc;
use std::time::Duration;

use nginx_sys::ngx_event_t;

use crate::ngx_ext::log::cycle_log;
use crate::ngx_ext::timer::{self, Event, now_ms};
use crate::store::Mode;
use crate::worker::context::Worker;
use crate::worker::subscriber::Subscriber;

impl Subscriber {
    /// Starts the times of a new subscriber (SUB-43, PING-1, LP-8).
    pub(in crate::worker) fn start_timer(self: &Rc<Self>) {
        let now = now_ms();
        let ttl = match self.mode() {
            Mode::LongPolling => self.location.longpolling_ttl,
            _ => self.location.subscriber_ttl,
        };
        self.last_sent.set(now);
        self.expires.set(ttl.map(|ttl| now + millis(ttl)));
        if let Some(at) = self.next_time() {
            let data = Rc::as_ptr(self).cast_mut().cast::<c_void>();
            // SAFETY: the subscriber owns the timer, so it lives while the timer can fire; the log
            // outlives both.
            let timer = unsafe { Event::new(fired, data, cycle_log()) };
            timer.set_timer(at - now);
            self.timer.replace(Some(timer));
        }
    }

    fn next_ping(&self) -> Option<u64> {
        let interval = match self.mode() {
            // PING-4.
            Mode::LongPolling => None,
            _ => self.location.ping_interval,
        };
        interval.map(|interval| self.last_sent.get() + millis(interval))
    }

    fn next_time(&self) -> Option<u64> {
        self.next_ping().into_iter().chain(self.expires.get()).chain(self.pong_due()).min()
    }

    fn time_has_come(&self, worker: &Worker) {
        let now = now_ms();
        if self.expires.get().is_some_and(|at| at <= now) {
            self.expires.set(self.time_is_up(worker));
        }
        if !self.is_live() {
            return;
        }
        if self.pong_due().is_some_and(|at| at <= now) {
            return self.no_pong(worker);
        }
        if self.next_ping().is_some_and(|at| at <= now) {
            self.last_sent.set(now);
            self.ping(worker, &worker.main.ping_text);
        }
        if let (Some(timer), Some(at)) = (&*self.timer.borrow(), self.next_time()) {
            timer.set_timer(at.saturating_sub(now).max(1));
        }
    }
}

/// As nginx counts its times.
pub(in crate::worker) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}

unsafe extern "C" fn fired(event: *mut ngx_event_t) {
    // SAFETY: the timer was made with the pointer of an `Rc` and is owned by what it points to, so
    // that lives now; counting one more keeps it alive to the end of this.
    let subscriber = unsafe {
        let subscriber: *const Subscriber = timer::data(event);
        Rc::increment_strong_count(subscriber);
        Rc::from_raw(subscriber)
    };
    if let Some(worker) = Worker::current() {
        subscriber.guarded(worker, "a subscriber's timer", || subscriber.time_has_come(worker));
    }
}

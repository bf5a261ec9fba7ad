//! Says in the log that messages made room for others, now and then and not for each.

use std::cell::{Cell, RefCell};

use crate::ngx_ext::log::{Quoted, warn};
use crate::ngx_ext::timer::now_ms;
use crate::store::evicted_here;
use crate::worker::context::Worker;

/// Least time between two lines of a worker, in milliseconds.
const INTERVAL: u64 = 10_000;

/// What the log was told.
#[derive(Default)]
pub struct LogThrottle {
    /// Messages, of those that this worker has evicted.
    told: Cell<u64>,
    /// When, in milliseconds of nginx's clock.
    at: Cell<Option<u64>>,
    /// The channel that wanted room first since then; empty: not known.
    channel: RefCell<Vec<u8>>,
}

impl Worker {
    /// Something was done that may have needed room, for this channel; empty: for none in particular.
    pub(in crate::worker) fn tell_evictions(&self, channel: &[u8]) {
        let LogThrottle { told, at, channel: first } = &self.evictions;
        let count = evicted_here() - told.get();
        if count == 0 {
            return;
        }
        let mut first = first.borrow_mut();
        if first.is_empty() {
            first.extend_from_slice(channel);
        }
        if at.get().is_some_and(|at| now_ms() < at + INTERVAL) {
            return;
        }
        warn(format_args!(
            "push stream module: the zone is full, {count} of the oldest messages were evicted; \
             channel {} wanted room",
            Quoted(&first)
        ));
        told.set(told.get() + count);
        at.set(Some(now_ms()));
        first.clear();
    }
}

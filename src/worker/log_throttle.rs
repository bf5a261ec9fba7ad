//! Says in the log that messages made room for others, now and then and not for each.

use std::cell::{Cell, RefCell};

use crate::ngx_ext::log::Quoted;

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

impl LogThrottle {
    /// `evicted` is how many messages this worker has ever evicted; the last of them for this channel, empty:
    /// for none in particular. What the log is to be told now, if anything.
    pub fn line(&self, evicted: u64, channel: &[u8], now: u64) -> Option<String> {
        let LogThrottle { told, at, channel: first } = self;
        let count = evicted - told.get();
        if count == 0 {
            return None;
        }
        let mut first = first.borrow_mut();
        if first.is_empty() {
            first.extend_from_slice(channel);
        }
        if at.get().is_some_and(|at| now < at + INTERVAL) {
            return None;
        }
        told.set(evicted);
        at.set(Some(now));
        let channel = std::mem::take(&mut *first);
        Some(format!(
            "the zone is full, {count} of the oldest messages were evicted; \
             channel {} wanted room",
            Quoted(&channel)
        ))
    }
}

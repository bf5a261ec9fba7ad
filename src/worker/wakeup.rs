//! Waking other workers.
//!
//! The master makes one eventfd per worker slot before it starts workers, so that every process of every
//! later configuration has them; none is ever made anew, more may be added by a reload. A worker that
//! another has no descriptor for, or that a signal did not reach, finds its messages when it next looks
//! by itself (`start.rs`): a wake-up may be late, never lost.

use std::cell::RefCell;
use std::io;

use crate::ngx_ext::eventfd::EventFd;
use crate::store::SlotId;

/// Fewest eventfds that are made.
const FEWEST: usize = 32;
/// Eventfds per worker process: several generations of workers may be alive.
const PER_WORKER: usize = 4;

thread_local! {
    // One for the process. A worker inherits its master's.
    static EVENTFDS: RefCell<Vec<EventFd>> = const { RefCell::new(Vec::new()) };
}

/// Makes the eventfds for this many workers, or what is missing of them.
pub fn prepare(worker_processes: usize, slots: usize) -> io::Result<()> {
    let wanted = FEWEST.max(PER_WORKER * worker_processes).min(slots);
    EVENTFDS.with_borrow_mut(|eventfds| {
        while eventfds.len() < wanted {
            eventfds.push(EventFd::new()?);
        }
        Ok(())
    })
}

/// Wakes the worker in this slot, if this process knows how.
pub fn signal(slot: SlotId) -> io::Result<()> {
    EVENTFDS.with_borrow(|eventfds| match eventfds.get(slot.index()) {
        Some(eventfd) => eventfd.signal(),
        None => Ok(()),
    })
}

/// Gives the eventfd of a slot to `f`, if there is one.
pub fn with<T>(slot: SlotId, f: impl FnOnce(&EventFd) -> T) -> Option<T> {
    EVENTFDS.with_borrow(|eventfds| eventfds.get(slot.index()).map(f))
}

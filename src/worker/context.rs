//! The worker that this process is.

use std::cell::Cell;

use smallvec::SmallVec;

use crate::conf::Main;
use crate::ngx_ext::log::warn;
use crate::ngx_ext::process;
use crate::ngx_ext::timer::{Event, now_ms};
use crate::store::{Bookmark, DropCause, Ref, SlotId, Subscription, Zone, evicted_here};
use crate::worker::lifecycle::shutdown::Shutdown;
use crate::worker::log_throttle::LogThrottle;
use crate::worker::mailbox_watch::Watch;
use crate::worker::output::deflate_cache::DeflateCache;
use crate::worker::registry::{Membership, Registry};
use crate::worker::subscriber::Subscriber;

thread_local! {
    pub(in crate::worker) static CURRENT: Cell<Option<&'static Worker>> = const { Cell::new(None) };
}

/// What this process has in the zone, and its subscribers.
pub struct Worker {
    pub(in crate::worker) zone: Zone,
    pub(in crate::worker) me: SlotId,
    pub(in crate::worker) registry: Registry<Subscriber>,
    /// Of the history that clients of this worker read.
    pub(in crate::worker) compressed: DeflateCache,
    /// The settings of the `http` level. A copy: a single process (`master_process off`) outlives the cycle that it
    /// began with.
    pub(in crate::worker) main: &'static Main,
    pub(in crate::worker) all_modules_known: bool,
    /// Its subscribers that are neither ending nor over.
    pub(in crate::worker) live: Cell<usize>,
    pub(in crate::worker) departure: Shutdown,
    pub(in crate::worker) evictions: LogThrottle,
    /// Of all workers' mailboxes.
    pub(in crate::worker) watch: Watch,
    /// Takes the mail in the next turn of the event loop.
    pub(in crate::worker) later: Event,
    /// Looks at the mailbox without having been woken.
    pub(in crate::worker) looking: Event,
    pub(in crate::worker) housekeeping: Event,
}

impl Worker {
    /// This process's worker; `None` if it is not one, or the module is not used, or no slot was free.
    pub fn current() -> Option<&'static Worker> {
        CURRENT.get()
    }

    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    pub fn me(&self) -> SlotId {
        self.me
    }

    pub fn pid(&self) -> u32 {
        process::pid()
    }

    /// Gives subscriptions back to the store.
    pub fn release(&self, memberships: impl IntoIterator<Item = Membership>) {
        let mut subscriptions: SmallVec<[Subscription; 4]> = SmallVec::new();
        for membership in memberships {
            self.registry.leave(&membership);
            subscriptions.push(membership.subscription);
        }
        if !subscriptions.is_empty() {
            self.wake(&self.zone.leave(self.me, &subscriptions, &self.main.limits, now()));
        }
    }

    /// Gives up histories that are not to be read on.
    pub fn give_up(&self, history: &[Ref<Bookmark>]) {
        if !history.is_empty() {
            self.zone.give_up(self.me, history);
        }
    }

    /// A subscriber is there.
    pub fn count_in(&self, subscriber: &Subscriber) {
        self.live.set(self.live.get() + 1);
        self.zone.count_in(self.me, subscriber.mode());
    }

    /// A subscriber is no more.
    pub fn count_out(&self, subscriber: &Subscriber) {
        self.live.set(self.live.get().saturating_sub(1));
        self.zone.count_out(self.me, subscriber.mode());
    }

    pub fn count_delivered(&self, n: u64) {
        if n > 0 {
            self.zone.count_delivered(self.me, n);
        }
    }

    /// Something was done that may have needed room, for this channel; empty: for none in particular.
    pub(in crate::worker) fn tell_evictions(&self, channel: &[u8]) {
        if let Some(line) = self.evictions.line(evicted_here(), channel, now_ms()) {
            warn(format_args!("{line}"));
        }
    }

    pub fn count_dropped(&self, cause: DropCause, n: u64) {
        self.zone.count_dropped(self.me, cause, n);
    }
}

/// Seconds on the zone's steady clock, fresh: nginx's cached time may be a while old, and differs between
/// workers (PUB-73). 0 in a process that has no place in the zone.
pub fn now() -> u64 {
    Worker::current().map_or(0, |worker| worker.zone.now())
}

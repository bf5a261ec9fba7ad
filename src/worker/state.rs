//! The worker that this process is: its place in the zone, its clients, its timers.

use std::cell::Cell;

use smallvec::SmallVec;

use crate::ngx_ext::eventfd::EventFd;
use crate::ngx_ext::log::warn;
use crate::ngx_ext::process;
use crate::ngx_ext::timer::{Event, now_ms};
use crate::store::{SlotId, Subscription, Wake, evicted_here};
use crate::worker::client::Client;
use crate::worker::context::Context;
use crate::worker::departure::Departure;
use crate::worker::handlers::Handlers;
use crate::worker::log_throttle::LogThrottle;
use crate::worker::mailbox_watch::Watch;
use crate::worker::registry::Registry;
use crate::worker::subscriber::effect::Left;
use crate::worker::wakeup;

/// How often a worker with subscribers looks at its mailbox without having been woken, in milliseconds.
pub const LOOK: u64 = 50;

thread_local! {
    static CURRENT: Cell<Option<&'static Worker>> = const { Cell::new(None) };
}

pub struct Worker {
    pub context: Context,
    pub registry: Registry<Client>,
    pub all_modules_known: bool,
    pub departure: Departure,
    pub evictions: LogThrottle,
    /// Of all workers' mailboxes.
    pub watch: Watch,
    /// Takes the mail in the next turn of the event loop.
    pub later: Event,
    /// Looks at the mailbox without having been woken.
    pub looking: Event,
    pub housekeeping: Event,
    pub handlers: &'static Handlers,
}

impl Worker {
    /// This process's worker; `None` if it is not one, or the module is not used, or no slot was free.
    pub fn current() -> Option<&'static Worker> {
        CURRENT.get()
    }

    pub fn set_current(worker: Option<&'static Worker>) {
        CURRENT.set(worker);
    }

    pub fn pid(&self) -> u32 {
        process::pid()
    }

    /// Gives back to the store what a subscriber had there.
    pub fn leave(&self, left: Left) {
        let Context { zone, me, main, .. } = &self.context;
        if !left.memberships.is_empty() {
            let subscriptions: SmallVec<[Subscription; 4]> =
                left.memberships.iter().map(|membership| membership.subscription).collect();
            left.memberships.iter().for_each(|membership| self.registry.leave(membership));
            self.wake(&zone.leave(*me, &subscriptions, &main.limits, self.context.now()));
        }
        if !left.unread.is_empty() {
            zone.give_up(*me, &left.unread);
        }
    }

    /// Wakes the workers that the store says something waits for.
    pub fn wake(&self, slots: &Wake) {
        for &slot in slots {
            if slot == self.context.me {
                self.later.post();
            } else if let Err(error) = wakeup::signal(slot) {
                // It will look by itself.
                warn(format_args!(
                    "worker {} cannot be woken: {error}",
                    self.context.zone.pid_of(slot)
                ));
            }
        }
    }

    /// Another worker has left mail here.
    pub fn was_woken(&self) {
        wakeup::with(self.context.me, EventFd::clear);
        self.later.post();
    }

    /// Something was done that may have needed room, for this channel; empty: for none in particular.
    pub fn tell_evictions(&self, channel: &[u8]) {
        if let Some(line) = self.evictions.line(evicted_here(), channel, now_ms()) {
            warn(format_args!("{line}"));
        }
    }

    /// From now on the worker looks at its mailbox by itself, as long as it has subscribers. That long it
    /// does not exit: one that is being answered waits for its next turn, for which nginx does not.
    pub fn keep_looking(&self) {
        if !self.looking.is_timer_set() {
            self.looking.set_timer(LOOK);
        }
    }

    pub fn look_again(&self) {
        if !self.registry.is_empty() {
            self.looking.set_timer(LOOK);
        }
    }

    /// This worker's place in the zone.
    pub fn me(&self) -> SlotId {
        self.context.me
    }
}

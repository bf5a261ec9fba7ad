//! What everything in this process needs: the zone, this worker's place in it, its settings and its counts.
//!
//! The ground of the layer. It knows no subscriber and nothing of nginx, so that what stands on it is tested
//! without.

use std::cell::Cell;

use crate::conf::Main;
use crate::store::{DropCause, Mode, SlotId, Zone};
use crate::worker::output::deflate_cache::DeflateCache;

/// How far this worker is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It has not been told to go.
    Serving,
    /// Its subscribers are ended little by little.
    Draining,
    /// All are ended; who comes is ended at once.
    Ended,
}

/// This worker, as far as a subscriber is concerned.
pub struct Context {
    pub zone: Zone,
    pub me: SlotId,
    /// The settings of the `http` level. A copy: a single process (`master_process off`) outlives the cycle that
    /// it began with.
    pub main: &'static Main,
    /// Of the history that clients of this worker read.
    pub compressed: DeflateCache,
    /// Its subscribers that are neither ending nor over.
    live: Cell<usize>,
    departure: Cell<Departure>,
}

impl Context {
    pub fn new(zone: Zone, me: SlotId, main: &'static Main) -> Context {
        Context {
            zone,
            me,
            main,
            compressed: DeflateCache::default(),
            live: Cell::new(0),
            departure: Cell::new(Departure::Serving),
        }
    }

    /// Seconds on the zone's steady clock, fresh: nginx's cached time may be a while old, and differs between
    /// workers (PUB-73).
    pub fn now(&self) -> u64 {
        self.zone.now()
    }

    /// Subscribers that are neither ending nor over.
    pub fn live(&self) -> usize {
        self.live.get()
    }

    /// A subscriber of this mode is there.
    pub fn count_in(&self, mode: Mode) {
        self.live.set(self.live.get() + 1);
        self.zone.count_in(self.me, mode);
    }

    /// A subscriber of this mode is no more.
    pub fn count_out(&self, mode: Mode) {
        self.live.set(self.live.get().saturating_sub(1));
        self.zone.count_out(self.me, mode);
    }

    /// Messages were handed to subscribers' connections.
    pub fn count_delivered(&self, n: u64) {
        if n > 0 {
            self.zone.count_delivered(self.me, n);
        }
    }

    /// Messages did not reach a subscriber.
    pub fn count_dropped(&self, cause: DropCause, n: u64) {
        self.zone.count_dropped(self.me, cause, n);
    }

    pub fn set_departure(&self, departure: Departure) {
        self.departure.set(departure);
    }

    /// nginx is shutting this worker down.
    pub fn is_leaving(&self) -> bool {
        self.departure.get() != Departure::Serving
    }

    /// It has ended its subscribers, and ends those who come.
    pub fn has_ended_all(&self) -> bool {
        self.departure.get() == Departure::Ended
    }
}

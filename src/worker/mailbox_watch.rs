//! Tells which workers take nothing of the mail that waits for them, by looking now and then (LIFE-58).
//!
//! Time counts as far as the one who looks was there to look: if the whole machine stood still, nobody is
//! stuck.

use std::cell::{Cell, RefCell};

use crate::store::{STUCK_AFTER, SlotId};

/// The most that the time between two looks counts, in milliseconds.
const MAX_INTERVAL_MS: u64 = 1000;

/// What this worker saw of the mailboxes.
#[derive(Default)]
pub struct Watch {
    /// When it looked last, in milliseconds of nginx's clock.
    at: Cell<u64>,
    /// The workers for which something waited then.
    waiting: RefCell<Vec<Waiting>>,
}

struct Waiting {
    worker: SlotId,
    /// Entries that the worker has ever taken.
    taken: u32,
    /// How long it has taken none, in milliseconds.
    lasts: u64,
}

impl Watch {
    /// Looks again, at these workers and what they have taken: who has taken nothing for long, and how much
    /// that one had taken before.
    pub fn look(&self, now: u64, seen: impl Iterator<Item = (SlotId, u32)>) -> Vec<(SlotId, u32)> {
        let passed = now.saturating_sub(self.at.replace(now)).min(MAX_INTERVAL_MS);
        let before = self.waiting.take();
        let lasts = |worker, taken| {
            let same = |was: &&Waiting| was.worker == worker && was.taken == taken;
            before.iter().find(same).map_or(0, |was| was.lasts + passed)
        };
        let waiting: Vec<_> = seen
            .map(|(worker, taken)| Waiting { worker, taken, lasts: lasts(worker, taken) })
            .collect();
        let limit = STUCK_AFTER.as_millis() as u64;
        let stuck = waiting.iter().filter(|one| one.lasts >= limit);
        let stuck = stuck.map(|one| (one.worker, one.taken)).collect();
        self.waiting.replace(waiting);
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_nothing_for_long_is_stuck() {
        // LIFE-58
        let watch = Watch::default();
        let (a, b) = (SlotId::new(0), SlotId::new(1));
        for n in 0..10 {
            let seen = [(a, 7), (b, n)].into_iter();
            assert_eq!(watch.look(1000 + 500 * u64::from(n), seen), []);
        }
        assert_eq!(watch.look(6000, [(a, 7), (b, 10)].into_iter()), [(a, 7)]);
        // It took some.
        assert_eq!(watch.look(6500, [(a, 8)].into_iter()), []);
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        let watch = Watch::default();
        let a = SlotId::new(0);
        assert_eq!(watch.look(1000, [(a, 7)].into_iter()), []);
        assert_eq!(watch.look(3_600_000, [(a, 7)].into_iter()), []);
        // An emptied mailbox begins anew.
        assert_eq!(watch.look(3_604_000, [].into_iter()), []);
        for n in 1..=5 {
            assert_eq!(watch.look(3_604_000 + n * 1000, [(a, 7)].into_iter()), []);
        }
        assert_eq!(watch.look(3_610_000, [(a, 7)].into_iter()), [(a, 7)]);
    }
}

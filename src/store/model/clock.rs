//! Two clocks. The wall clock, which somebody may set, says the seconds that clients are told: stamps. The
//! *steady* clock says everything that lasts: when messages expire, when channels end, what was removed
//! lately, how old the zone is.
//!
//! The steady clock counts seconds of the machine's monotonic clock, which all processes share, and began
//! at the zone's creation with what the wall clock said then. So the two agree until somebody sets the
//! wall clock. All `now` of this module's operations are steady. What lies between the two is in the root,
//! noted by whoever reads the clocks; stamps are given out in the one order of all messages whatever they
//! say (`stamp.rs`), so it may be a moment old.

use crate::store::ground::clocks::{SECOND, monotonic, wall};
use crate::store::ground::layout::Root;
use crate::store::transaction::Transaction;
use crate::store::zone::Zone;

impl Zone {
    /// Seconds on the steady clock. Notes where the wall clock stands.
    pub fn now(&self) -> u64 {
        let root = self.geometry.root(&self.memory);
        let steady = monotonic().wrapping_add(root.steady_offset.get()) / SECOND;
        let shift = (wall() / SECOND).wrapping_sub(steady);
        if root.wall_shift.get() != shift {
            root.wall_shift.store(shift);
        }
        steady
    }

    /// Unix seconds by the wall clock, when the steady one says this.
    pub fn wall(&self, now: u64) -> u64 {
        shifted(self.geometry.root(&self.memory), now)
    }

    /// Sets the wall clock by so many seconds; for tests.
    #[cfg(test)]
    pub fn set_wall_clock(&self, ahead: i64) {
        self.geometry.root(&self.memory).wall_shift.store(ahead as u64);
    }
}

impl Transaction<'_> {
    /// Unix seconds by the wall clock, when the steady one says this.
    pub fn wall(&self, now: u64) -> u64 {
        shifted(self.root(), now)
    }
}

fn shifted(root: &Root, now: u64) -> u64 {
    now.saturating_add_signed(root.wall_shift.get() as i64)
}

//! What is told at the end.

use std::collections::HashMap;
use std::fmt;

/// What became of the kills.
#[derive(Default)]
pub struct Tally {
    pub kills: u64,
    /// Kills of a process that was stopped before, so that one could see where it was.
    pub looked: u64,
    /// Of those: it held the zone's lock.
    pub held: u64,
    /// Of those: it had changed something that it had not committed.
    pub cut_short: u64,
    /// Operations that were cut short inside a transaction.
    pub cut_in: HashMap<&'static str, u64>,
    pub operations: u64,
    pub acknowledged: u64,
    pub missed: u64,
    /// Most events in the events channel at once, and events that found no room.
    pub told: u64,
    /// Messages that made room for others.
    pub evicted: u64,
    pub untold: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cut: Vec<_> = self.cut_in.iter().map(|(name, n)| format!("{name} {n}")).collect();
        cut.sort();
        write!(
            f,
            "{} kills; of {} looked at, {} held the lock and {} had uncommitted changes ({}); \
             {} operations, {} acknowledged messages kept, {} missed by stuck workers; \
             at most {} events at once, {} without room; {} evicted",
            self.kills,
            self.looked,
            self.held,
            self.cut_short,
            cut.join(", "),
            self.operations,
            self.acknowledged,
            self.missed,
            self.told,
            self.untold,
            self.evicted
        )
    }
}

//! What the subscribers of a stuck worker miss (`operations/stuck.rs`).

use crate::store::ground::layout::Node;
use crate::store::model::counts::DropCause;
use crate::store::transaction::Transaction;

/// The part of the zone that what waits for stuck workers may take.
const SHARE: u64 = 4;

impl Transaction<'_> {
    /// Whether so many bytes of mail are more than a stuck worker may keep. There is one.
    pub fn is_too_much(&self, bytes: u64) -> bool {
        let is_short = (self.root().free_pages.get() as usize) < self.geometry().plan().pages / 2;
        let workers = u64::from(self.root().stuck_workers.get().max(1));
        is_short && bytes > self.memory().len() as u64 / SHARE / workers
    }

    /// The subscribers of a node do not get a message, because their worker is stuck.
    pub fn count_missed(&self, node: &Node) {
        let slot = self.slot(node.worker());
        let missed = node.subscribers.get();
        self.add64(&slot.dropped[DropCause::Memory as usize], u64::from(missed));
        self.set(&slot.missed, slot.missed.get().saturating_add(missed));
    }
}

//! What a worker has in the zone and no longer knows of, because it panicked on the way.

use crate::store::ground::layout::{Bookmark, Node};
use crate::store::ground::memory::Ref;
use crate::store::ground::slot_id::{SlotId, Wake};
use crate::store::model::limits::Limits;
use crate::store::transaction::list::{BookmarksOfSlot, OfSlot};
use crate::store::zone::Zone;

impl Zone {
    /// Gives back what this worker's slot has beyond what the worker says: its subscribers on a node, and
    /// whether a history is still to be read. Nothing of the worker's is under way. Says whom to wake.
    #[must_use]
    pub fn reconcile(
        &self,
        me: SlotId,
        subscribers: impl Fn(Ref<Node>) -> u32,
        is_read: impl Fn(Ref<Bookmark>) -> bool,
        limits: &Limits,
        now: u64,
    ) -> Wake {
        let tx = self.begin();
        let slot = tx.slot(me);
        tx.discard_drafts(me);
        let bookmarks: Vec<_> = tx.items::<BookmarksOfSlot>(&slot.bookmarks).collect();
        for bookmark in bookmarks.into_iter().filter(|bookmark| !is_read(*bookmark)) {
            tx.remove_bookmark(me, bookmark);
            tx.commit();
        }
        let nodes = tx.items::<OfSlot>(&slot.nodes);
        let nodes: Vec<_> = nodes.chain(tx.items::<OfSlot>(&slot.deleted_nodes)).collect();
        for node in nodes {
            for _ in subscribers(node)..tx.at(node).subscribers.get() {
                tx.end_subscribers(node, 1, limits, now);
                tx.commit_and_publish();
            }
        }
        let mut wake = Wake::new();
        tx.take_wake(&mut wake);
        wake
    }
}

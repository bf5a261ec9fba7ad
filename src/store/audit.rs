//! What a worker has in the zone and no longer knows of, because it panicked on the way.

use super::layout::{Bookmark, Node};
use super::list::{Marks, OfSlot};
use super::memory::Ref;
use super::{Limits, SlotId, Wake, Zone};

impl Zone {
    /// Gives back what this worker's slot has beyond what the worker says: its subscribers on a node, and
    /// whether a history is still to be read. Nothing of the worker's is under way. Says whom to wake.
    #[must_use]
    pub fn settle_up(
        &self,
        me: SlotId,
        subscribers: impl Fn(Ref<Node>) -> u32,
        is_read: impl Fn(Ref<Bookmark>) -> bool,
        limits: &Limits,
        now: u64,
    ) -> Wake {
        let section = self.enter();
        let slot = section.slot(me);
        section.discard_drafts(me);
        let bookmarks: Vec<_> = section.items::<Marks>(&slot.bookmarks).collect();
        for bookmark in bookmarks.into_iter().filter(|bookmark| !is_read(*bookmark)) {
            section.remove_bookmark(me, bookmark);
            section.commit();
        }
        let nodes = section.items::<OfSlot>(&slot.nodes);
        let nodes: Vec<_> = nodes.chain(section.items::<OfSlot>(&slot.doomed)).collect();
        for node in nodes {
            for _ in subscribers(node)..section.at(node).subscribers.get() {
                section.end_subscribers(node, 1, limits, now);
                section.settle();
            }
        }
        let mut wake = Wake::new();
        section.take_wake(&mut wake);
        wake
    }
}

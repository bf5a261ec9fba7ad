//! The subscriptions that one worker has on one channel.

use crate::store::ground::layout::{Channel, Node, Slot};
use crate::store::ground::memory::Ref;
use crate::store::ground::slot_id::SlotId;
use crate::store::transaction::Transaction;
use crate::store::transaction::list::OfChannel;

impl Transaction<'_> {
    pub fn slot_of(&self, node: Ref<Node>) -> &Slot {
        self.slot(self.at(node).worker())
    }

    pub fn node_of(&self, me: SlotId, channel: Ref<Channel>) -> Option<Ref<Node>> {
        self.items::<OfChannel>(&self.at(channel).nodes).find(|&node| self.at(node).worker() == me)
    }
}

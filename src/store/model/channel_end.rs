//! How a channel ends: when nothing keeps it after its period, or by DELETE. It cannot be found from then on, and goes
//! when its history is empty and its last holder lets go.

use crate::store::ground::layout::{Channel, ChannelFlags, Message};
use crate::store::ground::memory::Ref;
use crate::store::model::event::Event;
use crate::store::transaction::Transaction;

impl Transaction<'_> {
    /// The channel that [`Transaction::finish_one_due`] would end.
    pub fn next_to_end(&self) -> Option<Ref<Channel>> {
        let due = self.root().due.head.get();
        due.filter(|&channel| !self.is_deleted(channel) && self.unused(channel))
    }

    fn is_deleted(&self, channel: Ref<Channel>) -> bool {
        self.at(channel).flags().contains(ChannelFlags::DELETED)
    }

    /// Does one step for the first due channel: a look whether it may go, or the removal of a few
    /// messages of a deleted one. False if there is none.
    pub fn finish_one_due(&self, now: u64) -> bool {
        let Some(channel) = self.root().due.head.get() else { return false };
        if self.is_deleted(channel) {
            self.empty_deleted(channel);
        } else if self.unused(channel) {
            self.record_event(Event::ChannelDestroyed, channel, now);
            self.retire(channel);
            self.trash(now, 0, 1);
            self.stop_waiting(channel);
            self.release_channel(channel);
        } else {
            self.stop_waiting(channel);
        }
        true
    }

    pub fn empty_deleted(&self, channel: Ref<Channel>) {
        let c = self.at(channel);
        match c.fifo.head.get() {
            Some(message) => self.forget(channel, message),
            None => {
                self.stop_waiting(channel);
                self.release_channel(channel);
            }
        }
    }

    /// From now on the channel cannot be found (LIFE-32, PUB-92).
    fn retire(&self, channel: Ref<Channel>) {
        let c = self.at(channel);
        self.unindex(channel);
        self.set(&c.flags, (c.flags() | ChannelFlags::DELETED).bits());
        let root = self.root();
        let wildcard = c.flags().contains(ChannelFlags::WILDCARD);
        self.sub(if wildcard { &root.wildcard_channels } else { &root.channels }, 1);
    }

    /// Deletes a channel: no memory needed, and constant work but for the workers on it (LIFE-33, 56).
    pub fn delete_channel(
        &self,
        channel: Ref<Channel>,
        delete_text: Option<Ref<Message>>,
        now: u64,
    ) {
        let c = self.at(channel);
        if c.subscribers.get() == 0 {
            self.record_event(Event::ChannelDestroyed, channel, now);
        }
        self.retire(channel);
        self.link(&c.delete_text, delete_text);
        self.reach_second(now);
        let end = self.newest_stamp();
        self.set64(&c.last_second, end.second);
        self.set(&c.last_tag, end.tag);
        self.make_due(channel);
        let stored = c.stored.get();
        self.trash_deleted(now, stored, 1);
        self.sub64(&self.root().stored, u64::from(stored));
        self.set(&c.stored, 0);
    }

    /// Removes an unused channel that this operation created.
    pub fn uncreate(&self, channel: Ref<Channel>, now: u64) {
        self.record_event(Event::ChannelDestroyed, channel, now);
        self.retire(channel);
        self.stop_waiting(channel);
        self.release_channel(channel);
    }
}

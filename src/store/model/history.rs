//! A channel's history: messages enter at its newest end and leave at its oldest, by age, by number, or to make room.

use crate::store::ground::layout::{Channel, ChannelFlags, Message, MessageFlags};
use crate::store::ground::memory::Ref;
use crate::store::transaction::Transaction;
use crate::store::transaction::list::{ByExpiry, InHistory};

/// Messages that one publish drops at most from a channel.
const TRIMMED: usize = 256;

impl Transaction<'_> {
    /// Puts a message at the end of its channel's history.
    pub fn enter_history(&self, channel: Ref<Channel>, message: Ref<Message>) {
        let (c, m) = (self.at(channel), self.at(message));
        self.hold(message);
        self.set(&m.flags, (m.flags() | MessageFlags::STORED).bits());
        self.push_back::<InHistory>(&c.fifo, message);
        self.enqueue::<ByExpiry>(&self.root().expiring, message);
        self.add(&c.stored, 1);
        if !c.flags().contains(ChannelFlags::EVENTS) {
            self.add64(&self.root().stored, 1);
        }
    }

    /// What remains of leaving a history once the message is out of the list.
    pub fn leave_history(&self, message: Ref<Message>) {
        let m = self.at(message);
        self.dequeue::<ByExpiry>(&self.root().expiring, message);
        self.set(&m.flags, (m.flags() - MessageFlags::STORED).bits());
    }

    /// Ends the stay of one expired message. A history shrinks from its oldest end only, so one that
    /// expires behind a longer-lived one waits for it (LIFE-42). False if nothing is expired.
    pub fn expire_one(&self, now: u64) -> bool {
        let root = self.root();
        let Some(message) = self.first_due::<ByExpiry>(&root.expiring, now) else { return false };
        let Some(channel) = self.at(message).channel.get() else {
            unreachable!("a stored message has a channel")
        };
        let c = self.at(channel);
        let oldest = c.fifo.head.get() == Some(message);
        if oldest && !c.flags().contains(ChannelFlags::DELETED) {
            self.drop_oldest(channel, now);
        } else {
            self.dequeue::<ByExpiry>(&root.expiring, message);
        }
        true
    }

    /// A message that became its channel's oldest: if it expired while it was not, it is next.
    pub fn expect_again(&self, oldest: Ref<Message>) {
        if !self.at(oldest).flags().contains(MessageFlags::IN_QUEUE) {
            self.enqueue_first::<ByExpiry>(&self.root().expiring, oldest);
        }
    }

    /// Takes the oldest message out of a living channel's history; counted as trash.
    pub fn drop_oldest(&self, channel: Ref<Channel>, now: u64) {
        let c = self.at(channel);
        let Some(message) = c.fifo.head.get() else { return };
        let stamp = self.stamp_of(message);
        if stamp > self.removed_stamp(channel) {
            self.set64(&c.removed_second, stamp.second);
            self.set(&c.removed_tag, stamp.tag);
        }
        self.sub(&c.stored, 1);
        if !c.flags().contains(ChannelFlags::EVENTS) {
            self.sub64(&self.root().stored, 1);
        }
        self.trash(now, 1, 0);
        self.forget(channel, message);
        if let Some(oldest) = c.fifo.head.get() {
            self.expect_again(oldest);
        }
        self.may_be_due(channel);
    }

    /// Drops the oldest messages of a channel that stores too many (LIFE-41), of which there is one unless
    /// the limit was lowered; then not all at once, and the next publishes go on with it.
    pub fn trim(&self, channel: Ref<Channel>, most: Option<u64>, now: u64) {
        let c = self.at(channel);
        for _ in 0..TRIMMED {
            if most.is_none_or(|most| u64::from(c.stored.get()) <= most) {
                return;
            }
            self.drop_oldest(channel, now);
            self.commit();
        }
    }

    /// Takes a message out of the history without counting it.
    pub fn forget(&self, channel: Ref<Channel>, message: Ref<Message>) {
        self.unlink::<InHistory>(&self.at(channel).fifo, message);
        self.leave_history(message);
        self.release(message);
    }
}

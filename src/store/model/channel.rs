//! A channel's life: created, kept by use, gone after its inactivity period or by DELETE.
//!
//! A channel is held (`refs`) by the index while it can be found, by each node, by each message, by a
//! listing that stopped at it, and by a worker that empties it; the last one to let go frees it. While
//! its period runs it waits in a queue. If something keeps it when the period ends, it waits nowhere
//! until that something goes, and then joins the `due` list. A deleted channel is in the `due` list
//! too, until its history is emptied: whoever sweeps finishes what a killed process began. The events
//! channel has no period and waits nowhere (`events.rs`).

use crate::store::error::StoreError;
use crate::store::ground::layout::{Channel, ChannelFlags, Message};
use crate::store::ground::memory::Ref;
use crate::store::model::event::Event;
use crate::store::model::limits::Limits;
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::Full;
use crate::store::transaction::list::{ByCreation, ByDeadline, InHistory};

impl Transaction<'_> {
    /// The id, which never changes.
    pub fn channel_id(&self, channel: Ref<Channel>) -> &[u8] {
        let c = self.at(channel);
        // SAFETY: written before the channel was indexed, never after; the caller found the channel
        // under this lock or holds it.
        unsafe { self.memory().bytes(channel.offset() + Channel::ID_AT, c.id_len.get() as usize) }
    }

    /// Whether one more channel like this may be created (PUB-78, ADM-8, DIR-102).
    pub fn may_create(&self, wildcard: bool, more: u64, limits: &Limits) -> Result<(), StoreError> {
        let (count, limit) = if wildcard {
            (&self.root().wildcard_channels, limits.max_wildcard_channels)
        } else {
            (&self.root().channels, limits.max_channels)
        };
        match limit {
            Some(limit) if u64::from(count.get()) + more > limit => {
                Err(StoreError::TooManyChannels)
            }
            _ => Ok(()),
        }
    }

    /// Makes a channel that does not exist (LIFE-27), and notes that. Not committed.
    pub fn create_channel(
        &self,
        id: &[u8],
        limits: &Limits,
        now: u64,
    ) -> Result<Ref<Channel>, Full> {
        let channel = self.create_silently(id, limits, now)?;
        self.record_event(Event::ChannelCreated, channel, now);
        Ok(channel)
    }

    /// [`Transaction::create_channel`] without an event: for the events channel itself.
    pub fn create_silently(
        &self,
        id: &[u8],
        limits: &Limits,
        now: u64,
    ) -> Result<Ref<Channel>, Full> {
        let channel = self.allocate::<Channel>(Channel::ID_AT + id.len())?;
        let c = self.at(channel);
        let wildcard = limits.is_wildcard(id);
        for cell in [&c.last_id, &c.last_second, &c.removed_second] {
            cell.store(0);
        }
        for cell in [&c.last_tag, &c.removed_tag, &c.stored, &c.subscribers] {
            cell.store(0);
        }
        for link in [&c.nodes.head, &c.nodes.tail] {
            link.store(None);
        }
        for link in [&c.fifo.head, &c.fifo.tail, &c.delete_text] {
            link.store(None);
        }
        let flags = if wildcard { ChannelFlags::WILDCARD } else { ChannelFlags::empty() };
        c.flags.store(flags.bits());
        c.refs.store(1);
        c.serial.store(self.root().next_serial.get());
        c.deadline.store(now + limits.inactivity);
        c.hash.store(self.hash(id));
        c.id_len.store(u32::try_from(id.len()).map_err(|_| Full)?);
        // SAFETY: just allocated in this transaction, not yet in any list.
        unsafe { self.memory().fill(channel.offset() + Channel::ID_AT, id) };

        let root = self.root();
        self.add64(&root.next_serial, 1);
        self.add(if wildcard { &root.wildcard_channels } else { &root.channels }, 1);
        self.index(channel);
        self.push_back::<ByCreation>(&root.order, channel);
        self.enqueue::<ByDeadline>(&root.idle, channel);
        Ok(channel)
    }

    /// Starts the inactivity period anew (LIFE-29, PUB-77).
    pub fn touch(&self, channel: Ref<Channel>, limits: &Limits, now: u64) {
        let c = self.at(channel);
        let deadline = now + limits.inactivity;
        if c.flags().intersects(ChannelFlags::DELETED | ChannelFlags::EVENTS)
            || c.deadline.get() == deadline && c.flags().contains(ChannelFlags::IN_QUEUE)
        {
            return;
        }
        self.stop_waiting(channel);
        self.set64(&c.deadline, deadline);
        self.enqueue::<ByDeadline>(&self.root().idle, channel);
    }

    /// Takes the channel out of the queue or list it waits in, if it waits.
    pub fn stop_waiting(&self, channel: Ref<Channel>) {
        let c = self.at(channel);
        self.dequeue::<ByDeadline>(&self.root().idle, channel);
        if c.flags().contains(ChannelFlags::DUE) {
            self.unlink::<ByDeadline>(&self.root().due, channel);
            self.set(&c.flags, (c.flags() - ChannelFlags::DUE).bits());
        }
    }

    fn make_due(&self, channel: Ref<Channel>) {
        let c = self.at(channel);
        self.stop_waiting(channel);
        self.push_back::<ByDeadline>(&self.root().due, channel);
        self.set(&c.flags, (c.flags() | ChannelFlags::DUE).bits());
    }

    /// To be called when the last message or subscriber went: a channel whose period ended long ago is
    /// due now.
    pub fn may_be_due(&self, channel: Ref<Channel>) {
        let c = self.at(channel);
        let waits = ChannelFlags::IN_QUEUE | ChannelFlags::DUE;
        let stays = ChannelFlags::DELETED | ChannelFlags::EVENTS;
        if !c.flags().intersects(waits | stays) && self.unused(channel) {
            self.make_due(channel);
        }
    }

    fn unused(&self, channel: Ref<Channel>) -> bool {
        let c = self.at(channel);
        c.stored.get() == 0 && c.subscribers.get() == 0
    }

    /// Takes a channel whose period ended out of its queue; it goes if nothing keeps it (LIFE-30). True
    /// if there was one.
    pub fn end_one_period(&self, now: u64) -> bool {
        // The deadline must lie strictly in the past.
        let Some(before) = now.checked_sub(1) else { return false };
        let Some(channel) = self.first_due::<ByDeadline>(&self.root().idle, before) else {
            return false;
        };
        self.stop_waiting(channel);
        self.may_be_due(channel);
        true
    }

    /// Does one step for the first due channel: a look whether it may go, or the removal of a few
    /// messages of a deleted one. False if there is none.
    pub fn finish_one_due(&self, now: u64) -> bool {
        let Some(channel) = self.root().due.head.get() else { return false };
        let c = self.at(channel);
        if c.flags().contains(ChannelFlags::DELETED) {
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

    pub fn hold_channel(&self, channel: Ref<Channel>) {
        self.add(&self.at(channel).refs, 1);
    }

    pub fn release_channel(&self, channel: Ref<Channel>) {
        let c = self.at(channel);
        self.sub(&c.refs, 1);
        if c.refs.get() == 0 {
            if let Some(delete_text) = c.delete_text.get() {
                self.release(delete_text);
            }
            self.unlink::<ByCreation>(&self.root().order, channel);
            self.free(channel);
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

    /// Takes a message out of the history without counting it.
    fn forget(&self, channel: Ref<Channel>, message: Ref<Message>) {
        self.unlink::<InHistory>(&self.at(channel).fifo, message);
        self.leave_history(message);
        self.release(message);
    }
}

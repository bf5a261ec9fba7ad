//! A channel's life: created, kept by use, gone after its inactivity period or by DELETE.
//!
//! A channel is held (`refs`) by the index while it can be found, by each node, by each message, by a
//! listing that stopped at it, and by a worker that empties it; the last one to let go frees it. While
//! its period runs it waits in a queue. If something keeps it when the period ends, it waits nowhere
//! until that something goes, and then joins the `due` list. A deleted channel is in the `due` list
//! too, until its history is emptied: whoever sweeps finishes what a killed process began. The events
//! channel has no period and waits nowhere (`events.rs`).

use crate::store::error::StoreError;
use crate::store::ground::layout::{Channel, ChannelFlags};
use crate::store::ground::memory::Ref;
use crate::store::model::event::Event;
use crate::store::model::limits::Limits;
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::Full;
use crate::store::transaction::list::{ByCreation, ByDeadline};

impl Transaction<'_> {
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

    /// Has the channel looked at by whoever sweeps next.
    pub fn make_due(&self, channel: Ref<Channel>) {
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

    /// Nothing keeps it: no stored message, no subscriber.
    pub fn unused(&self, channel: Ref<Channel>) -> bool {
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
}

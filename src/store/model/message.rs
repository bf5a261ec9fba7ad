//! A message's life: a draft of one worker, then published, and gone with its last holder.

use crate::store::ground::layout::{Channel, Message, MessageFlags};
use crate::store::ground::memory::Ref;
use crate::store::ground::slot_id::SlotId;
use crate::store::model::parts::Parts;
use crate::store::model::stamp::Stamp;
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::{Full, footprint};
use crate::store::transaction::list::InHistory;

impl Transaction<'_> {
    /// Takes room for a message. The worker's slot holds it until it is published or discarded, so a
    /// death while it is being filled leaks nothing. Not committed.
    pub fn draft(&self, me: SlotId, parts: &Parts<'_>) -> Result<Ref<Message>, Full> {
        let message = self.new_message(parts)?;
        self.push_back::<InHistory>(&self.slot(me).drafts, message);
        Ok(message)
    }

    /// Takes room for a message with one holder, which the caller names. Not committed.
    pub fn new_message(&self, parts: &Parts<'_>) -> Result<Ref<Message>, Full> {
        let lens = [parts.event_id.map_or(0, <[u8]>::len), parts.event_type.map_or(0, <[u8]>::len)];
        let text_len = parts.text_len();
        let size = Message::BYTES_AT + lens[0] + lens[1] + text_len;
        let len = |n: usize| u32::try_from(n).map_err(|_| Full);
        let message = self.allocate::<Message>(size)?;
        let m = self.at(message);
        let mut flags = MessageFlags::empty();
        flags.set(MessageFlags::BINARY, parts.binary);
        flags.set(MessageFlags::EVENT_ID, parts.event_id.is_some());
        flags.set(MessageFlags::EVENT_TYPE, parts.event_type.is_some());
        m.flags.store(flags.bits());
        m.refs.store(1);
        m.channel.store(None);
        m.id.store(0);
        for cell in [&m.second, &m.tag, &m.expires] {
            cell.store(0);
        }
        m.event_id_len.store(len(lens[0])?);
        m.event_type_len.store(len(lens[1])?);
        m.text_len.store(len(text_len)?);
        m.event_id_hash.store(parts.event_id.map_or(0, |id| self.hash(id)));
        Ok(message)
    }

    /// The next id of a channel and the next stamp.
    #[inline]
    pub fn next_place(&self, channel: Ref<Channel>, now: u64) -> Stamp {
        let c = self.at(channel);
        let stamp = self.next_stamp(now);
        self.add64(&c.last_id, 1);
        self.set64(&c.last_second, stamp.second);
        self.set(&c.last_tag, stamp.tag);
        stamp
    }

    /// Gives a message that its channel does not have yet its place there, and a hold on the channel. What is
    /// written without the journal is nothing as long as the message is not in the history.
    #[inline]
    pub fn number(&self, channel: Ref<Channel>, message: Ref<Message>, stamp: Stamp) {
        let m = self.at(message);
        m.id.store(self.at(channel).last_id.get());
        m.second.store(seconds(stamp.second));
        m.tag.store(stamp.tag);
        self.link(&m.channel, Some(channel));
        self.hold_channel(channel);
    }

    /// The draft is no longer this worker's; its hold goes to the caller.
    pub fn end_draft(&self, me: SlotId, message: Ref<Message>) {
        self.unlink::<InHistory>(&self.slot(me).drafts, message);
    }

    pub fn discard_draft(&self, me: SlotId, message: Ref<Message>) {
        self.end_draft(me, message);
        self.release(message);
    }

    /// Drafts that a publish of this worker left when it panicked.
    pub fn discard_drafts(&self, me: SlotId) {
        while let Some(draft) = self.slot(me).drafts.head.get() {
            self.discard_draft(me, draft);
            self.commit();
        }
    }

    /// Zone bytes of a message.
    pub fn message_bytes(&self, message: Ref<Message>) -> u64 {
        footprint(self.at(message).size()) as u64
    }

    pub fn stamp_of(&self, message: Ref<Message>) -> Stamp {
        let m = self.at(message);
        Stamp { second: u64::from(m.second.get()), tag: m.tag.get() }
    }
}

/// Seconds as a message keeps them.
pub fn seconds(second: u64) -> u32 {
    u32::try_from(second).unwrap_or(u32::MAX)
}

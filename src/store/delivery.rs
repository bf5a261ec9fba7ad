//! What a worker takes from its slot: messages for its subscribers, then word of deleted channels.
//!
//! A node knows how far the mailbox must be taken for all messages of its channel to be, so subscribers
//! are told of a channel's end after its last message, however much other mail waits or keeps coming.

use core::cell::Cell;

use smallvec::SmallVec;

use super::layout::{MAIL_ENTRIES, Message};
use super::list::OfSlot;
use super::memory::Ref;
use super::{Channel, MessageRef, Node, SlotId, Zone};

/// Deleted channels that are looked at for one whose messages were taken.
const NOTICES: usize = 64;

/// Messages from the head of the mailbox, in the order of publishing. The mailbox holds them until this
/// is dropped; those that were looked at then leave it.
pub struct Mail<'z> {
    zone: &'z Zone,
    me: SlotId,
    messages: SmallVec<[Ref<Message>; MAIL_ENTRIES]>,
    /// Messages that were looked at: only they are removed, should a panic end the worker's turn.
    seen: Cell<usize>,
}

impl<'z> Mail<'z> {
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub fn messages(&self) -> impl Iterator<Item = MessageRef<'_>> {
        self.messages.iter().enumerate().map(|(i, &message)| {
            self.seen.set(i + 1);
            self.zone.message(message)
        })
    }

    /// Done with these; the next ones, under one hold of the lock.
    pub fn next(mut self) -> Mail<'z> {
        let zone = self.zone;
        self.messages.clear();
        zone.exchange_mail(self.me, self.seen.take())
    }
}

impl Drop for Mail<'_> {
    fn drop(&mut self) {
        if self.seen.get() != 0 {
            let section = self.zone.enter();
            for _ in 0..self.seen.get() {
                section.remove_mail(section.slot(self.me));
                section.commit();
            }
        }
    }
}

/// A deleted channel that this worker has subscribers on. They must leave it now (DEL-1, SUB-48). The
/// texts stay until the last of them has.
pub struct Notice<'z> {
    pub channel: Ref<Channel>,
    pub channel_id: &'z [u8],
    /// Text of the DELETE request; None: the configured one.
    pub text: Option<&'z [u8]>,
}

impl Zone {
    /// Something waits for this worker. Looks without the lock: for a timer that makes up for a wake-up
    /// that never came.
    pub fn has_mail(&self, me: SlotId) -> bool {
        let slot = self.slot(me);
        slot.mail_count.get() != 0 || slot.doomed.head.get().is_some()
    }

    /// The first messages of this worker's mailbox. From here on a publisher wakes it again.
    pub fn mail(&self, me: SlotId) -> Mail<'_> {
        self.exchange_mail(me, 0)
    }

    fn exchange_mail(&self, me: SlotId, done: usize) -> Mail<'_> {
        let section = self.enter();
        let slot = section.slot(me);
        for _ in 0..done {
            section.remove_mail(slot);
            section.commit();
        }
        section.set(&slot.signalled, 0);
        section.commit();
        Mail { zone: self, me, messages: section.read_mail(slot, MAIL_ENTRIES), seen: Cell::new(0) }
    }

    /// A channel that was deleted under this worker's subscribers, all of whose messages were taken.
    pub fn notice(&self, me: SlotId) -> Option<Notice<'_>> {
        let section = self.enter();
        let slot = section.slot(me);
        let taken = |node: &Ref<Node>| {
            let ahead = section.at(*node).mail_until.get().wrapping_sub(slot.mail_removed.get());
            ahead == 0 || ahead > slot.mail_count.get()
        };
        let mut doomed = section.items::<OfSlot>(&slot.doomed).take(NOTICES);
        let channel = section.at(doomed.find(taken)?).channel.get()?;
        let c = self.memory.at(channel);
        // SAFETY: ids and farewell texts never change, and this worker's node holds the channel.
        let bytes = |at: usize, len: usize| unsafe { self.memory.bytes(at, len) };
        Some(Notice {
            channel,
            channel_id: bytes(channel.offset() + Channel::ID_AT, c.id_len.get() as usize),
            text: c.farewell.get().map(|text| {
                let len = self.memory.at(text).text_len.get() as usize;
                bytes(text.offset() + Message::BYTES_AT, len)
            }),
        })
    }
}

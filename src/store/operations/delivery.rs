//! What a worker takes from its slot: messages for its subscribers, and word of deleted channels.
//!
//! A deletion has its place in the order of all messages. A subscriber is told of it when it has got what was
//! published for it before, and before it gets what was published after, so that its position is the same
//! in every channel at any moment. A node knows how far the mailbox must be taken for all messages of its
//! channel to be, so those who wait for nothing else need not wait for other mail, however much there is.

use core::cell::Cell;

use smallvec::SmallVec;

use crate::store::ground::layout::{Channel, Node};
use crate::store::ground::layout::{MAIL_ENTRIES, Message, Slot};
use crate::store::ground::memory::Ref;
use crate::store::ground::slot_id::SlotId;
use crate::store::model::parts::MessageRef;
use crate::store::model::stamp::Stamp;
use crate::store::transaction::Transaction;
use crate::store::transaction::list::OfSlot;
use crate::store::zone::Zone;

/// Deleted channels that are looked at for one whose messages were taken.
const NOTICES: usize = 64;
/// The part of the zone that messages may take which a worker reads at once, if they are several: should it be
/// stopped, they stay.
const LENT: u64 = 16;

/// Messages from the head of the mailbox, in the order of publishing. The mailbox holds them until this
/// is dropped; those that were looked at then leave it.
pub struct Mail<'z> {
    zone: &'z Zone,
    me: SlotId,
    messages: SmallVec<[Ref<Message>; MAIL_ENTRIES]>,
    missed: u32,
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

    /// Deliveries that this worker's subscribers missed while it was stuck, if it was until now.
    pub fn missed(&self) -> u32 {
        self.missed
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
        if !self.messages.is_empty() {
            let tx = self.zone.begin();
            for _ in 0..self.seen.get() {
                tx.remove_mail(tx.slot(self.me));
                tx.commit();
            }
            tx.set(&tx.slot(self.me).mail_lent, 0);
            tx.commit();
        }
    }
}

/// A deleted channel that this worker has subscribers on. They must leave it now (DEL-1, SUB-48). The
/// texts stay until the last of them has.
pub struct Notice<'z> {
    pub channel: Ref<Channel>,
    pub channel_id: &'z [u8],
    /// Its place among all messages: behind those published before the deletion.
    pub stamp: Stamp,
    /// Older messages of other channels have not been taken: not to be told yet to those who are to get
    /// them.
    pub is_early: bool,
    /// Text of the DELETE request; None: the configured one.
    pub text: Option<&'z [u8]>,
}

impl Zone {
    /// Something waits for this worker. Looks without the lock: for a timer that makes up for a wake-up
    /// that never came.
    pub fn has_mail(&self, me: SlotId) -> bool {
        let slot = self.slot(me);
        slot.mail_count.get() != 0 || slot.stuck.get() != 0 || self.has_notice(me)
    }

    /// The first messages of this worker's mailbox. From here on a publisher wakes it again.
    pub fn mail(&self, me: SlotId) -> Mail<'_> {
        self.exchange_mail(me, 0)
    }

    fn exchange_mail(&self, me: SlotId, done: usize) -> Mail<'_> {
        let tx = self.begin();
        let slot = tx.slot(me);
        for _ in 0..done {
            tx.remove_mail(slot);
            tx.commit();
        }
        let messages = tx.read_mail(slot, MAIL_ENTRIES, self.memory.len() as u64 / LENT);
        tx.set(&slot.signalled, 0);
        tx.set(&slot.mail_lent, messages.len() as u32);
        let missed = tx.take_missed(slot);
        tx.commit();
        Mail { zone: self, me, messages, missed, seen: Cell::new(0) }
    }

    /// Whether channels were deleted under this worker's subscribers. Looks without the lock: what was
    /// deleted before a message that the worker has is seen.
    pub fn has_notice(&self, me: SlotId) -> bool {
        self.slot(me).deleted_nodes.head.get().is_some()
    }

    /// A channel that was deleted under this worker's subscribers, all of whose messages were taken;
    /// `skip` of them are left out.
    pub fn notice(&self, me: SlotId, skip: usize) -> Option<Notice<'_>> {
        let tx = self.begin();
        let slot = tx.slot(me);
        let next = tx.next_mail(slot).map(|message| tx.stamp_of(message));
        let mut deleted_nodes = tx.items::<OfSlot>(&slot.deleted_nodes).take(NOTICES);
        let node = deleted_nodes.by_ref().filter(|&node| !tx.mail_waits(slot, node)).nth(skip)?;
        let notice = self.notice_of(&tx, node)?;
        Some(Notice { is_early: next.is_some_and(|next| next <= notice.stamp), ..notice })
    }

    /// A channel that was deleted under this worker's subscribers before this message was published. For
    /// the one who takes the mail: to be told first. `skip` of them are left out.
    pub fn notice_before(&self, me: SlotId, message: Stamp, skip: usize) -> Option<Notice<'_>> {
        let tx = self.begin();
        let node = tx.items::<OfSlot>(&tx.slot(me).deleted_nodes).take(NOTICES).nth(skip)?;
        self.notice_of(&tx, node).filter(|notice| notice.stamp < message)
    }

    fn notice_of(&self, tx: &Transaction<'_>, node: Ref<Node>) -> Option<Notice<'_>> {
        let channel = tx.at(node).channel.get()?;
        let stamp = tx.last_stamp(channel);
        let c = self.memory.at(channel);
        // SAFETY: ids and delete texts never change, and this worker's node holds the channel.
        let bytes = |at: usize, len: usize| unsafe { self.memory.bytes(at, len) };
        Some(Notice {
            channel,
            stamp,
            is_early: false,
            channel_id: bytes(channel.offset() + Channel::ID_AT, c.id_len.get() as usize),
            text: c.delete_text.get().map(|text| {
                let len = self.memory.at(text).text_len.get() as usize;
                bytes(text.offset() + Message::BYTES_AT, len)
            }),
        })
    }
}

impl Transaction<'_> {
    /// Something that was posted for this node of the slot has not been taken.
    pub fn mail_waits(&self, slot: &Slot, node: Ref<Node>) -> bool {
        let ahead = self.at(node).mail_until.get().wrapping_sub(slot.mail_removed.get());
        ahead != 0 && ahead <= slot.mail_count.get()
    }
}

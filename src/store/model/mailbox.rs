//! What publishers leave for a worker: messages in the one order of all publishes.
//!
//! An entry is a hold on a message. The room for it is made in a step of its own before the publish,
//! so that the publish itself changes three words per worker and nothing can fail half-way. The worker
//! reads entries, delivers them without the lock, and only then removes them: if it dies in between,
//! its slot still says what it held.

use core::mem::size_of;

use smallvec::SmallVec;

use crate::store::ground::layout::{MAIL_ENTRIES, MailBlock, Message, Node, PAGE, Slot};
use crate::store::ground::memory::Ref;
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::Full;

/// Blocks that are tried to take in one step, within what the journal holds (`transaction.rs`).
const TRIED: usize = 8;

/// What became of a message offered to a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// The worker must be woken.
    Wake,
    /// A wake-up is on its way already.
    Queued,
    /// Not put there: the worker is stuck and holds its share.
    Missed,
}

impl Transaction<'_> {
    /// Makes room for one more entry. A step of its own.
    pub fn make_mail_room(&self, slot: &Slot) -> Result<(), Full> {
        let end = slot.mail_end.get() as usize;
        if slot.mail_tail.get().is_some() && end < MAIL_ENTRIES {
            return Ok(());
        }
        let block = self.allocate::<MailBlock>(size_of::<MailBlock>())?;
        let b = self.at(block);
        b.next.store(None);
        b.prev.store(slot.mail_tail.get());
        b.entries.iter().for_each(|entry| entry.store(None));
        match slot.mail_tail.get() {
            Some(tail) => self.link(&self.at(tail).next, Some(block)),
            None => {
                self.link(&slot.mail_head, Some(block));
                self.set(&slot.mail_first, 0);
            }
        }
        self.link(&slot.mail_tail, Some(block));
        self.set(&slot.mail_end, 0);
        self.commit();
        Ok(())
    }

    /// Whether there is room for so many more entries of these workers, if nothing else takes memory
    /// before. Takes none itself; nothing uncommitted may be there.
    pub fn can_make_mail_room<'s>(
        &self,
        wanted: impl Iterator<Item = (&'s Slot, usize)>,
    ) -> Result<(), Full> {
        let blocks = wanted.map(|(slot, entries)| {
            let end = slot.mail_tail.get().map_or(MAIL_ENTRIES, |_| slot.mail_end.get() as usize);
            entries.saturating_sub(MAIL_ENTRIES - end).div_ceil(MAIL_ENTRIES)
        });
        let blocks: usize = blocks.sum();
        let in_pages = self.root().free_pages.get() as usize * (PAGE / size_of::<MailBlock>());
        if blocks <= in_pages {
            return Ok(());
        }
        if blocks > TRIED {
            return Err(Full);
        }
        let block = |_| self.allocate::<MailBlock>(size_of::<MailBlock>()).map(drop);
        let tried = (0..blocks).try_for_each(block);
        self.rollback();
        tried
    }

    /// Puts a message for a node into its worker's mailbox, which has room.
    pub fn post(&self, node: &Node, message: Ref<Message>) -> Posted {
        let slot = self.slot(node.worker());
        let bytes = self.message_bytes(message);
        if slot.stuck.get() != 0 && self.is_too_much(slot.mail_bytes.get() + bytes) {
            self.count_missed(node);
            return Posted::Missed;
        }
        let Some(tail) = slot.mail_tail.get() else { unreachable!("room was made") };
        let end = slot.mail_end.get();
        self.link(&self.at(tail).entries[end as usize], Some(message));
        self.set(&slot.mail_end, end + 1);
        self.add(&slot.mail_count, 1);
        self.set(&node.mail_until, slot.mail_removed.get().wrapping_add(slot.mail_count.get()));
        self.add64(&slot.mail_bytes, bytes);
        self.hold(message);
        if slot.signalled.get() == 0 {
            self.set(&slot.signalled, 1);
            Posted::Wake
        } else {
            Posted::Queued
        }
    }

    /// The message that a worker takes next, if one waits.
    pub fn next_mail(&self, slot: &Slot) -> Option<Ref<Message>> {
        self.read_mail(slot, 1, 0).pop()
    }

    /// The first entries of a mailbox, at most so many, and messages of at most so many bytes but for the
    /// first.
    pub fn read_mail(
        &self,
        slot: &Slot,
        most: usize,
        bytes: u64,
    ) -> SmallVec<[Ref<Message>; MAIL_ENTRIES]> {
        let mut mail = SmallVec::new();
        let mut read = 0;
        let (mut block, mut at) = (slot.mail_head.get(), slot.mail_first.get() as usize);
        let count = most.min(slot.mail_count.get() as usize);
        while mail.len() < count {
            let Some(b) = block else { break };
            if at == MAIL_ENTRIES {
                (block, at) = (self.at(b).next.get(), 0);
                continue;
            }
            let Some(message) = self.at(b).entries[at].get() else { break };
            read += self.message_bytes(message);
            if read > bytes && !mail.is_empty() {
                break;
            }
            mail.push(message);
            at += 1;
        }
        mail
    }

    /// Removes the first entry, if there is one.
    pub fn remove_mail(&self, slot: &Slot) -> bool {
        let Some(head) = slot.mail_head.get() else { return false };
        if slot.mail_count.get() == 0 {
            return false;
        }
        let (mut block, mut first) = (head, slot.mail_first.get() as usize);
        if first == MAIL_ENTRIES {
            let Some(next) = self.at(head).next.get() else { unreachable!("entries remain") };
            self.link(&slot.mail_head, Some(next));
            self.link(&self.at(next).prev, None);
            self.free(head);
            (block, first) = (next, 0);
        }
        let entry = &self.at(block).entries[first];
        let Some(message) = entry.get() else { unreachable!("a mailbox entry is empty") };
        self.link(entry, None);
        self.set(&slot.mail_first, first as u32 + 1);
        self.sub(&slot.mail_count, 1);
        self.set(&slot.mail_removed, slot.mail_removed.get().wrapping_add(1));
        self.sub64(&slot.mail_bytes, self.message_bytes(message));
        self.release(message);
        if slot.mail_count.get() == 0 {
            self.rewind(slot);
        }
        true
    }

    /// An empty mailbox keeps one block, its last, so that the next publish needs none. It has one more at most,
    /// whose entries are used up.
    fn rewind(&self, slot: &Slot) {
        let (head, tail) = (slot.mail_head.get(), slot.mail_tail.get());
        self.set(&slot.mail_first, 0);
        self.set(&slot.mail_end, 0);
        if let (Some(used_up), Some(last)) = (head.filter(|_| head != tail), tail) {
            self.link(&slot.mail_head, Some(last));
            self.link(&self.at(last).prev, None);
            self.free(used_up);
        }
    }

    /// Removes the last entry, which there is.
    pub fn remove_newest(&self, slot: &Slot) -> Ref<Message> {
        let Some(mut block) = slot.mail_tail.get() else { unreachable!("entries remain") };
        let mut end = slot.mail_end.get() as usize;
        let mut unused = None;
        if end == 0 {
            // Room was made, and then no entry put there.
            unused = Some(block);
            let Some(prev) = self.at(block).prev.get() else { unreachable!("entries remain") };
            self.link(&self.at(prev).next, None);
            self.link(&slot.mail_tail, Some(prev));
            (block, end) = (prev, MAIL_ENTRIES);
        }
        let entry = &self.at(block).entries[end - 1];
        let Some(message) = entry.get() else { unreachable!("a mailbox entry is empty") };
        self.link(entry, None);
        self.set(&slot.mail_end, end as u32 - 1);
        self.sub(&slot.mail_count, 1);
        self.sub64(&slot.mail_bytes, self.message_bytes(message));
        if slot.mail_count.get() == 0 {
            self.rewind(slot);
        }
        unused.into_iter().for_each(|block| self.free(block));
        message
    }

    /// Frees the block that an empty mailbox keeps.
    pub fn drop_mailbox(&self, slot: &Slot) {
        if let Some(block) = slot.mail_head.get() {
            self.link(&slot.mail_head, None);
            self.link(&slot.mail_tail, None);
            self.set(&slot.mail_first, 0);
            self.set(&slot.mail_end, 0);
            self.free(block);
        }
    }
}

//! Recounts the whole zone from its roots and compares: the oracle of the tests.
//!
//! Walks everything under the lock, so it is for tests and for looking into a zone, never for a
//! serving worker.

use core::mem::size_of;
use std::collections::{HashMap, HashSet};

use crate::store::ground::layout::Ends;
use crate::store::ground::layout::{
    Allocated, BINS, Bookmark, CLASSES, Channel, ChannelFlags, MailBlock, Message, MessageFlags,
    Node, PAGE, Slot, SlotState,
};
use crate::store::ground::memory::{Link, Ref};
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::{class_count, class_size, footprint};
use crate::store::transaction::list::{
    BookmarksOfSlot, ByCreation, ByDeadline, ByExpiry, InHistory, ListTag, OfChannel, OfSlot,
};
use crate::store::transaction::pages::PageState;
use crate::store::zone::Zone;

/// What is wrong, in words.
pub type Fault = String;

macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => { if !$holds { return Err(format!($($what)+)); } };
}

#[derive(Default)]
struct Found {
    /// Offset and size of every live object.
    objects: HashMap<usize, usize>,
    /// Those that are no messages.
    fixed: HashSet<usize>,
    channel_refs: HashMap<Ref<Channel>, u32>,
    message_refs: HashMap<Ref<Message>, u32>,
    messages: HashSet<Ref<Message>>,
}

impl Found {
    fn object<T: Allocated>(&mut self, at: Ref<T>, size: usize) -> Result<(), Fault> {
        if T::FIXED {
            self.fixed.insert(at.offset());
        }
        let known = self.objects.insert(at.offset(), footprint(size));
        ensure!(known.is_none(), "{at:?} is reachable as two objects");
        Ok(())
    }

    fn holds(&mut self, message: Ref<Message>) {
        *self.message_refs.entry(message).or_default() += 1;
        self.messages.insert(message);
    }
}

impl Zone {
    /// Checks every invariant of the zone.
    pub fn check(&self) -> Result<(), Fault> {
        let tx = self.begin();
        let mut found = Found::default();
        tx.check_slots(&mut found)?;
        let noted = tx.walk::<InHistory>(&tx.root().noted)?;
        ensure!(noted.is_empty(), "{} events were noted and not published", noted.len());
        tx.check_channels(&mut found)?;
        tx.check_messages(&mut found)?;
        tx.check_waiting()?;
        tx.check_memory(&found)
    }

    /// Which thread is in a transaction, and how many words it has changed and not committed. Looks without
    /// the lock, so it is exact only while that thread is stopped: for tests that kill it there.
    pub fn transaction_in_progress(&self) -> Option<(u32, u32)> {
        let root = self.geometry.root(&self.memory);
        root.lock.holder().map(|holder| (holder, root.journal_len.get()))
    }
}

impl Transaction<'_> {
    fn walk<L: ListTag>(&self, list: &Ends<L::Item>) -> Result<Vec<Ref<L::Item>>, Fault> {
        let mut items = Vec::new();
        let mut prev = None;
        let mut next = list.head.get();
        while let Some(item) = next {
            let links = L::links(self.at(item));
            ensure!(links.prev.get() == prev, "{item:?}: its previous item is not the one before");
            items.push(item);
            ensure!(items.len() < 1 << 26, "a list has no end");
            (prev, next) = (Some(item), links.next.get());
        }
        ensure!(list.tail.get() == prev, "the tail of a list is not its last item");
        Ok(items)
    }

    fn check_slots(&self, found: &mut Found) -> Result<(), Fault> {
        let mut stuck = 0;
        for (i, slot) in self.slots().iter().enumerate() {
            for message in self.walk::<InHistory>(&slot.drafts)? {
                found.holds(message);
            }
            for bookmark in self.walk::<BookmarksOfSlot>(&slot.bookmarks)? {
                found.object(bookmark, size_of::<Bookmark>())?;
                if let Some(message) = self.at(bookmark).message.get() {
                    found.holds(message);
                }
            }
            for pin in &slot.pinned[..slot.pinned_count.get() as usize] {
                pin.get().into_iter().for_each(|message| found.holds(message));
            }
            for channel in [&slot.listing, &slot.deleting].into_iter().filter_map(Link::get) {
                *found.channel_refs.entry(channel).or_default() += 1;
            }
            self.check_mailbox(i, slot, found)?;
            for (list, deleted) in [(&slot.nodes, false), (&slot.deleted_nodes, true)] {
                for node in self.walk::<OfSlot>(list)? {
                    let n = self.at(node);
                    ensure!(n.slot.get() as usize == i, "{node:?} is in the wrong slot");
                    let Some(channel) = n.channel.get() else {
                        return Err(format!("{node:?} has no channel"));
                    };
                    let flags = self.at(channel).flags();
                    ensure!(
                        flags.contains(ChannelFlags::DELETED) == deleted,
                        "{node:?} is in the wrong list of slot {i}"
                    );
                    found.object(node, size_of::<Node>())?;
                }
            }
            stuck += u32::from(slot.stuck.get() != 0);
            if slot.state() == SlotState::Free {
                let empty = slot.mail_head.get().is_none()
                    && slot.nodes.head.get().is_none()
                    && slot.deleted_nodes.head.get().is_none()
                    && slot.drafts.head.get().is_none()
                    && slot.bookmarks.head.get().is_none()
                    && slot.pinned_count.get() == 0
                    && slot.listing.get().is_none()
                    && slot.deleting.get().is_none()
                    && slot.stuck.get() == 0
                    && slot.subscribers.iter().all(|n| n.get() == 0);
                ensure!(empty, "slot {i} is free and not empty");
            }
        }
        ensure!(stuck == self.root().stuck_workers.get(), "{stuck} workers are stuck");
        Ok(())
    }

    fn check_mailbox(&self, i: usize, slot: &Slot, found: &mut Found) -> Result<(), Fault> {
        let mail = self.read_mail(slot, usize::MAX, u64::MAX);
        ensure!(mail.len() == slot.mail_count.get() as usize, "slot {i}: mail count is wrong");
        let bytes: u64 = mail.iter().map(|&message| self.message_bytes(message)).sum();
        ensure!(bytes == slot.mail_bytes.get(), "slot {i}: mail bytes are wrong");
        let mut last = None;
        for &message in &mail {
            let stamp = Some(self.stamp_of(message));
            ensure!(stamp > last, "slot {i}: mail is out of order");
            last = stamp;
            found.holds(message);
        }
        let mut block = slot.mail_head.get();
        let mut tail = None;
        while let Some(at) = block {
            found.object(at, size_of::<MailBlock>())?;
            ensure!(self.at(at).prev.get() == tail, "slot {i}: a block's previous one is wrong");
            tail = block;
            block = self.at(at).next.get();
        }
        ensure!(tail == slot.mail_tail.get(), "slot {i}: the mailbox's tail is wrong");
        Ok(())
    }

    fn check_channels(&self, found: &mut Found) -> Result<(), Fault> {
        let (mut plain, mut wildcard, mut stored) = (0, 0, 0u64);
        let mut serial = 0;
        let indexed = self.indexed()?;
        let order = self.walk::<ByCreation>(&self.root().order)?;
        for &channel in &order {
            let c = self.at(channel);
            found.object(channel, Channel::ID_AT + c.id_len.get() as usize)?;
            ensure!(c.serial.get() > serial, "{channel:?}: not in order of creation");
            serial = c.serial.get();
            let flags = c.flags();
            let deleted = flags.contains(ChannelFlags::DELETED);
            ensure!(indexed.contains(&channel) != deleted, "{channel:?}: wrongly (un)indexed");
            if !deleted {
                *found.channel_refs.entry(channel).or_default() += 1;
                if flags.contains(ChannelFlags::WILDCARD) {
                    wildcard += 1
                } else {
                    plain += 1
                }
                if !flags.contains(ChannelFlags::EVENTS) {
                    stored += u64::from(c.stored.get());
                }
            } else if flags.contains(ChannelFlags::DUE) {
                *found.channel_refs.entry(channel).or_default() += 1;
            }
            let events = self.root().events.get() == Some(channel);
            ensure!(flags.contains(ChannelFlags::EVENTS) == events, "{channel:?}: events?");
            ensure!(!(events && deleted), "{channel:?}: the events channel is deleted");
            c.delete_text.get().into_iter().for_each(|text| found.holds(text));
            let mut subscribers = 0;
            for node in self.walk::<OfChannel>(&c.nodes)? {
                ensure!(self.at(node).channel.get() == Some(channel), "{node:?}: wrong channel");
                let n = self.at(node).subscribers.get();
                ensure!(n > 0, "{node:?} has no subscribers");
                subscribers += n;
                *found.channel_refs.entry(channel).or_default() += 1;
            }
            ensure!(subscribers == c.subscribers.get(), "{channel:?}: subscribers are wrong");
            let fifo = self.walk::<InHistory>(&c.fifo)?;
            let count = if deleted { 0 } else { fifo.len() };
            ensure!(count == c.stored.get() as usize, "{channel:?}: stored is wrong");
            let mut last = (0, None);
            for message in fifo {
                let m = self.at(message);
                let position = (m.id.get(), Some(self.stamp_of(message)));
                ensure!(position.0 > last.0 && position.1 > last.1, "{message:?}: out of order");
                ensure!(m.flags().contains(MessageFlags::STORED), "{message:?}: not stored");
                ensure!(m.channel.get() == Some(channel), "{message:?}: wrong channel");
                last = position;
                found.holds(message);
            }
            ensure!(last.0 <= c.last_id.get(), "{channel:?}: its last id is too small");
        }
        let root = self.root();
        ensure!(plain == root.channels.get(), "the number of channels is wrong");
        ensure!(wildcard == root.wildcard_channels.get(), "the number of wildcards is wrong");
        ensure!(stored == root.stored.get(), "the number of stored messages is wrong");
        Ok(())
    }

    fn indexed(&self) -> Result<HashSet<Ref<Channel>>, Fault> {
        let mut indexed = HashSet::new();
        let buckets = self.geometry().buckets(self.memory());
        for (i, bucket) in buckets.iter().enumerate() {
            let mut next = Ref::<Channel>::from_raw(bucket.get());
            while let Some(channel) = next {
                let c = self.at(channel);
                let right = c.hash.get() as usize & (buckets.len() - 1) == i;
                ensure!(right && indexed.insert(channel), "{channel:?}: indexed wrongly");
                next = c.hash_next.get();
            }
        }
        Ok(indexed)
    }

    fn check_messages(&self, found: &mut Found) -> Result<(), Fault> {
        for message in std::mem::take(&mut found.messages) {
            let m = self.at(message);
            found.object(message, m.size())?;
            ensure!(
                found.message_refs.get(&message) == Some(&m.refs.get()),
                "{message:?}: {} holders, counted {:?}",
                m.refs.get(),
                found.message_refs.get(&message)
            );
            if let Some(channel) = m.channel.get() {
                *found.channel_refs.entry(channel).or_default() += 1;
            }
        }
        for (channel, &refs) in &found.channel_refs {
            let counted = self.at(*channel).refs.get();
            ensure!(counted == refs, "{channel:?}: {counted} holders, counted {refs}");
        }
        Ok(())
    }

    fn check_waiting(&self) -> Result<(), Fault> {
        let root = self.root();
        let mut waiting = HashSet::new();
        for (i, queue) in root.idle.0.iter().enumerate() {
            for channel in self.walk::<ByDeadline>(queue)? {
                let c = self.at(channel);
                ensure!(c.flags().contains(ChannelFlags::IN_QUEUE), "{channel:?}: not in a queue");
                ensure!(
                    crate::store::model::expiry_queues::queue_of(c.flags.get()) == i,
                    "{channel:?}: wrong queue"
                );
                waiting.insert(channel);
            }
        }
        for channel in self.walk::<ByDeadline>(&root.due)? {
            ensure!(self.at(channel).flags().contains(ChannelFlags::DUE), "{channel:?}: not due");
            waiting.insert(channel);
        }
        for (i, queue) in root.expiring.0.iter().enumerate() {
            for message in self.walk::<ByExpiry>(queue)? {
                let m = self.at(message);
                ensure!(m.flags().contains(MessageFlags::IN_QUEUE), "{message:?}: not in a queue");
                ensure!(
                    crate::store::model::expiry_queues::queue_of(m.flags.get()) == i,
                    "{message:?}: wrong queue"
                );
            }
        }
        for channel in self.walk::<ByCreation>(&root.order)? {
            let c = self.at(channel);
            let flags = c.flags();
            let says = flags.intersects(ChannelFlags::IN_QUEUE | ChannelFlags::DUE);
            ensure!(says == waiting.contains(&channel), "{channel:?}: waits where it does not say");
            let kept = c.stored.get() > 0 || c.subscribers.get() > 0;
            let stays = ChannelFlags::DELETED | ChannelFlags::EVENTS;
            let lost = !says && !kept && !flags.intersects(stays);
            let events = flags.contains(ChannelFlags::EVENTS);
            ensure!(!(events && says), "{channel:?}: the events channel waits");
            ensure!(!lost, "{channel:?}: unused and waiting for nothing");
        }
        Ok(())
    }

    fn check_memory(&self, found: &Found) -> Result<(), Fault> {
        let plan = self.geometry().plan();
        let mut seen = 0;
        let (mut used, mut free_pages, mut page) = (0u64, 0, 0);
        while page < plan.pages {
            let info = self.page(page);
            let start = plan.pages_at + page * PAGE;
            match info.page_state() {
                PageState::Free(n) => {
                    let last = self.page(page + n - 1).page_state();
                    let closed = n == 1 || last == PageState::FreeLast(n);
                    ensure!(closed, "free run {page}+{n} ends in {last:?}");
                    free_pages += n;
                    page += n;
                }
                PageState::Run(n) => {
                    let size = found.objects.get(&start);
                    ensure!(size == Some(&(n * PAGE)), "run {page}+{n} is {size:?}");
                    let fixed = u32::from(found.fixed.contains(&start));
                    ensure!(info.free.get() == fixed, "run {page}+{n}: a message or not?");
                    (seen, used) = (seen + 1, used + (n * PAGE) as u64);
                    page += n;
                }
                PageState::Small(class) => {
                    let size = class_size(class);
                    let (mut live, mut fixed) = (0, 0);
                    for i in 0..class_count(class) {
                        if info.used[i / 32].get() & 1 << (i % 32) != 0 {
                            let object = found.objects.get(&(start + i * size));
                            ensure!(
                                object.is_some_and(|needed| *needed <= size),
                                "leaked: object {i} of page {page}, {size} bytes, is {object:?}"
                            );
                            live += 1;
                            fixed += usize::from(found.fixed.contains(&(start + i * size)));
                        }
                    }
                    let free = info.free.get() as usize;
                    ensure!(live + free == class_count(class), "page {page}: free is wrong");
                    ensure!(fixed == self.fixed(page), "page {page}: {fixed} are no messages");
                    ensure!(live > 0, "page {page} is empty and not free");
                    (seen, used) = (seen + live, used + (live * size) as u64);
                    page += 1;
                }
                other => return Err(format!("page {page} begins a run as {other:?}")),
            }
        }
        ensure!(seen == found.objects.len(), "{seen} objects, {} reachable", found.objects.len());
        ensure!(used == self.root().used.get(), "{used} bytes used, counted otherwise");
        ensure!(free_pages == self.root().free_pages.get() as usize, "free pages are wrong");
        self.check_page_lists(free_pages)
    }

    fn check_page_lists(&self, free_pages: usize) -> Result<(), Fault> {
        let mut listed = 0;
        for bin in 0..BINS {
            listed += self.bin(bin).map(|(_, len)| len).sum::<usize>();
        }
        ensure!(listed == free_pages, "{listed} pages in bins, {free_pages} free");
        for class in 0..CLASSES {
            let mut next = self.root().partial[class].get();
            while let Some(page) = next.checked_sub(1) {
                let info = self.page(page as usize);
                let right = info.page_state() == PageState::Small(class) && info.free.get() > 0;
                ensure!(right, "page {page} is in the list of class {class} wrongly");
                next = info.next.get();
            }
        }
        Ok(())
    }
}

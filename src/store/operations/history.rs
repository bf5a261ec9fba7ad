//! Replaying the history of a channel, or of several in one order, a page at a time.
//!
//! A page's messages are pinned in the worker's slot, formatted without the lock, and unpinned when the
//! page is dropped. Between pages the bookmark holds the next message. If that one leaves the history
//! meanwhile it is still sent, and reading goes on with the oldest message that is left: histories
//! shrink from the oldest end, so nothing between is skipped that still exists. Where something was there
//! when the reader joined and is not any more, the page says so.

use smallvec::SmallVec;

use crate::store::ground::layout::{
    Bookmark, ChannelFlags, Message, MessageFlags, PAGE_OF_HISTORY,
};
use crate::store::ground::memory::Ref;
use crate::store::ground::slot_id::SlotId;
use crate::store::model::parts::MessageRef;
use crate::store::transaction::Transaction;
use crate::store::zone::Zone;

/// Text after which a page ends at the latest, in bytes.
const PAGE_BYTES: usize = 256 * 1024;

/// Some messages of a history, in order. A worker has one at a time.
pub struct Page<'z> {
    zone: &'z Zone,
    me: SlotId,
    messages: SmallVec<[Ref<Message>; PAGE_OF_HISTORY]>,
    gaps: SmallVec<[Gap; 1]>,
}

/// Messages of a channel that a reader was to get and that went before it came to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Messages of the page before it.
    pub at: usize,
    pub channel_id: Box<[u8]>,
}

/// A page, and where the next one begins.
pub struct PageStep<'z> {
    pub page: Page<'z>,
    /// None: the history ends with this page.
    pub next: Option<Ref<Bookmark>>,
}

impl Page<'_> {
    /// Nothing in it: all of it had expired.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub fn messages(&self) -> impl Iterator<Item = MessageRef<'_>> {
        self.messages.iter().map(|&message| self.zone.message(message))
    }

    /// In order; one for messages of a channel that would have stood side by side.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if !self.messages.is_empty() {
            self.zone.begin().unpin(self.me);
        }
    }
}

impl Zone {
    /// The messages from the bookmark on, up to about `most` bytes of text. Expired ones are left out
    /// (LIFE-42).
    pub fn read_history(
        &self,
        me: SlotId,
        bookmark: Ref<Bookmark>,
        most: usize,
        now: u64,
    ) -> PageStep<'_> {
        let mut unread: SmallVec<[_; 1]> = SmallVec::from_elem(bookmark, 1);
        let page = self.read_merged(me, &mut unread, most, now);
        PageStep { page, next: unread.pop() }
    }

    /// The messages from several channels' bookmarks on, in the order of publishing. Bookmarks that come
    /// to their end are gone.
    pub fn read_merged(
        &self,
        me: SlotId,
        unread: &mut SmallVec<[Ref<Bookmark>; 1]>,
        most: usize,
        now: u64,
    ) -> Page<'_> {
        let most = most.min(PAGE_BYTES);
        let tx = self.begin();
        tx.unpin(me);
        let slot = tx.slot(me);
        let mut nexts: SmallVec<[Option<Ref<Message>>; 1]> = unread
            .iter()
            .map(|&bookmark| tx.wanted(bookmark, tx.at(bookmark).message.get()))
            .collect();
        let mut messages: SmallVec<[Ref<Message>; PAGE_OF_HISTORY]> = SmallVec::new();
        let mut gaps: SmallVec<[Gap; 1]> = SmallVec::new();
        let mut bytes = 0;
        while messages.len() < PAGE_OF_HISTORY {
            let upcoming = nexts.iter().enumerate().filter_map(|(i, next)| Some((i, (*next)?)));
            let first = upcoming.min_by_key(|&(_, message)| tx.stamp_of(message));
            let Some((i, message)) = first else { break };
            let m = tx.at(message);
            if bytes > 0 && bytes + m.text_len.get() as usize > most {
                break;
            }
            let lives = u64::from(m.expires.get()) > now;
            if lives {
                bytes += m.text_len.get() as usize;
                tx.link(&slot.pinned[messages.len()], Some(message));
                tx.hold(message);
                messages.push(message);
            }
            if !lives || tx.skips(unread[i], message) {
                let gap = Gap { at: messages.len(), channel_id: tx.channel_of(message).into() };
                if !gaps.contains(&gap) {
                    gaps.push(gap);
                }
            }
            nexts[i] = tx.wanted(unread[i], tx.following(message));
        }
        tx.set(&slot.pinned_count, messages.len() as u32);
        let mut nexts = nexts.into_iter();
        unread.retain(|bookmark| tx.move_bookmark(me, *bookmark, nexts.next().flatten()));
        tx.commit();
        drop(tx);
        Page { zone: self, me, messages, gaps }
    }

    /// A message that an owner in this worker's slot holds.
    pub(in crate::store) fn message(&self, message: Ref<Message>) -> MessageRef<'_> {
        let m = self.memory.at(message);
        let Some(channel) = m.channel.get() else { unreachable!("published messages have one") };
        let c = self.memory.at(channel);
        let flags = m.flags();
        let lens = [&m.event_id_len, &m.event_type_len, &m.text_len].map(|len| len.get() as usize);
        let at = message.offset() + Message::BYTES_AT;
        // SAFETY: written before the message was published, never after; the caller holds the message,
        // and the message its channel.
        let (bytes, channel_id) = unsafe {
            (
                self.memory.bytes(at, lens.iter().sum()),
                self.memory.bytes(
                    channel.offset() + crate::store::ground::layout::Channel::ID_AT,
                    c.id_len.get() as usize,
                ),
            )
        };
        let (event_id, rest) = bytes.split_at(lens[0]);
        let (event_type, text) = rest.split_at(lens[1]);
        MessageRef {
            channel,
            channel_id,
            id: m.id.get(),
            stamp: crate::store::model::stamp::Stamp {
                second: u64::from(m.second.get()),
                tag: m.tag.get(),
            },
            text,
            event_id: flags.contains(MessageFlags::EVENT_ID).then_some(event_id),
            event_type: flags.contains(MessageFlags::EVENT_TYPE).then_some(event_type),
            binary: flags.contains(MessageFlags::BINARY),
        }
    }
}

impl Transaction<'_> {
    /// The message, if it belongs to the history that the bookmark is in.
    fn wanted(
        &self,
        bookmark: Ref<Bookmark>,
        message: Option<Ref<Message>>,
    ) -> Option<Ref<Message>> {
        message.filter(|&message| self.at(message).id.get() <= self.at(bookmark).until.get())
    }

    /// Puts a bookmark to a message, or removes it; false if it is gone.
    fn move_bookmark(&self, me: SlotId, bookmark: Ref<Bookmark>, to: Option<Ref<Message>>) -> bool {
        let b = self.at(bookmark);
        let from = b.message.get();
        match to {
            None => self.remove_bookmark(me, bookmark),
            Some(_) if from == to => {}
            Some(message) => {
                self.hold(message);
                self.link(&b.message, Some(message));
                if let Some(from) = from {
                    self.release(from);
                }
            }
        }
        to.is_some()
    }

    /// The message after this one in its channel's history, in which it may no longer be itself.
    fn following(&self, message: Ref<Message>) -> Option<Ref<Message>> {
        let m = self.at(message);
        if m.flags().contains(MessageFlags::STORED) {
            return m.fifo.next.get();
        }
        let c = m.channel.get().map(|channel| self.at(channel))?;
        if c.flags().contains(ChannelFlags::DELETED) {
            return None;
        }
        c.fifo.head.get().filter(|&head| self.at(head).id.get() > m.id.get())
    }

    /// Whether something between this message and the one that follows has gone. Unstored messages have ids
    /// too, so these do not say it.
    fn skips(&self, bookmark: Ref<Bookmark>, message: Ref<Message>) -> bool {
        let m = self.at(message);
        let Some(channel) = m.channel.get() else { return false };
        let c = self.at(channel);
        !m.flags().contains(MessageFlags::STORED)
            && !c.flags().contains(ChannelFlags::DELETED)
            && m.id.get() < self.at(bookmark).until.get()
            && self.removed_stamp(channel) > self.stamp_of(message)
    }

    fn channel_of(&self, message: Ref<Message>) -> &[u8] {
        self.at(message).channel.get().map_or(b"", |channel| self.channel_id(channel))
    }

    /// Lets go of the page that the worker was formatting.
    pub fn unpin(&self, me: SlotId) {
        let slot = self.slot(me);
        for pin in &slot.pinned[..slot.pinned_count.get() as usize] {
            let message = pin.get();
            self.link(pin, None);
            if let Some(message) = message {
                self.release(message);
            }
            self.commit();
        }
        self.set(&slot.pinned_count, 0);
        self.commit();
    }
}

//! What a client that comes back has not had.

use smallvec::SmallVec;

use crate::store::ground::layout::{Channel, Message, MessageFlags};
use crate::store::ground::memory::Ref;
use crate::store::model::stamp::Stamp;
use crate::store::transaction::Transaction;
use crate::store::transaction::list::InHistory;
use crate::store::zone::Zone;

/// One channel of a request (PATH-1).
#[derive(Debug, Clone, Copy)]
pub struct JoinItem<'a> {
    pub id: &'a [u8],
    /// How many of the newest messages are wanted; 0 = those after the position.
    pub backtrack: u64,
}

/// Where the client says it was: T, G and E of the specification (OLD-1).
#[derive(Debug, Clone, Copy, Default)]
pub struct ResumePoint<'a> {
    /// Unix seconds.
    pub time: Option<u64>,
    pub tag: Option<u32>,
    pub event_id: Option<&'a [u8]>,
}

impl ResumePoint<'_> {
    /// The client says where it was; a tag alone says nothing (OLD-13).
    pub fn is_position(&self) -> bool {
        self.time.is_some() || self.event_id.is_some()
    }
}

impl Zone {
    /// Which of these channels have lost messages that the client has not had: the newest one that was
    /// removed is later than its position. Never one with a backtrack, or without a position.
    pub fn gaps(
        &self,
        items: &[JoinItem<'_>],
        since: &ResumePoint<'_>,
        now: u64,
    ) -> SmallVec<[usize; 1]> {
        let tx = self.begin();
        let has_gap = |item: &JoinItem<'_>| {
            let channel = tx.find(item.id).filter(|_| item.backtrack == 0);
            channel.is_some_and(|channel| tx.has_gap(channel, since, now))
        };
        (0..items.len()).filter(|&i| has_gap(&items[i])).collect()
    }

    /// The stamp of the first message with this event id in one of the channels.
    pub fn stamp_of_event(&self, items: &[JoinItem<'_>], event_id: &[u8]) -> Option<Stamp> {
        let tx = self.begin();
        let channels = items.iter().filter_map(|item| tx.find(item.id));
        let stamps = channels.filter_map(|channel| {
            let anchor = tx.anchor(channel, event_id, &ResumePoint::default())?;
            Some(tx.stamp_of(anchor))
        });
        stamps.min()
    }
}

impl Transaction<'_> {
    /// The oldest message of the history that this client wants (OLD-8..13). Expired ones count as gone
    /// (LIFE-42).
    pub fn first_wanted(
        &self,
        channel: Ref<Channel>,
        backtrack: u64,
        since: &ResumePoint<'_>,
        now: u64,
    ) -> Option<Ref<Message>> {
        let lives = |m: &Message| u64::from(m.expires.get()) > now;
        if backtrack > 0 {
            return self.walk_back(channel, |behind, m| behind < backtrack && lives(m));
        }
        if let Some(event_id) = since.event_id {
            let newest = self.at(channel).fifo.tail.get().filter(|&tail| lives(self.at(tail)));
            return newest.and_then(|_| self.after_event(channel, event_id, since));
        }
        since.time?;
        self.walk_back(channel, |_, m| is_after(m, since) && lives(m))
    }

    /// Walks from the newest message towards the oldest while they are wanted: as many steps as there
    /// are messages to send.
    fn walk_back(
        &self,
        channel: Ref<Channel>,
        wanted: impl Fn(u64, &Message) -> bool,
    ) -> Option<Ref<Message>> {
        let mut first = None;
        let mut next = self.at(channel).fifo.tail.get();
        let mut behind = 0;
        while let Some(message) = next {
            let m = self.at(message);
            if !wanted(behind, m) {
                break;
            }
            first = Some(message);
            next = m.fifo.prev.get();
            behind += 1;
        }
        first
    }

    /// The message that comes after an event or a position (OLD-10, OLD-11).
    fn after_event(
        &self,
        channel: Ref<Channel>,
        event_id: &[u8],
        since: &ResumePoint<'_>,
    ) -> Option<Ref<Message>> {
        let anchor = self.anchor(channel, event_id, since)?;
        match self.has_event_id(anchor, event_id) {
            true => self.at(anchor).fifo.next.get(),
            false => Some(anchor),
        }
    }

    /// The oldest message that has this event id or comes after the position. An event id may occur more
    /// than once and the oldest one counts, so this looks from the oldest on.
    fn anchor(
        &self,
        channel: Ref<Channel>,
        event_id: &[u8],
        since: &ResumePoint<'_>,
    ) -> Option<Ref<Message>> {
        let hash = self.hash(event_id);
        self.items::<InHistory>(&self.at(channel).fifo).find(|&message| {
            let m = self.at(message);
            m.event_id_hash.get() == hash && self.has_event_id(message, event_id)
                || is_after(m, since)
        })
    }

    fn has_event_id(&self, message: Ref<Message>, event_id: &[u8]) -> bool {
        self.at(message).flags().contains(MessageFlags::EVENT_ID)
            && self.event_id(message) == event_id
    }

    fn has_gap(&self, channel: Ref<Channel>, since: &ResumePoint<'_>, now: u64) -> bool {
        let c = self.at(channel);
        let removed = (c.removed_second.get(), c.removed_tag.get());
        // What has expired is not sent any more (LIFE-42).
        let expired = |&message: &Ref<Message>| u64::from(self.at(message).expires.get()) <= now;
        let mut expired = self.items::<InHistory>(&c.fifo).take_while(expired);
        comes_after(removed, since) || expired.any(|message| is_after(self.at(message), since))
    }

    fn event_id(&self, message: Ref<Message>) -> &[u8] {
        let len = self.at(message).event_id_len.get() as usize;
        // SAFETY: a published message, held by the history under this lock.
        unsafe { self.memory().bytes(message.offset() + Message::BYTES_AT, len) }
    }
}

/// Whether a message was published after the client's time and tag (OLD-10b, 11, 12).
fn is_after(m: &Message, since: &ResumePoint<'_>) -> bool {
    comes_after((u64::from(m.second.get()), m.tag.get()), since)
}

fn comes_after(stamp: (u64, u32), since: &ResumePoint<'_>) -> bool {
    match (since.time, since.tag) {
        (Some(time), Some(tag)) => stamp > (time, tag),
        (Some(time), None) => stamp.0 > time,
        (None, _) => false,
    }
}

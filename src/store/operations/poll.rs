//! Polling: the answer, the position to come back with, and the registration of a client that waits are
//! decided in one hold of the lock.
//!
//! **Exact.** A client that always comes back with the position it was given gets every stored message
//! of its channels once:
//!
//! - An answer holds all that the client has not had; its position is the newest message of these
//!   channels. What is published later has a later stamp.
//! - A waiting client gets the first message that reaches its worker. A mailbox is in stamp order over all
//!   channels, so whatever else was published for it meanwhile is later.
//! - A wait that ends without a message gives a position up to which this worker has taken everything
//!   ([`Progress`]), and from then on nothing is stamped earlier. The end of a deleted channel has its
//!   place in that order, so what is published to one of the same name is later than that.

use core::mem::size_of;

use smallvec::SmallVec;

use crate::store::error::StoreError;
use crate::store::ground::layout::{Bookmark, Channel, ChannelFlags, Message, Node};
use crate::store::ground::memory::Ref;
use crate::store::ground::slot_id::{SlotId, Wake};
use crate::store::model::limits::Limits;
use crate::store::model::stamp::Stamp;
use crate::store::operations::resume_point::{JoinItem, ResumePoint};
use crate::store::operations::subscribe::{JoinRules, Subscription, Subscriptions};
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::Full;
use crate::store::zone::Zone;

/// What a client is told to come back with: `Last-Modified` and `Etag` (HDR-6). Absent if it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Unix seconds.
    pub time: Option<u64>,
    pub tag: Option<u32>,
}

impl From<Stamp> for Position {
    fn from(stamp: Stamp) -> Self {
        Position { time: Some(stamp.second), tag: Some(stamp.tag) }
    }
}

/// Whether a client that finds nothing waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitPolicy {
    /// It is answered at once.
    None,
    /// It is subscribed until the next message comes.
    Wait,
}

/// What a client asks for, and under which settings.
#[derive(Clone, Copy)]
pub struct PollRequest<'a> {
    pub items: &'a [JoinItem<'a>],
    pub since: &'a ResumePoint<'a>,
    pub patience: WaitPolicy,
    pub rules: &'a JoinRules,
    pub limits: &'a Limits,
    /// Seconds on the steady clock.
    pub now: u64,
}

/// A poll, and whom to wake because of events it caused.
#[derive(Debug)]
pub struct Polled {
    pub poll: Poll,
    pub wake: Wake,
}

/// What became of a poll.
#[derive(Debug)]
pub enum Poll {
    /// Something to send, in the order of the request. To be read, or given back with [`Zone::give_up`].
    Found { history: SmallVec<[Ref<Bookmark>; 1]>, position: Position },
    /// Nothing to send.
    Nothing { position: Position },
    /// Nothing to send yet.
    Waiting { subscriptions: Subscriptions, began: WaitStart },
}

/// How far a worker has come with what was published for some subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All of it was taken. `newest` is the last stamp of the zone, and its second is the present.
    Clear { newest: Stamp },
    /// A message, or word of a deletion, is about to be taken. All up to `taken` was.
    Behind { taken: Stamp },
}

/// Where a client stood when it began to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitStart {
    /// What it said.
    pub position: Position,
    /// Whether it named an event.
    pub event_id: bool,
    /// The newest stamp of the zone. It waits for what comes later.
    pub stamp: Stamp,
}

impl Progress {
    /// Whether all up to this was taken.
    pub fn is_up_to(self, stamp: Stamp) -> bool {
        match self {
            Progress::Clear { .. } => true,
            Progress::Behind { taken } => taken >= stamp,
        }
    }

    /// Where a client goes on whose wait ended without a message: with all of the present second (LP-9,
    /// LP-10), unless it may have had some of that.
    pub fn resume(self, began: &WaitStart) -> Position {
        match self {
            Progress::Behind { taken } => taken.max(began.stamp).into(),
            Progress::Clear { newest } => match began.position {
                own if own.time == Some(newest.second) && own.tag.is_some() => own,
                own if own.time == Some(newest.second) || began.event_id => newest.into(),
                _ => Stamp { second: newest.second, tag: 0 }.into(),
            },
        }
    }
}

impl Zone {
    /// Looks for what a client has not had, creating channels that are missing (ADM-13). Only one that
    /// waits is a subscriber (LP-3, ADM-15).
    pub fn poll(&self, me: SlotId, ask: &PollRequest<'_>) -> Result<Polled, StoreError> {
        self.with_room(size_of::<Node>(), 1, ask.now, || self.poll_once(me, ask))
    }

    fn poll_once(&self, me: SlotId, ask: &PollRequest<'_>) -> Result<Polled, StoreError> {
        let &PollRequest { items, since, patience, rules, limits, now } = ask;
        let tx = self.begin();
        let created = tx.admit_all(items, rules, limits, now)?;
        tx.accept_second(since.time, now);
        // What is found now must not go while it is taken.
        tx.make_room_before(now, || {
            let bookmark = |_| tx.allocate::<Bookmark>(size_of::<Bookmark>()).map(drop);
            (0..items.len().min(tx.trials())).try_for_each(bookmark)
        });
        let found = tx.found(items, since, now);
        let poll = match patience {
            _ if !found.is_empty() => tx.answer(me, &found, since, now),
            WaitPolicy::None => Ok(Poll::Nothing { position: tx.own_position(since, now) }),
            WaitPolicy::Wait => tx.begin_to_wait(me, items, since, limits, now),
        };
        let poll = poll.inspect_err(|_| tx.uncreate_all(&created, now))?;
        let mut wake = Wake::new();
        tx.take_wake(&mut wake);
        Ok(Polled { poll, wake })
    }

    /// Gives up the histories that a poll has found.
    pub fn give_up(&self, me: SlotId, history: &[Ref<Bookmark>]) {
        self.begin().give_up(me, history);
    }

    /// Where this worker stands with these subscriptions.
    pub fn standing(&self, me: SlotId, subscriptions: &[Subscription], now: u64) -> Progress {
        let tx = self.begin();
        let slot = tx.slot(me);
        let next = tx.next_mail(slot);
        let mut behind = None;
        for subscription in subscriptions {
            if let Some(message) = next.filter(|_| tx.mail_waits(slot, subscription.node)) {
                let stamp = tx.stamp_of(message);
                // Tags count from 1.
                let before = Stamp { tag: stamp.tag - 1, ..stamp };
                behind = behind.into_iter().chain([before]).min();
            }
            let channel = subscription.channel;
            if tx.at(channel).flags().contains(ChannelFlags::DELETED) {
                behind = behind.into_iter().chain([tx.last_stamp(channel)]).min();
            }
        }
        if let Some(taken) = behind {
            return Progress::Behind { taken };
        }
        tx.reach_second(now);
        tx.commit();
        Progress::Clear { newest: tx.newest_stamp() }
    }
}

/// A channel, and the oldest message that is to be sent.
type Found = SmallVec<[(Ref<Channel>, Ref<Message>); 4]>;

impl Transaction<'_> {
    fn give_up(&self, me: SlotId, history: &[Ref<Bookmark>]) {
        for &bookmark in history {
            self.remove_bookmark(me, bookmark);
            self.commit();
        }
    }

    fn begin_to_wait(
        &self,
        me: SlotId,
        items: &[JoinItem<'_>],
        since: &ResumePoint<'_>,
        limits: &Limits,
        now: u64,
    ) -> Result<Poll, StoreError> {
        let position = Position { time: since.time, tag: since.tag };
        let event_id = since.event_id.is_some();
        let began = WaitStart { position, event_id, stamp: self.newest_stamp() };
        // The events of its own coming are news to a client of the events channel.
        let mut items: SmallVec<[JoinItem<'_>; 4]> = items.iter().copied().collect();
        items.sort_by_key(|item| !self.names_events(item.id));
        let subscriptions = self.join_all(me, &items, since, limits, now)?;
        Ok(Poll::Waiting { subscriptions, began })
    }

    fn found(&self, items: &[JoinItem<'_>], since: &ResumePoint<'_>, now: u64) -> Found {
        let first = |item: &JoinItem<'_>| {
            let channel = self.find(item.id)?;
            Some((channel, self.first_wanted(channel, item.backtrack, since, now)?))
        };
        items.iter().filter_map(first).collect()
    }

    fn answer(
        &self,
        me: SlotId,
        found: &Found,
        since: &ResumePoint<'_>,
        now: u64,
    ) -> Result<Poll, StoreError> {
        let mut history = SmallVec::new();
        for &(channel, message) in found {
            match self.bookmark(me, message, self.at(channel).last_id.get()) {
                Ok(bookmark) => history.push(bookmark),
                Err(Full) => {
                    self.rollback();
                    self.give_up(me, &history);
                    return Err(StoreError::Full);
                }
            }
            self.commit();
        }
        Ok(Poll::Found { history, position: self.position_after(found, since, now) })
    }

    /// A time that has not come is nobody's position (OLD-17).
    fn is_to_come(&self, since: &ResumePoint<'_>, now: u64) -> bool {
        since.time.is_some_and(|time| time > self.wall(now).max(self.newest_stamp().second))
    }

    /// The position of a client that there is nothing for: its own (LP-1), but never later than the
    /// present, so that it gets what comes next.
    fn own_position(&self, since: &ResumePoint<'_>, now: u64) -> Position {
        if !self.is_to_come(since, now) {
            return Position { time: since.time, tag: since.tag };
        }
        self.reach_second(now);
        self.commit();
        self.newest_stamp().into()
    }

    /// The position after all that is sent (OLD-15).
    fn position_after(&self, found: &Found, since: &ResumePoint<'_>, now: u64) -> Position {
        let own = Position { time: since.time, tag: since.tag };
        let start = if self.is_to_come(since, now) { Position::default() } else { own };
        found.iter().fold(start, |position, &(channel, _)| {
            let last = self.last_stamp(channel);
            let reached = (position.time.unwrap_or(0), position.tag);
            if (last.second, Some(last.tag)) > reached { last.into() } else { position }
        })
    }
}

//! Subscribing: what is replayed and where live delivery begins is decided in one hold of the lock.
//!
//! A worker has one node on each channel it has subscribers on; publishers find it there. The join
//! finds the first message to replay (a bookmark holds it) and notes the channel's newest id: history
//! ends there, and the first live message of this subscriber is the one after it. So every id arrives
//! once, whatever is published meanwhile (LIFE-65..68, OLD-20).
//!
//! Each channel is a step of its own. If the process dies on the way, its slot still names the nodes
//! and bookmarks; if a step fails, the earlier ones are taken back under the same hold of the lock.

use core::mem::size_of;

use smallvec::SmallVec;

use crate::store::error::StoreError;
use crate::store::ground::layout::{Bookmark, Channel, ChannelFlags, Message, Node};
use crate::store::ground::memory::Ref;
use crate::store::ground::slot_id::{SlotId, Wake};
use crate::store::model::event::Event;
use crate::store::model::limits::Limits;
use crate::store::model::stamp::Stamp;
use crate::store::operations::resume_point::{JoinItem, ResumePoint};
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::Full;
use crate::store::transaction::list::{BookmarksOfSlot, OfChannel, OfSlot};
use crate::store::zone::Zone;

/// What a location asks of its subscribers.
#[derive(Debug, Clone, Copy, Default)]
pub struct JoinRules {
    /// ADM-4.
    pub authorized_only: bool,
    /// ADM-7: most wildcard channels in one request, and at least one other.
    pub max_wildcards: Option<u64>,
    /// Whether the events channel may be among them (ADM-6).
    pub events: bool,
}

/// One channel of one subscriber. To be given back with [`Zone::leave`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    pub channel: Ref<Channel>,
    pub node: Ref<Node>,
    /// Live messages with smaller ids belong to the history.
    pub live_from: u64,
    /// The history to replay, if there is any.
    pub history: Option<Ref<Bookmark>>,
}

/// The subscriptions of one request, in its order.
pub type Subscriptions = SmallVec<[Subscription; 1]>;

/// What a join did.
#[derive(Debug, Default)]
pub struct Joined {
    /// The newest stamp of the zone before it: later messages come live.
    pub stamp: Stamp,
    pub subscriptions: Subscriptions,
    /// Workers to wake.
    pub wake: Wake,
}

impl Zone {
    /// Subscribes to all of the channels or to none, creating those that are missing.
    pub fn join(
        &self,
        me: SlotId,
        items: &[JoinItem<'_>],
        since: &ResumePoint<'_>,
        rules: &JoinRules,
        limits: &Limits,
        now: u64,
    ) -> Result<Joined, StoreError> {
        self.with_room(size_of::<Node>(), 1, now, || {
            let tx = self.begin();
            let created = tx.admit_all(items, rules, limits, now)?;
            tx.accept_second(since.time, now);
            let stamp = tx.newest_stamp();
            let subscriptions = tx
                .join_all(me, items, since, limits, now)
                .inspect_err(|_| tx.uncreate_all(&created, now))?;
            let mut wake = Wake::new();
            tx.take_wake(&mut wake);
            Ok(Joined { stamp, subscriptions, wake })
        })
    }

    /// The checks of [`Zone::join`] that concern one channel, for those channels alone (ADM-1).
    pub fn admit(
        &self,
        items: &[JoinItem<'_>],
        rules: &JoinRules,
        limits: &Limits,
    ) -> Result<(), StoreError> {
        self.begin().admit(items, rules, limits)
    }

    /// Ends subscriptions, and frees what is left of their history. Says whom to wake.
    #[must_use]
    pub fn leave(
        &self,
        me: SlotId,
        subscriptions: &[Subscription],
        limits: &Limits,
        now: u64,
    ) -> Wake {
        let tx = self.begin();
        for subscription in subscriptions {
            tx.end_subscription(me, subscription, limits, now);
        }
        let mut wake = Wake::new();
        tx.take_wake(&mut wake);
        wake
    }
}

impl Transaction<'_> {
    /// Judges a request and creates the channels that are missing; which they are.
    pub fn admit_all(
        &self,
        items: &[JoinItem<'_>],
        rules: &JoinRules,
        limits: &Limits,
        now: u64,
    ) -> Result<SmallVec<[Ref<Channel>; 4]>, StoreError> {
        self.admit(items, rules, limits)?;
        self.admit_wildcards(items, rules, limits)?;
        let ids: SmallVec<[&[u8]; 4]> = items.iter().map(|item| item.id).collect();
        self.create_missing(&ids, limits, now)
    }

    /// Subscribes to all of the channels, which exist, or to none.
    pub fn join_all(
        &self,
        me: SlotId,
        items: &[JoinItem<'_>],
        since: &ResumePoint<'_>,
        limits: &Limits,
        now: u64,
    ) -> Result<Subscriptions, StoreError> {
        let mut joined = Subscriptions::new();
        for item in items {
            match self.made_room(now, || self.join_one(me, item, since, limits, now)) {
                Ok(subscription) => {
                    self.commit_and_publish();
                    joined.push(subscription);
                }
                Err(Full) => {
                    self.rollback();
                    for subscription in &joined {
                        self.end_subscription(me, subscription, limits, now);
                    }
                    return Err(StoreError::Full);
                }
            }
        }
        Ok(joined)
    }

    fn admit(
        &self,
        items: &[JoinItem<'_>],
        rules: &JoinRules,
        limits: &Limits,
    ) -> Result<(), StoreError> {
        for item in items {
            let found = self.find(item.id).map(|channel| self.at(channel));
            let stores = found.is_some_and(|c| c.stored.get() > 0);
            if rules.authorized_only && !limits.is_wildcard(item.id) && !stores {
                return Err(StoreError::NotAuthorized);
            }
            let subscribers = found.map_or(0, |c| u64::from(c.subscribers.get()));
            if limits.max_subscribers.is_some_and(|most| subscribers >= most) {
                return Err(StoreError::TooManySubscribers);
            }
            if !rules.events && found.is_some_and(|c| c.flags().contains(ChannelFlags::EVENTS)) {
                return Err(StoreError::EventsNotAllowed);
            }
        }
        Ok(())
    }

    fn admit_wildcards(
        &self,
        items: &[JoinItem<'_>],
        rules: &JoinRules,
        limits: &Limits,
    ) -> Result<(), StoreError> {
        let Some(most) = rules.max_wildcards else { return Ok(()) };
        let wildcards = items.iter().filter(|item| limits.is_wildcard(item.id)).count();
        if wildcards > 0 && (wildcards as u64 > most || wildcards == items.len()) {
            return Err(StoreError::TooManyWildcards);
        }
        Ok(())
    }

    fn join_one(
        &self,
        me: SlotId,
        item: &JoinItem<'_>,
        since: &ResumePoint<'_>,
        limits: &Limits,
        now: u64,
    ) -> Result<Subscription, Full> {
        let Some(channel) = self.find(item.id) else { unreachable!("created before") };
        let c = self.at(channel);
        let newest = c.last_id.get();
        let history = match self.first_wanted(channel, item.backtrack, since, now) {
            Some(message) => Some(self.bookmark(me, message, newest)?),
            None => None,
        };
        let node = match self.node_of(me, channel) {
            Some(node) => node,
            None => self.add_node(me, channel)?,
        };
        self.add(&self.at(node).subscribers, 1);
        self.add(&c.subscribers, 1);
        self.touch(channel, limits, now);
        self.record_event(Event::ClientSubscribed, channel, now);
        Ok(Subscription { channel, node, live_from: newest + 1, history })
    }

    fn end_subscription(&self, me: SlotId, subscription: &Subscription, limits: &Limits, now: u64) {
        self.end_subscribers(subscription.node, 1, limits, now);
        self.commit_and_publish();
        if let Some(bookmark) = subscription.history {
            self.remove_bookmark(me, bookmark);
            self.commit();
        }
    }

    /// `n` subscribers leave a node, in a step that begins here; the last one takes it along. The channel's inactivity period
    /// begins when its last subscriber leaves (LIFE-31). One event is noted: while there is an events
    /// channel, `n` is 1.
    pub fn end_subscribers(&self, node: Ref<Node>, n: u32, limits: &Limits, now: u64) {
        let at = self.at(node);
        let Some(channel) = at.channel.get() else { unreachable!("a node has a channel") };
        let c = self.at(channel);
        let deleted = c.flags().contains(ChannelFlags::DELETED);
        self.make_room_for_events(channel, now);
        self.record_event(Event::ClientUnsubscribed, channel, now);
        if deleted && c.subscribers.get() == n {
            self.record_event(Event::ChannelDestroyed, channel, now);
        }
        self.sub(&at.subscribers, n);
        self.sub(&c.subscribers, n);
        if c.subscribers.get() == 0 {
            self.touch(channel, limits, now);
        }
        if at.subscribers.get() == 0 {
            let slot = self.slot_of(node);
            self.unlink::<OfSlot>(if deleted { &slot.deleted_nodes } else { &slot.nodes }, node);
            self.unlink::<OfChannel>(&c.nodes, node);
            self.free(node);
            self.release_channel(channel);
        }
    }

    fn add_node(&self, me: SlotId, channel: Ref<Channel>) -> Result<Ref<Node>, Full> {
        let node = self.allocate::<Node>(size_of::<Node>())?;
        let n = self.at(node);
        n.channel.store(Some(channel));
        n.slot.store(me.index() as u32);
        n.subscribers.store(0);
        n.mail_until.store(self.slot(me).mail_removed.get());
        self.hold_channel(channel);
        self.push_back::<OfChannel>(&self.at(channel).nodes, node);
        self.push_back::<OfSlot>(&self.slot(me).nodes, node);
        Ok(node)
    }

    pub fn bookmark(
        &self,
        me: SlotId,
        message: Ref<Message>,
        until: u64,
    ) -> Result<Ref<Bookmark>, Full> {
        let bookmark = self.allocate::<Bookmark>(size_of::<Bookmark>())?;
        let b = self.at(bookmark);
        b.until.store(until);
        b.message.store(Some(message));
        b.slot.store(me.index() as u32);
        b.flags.store(0);
        b.reserved.store(0);
        self.hold(message);
        self.push_back::<BookmarksOfSlot>(&self.slot(me).bookmarks, bookmark);
        Ok(bookmark)
    }

    pub fn remove_bookmark(&self, me: SlotId, bookmark: Ref<Bookmark>) {
        self.unlink::<BookmarksOfSlot>(&self.slot(me).bookmarks, bookmark);
        let message = self.at(bookmark).message.get();
        self.free(bookmark);
        if let Some(message) = message {
            self.release(message);
        }
    }
}

//! Publishing: reserve everything, copy the text, then one step per channel.
//!
//! The first transaction finds or creates the channels and takes a draft for each. The text is copied
//! without the lock. The second makes sure that everything is still there, and room in all mailboxes
//! besides; what went meanwhile is made again, and if that needs a text, the text is copied first. Then each
//! channel is one step, which cannot fail: id, stamp, history and every mailbox entry commit together, so
//! stamp order is history order is mailbox order over all channels. Before the first of these steps
//! nothing is visible and everything is taken back on failure; a committed step stays.

use smallvec::SmallVec;

use crate::store::error::StoreError;
use crate::store::ground::layout::{Channel, Message};
use crate::store::ground::memory::Ref;
use crate::store::ground::slot_id::{SlotId, Wake};
use crate::store::model::limits::Limits;
use crate::store::model::mailbox::Posted;
use crate::store::model::message::seconds;
use crate::store::model::parts::Parts;
use crate::store::operations::evict::message_size;
use crate::store::operations::statistics::ChannelCounts;
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::Full;
use crate::store::transaction::list::OfChannel;
use crate::store::zone::Zone;

/// What is published, by whom, and under which settings.
#[derive(Clone, Copy)]
pub struct Publish<'a> {
    pub me: SlotId,
    pub parts: Parts<'a>,
    /// Whether it enters the channels' histories (PUB-48).
    pub store: bool,
    pub limits: &'a Limits,
    /// Seconds on the steady clock.
    pub now: u64,
}

/// What a publish did.
#[derive(Debug, Default)]
pub struct Published {
    /// Each channel after it, in the order they were named (PUB-50).
    pub channels: SmallVec<[ChannelCounts; 1]>,
    /// Workers to wake. Some of a publish that failed on a later channel are here too.
    pub wake: Wake,
    /// Workers that are stuck and begin to miss messages; which of the channels each missed first.
    pub stuck: SmallVec<[(SlotId, usize); 1]>,
}

/// Names its channel by id and holds only what the worker's slot knows of: a process may be killed
/// between the transactions, and meanwhile the channel may be deleted, or gone and come back (PUB-97).
struct Target<'a> {
    /// Which of the channels it is that were asked for.
    index: usize,
    id: &'a [u8],
    hash: u32,
    /// The one channel that is meant; None: whichever has the id, made if there is none.
    only: Option<Ref<Channel>>,
    /// None: nobody would ever read it.
    draft: Option<Ref<Message>>,
    /// What it names, as [`Transaction::complete`] has found it under the same hold of the lock.
    found: Option<Ref<Channel>>,
}

type Targets<'a> = SmallVec<[Target<'a>; 1]>;

impl Target<'_> {
    fn means(&self, channel: Ref<Channel>) -> bool {
        self.only.is_none_or(|only| only == channel)
    }
}

impl Zone {
    /// Publishes one text to each of the channels, creating those that are missing (PUB-46..50).
    ///
    /// An error means that nothing happened, in none of the channels (PUB-53).
    pub fn publish(&self, ids: &[&[u8]], publish: &Publish<'_>) -> Result<Published, StoreError> {
        let count = self.drafts_wanted(ids, publish);
        self.with_room(message_size(&publish.parts), count, publish.now, || {
            self.publish_once(ids, publish)
        })
    }

    /// How many of the channels want the text.
    fn drafts_wanted(&self, ids: &[&[u8]], publish: &Publish<'_>) -> usize {
        if publish.store || !self.evicts() {
            return ids.len();
        }
        let tx = self.begin();
        let has_readers = |channel| tx.at::<Channel>(channel).nodes.head.get().is_some();
        ids.iter().filter(|id| tx.find(id).is_some_and(has_readers)).count()
    }

    fn publish_once(&self, ids: &[&[u8]], publish: &Publish<'_>) -> Result<Published, StoreError> {
        let mut published = Published::default();
        let targets = self.reserve(ids, publish, &mut published.wake)?;
        self.publish_reserved(targets, publish, published)
    }

    /// Publishes to those of these channels that are still what these ids name: one that was deleted is
    /// not made again, and one of the same name that came after it is another (WS-97). The events channel
    /// is left alone (WS-93).
    ///
    /// An error means that nothing happened (WS-100).
    pub fn publish_existing(
        &self,
        channels: &[(Ref<Channel>, &[u8])],
        publish: &Publish<'_>,
    ) -> Result<Published, StoreError> {
        let size = message_size(&publish.parts);
        self.with_room(size, channels.len(), publish.now, || {
            let targets = self.reserve_existing(channels, publish)?;
            self.publish_reserved(targets, publish, Published::default())
        })
    }

    fn publish_reserved(
        &self,
        mut targets: Targets<'_>,
        publish: &Publish<'_>,
        mut published: Published,
    ) -> Result<Published, StoreError> {
        let mut drafts: SmallVec<[_; 1]> =
            targets.iter().filter_map(|target| target.draft).collect();
        loop {
            drafts.iter().for_each(|draft| self.copy_in(*draft, &publish.parts));
            let tx = self.begin();
            drafts = tx.complete(&mut targets, publish)?;
            if drafts.is_empty() {
                for target in &targets {
                    tx.publish_one(target, publish, &mut published);
                }
                tx.take_wake(&mut published.wake);
                return Ok(published);
            }
            tx.take_wake(&mut published.wake);
        }
    }

    fn reserve<'a>(
        &self,
        ids: &[&'a [u8]],
        publish: &Publish<'_>,
        wake: &mut Wake,
    ) -> Result<Targets<'a>, StoreError> {
        let tx = self.begin();
        if ids.iter().any(|id| tx.names_events(id)) {
            return Err(StoreError::EventsChannel);
        }
        tx.discard_drafts(publish.me);
        tx.is_here(publish.me);
        let created = tx.create_missing(ids, publish.limits, publish.now)?;
        let mut targets = Targets::new();
        for (index, id) in ids.iter().enumerate() {
            let hash = tx.hash(id);
            let Some(channel) = tx.find_hashed(id, hash) else { unreachable!("created above") };
            if tx.reserve_one((index, id), channel, None, publish, &mut targets).is_err() {
                tx.uncreate_all(&created, publish.now);
                return Err(StoreError::Full);
            }
        }
        tx.take_wake(wake);
        Ok(targets)
    }

    fn reserve_existing<'a>(
        &self,
        channels: &[(Ref<Channel>, &'a [u8])],
        publish: &Publish<'_>,
    ) -> Result<Targets<'a>, StoreError> {
        let tx = self.begin();
        tx.discard_drafts(publish.me);
        tx.is_here(publish.me);
        let mut targets = Targets::new();
        for (index, &(channel, id)) in channels.iter().enumerate() {
            if tx.find(id) == Some(channel) && !tx.names_events(id) {
                tx.reserve_one((index, id), channel, Some(channel), publish, &mut targets)?;
            }
        }
        Ok(targets)
    }

    /// Writes the bytes of a draft. Without the lock: nobody reads a draft.
    pub(in crate::store) fn copy_in(&self, draft: Ref<Message>, parts: &Parts<'_>) {
        // SAFETY: a draft of this worker, not yet visible.
        unsafe { parts.copy_to(&self.memory, draft) };
    }
}

impl Transaction<'_> {
    /// Adds a target with what its message needs; on failure gives back what all before it have.
    fn reserve_one<'a>(
        &self,
        (index, id): (usize, &'a [u8]),
        channel: Ref<Channel>,
        only: Option<Ref<Channel>>,
        publish: &Publish<'_>,
        targets: &mut Targets<'a>,
    ) -> Result<(), Full> {
        let wanted = publish.store || self.at(channel).nodes.head.get().is_some();
        let draft = || self.draft(publish.me, &publish.parts);
        match wanted.then(|| self.made_room(publish.now, draft)).transpose() {
            Ok(draft) => {
                self.commit();
                targets.push(Target { index, id, hash: self.hash(id), only, draft, found: None });
                Ok(())
            }
            Err(Full) => {
                self.rollback();
                self.abandon_all(publish.me, targets);
                Err(Full)
            }
        }
    }

    /// Makes sure, after a while without the lock, that each target has its channel and what its message
    /// needs, and that there is room in the mailboxes of all. Drafts whose text must be copied first: somebody
    /// subscribed while there was no reason for them. On failure everything is taken back.
    fn complete(
        &self,
        targets: &mut Targets<'_>,
        publish: &Publish<'_>,
    ) -> Result<SmallVec<[Ref<Message>; 1]>, StoreError> {
        targets.retain(|target| {
            let is_gone = target.only.is_some() && self.named_by(target).is_none();
            if is_gone {
                self.abandon(publish.me, target);
            }
            !is_gone
        });
        let mut created = SmallVec::<[_; 4]>::new();
        let completed = self.complete_all(targets, publish, &mut created);
        completed.inspect_err(|_| {
            self.rollback();
            self.abandon_all(publish.me, targets);
            self.uncreate_all(&created, publish.now);
        })
    }

    fn complete_all(
        &self,
        targets: &mut Targets<'_>,
        publish: &Publish<'_>,
        created: &mut SmallVec<[Ref<Channel>; 4]>,
    ) -> Result<SmallVec<[Ref<Message>; 1]>, StoreError> {
        let mut unfilled = SmallVec::new();
        for target in targets.iter_mut() {
            let channel = match self.named_by(target) {
                Some(channel) => channel,
                None => {
                    let create = || self.create_channel(target.id, publish.limits, publish.now);
                    let channel = self.made_room(publish.now, create)?;
                    self.commit_and_publish();
                    created.push(channel);
                    channel
                }
            };
            if self.is_events(channel) {
                return Err(StoreError::EventsChannel);
            }
            target.found = Some(channel);
            if target.draft.is_none() && self.at(channel).nodes.head.get().is_some() {
                let draft = || self.draft(publish.me, &publish.parts);
                let draft = self.made_room(publish.now, draft)?;
                self.commit();
                target.draft = Some(draft);
                unfilled.push(draft);
            }
        }
        match &targets[..] {
            [target] => self.make_room_in_mailboxes(target, publish.now)?,
            _ => self.made_room(publish.now, || self.check_mail_room(targets))?,
        }
        Ok(unfilled)
    }

    fn named_by(&self, target: &Target<'_>) -> Option<Ref<Channel>> {
        self.find_hashed(target.id, target.hash).filter(|channel| target.means(*channel))
    }

    fn make_room_in_mailboxes(&self, target: &Target<'_>, now: u64) -> Result<(), Full> {
        let Some(channel) = target.found else { unreachable!("it was found") };
        let mut nodes = self.items::<OfChannel>(&self.at(channel).nodes);
        nodes.try_for_each(|node| self.made_room(now, || self.make_mail_room(self.slot_of(node))))
    }

    /// Whether each worker can be told of all the messages: their drafts may have taken what its mailbox
    /// needs.
    fn check_mail_room(&self, targets: &[Target<'_>]) -> Result<(), Full> {
        let mut workers: Vec<SlotId> = Vec::new();
        for channel in targets.iter().filter_map(|target| target.found) {
            let nodes = self.items::<OfChannel>(&self.at(channel).nodes);
            workers.extend(nodes.map(|node| self.at(node).worker()));
        }
        workers.sort_unstable();
        let entries = workers.chunk_by(|a, b| a == b).map(|same| (self.slot(same[0]), same.len()));
        self.can_make_mail_room(entries)
    }

    fn abandon_all(&self, me: SlotId, targets: &[Target<'_>]) {
        targets.iter().for_each(|target| self.abandon(me, target));
    }

    fn abandon(&self, me: SlotId, target: &Target<'_>) {
        if let Some(draft) = target.draft {
            self.discard_draft(me, draft);
            self.commit();
        }
    }

    /// Publishes to a target that is complete, under the same hold of the lock.
    fn publish_one(&self, target: &Target<'_>, publish: &Publish<'_>, published: &mut Published) {
        let Some(channel) = target.found else { unreachable!("it was found") };
        for node in self.items::<OfChannel>(&self.at(channel).nodes) {
            let made = self.make_mail_room(self.slot_of(node));
            made.expect("room was made sure of");
        }

        let stamp = self.next_place(channel, publish.now);
        self.add64(&self.root().published, 1);
        self.touch(channel, publish.limits, publish.now);
        if !publish.store {
            self.trash(publish.now, 1, 0);
        }
        if let Some(message) = target.draft {
            let m = self.at(message);
            m.expires.store(seconds(publish.now + publish.limits.message_ttl));
            self.number(channel, message, stamp);
            self.end_draft(publish.me, message);
            if publish.store {
                self.enter_history(channel, message);
            }
            self.post_to_all(target.index, channel, message, published);
            self.release(message);
        }
        self.commit();

        self.trim(channel, publish.limits.max_stored, publish.now);
        published.channels.push(self.info(channel));
    }

    fn post_to_all(
        &self,
        index: usize,
        channel: Ref<Channel>,
        message: Ref<Message>,
        published: &mut Published,
    ) {
        for node in self.items::<OfChannel>(&self.at(channel).nodes) {
            let n = self.at(node);
            let worker = n.worker();
            match self.post(n, message) {
                Posted::Wake => published.wake.push(worker),
                Posted::Missed if self.is_first_told(worker) => {
                    published.stuck.push((worker, index));
                }
                Posted::Missed | Posted::Queued => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! Workers that do not take their mail: stopped, traced, swapped out.
//!
//! A message that was accepted waits in the mailbox of every worker on its channel for as long as that
//! takes, and what does not fit into the zone meanwhile is refused. That must not go on for ever for the
//! sake of one worker. One that has taken nothing for [`STUCK_AFTER`], while others looked, is *stuck*: what
//! waits for it is bounded from then on, and its subscribers miss what is beyond.
//!
//! **Who says so.** Any other worker, which watches the mailboxes (`worker/stuck.rs`). It tells by the number
//! of entries ever removed, so a worker that takes a little is not stuck. The stuck one itself takes the
//! mark away with the next mail that it takes, or publishes.
//!
//! **What it may keep.** While less than half of the zone is free, a [`SHARE`] of the zone. Newer messages are
//! not put into its mailbox, and those that are there already are taken back, the newest first. What the
//! worker is reading without the lock (`Slot::mail_lent`) stays.
//!
//! **Which lock, what a killed process leaves.** All under the zone's lock, each message taken back in a step
//! of its own. A worker that dies while it is stuck is given back like any other (`slots.rs`).

use std::time::Duration;

use crate::store::ground::layout::{Node, Slot};
use crate::store::ground::slot_id::SlotId;
use crate::store::operations::slots::DropCause;
use crate::store::transaction::Transaction;
use crate::store::zone::Zone;

/// How long a worker takes nothing of what waits for it until it is stuck (LIFE-58).
pub const STUCK_AFTER: Duration = Duration::from_secs(5);

/// The part of the zone that what waits for a stuck worker may take.
const SHARE: u64 = 4;

/// Messages taken back under one hold of the lock.
const SLICE: usize = 64;

/// The first messages were taken back from a worker since it is stuck.
#[derive(Debug, PartialEq, Eq)]
pub struct TakenBack {
    pub worker: SlotId,
    /// Channel of the first of them.
    pub channel_id: Vec<u8>,
}

impl Zone {
    /// The workers for which something waits, and how many entries they have ever taken, wrapping. Looks
    /// without the lock.
    pub fn waiting(&self) -> impl Iterator<Item = (SlotId, u32)> {
        let slots = self.geometry.slots(&self.memory).iter().enumerate();
        let waiting = slots.filter(|(_, slot)| slot.mail_count.get() != 0);
        waiting.map(|(i, slot)| (SlotId::new(i), slot.mail_removed.get()))
    }

    /// A worker has taken so many entries and no more for [`STUCK_AFTER`].
    pub fn note_stuck(&self, worker: SlotId, taken: u32) {
        let tx = self.begin();
        let slot = tx.slot(worker);
        if slot.mail_removed.get() == taken && slot.mail_count.get() != 0 {
            tx.set(&slot.stuck, 1);
            tx.commit();
        }
    }

    /// Takes back what stuck workers keep beyond their share. From whom for the first time.
    pub fn relieve(&self) -> Vec<TakenBack> {
        let slots = self.geometry.slots(&self.memory).iter().enumerate();
        let stuck = slots.filter(|(_, slot)| slot.stuck.get() != 0);
        stuck.filter_map(|(i, _)| self.take_back(SlotId::new(i))).collect()
    }

    fn take_back(&self, worker: SlotId) -> Option<TakenBack> {
        let mut first = None;
        loop {
            let tx = self.begin();
            for _ in 0..SLICE {
                if !tx.keeps_too_much(tx.slot(worker)) {
                    return first;
                }
                let channel_id = tx.take_newest_back(worker);
                tx.commit();
                first = first.or(channel_id.map(|channel_id| TakenBack { worker, channel_id }));
            }
        }
    }
}

impl Transaction<'_> {
    /// Whether so many bytes of mail are more than a stuck worker may keep.
    pub fn is_too_much(&self, bytes: u64) -> bool {
        let is_short = (self.root().free_pages.get() as usize) < self.geometry().plan().pages / 2;
        is_short && bytes > self.memory().len() as u64 / SHARE
    }

    fn keeps_too_much(&self, slot: &Slot) -> bool {
        slot.stuck.get() != 0
            && slot.mail_count.get() > slot.mail_lent.get()
            && self.is_too_much(slot.mail_bytes.get())
    }

    /// Takes the newest message out of a worker's mailbox, which has one. The id of its channel, if it is the
    /// first message that the worker misses. Not committed.
    fn take_newest_back(&self, worker: SlotId) -> Option<Vec<u8>> {
        let slot = self.slot(worker);
        let after = slot.mail_removed.get().wrapping_add(slot.mail_count.get());
        let message = self.remove_newest(slot);
        let mut first = None;
        let channel = self.at(message).channel.get();
        if let Some(node) = channel.and_then(|channel| self.node_of(worker, channel)) {
            let n = self.at(node);
            if n.mail_until.get() == after {
                // Where its mail before this one lies is not known, but it is in the mailbox.
                self.set(&n.mail_until, after.wrapping_sub(1));
            }
            if self.count_missed(n) {
                first = n.channel.get().map(|channel| self.channel_id(channel).to_vec());
            }
        }
        self.release(message);
        first
    }

    /// The subscribers of a node do not get a message, because their worker is stuck. True if that is the
    /// first.
    pub fn count_missed(&self, node: &Node) -> bool {
        let slot = &self.slots()[node.slot.get() as usize];
        let (before, missed) = (slot.missed.get(), node.subscribers.get());
        self.add64(&slot.dropped[DropCause::Memory as usize], u64::from(missed));
        self.set(&slot.missed, before.saturating_add(missed));
        before == 0
    }

    /// The worker of a slot is not stuck: it publishes. Commits.
    pub fn is_here(&self, worker: SlotId) {
        self.set(&self.slot(worker).stuck, 0);
        self.commit();
    }

    /// The worker of a slot takes its mail. Deliveries that its subscribers missed while it did not.
    pub fn take_missed(&self, slot: &Slot) -> u32 {
        let missed = slot.missed.get();
        self.set(&slot.stuck, 0);
        self.set(&slot.missed, 0);
        missed
    }
}

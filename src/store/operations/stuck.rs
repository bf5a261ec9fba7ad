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
//! **What it may keep.** While less than half of the zone is free, all stuck workers together keep a share of
//! the zone. Newer messages are not put into their mailboxes, and those that are there already are taken
//! back, the newest first. What a worker is reading without the lock (`Slot::mail_lent`) stays: one message, or
//! a small part of the zone (`delivery.rs`).
//!
//! **Which lock, what a killed process leaves.** All under the zone's lock, each message taken back in a step
//! of its own. A worker that dies while it is stuck is given back like any other (`slots.rs`).

use std::time::Duration;

use crate::store::ground::layout::Slot;
use crate::store::ground::slot_id::SlotId;
use crate::store::transaction::Transaction;
use crate::store::zone::Zone;

/// How long a worker takes nothing of what waits for it until it is stuck (LIFE-58).
pub const STUCK_AFTER: Duration = Duration::from_secs(5);

/// What `Slot::stuck` says.
const STUCK: u32 = 1;
const TOLD: u32 = 2;

/// Messages taken back under one hold of the lock.
const SLICE: usize = 64;

/// A worker has begun to miss messages since it is stuck, and nobody has told the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Misses {
    pub worker: SlotId,
    /// Channel of the first that was taken back from it; without one it was an event.
    pub channel_id: Option<Vec<u8>>,
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
        let takes_nothing = slot.mail_removed.get() == taken && slot.mail_count.get() != 0;
        if takes_nothing && slot.stuck.get() == 0 {
            tx.set(&slot.stuck, STUCK);
            tx.add(&tx.root().stuck_workers, 1);
            tx.commit();
        }
    }

    /// Takes back what stuck workers keep beyond their share. Who of them has begun to miss messages, if the log
    /// is to be told.
    pub fn relieve(&self) -> Vec<Misses> {
        let slots = self.geometry.slots(&self.memory).iter().enumerate();
        let stuck = slots.filter(|(_, slot)| slot.stuck.get() != 0);
        stuck.filter_map(|(i, _)| self.take_back(SlotId::new(i))).collect()
    }

    fn take_back(&self, worker: SlotId) -> Option<Misses> {
        let mut channel_id = None;
        loop {
            let tx = self.begin();
            let slot = tx.slot(worker);
            for _ in 0..SLICE {
                if !tx.keeps_too_much(slot) {
                    let is_news = slot.missed.get() != 0 && tx.is_first_told(worker);
                    tx.commit();
                    return is_news.then_some(Misses { worker, channel_id });
                }
                let of = tx.take_newest_back(worker);
                tx.commit();
                channel_id = channel_id.or(of);
            }
        }
    }
}

impl Transaction<'_> {
    fn keeps_too_much(&self, slot: &Slot) -> bool {
        slot.stuck.get() != 0
            && slot.mail_count.get() > slot.mail_lent.get()
            && self.is_too_much(slot.mail_bytes.get())
    }

    /// Takes the newest message out of a worker's mailbox, which has one. The id of its channel, if somebody
    /// misses it. Not committed.
    fn take_newest_back(&self, worker: SlotId) -> Option<Vec<u8>> {
        let slot = self.slot(worker);
        let after = slot.mail_removed.get().wrapping_add(slot.mail_count.get());
        let message = self.remove_newest(slot);
        let mut missed_in = None;
        let channel = self.at(message).channel.get();
        if let Some(node) = channel.and_then(|channel| self.node_of(worker, channel)) {
            let n = self.at(node);
            if n.mail_until.get() == after {
                // Where its mail before this one lies is not known, but it is in the mailbox.
                self.set(&n.mail_until, after.wrapping_sub(1));
            }
            self.count_missed(n);
            missed_in = channel.map(|channel| self.channel_id(channel).to_vec());
        }
        self.release(message);
        missed_in
    }

    /// True once for each time that a worker is stuck: for whoever tells the log. Not committed.
    pub fn is_first_told(&self, worker: SlotId) -> bool {
        let stuck = &self.slot(worker).stuck;
        let is_first = stuck.get() == STUCK;
        if is_first {
            self.set(stuck, TOLD);
        }
        is_first
    }

    /// The worker of a slot is not stuck: it publishes. A step of its own, if it was marked.
    pub fn is_here(&self, worker: SlotId) {
        let slot = self.slot(worker);
        if slot.stuck.get() != 0 {
            self.unmark(slot);
            self.commit();
        }
    }

    fn unmark(&self, slot: &Slot) {
        if slot.stuck.get() != 0 {
            self.set(&slot.stuck, 0);
            self.sub(&self.root().stuck_workers, 1);
        }
    }

    /// The worker of a slot takes its mail. Deliveries that its subscribers missed while it did not.
    pub fn take_missed(&self, slot: &Slot) -> u32 {
        let missed = slot.missed.get();
        self.unmark(slot);
        self.set(&slot.missed, 0);
        missed
    }
}

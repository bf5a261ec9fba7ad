//! Worker slots: taken at start, given back at the end, reclaimed from the dead.
//!
//! A worker holds its slot's liveness mutex for as long as it lives; the kernel marks the mutex when the
//! process is gone, however it went. Whoever notices takes it over and gives back, step by committed
//! step, all that the slot says the dead worker had. If that one dies too, the next goes on.

use crate::store::ground::layout::{CAUSES, MODES, Node, Slot, SlotState};
use crate::store::ground::memory::Ref;
use crate::store::ground::robust::Held;
use crate::store::ground::slot_id::{SlotId, Wake};
use crate::store::model::counts::{DropCause, Mode};
use crate::store::model::limits::Limits;
use crate::store::transaction::Transaction;
use crate::store::transaction::list::{BookmarksOfSlot, InHistory};
use crate::store::zone::Zone;

/// Every slot is taken by a living worker: the zone is too small for so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all worker slots of the zone are taken")]
pub struct NoSlot;

/// What reclaiming did.
#[derive(Debug, Default)]
pub struct Reclaimed {
    /// Processes whose slots were reclaimed.
    pub pids: Vec<u32>,
    /// Workers to wake.
    pub wake: Wake,
}

/// Steps under one hold of the lock.
const SLICE: usize = 32;

impl Zone {
    /// Takes a slot for this process. `position` is nginx's process slot.
    pub fn take_slot(&self, pid: u32, position: u32, now: u64) -> Result<SlotId, NoSlot> {
        for (i, slot) in self.geometry.slots(&self.memory).iter().enumerate() {
            if slot.state() != SlotState::Free {
                continue;
            }
            // Another process may be taking it at this moment.
            let Some(liveness) = Held::try_lock(&slot.liveness) else { continue };
            let tx = self.begin();
            if slot.state() != SlotState::Free {
                continue;
            }
            tx.set(&slot.pid, pid);
            tx.set(&slot.position, position);
            tx.set64(&slot.started, now);
            tx.set(&slot.state, SlotState::Active as u32);
            tx.commit();
            liveness.keep();
            return Ok(SlotId::new(i));
        }
        Err(NoSlot)
    }

    /// The worker is ending its subscribers: it is no longer listed (STAT-58), but publishes still
    /// reach it.
    pub fn start_leaving(&self, me: SlotId) {
        self.set_state(me, SlotState::Leaving);
    }

    /// The worker takes no connections any more, and ends its subscribers little by little. It stays
    /// listed.
    pub fn start_draining(&self, me: SlotId) {
        self.set_state(me, SlotState::Draining);
    }

    fn set_state(&self, me: SlotId, state: SlotState) {
        let tx = self.begin();
        tx.set(&tx.slot(me).state, state as u32);
        tx.commit();
    }

    /// Whether there is a worker that takes connections. One that died counts until it is reclaimed.
    pub fn is_served(&self) -> bool {
        let mut slots = self.geometry.slots(&self.memory).iter();
        slots.any(|slot| slot.state() == SlotState::Active)
    }

    /// Gives everything back. Says whom to wake.
    pub fn leave_slot(&self, me: SlotId, limits: &Limits, now: u64) -> Wake {
        let wake = self.clear_slot(me, limits, now);
        self.slot(me).liveness.unlock();
        wake
    }

    /// Reclaims the slots of workers that died (LIFE-82..86, 92). Their subscriptions end, and that is
    /// told as any other end (EVT-9).
    pub fn reclaim_dead(&self, me: Option<SlotId>, limits: &Limits, now: u64) -> Reclaimed {
        let mut dead = Reclaimed::default();
        for (i, slot) in self.geometry.slots(&self.memory).iter().enumerate() {
            let id = SlotId::new(i);
            if slot.state() == SlotState::Free || me == Some(id) {
                continue;
            }
            // A panic on the way gives the slot back as it is then, for another attempt.
            let Some(_liveness) = Held::try_lock(&slot.liveness) else { continue };
            // Its worker may have given it back just now.
            if slot.state() != SlotState::Free {
                dead.pids.push(slot.pid.get());
                dead.wake.extend(self.clear_slot(id, limits, now));
            }
        }
        dead
    }

    fn clear_slot(&self, id: SlotId, limits: &Limits, now: u64) -> Wake {
        let mut wake = Wake::new();
        loop {
            let tx = self.begin();
            for _ in 0..SLICE {
                let more = tx.clear_some(id, limits, now);
                tx.commit_and_publish();
                if !more {
                    tx.take_wake(&mut wake);
                    return wake;
                }
            }
            tx.take_wake(&mut wake);
        }
    }

    /// The process that has a slot.
    pub fn pid_of(&self, slot: SlotId) -> u32 {
        self.slot(slot).pid.get()
    }

    /// A subscriber of this mode came.
    pub fn count_in(&self, me: SlotId, mode: Mode) {
        self.slot(me).subscribers[mode as usize].add(1);
    }

    /// A subscriber of this mode went.
    pub fn count_out(&self, me: SlotId, mode: Mode) {
        self.slot(me).subscribers[mode as usize].sub(1);
    }

    /// Messages handed to subscribers' connections.
    pub fn count_delivered(&self, me: SlotId, n: u64) {
        self.slot(me).delivered.add(n);
    }

    pub fn count_dropped(&self, me: SlotId, cause: DropCause, n: u64) {
        self.slot(me).dropped[cause as usize].add(n);
    }
}

impl Transaction<'_> {
    /// One step of giving back what a slot holds. False when it holds nothing and is free.
    fn clear_some(&self, id: SlotId, limits: &Limits, now: u64) -> bool {
        let slot = self.slot(id);
        if slot.pinned_count.get() != 0 {
            self.unpin(id);
        } else if self.remove_mail(slot) {
        } else if let Some(draft) = self.items::<InHistory>(&slot.drafts).next() {
            self.discard_draft(id, draft);
        } else if let Some(bookmark) = self.items::<BookmarksOfSlot>(&slot.bookmarks).next() {
            self.remove_bookmark(id, bookmark);
        } else if let Some(channel) = slot.listing.get() {
            self.link(&slot.listing, None);
            self.release_channel(channel);
        } else if let Some(channel) = slot.deleting.get() {
            self.link(&slot.deleting, None);
            self.release_channel(channel);
        } else if let Some(node) = self.some_node(slot) {
            // Each end is an event of its own.
            let n = if self.tells() { 1 } else { self.at(node).subscribers.get() };
            self.end_subscribers(node, n, limits, now);
        } else if slot.state() != SlotState::Free {
            self.drop_mailbox(slot);
            self.fold_counts(slot);
            self.take_missed(slot);
            self.set(&slot.signalled, 0);
            self.set(&slot.mail_lent, 0);
            // Whoever watches mailboxes is to take the next worker here for another.
            self.set(&slot.mail_removed, slot.mail_removed.get().wrapping_add(1));
            self.set(&slot.state, SlotState::Free as u32);
        } else {
            return false;
        }
        true
    }

    fn some_node(&self, slot: &Slot) -> Option<Ref<Node>> {
        slot.nodes.head.get().or_else(|| slot.deleted_nodes.head.get())
    }

    /// The totals keep what a worker counted in its life.
    fn fold_counts(&self, slot: &Slot) {
        let root = self.root();
        self.add64(&root.delivered, slot.delivered.get());
        self.set64(&slot.delivered, 0);
        for cause in 0..CAUSES {
            self.add64(&root.dropped[cause], slot.dropped[cause].get());
            self.set64(&slot.dropped[cause], 0);
        }
        for mode in 0..MODES {
            self.set(&slot.subscribers[mode], 0);
        }
    }
}

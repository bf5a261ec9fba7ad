//! What the statistics show of the zone: each channel's line and the totals are snapshots.

use smallvec::SmallVec;

use crate::store::ground::layout::{CAUSES, Channel, ChannelFlags, MODES, PAGE, SlotState};
use crate::store::ground::memory::Ref;
use crate::store::ground::slot_id::SlotId;
use crate::store::model::counts::DropCause;
use crate::store::transaction::Transaction;
use crate::store::transaction::list::{ByCreation, ListTag};
use crate::store::zone::Zone;

/// Channels read under one hold of the lock.
const SLICE: usize = 64;

/// One channel's numbers (STAT-46..48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChannelCounts {
    pub published: u64,
    pub stored: u64,
    pub subscribers: u64,
}

/// A worker's numbers (STAT-55, 57).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerCounts {
    pub pid: u32,
    pub position: u32,
    /// Open subscriber connections, by mode.
    pub subscribers: [u64; MODES],
    /// Seconds on the steady clock.
    pub started: u64,
}

/// The zone's numbers (STAT-45..58), taken together under the lock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    pub channels: u64,
    pub wildcard_channels: u64,
    pub published: u64,
    pub stored: u64,
    pub messages_in_trash: u64,
    pub channels_in_delete: u64,
    pub channels_in_trash: u64,
    /// Subscriber connections of all workers, those that are leaving included.
    pub subscribers: u64,
    /// Seconds since the zone was created.
    pub uptime: u64,
    /// Ordered by nginx's process slot.
    pub workers: Vec<WorkerCounts>,
    pub delivered: u64,
    pub dropped: [u64; CAUSES],
    /// Messages that made room for others (`evict.rs`).
    pub evicted: u64,
    /// Bytes of allocated objects, fixed part included.
    pub used: u64,
    /// Bytes in free pages.
    pub free: u64,
    /// Bytes of the longest run of free pages.
    pub largest_free: u64,
}

impl Zone {
    pub fn channel_info(&self, id: &[u8]) -> Option<ChannelCounts> {
        let tx = self.begin();
        tx.find(id).map(|channel| tx.info(channel))
    }

    pub fn totals(&self, now: u64) -> Totals {
        let tx = self.begin();
        let root = tx.root();
        let trash = tx.trash_at(now);
        let mut totals = Totals {
            channels: root.channels.get().into(),
            wildcard_channels: root.wildcard_channels.get().into(),
            published: root.published.get(),
            stored: root.stored.get() + trash.still_stored,
            messages_in_trash: trash.messages,
            channels_in_delete: trash.channels_in_delete,
            channels_in_trash: trash.channels,
            uptime: now.saturating_sub(root.created.get()),
            delivered: root.delivered.get(),
            dropped: root.dropped.each_ref().map(|n| n.get()),
            evicted: root.evicted.get(),
            used: root.used.get() + self.fixed_cost() as u64,
            free: u64::from(root.free_pages.get()) * PAGE as u64,
            largest_free: (tx.longest_free_run() * PAGE) as u64,
            ..Totals::default()
        };
        totals.dropped[DropCause::Memory as usize] += root.events_dropped.get();
        for (_, slot) in tx.taken_slots() {
            let subscribers = slot.subscribers.each_ref().map(|n| u64::from(n.get()));
            totals.subscribers += subscribers.iter().sum::<u64>();
            totals.delivered += slot.delivered.get();
            for (total, n) in totals.dropped.iter_mut().zip(&slot.dropped) {
                *total += n.get();
            }
            if matches!(slot.state(), SlotState::Active | SlotState::Draining) {
                totals.workers.push(WorkerCounts {
                    pid: slot.pid.get(),
                    position: slot.position.get(),
                    subscribers,
                    started: slot.started.get(),
                });
            }
        }
        drop(tx);
        totals.workers.sort_by_key(|worker| worker.position);
        totals
    }

    /// Calls `each` for every channel whose id begins with `prefix`, in order of creation (STAT-35). The
    /// lock is given up every few channels, never held while `each` runs: a channel that lives throughout
    /// is seen once, one created or deleted meanwhile at most once.
    pub fn list(&self, me: SlotId, prefix: &[u8], mut each: impl FnMut(&[u8], ChannelCounts)) {
        let mut at_start = true;
        loop {
            let mut slice: SmallVec<[(Vec<u8>, ChannelCounts); SLICE]> = SmallVec::new();
            let tx = self.begin();
            let place = &tx.slot(me).listing;
            let last = place.get();
            if last.is_none() && !at_start {
                return;
            }
            // A place left by a listing that did not come to its end is given back, not used.
            let from = last.filter(|_| !at_start);
            at_start = false;
            let mut next = match from {
                Some(last) => ByCreation::links(tx.at(last)).next.get(),
                None => tx.root().order.head.get(),
            };
            let mut reached = None;
            for _ in 0..SLICE {
                let Some(channel) = next else { break };
                let c = tx.at(channel);
                let deleted = c.flags().contains(ChannelFlags::DELETED);
                if !deleted && tx.channel_id(channel).starts_with(prefix) {
                    slice.push((tx.channel_id(channel).to_vec(), tx.info(channel)));
                }
                reached = Some(channel);
                next = c.order.next.get();
            }
            let reached = reached.filter(|_| next.is_some());
            if let Some(channel) = reached {
                tx.hold_channel(channel);
            }
            tx.link(place, reached);
            if let Some(last) = last {
                tx.release_channel(last);
            }
            tx.commit();
            drop(tx);
            for (id, info) in &slice {
                each(id, *info);
            }
        }
    }
}

impl Transaction<'_> {
    pub fn info(&self, channel: Ref<Channel>) -> ChannelCounts {
        let c = self.at(channel);
        ChannelCounts {
            published: c.last_id.get(),
            stored: c.stored.get().into(),
            subscribers: c.subscribers.get().into(),
        }
    }
}

//! DELETE: the channel is gone at once, and its subscribers' workers are told. The event of its end comes
//! behind those of its subscriptions' ends: with the last subscriber, or at once if there is none. (The
//! C module looked for that every four seconds.)

use crate::store::ground::layout::Channel;
use crate::store::ground::layout::ChannelFlags;
use crate::store::ground::memory::Ref;
use crate::store::ground::slot_id::{SlotId, Wake};
use crate::store::model::parts::Parts;
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::Full;
use crate::store::transaction::list::{OfChannel, OfSlot};
use crate::store::zone::Zone;

/// Messages of a deleted channel freed under one hold of the lock.
const SLICE: usize = 64;

impl Zone {
    /// Deletes a channel with all its messages, and says whom to wake; None if there is no such
    /// channel. Needs no memory (LIFE-56): if the zone has no room for `text`, the channel is deleted
    /// with the configured text. The events channel cannot be deleted; None for it too.
    pub fn delete(&self, me: SlotId, id: &[u8], text: Option<&[&[u8]]>, now: u64) -> Option<Wake> {
        let delete_text = text.and_then(|text| {
            let parts = Parts { text, ..Parts::default() };
            let tx = self.begin();
            let draft = tx
                .find(id)
                .filter(|&channel| !tx.is_events(channel))
                .ok_or(Full)
                .and_then(|_| tx.made_room(now, || tx.draft(me, &parts)))
                .ok()?;
            tx.commit();
            drop(tx);
            self.copy_in(draft, &parts);
            Some(draft)
        });
        let tx = self.begin();
        let Some(channel) = tx.find(id).filter(|&channel| !tx.is_events(channel)) else {
            if let Some(draft) = delete_text {
                tx.discard_draft(me, draft);
                tx.commit();
            }
            return None;
        };
        tx.make_room_for_events(channel, now);
        if let Some(draft) = delete_text {
            tx.end_draft(me, draft);
        }
        tx.delete_channel(channel, delete_text, now);
        let mut wake = tx.doom_nodes(channel);
        tx.remember_deleted(me, Some(channel));
        tx.commit_and_publish();
        tx.take_wake(&mut wake);
        drop(tx);

        // Killed before the end of this, the sweep goes on with it.
        loop {
            let tx = self.begin();
            for _ in 0..SLICE {
                let waits = tx.at(channel).flags().contains(ChannelFlags::DUE);
                if !waits {
                    tx.remember_deleted(me, None);
                    tx.commit();
                    return Some(wake);
                }
                tx.empty_deleted(channel);
                tx.commit();
            }
        }
    }
}

impl Transaction<'_> {
    /// Holds the channel that this worker is emptying, in place of the one before.
    fn remember_deleted(&self, me: SlotId, channel: Option<Ref<Channel>>) {
        let place = &self.slot(me).deleting;
        let before = place.get();
        if let Some(channel) = channel {
            self.hold_channel(channel);
        }
        self.link(place, channel);
        if let Some(before) = before {
            self.release_channel(before);
        }
    }

    /// Hands each worker on the channel its node as a notice.
    fn doom_nodes(&self, channel: Ref<Channel>) -> Wake {
        let mut wake = Wake::new();
        for node in self.items::<OfChannel>(&self.at(channel).nodes) {
            let worker = self.at(node).worker();
            let slot = self.slot(worker);
            self.unlink::<OfSlot>(&slot.nodes, node);
            self.push_back::<OfSlot>(&slot.deleted_nodes, node);
            self.set(&slot.signalled, 1);
            wake.push(worker);
        }
        wake
    }
}

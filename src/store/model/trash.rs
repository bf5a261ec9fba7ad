//! What was removed lately, as the statistics tell it (STAT-52..54, LIFE-32..36, 43).
//!
//! Memory is free at the last reference. Clients still see what they know from the C module: a removed
//! object counts as trash until the first four-second pass more than ten seconds later, and a deleted
//! channel counts as being deleted, its messages as stored, until the pass after the DELETE. Both follow
//! from the second of the removal, so one bucket per second holds it all and nothing has to be moved.

use crate::store::ground::layout::{TRASH_SECONDS, TrashBucket};
use crate::store::transaction::Transaction;

/// Seconds between two passes.
const PASS: u64 = 4;
/// Seconds that trash is kept at least.
const KEPT: u64 = 10;

/// The part of the statistics that is remembered here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trash {
    pub messages: u64,
    pub channels: u64,
    pub channels_in_delete: u64,
    /// Messages of deleted channels before the pass.
    pub still_stored: u64,
}

impl Transaction<'_> {
    /// Messages or channels that go to the trash at once.
    pub fn trash(&self, now: u64, messages: u32, channels: u32) {
        let bucket = self.bucket_of(now);
        self.add(&bucket.messages, messages);
        self.add(&bucket.channels, channels);
    }

    /// A deleted channel and its messages, which go there with the next pass.
    pub fn trash_deleted(&self, now: u64, messages: u32, channels: u32) {
        self.trash(self.pass_after(now), messages, channels);
    }

    /// What the statistics show at `now`.
    pub fn trash_at(&self, now: u64) -> Trash {
        let mut trash = Trash::default();
        for bucket in &self.root().trash {
            let second = bucket.second.get();
            let (messages, channels) =
                (u64::from(bucket.messages.get()), u64::from(bucket.channels.get()));
            if second > now {
                trash.channels_in_delete += channels;
                trash.still_stored += messages;
            } else if now < self.pass_after(second + KEPT) {
                trash.channels += channels;
                trash.messages += messages;
            }
        }
        trash
    }

    fn pass_after(&self, second: u64) -> u64 {
        let created = self.root().created.get();
        let since = second.saturating_sub(created);
        created + (since / PASS + 1) * PASS
    }

    fn bucket_of(&self, second: u64) -> &TrashBucket {
        let bucket = &self.root().trash[second as usize % TRASH_SECONDS];
        if bucket.second.get() != second {
            self.set64(&bucket.second, second);
            self.set(&bucket.messages, 0);
            self.set(&bucket.channels, 0);
        }
        bucket
    }
}

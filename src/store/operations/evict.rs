//! Making room: with `push_stream_memory_full evict`, a step that finds the zone full takes the oldest stored
//! messages away and is tried again.
//!
//! **Which is the oldest.** Stamps rise with every publish, so each history and each queue of `Root::expiring`
//! is in their order, and the oldest message of all is the oldest of its channel: at the head of that
//! history and of one of a few queues. Nothing is walked and nothing more is kept for it. (Only what was
//! due once, behind a longer-lived message, is put before the others of its queue: it goes first.) What
//! deleted channels still hold and what has expired goes before anything that a client could still get.
//!
//! **How.** A step that fails has changed nothing (`Transaction::rollback`). Then one message goes, as it does where
//! a channel stores too many: the channel notes its stamp, so that gaps are told (`resume_point.rs`), the totals
//! follow, and a channel that nothing keeps any more ends with its period, which does not begin anew. That
//! is a committed step of its own, and the failed one is tried again; killed in between, the zone has a
//! message less. A channel is never removed meanwhile, so what the operation has found stays.
//!
//! **How long.** At most [`SLICE`] messages go under one hold of the lock. An operation that needs more fails
//! and takes everything back, and [`Zone::with_room`] gives up the lock between the slices, until there is
//! a place of the right size, and tries the operation again. Room for a large message is made in the same
//! way before its publish begins.
//!
//! **In vain.** A message that is in a mailbox, in a page that is being formatted or under a bookmark leaves
//! its history and is free when the last of them is done with it; others go meanwhile. A worker that is
//! stuck keeps its share and little more (`stuck.rs`). Places are of a size: it may need
//! many messages until a page, or enough pages in a row, are free. Before more than a slice is evicted,
//! one looks whether there could be room at all: objects that are no messages never go (`could_fit`). What
//! is published while room is made is younger than all that may go, so that comes to an end.
//!
//! **Which configuration decides.** The last that took up the zone, as for events.

use core::cell::Cell;
use core::mem::size_of;

use crate::store::error::StoreError;
use crate::store::ground::layout::{Channel, ChannelFlags, Message};
use crate::store::ground::memory::Ref;
use crate::store::model::stamp::Stamp;
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::{Full, LARGEST_SMALL};
use crate::store::zone::Zone;

/// Messages evicted under one hold of the lock.
pub const SLICE: u32 = 64;
/// Times an operation is tried while messages make room for it.
const TRIES: usize = 64;

thread_local! {
    /// For the log of the worker that this thread is.
    static EVICTED: Cell<u64> = const { Cell::new(0) };
}

/// Messages that this thread has evicted so far.
pub fn evicted_here() -> u64 {
    EVICTED.get()
}

impl Zone {
    /// Whether the oldest messages make room when the zone is full; if not, what needs room is refused.
    pub fn evict_when_full(&self, on: bool) {
        let tx = self.begin();
        tx.set(&tx.root().evicts, u32::from(on));
        tx.commit();
    }

    /// Whether messages make room. Looks without the lock.
    pub(in crate::store) fn evicts(&self) -> bool {
        self.geometry.root(&self.memory).evicts.get() != 0
    }

    /// Tries an operation that needs room for `count` messages of `size` bytes and for smaller things. One
    /// that fails has taken everything back.
    pub(in crate::store) fn with_room<T>(
        &self,
        size: usize,
        count: usize,
        now: u64,
        mut operation: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if size > LARGEST_SMALL && self.evicts() {
            self.make_room(size, count, now)?;
        }
        for _ in 1..TRIES {
            let before = evicted_here();
            match operation() {
                Err(StoreError::Full) if evicted_here() != before => {
                    self.make_room(size, count, now)?;
                }
                done => return done,
            }
        }
        operation()
    }

    fn make_room(&self, size: usize, count: usize, now: u64) -> Result<(), Full> {
        let mut until = None;
        loop {
            let tx = self.begin();
            let until = *until.get_or_insert_with(|| tx.newest_stamp());
            for _ in 0..SLICE {
                if tx.has_room(size, count) {
                    return Ok(());
                }
                if tx.evictions() == 0 && !tx.could_fit(size) {
                    return Err(Full);
                }
                if !tx.evict_one(until, now) {
                    return tx.has_room(size, count).then_some(()).ok_or(Full);
                }
            }
        }
    }
}

impl Transaction<'_> {
    /// Whether messages make room.
    pub fn evicts(&self) -> bool {
        self.root().evicts.get() != 0
    }

    /// Tries a step that changes nothing if it fails, when nothing is uncommitted; evicts as long as there
    /// is no room for it, or for an event that it notes.
    pub fn made_room<T>(&self, now: u64, step: impl Fn() -> Result<T, Full>) -> Result<T, Full> {
        // What a step before lacked does not count.
        self.take_untold();
        loop {
            let done = step();
            let lacked = self.take_untold() || done.is_err();
            if !lacked || !self.evicts() {
                return done;
            }
            self.rollback();
            if self.evictions() >= SLICE || !self.evict_one(self.newest_stamp(), now) {
                let done = step();
                self.take_untold();
                return done;
            }
        }
    }

    /// Makes room for this before a step that is not to fail, as far as that can be.
    pub fn make_room_before(&self, now: u64, trial: impl Fn() -> Result<(), Full>) {
        if self.evicts() {
            // Without room, what comes will find none.
            _ = self.made_room(now, trial);
            self.rollback();
        }
    }

    /// Allocations that one step may try, for all the words that each of them changes.
    pub fn trials(&self) -> usize {
        self.geometry().plan().journal_capacity / 32
    }

    fn has_room(&self, size: usize, count: usize) -> bool {
        let room = (0..count.min(self.trials())).all(|_| self.allocate::<Message>(size).is_ok());
        self.rollback();
        room
    }

    /// Takes away one message, none younger than this, and commits. False if there is none.
    fn evict_one(&self, until: Stamp, now: u64) -> bool {
        let due = self.root().due.head.get();
        let deleted =
            |&channel: &Ref<Channel>| self.at(channel).flags().contains(ChannelFlags::DELETED);
        if let Some(channel) = due.filter(deleted) {
            self.empty_deleted(channel);
        } else if !self.expire_one(now) {
            let oldest = self.oldest_stored().filter(|&oldest| self.stamp_of(oldest) <= until);
            let channel = oldest.and_then(|oldest| self.at(oldest).channel.get());
            let Some(channel) = channel else {
                self.note_nothing_left();
                return false;
            };
            if deleted(&channel) {
                self.empty_deleted(channel);
            } else {
                self.drop_oldest(channel, now);
                self.add64(&self.root().evicted, 1);
                EVICTED.set(EVICTED.get() + 1);
            }
        }
        self.commit();
        self.count_eviction();
        true
    }

    fn oldest_stored(&self) -> Option<Ref<Message>> {
        let heads = self.root().expiring.0.iter().filter_map(|queue| queue.head.get());
        heads.min_by_key(|&message| self.stamp_of(message))
    }
}

/// Bytes of a message with these parts.
pub fn message_size(parts: &crate::store::model::parts::Parts<'_>) -> usize {
    let ids = [parts.event_id, parts.event_type].into_iter().flatten();
    size_of::<Message>() + parts.text_len() + ids.map(<[u8]>::len).sum::<usize>()
}

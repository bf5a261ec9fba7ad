//! Transactions: critical sections that happen wholly or not at all.
//!
//! A [`Transaction`] holds the zone's lock. Every word it changes is first written to the journal as it
//! was, so the journal is what a process killed at any instruction leaves behind, and whoever takes
//! the lock next puts those words back before it looks at anything else. Storing 0 in `journal_len`
//! is the one commit point; all of the transaction up to there, allocator included, becomes final with
//! that single store. Undoing restores old values from the newest entry to the oldest, so being killed
//! during it and starting over ends in the same state. A panic is treated the same: the guard's drop
//! undoes what was not committed, then unlocks.
//!
//! An operation on many channels commits once per channel while it keeps the lock. If its process dies
//! in between, the committed steps stand: each of them alone leaves the zone in order, and what they
//! gave to the dead worker is found through its slot (`slots.rs`).
//!
//! The journal's room is reserved per step: 320 words plus ten per worker slot. Running out
//! of it is a bug of this module and ends the step like any other panic.

pub mod alloc;
pub mod list;
pub mod pages;

use core::cell::Cell;
use core::sync::atomic::{Ordering, compiler_fence};

use crate::failpoints;
use crate::store::ground::geometry::Geometry;
use crate::store::ground::layout::{JournalEntry, Root, Slot, SlotState};
use crate::store::ground::memory::{Cell32, Cell64, Link, Memory, Object, Ref, raw};
use crate::store::ground::robust::Acquired;
use crate::store::ground::slot_id::{SlotId, Wake};

/// The zone's lock, held. Changes since the last `commit` are undone when it is dropped.
pub struct Transaction<'z> {
    memory: &'z Memory,
    geometry: &'z Geometry,
    root: &'z Root,
    journal: &'z [JournalEntry],
    /// Something was freed since the last commit. Memory that an undo would give back must not be
    /// handed out and overwritten before: a step allocates first and frees last.
    freed: Cell<bool>,
    /// The last holder of the lock died with it.
    inherited: bool,
    /// Workers that events were posted to. Mostly there are none: a transaction is to cost little.
    wake: Cell<Option<Box<Wake>>>,
    /// Messages that made room under this hold of the lock, and whether there are no more (`evict.rs`).
    evictions: Cell<u32>,
    nothing_left: Cell<bool>,
    /// An event of the open step found no room.
    untold: Cell<bool>,
}

impl<'z> Transaction<'z> {
    /// Takes the lock and finishes what a dead owner left undone.
    pub fn begin(memory: &'z Memory, geometry: &'z Geometry) -> Self {
        let root = geometry.root(memory);
        let journal = geometry.journal(memory);
        let inherited = match root.lock.lock() {
            Ok(Acquired::Clean) => false,
            Ok(Acquired::OwnerDied) => true,
            Err(code) => panic!("zone lock: error {code}"),
        };
        let tx = Transaction {
            memory,
            geometry,
            root,
            journal,
            freed: Cell::new(false),
            inherited,
            wake: Cell::default(),
            evictions: Cell::new(0),
            nothing_left: Cell::new(false),
            untold: Cell::new(false),
        };
        tx.rollback();
        tx
    }

    pub fn root(&self) -> &'z Root {
        self.root
    }

    pub fn memory(&self) -> &'z Memory {
        self.memory
    }

    pub fn geometry(&self) -> &'z Geometry {
        self.geometry
    }

    pub fn at<T: Object>(&self, r: Ref<T>) -> &'z T {
        self.memory.at(r)
    }

    pub fn slot(&self, id: SlotId) -> &'z Slot {
        &self.slots()[id.index()]
    }

    pub fn slots(&self) -> &'z [Slot] {
        self.geometry.slots(self.memory)
    }

    /// Slots of workers, living or not yet reclaimed.
    pub fn taken_slots(&self) -> impl Iterator<Item = (SlotId, &'z Slot)> {
        self.slots()
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.state() != SlotState::Free)
            .map(|(i, slot)| (SlotId::new(i), slot))
    }

    /// Changes a word.
    pub fn set(&self, cell: &Cell32, value: u32) {
        let before = cell.get();
        if before != value {
            self.record(self.memory.offset_of(cell) as u64, u64::from(before));
            cell.store(value);
        }
    }

    /// Changes a 64-bit word.
    pub fn set64(&self, cell: &Cell64, value: u64) {
        let before = cell.get();
        if before != value {
            self.record(self.memory.offset_of(cell) as u64 | 1, before);
            cell.store(value);
        }
    }

    /// Changes a reference.
    pub fn link<T>(&self, link: &Link<T>, to: Option<Ref<T>>) {
        self.set(link.cell(), raw(to));
    }

    /// Adds to a counter.
    pub fn add(&self, cell: &Cell32, n: u32) {
        self.set(cell, cell.get() + n);
    }

    /// Subtracts from a counter. Going below zero is a bug and undoes the transaction.
    pub fn sub(&self, cell: &Cell32, n: u32) {
        self.set(cell, cell.get().checked_sub(n).expect("zone counter below zero"));
    }

    /// Adds to a 64-bit counter.
    pub fn add64(&self, cell: &Cell64, n: u64) {
        self.set64(cell, cell.get() + n);
    }

    /// Subtracts from a 64-bit counter.
    pub fn sub64(&self, cell: &Cell64, n: u64) {
        self.set64(cell, cell.get().checked_sub(n).expect("zone counter below zero"));
    }

    /// Notes that this step frees memory.
    pub fn note_free(&self) {
        self.freed.set(true);
    }

    /// Notes that this step allocates memory.
    pub fn note_allocation(&self) {
        assert!(!self.freed.get(), "a step frees before it allocates");
    }

    /// Whether the last holder of the lock died with it.
    pub fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// Nothing was changed since the last commit.
    #[cfg(any(debug_assertions, feature = "provoked-panics"))]
    pub fn is_untouched(&self) -> bool {
        self.root.journal_len.get() == 0
    }

    /// Messages evicted under this hold of the lock.
    pub fn evictions(&self) -> u32 {
        self.evictions.get()
    }

    pub fn count_eviction(&self) {
        self.evictions.set(self.evictions.get() + 1);
    }

    /// No message is left that could make room.
    pub fn note_nothing_left(&self) {
        self.nothing_left.set(true);
    }

    /// Messages make room, as far as is known.
    pub fn may_evict(&self) -> bool {
        self.root.evicts.get() != 0 && !self.nothing_left.get()
    }

    /// Notes that an event of the open step found no room.
    pub fn note_untold(&self) {
        self.untold.set(true);
    }

    pub fn take_untold(&self) -> bool {
        self.untold.take()
    }

    /// Notes a worker that must be woken.
    pub fn wake(&self, worker: SlotId) {
        let mut wake = self.wake.take().unwrap_or_default();
        wake.push(worker);
        self.wake.set(Some(wake));
    }

    /// Adds the workers that were noted to those to be woken.
    #[inline]
    pub fn take_wake(&self, wake: &mut Wake) {
        if let Some(noted) = self.wake.take() {
            wake.extend(*noted);
        }
    }

    /// Makes everything so far final. The lock is kept.
    pub fn commit(&self) {
        #[cfg(feature = "provoked-panics")]
        let untouched = self.is_untouched();
        self.finish();
        #[cfg(feature = "provoked-panics")]
        if !untouched {
            failpoints::point("after a commit");
        }
    }

    fn finish(&self) {
        compiler_fence(Ordering::SeqCst);
        self.root.journal_len.store(0);
        compiler_fence(Ordering::SeqCst);
        self.freed.set(false);
    }

    /// Takes back everything since the last commit. The lock is kept.
    pub fn rollback(&self) {
        for entry in self.journal[..self.root.journal_len.get() as usize].iter().rev() {
            let place = entry.place.get();
            let offset = (place & !1) as usize;
            if place & 1 == 1 {
                self.memory.array::<Word64>(offset, 1)[0].0.store(entry.before.get());
            } else {
                self.memory.array::<Cell32>(offset, 1)[0].store(entry.before.get() as u32);
            }
        }
        self.finish();
    }

    // The kernel kills between two instructions and everything before is done, so program order is all
    // that is needed: the entry, then the length that makes it count, then the change. A machine that
    // reorders stores does so for other processors alone: the one that is interrupted has done all up to
    // one instruction and nothing behind it, and they are in memory before the kernel, with a barrier,
    // marks the lock as a dead owner's, by which alone another process gets to look.
    fn record(&self, place: u64, before: u64) {
        let len = self.root.journal_len.get();
        if len == 1 {
            failpoints::point("a store section");
        }
        let entry = &self.journal[len as usize];
        entry.place.store(place);
        entry.before.store(before);
        compiler_fence(Ordering::SeqCst);
        self.root.journal_len.store(len + 1);
        compiler_fence(Ordering::SeqCst);
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.root.journal_len.get() != 0 {
            self.rollback();
        }
        self.root.lock.unlock();
    }
}

#[repr(C)]
struct Word64(Cell64);

// SAFETY: repr(C), one cell.
unsafe impl Object for Word64 {}

//! The store on plain memory, threads standing in for processes.

mod clock;
mod events;
mod eviction;
mod model;
mod operations;
#[cfg(planted_fault)]
mod planted_fault;
mod polling;
mod space;
mod stuck;
mod threads;

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use super::*;

/// A zone on the heap, with the settings its operations use.
pub struct Bench {
    pub zone: Zone,
    pub limits: Limits,
    memory: NonNull<u8>,
    layout: Layout,
}

pub const START: u64 = 1_800_000_000;

impl Bench {
    pub fn new(len: usize) -> Bench {
        let layout = Layout::from_size_align(len, 64).unwrap();
        // SAFETY: the layout is not empty.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
        // SAFETY: fresh memory of this length, freed only when the zone is.
        let zone = unsafe { Zone::create(memory, len, START) }.unwrap();
        let limits = Limits { message_ttl: 1800, inactivity: 30, ..Limits::default() };
        Bench { zone, limits, memory, layout }
    }

    pub fn worker(&self) -> Worker<'_> {
        let me = self.zone.take_slot(std::process::id(), 0, START).unwrap();
        Worker { bench: self, me }
    }

    pub fn check(&self) {
        self.zone.check().unwrap();
        self.zone.check_events().unwrap();
    }
}

// SAFETY: the memory belongs to the zone, which may be shared.
unsafe impl Sync for Bench {}

impl Drop for Bench {
    fn drop(&mut self) {
        // This thread's list of robust mutexes must not lead into freed memory. For those that it does
        // not hold this does nothing.
        for slot in self.zone.geometry.slots(&self.zone.memory) {
            slot.liveness.unlock();
        }
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) };
    }
}

/// One worker of the bench, in plain calls.
#[derive(Clone, Copy)]
pub struct Worker<'b> {
    pub bench: &'b Bench,
    pub me: SlotId,
}

impl Worker<'_> {
    pub fn publish(&self, id: &str, text: &str, store: bool) -> Result<Published, StoreError> {
        self.publish_at(id, text, store, START)
    }

    pub fn publish_at(
        &self,
        id: &str,
        text: &str,
        store: bool,
        now: u64,
    ) -> Result<Published, StoreError> {
        let parts = Parts { text: &[text.as_bytes()], ..Parts::default() };
        let limits = &self.bench.limits;
        let publish = Publish { me: self.me, parts, store, limits, now };
        self.bench.zone.publish(&[id.as_bytes()], &publish)
    }

    pub fn join(&self, id: &str, backtrack: u64) -> Result<Subscription, StoreError> {
        let items = [JoinItem { id: id.as_bytes(), backtrack }];
        self.join_since(&items, &ResumePoint::default()).map(|joined| joined[0])
    }

    pub fn join_since(
        &self,
        items: &[JoinItem<'_>],
        since: &ResumePoint<'_>,
    ) -> Result<Subscriptions, StoreError> {
        let (zone, limits) = (&self.bench.zone, &self.bench.limits);
        let rules = JoinRules { events: true, ..JoinRules::default() };
        zone.join(self.me, items, since, &rules, limits, START).map(|joined| joined.subscriptions)
    }

    /// All of a subscription's history.
    pub fn replay(&self, subscription: &mut Subscription) -> Vec<(u64, String)> {
        let mut read = Vec::new();
        while let Some(bookmark) = subscription.history.take() {
            let step = self.bench.zone.read_history(self.me, bookmark, usize::MAX, START);
            subscription.history = step.next;
            read.extend(step.page.messages().map(shown));
        }
        read
    }

    /// Empties the mailbox.
    pub fn mail(&self) -> Vec<(u64, String)> {
        let mut read = Vec::new();
        let mut mail = self.bench.zone.mail(self.me);
        while !mail.is_empty() {
            read.extend(mail.messages().map(shown));
            mail = mail.next();
        }
        read
    }

    pub fn leave(&self, subscription: Subscription) {
        _ = self.bench.zone.leave(self.me, &[subscription], &self.bench.limits, START);
    }

    pub fn delete(&self, id: &str) -> Option<Wake> {
        self.bench.zone.delete(self.me, id.as_bytes(), None, START)
    }
}

pub fn shown(m: MessageRef<'_>) -> (u64, String) {
    (m.id, String::from_utf8_lossy(m.text).into_owned())
}

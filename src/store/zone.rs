//! A process's handle to the zone: made or taken up, and the way into a transaction.

use core::ptr::NonNull;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::store::ground::clocks;
use crate::store::ground::geometry::{Geometry, LayoutError};
use crate::store::ground::layout::{MAGIC, Slot};
use crate::store::ground::memory::Memory;
use crate::store::ground::slot_id::SlotId;
use crate::store::transaction::Transaction;

/// A handle to the zone; every process has its own.
#[derive(Clone, Copy)]
pub struct Zone {
    pub(in crate::store) memory: Memory,
    pub(in crate::store) geometry: Geometry,
}

impl Zone {
    /// Lays out a new, empty zone.
    ///
    /// # Safety
    ///
    /// The memory is aligned to 16 bytes, `len` long, used by nobody else yet, and stays mapped at this
    /// address as long as the result or anything borrowed from it is used.
    pub unsafe fn create(base: NonNull<u8>, len: usize, now: u64) -> Result<Zone, LayoutError> {
        let geometry = Geometry::plan_for(len)?;
        // SAFETY: the caller's promise.
        let memory = unsafe { Memory::new(base, len) };
        // SAFETY: nobody else uses the zone yet.
        unsafe { memory.clear(0, geometry.plan().fixed_cost()) };
        let root = geometry.root(&memory);
        geometry.describe(root, len);
        root.lock.init().map_err(LayoutError::Lock)?;
        for slot in geometry.slots(&memory) {
            slot.liveness.init().map_err(LayoutError::Lock)?;
        }
        for key in &root.hash_keys {
            key.store(random());
        }
        root.created.store(now);
        clocks::start(root, now);
        root.next_serial.store(1);
        let zone = Zone { memory, geometry };
        let tx = zone.begin();
        tx.free_all_pages(geometry.plan().pages);
        tx.commit();
        drop(tx);
        root.magic.store(MAGIC);
        Ok(zone)
    }

    /// Takes up a zone that exists.
    ///
    /// # Safety
    ///
    /// As for [`Zone::create`], but others may use the memory as a zone.
    pub unsafe fn attach(base: NonNull<u8>, len: usize) -> Result<Zone, LayoutError> {
        // SAFETY: the caller's promise.
        let memory = unsafe { Memory::new(base, len) };
        let geometry = Geometry::of(&memory)?;
        Ok(Zone { memory, geometry })
    }

    /// Bytes of the zone.
    pub fn size(&self) -> usize {
        self.memory.len()
    }

    /// Bytes of the zone that never hold a channel or a message.
    pub fn fixed_cost(&self) -> usize {
        self.geometry.plan().fixed_cost()
    }

    /// How many workers it can serve at once.
    pub fn slot_count(&self) -> usize {
        self.geometry.plan().slots
    }

    pub(in crate::store) fn begin(&self) -> Transaction<'_> {
        let tx = Transaction::begin(&self.memory, &self.geometry);
        if tx.is_inherited() {
            tx.publish_noted();
        }
        tx
    }

    pub(in crate::store) fn slot(&self, id: SlotId) -> &Slot {
        &self.geometry.slots(&self.memory)[id.index()]
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    assert_eq!(getrandom(&mut bytes, GetRandomFlags::empty()), Ok(bytes.len()), "getrandom");
    u64::from_ne_bytes(bytes)
}

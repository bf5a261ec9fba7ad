//! Where the root, the slots, the journal, the index and the pages of a zone lie.
//!
//! The fixed part is about a fifth of the smallest zone (128 KiB) and falls to about 3 % of a large one;
//! `fixed_cost` tells the exact figure.

use core::mem::size_of;

use crate::store::ground::layout::{
    JournalEntry, MAGIC, MAX_SLOTS, MIN_SLOTS, PAGE, PageInfo, ROOT_AT, Root, Slot, VERSION,
};
use crate::store::ground::memory::{Cell32, Memory, UNIT};

/// Why memory is not, or cannot become, a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    #[error("{0} bytes are too few for a zone")]
    TooSmall(usize),
    #[error("{0} bytes are more than a zone can span")]
    TooLarge(usize),
    #[error("the memory was not laid out by this module")]
    NotAZone,
    #[error("the memory has layout version {found}, this module reads version {VERSION}")]
    OtherVersion { found: u32 },
    #[error("the memory was laid out for {found} bytes, not {len}")]
    OtherLength { found: u64, len: usize },
    #[error("a lock cannot be made: error {0}")]
    Lock(i32),
}

/// Offsets and counts that follow from the length of the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub slots: usize,
    pub slots_at: usize,
    pub journal_at: usize,
    pub journal_capacity: usize,
    pub index_at: usize,
    pub buckets: usize,
    pub page_table_at: usize,
    pub pages_at: usize,
    pub pages: usize,
}

impl Plan {
    /// Lays out a zone of `len` bytes; `None` if not even a few pages would be left.
    pub fn new(len: usize) -> Option<Plan> {
        let slots = (len / 16 / size_of::<Slot>()).clamp(MIN_SLOTS, MAX_SLOTS);
        // A step changes at most ten words per worker, and fewer than 320 of its own (`transaction.rs`).
        let journal_capacity = 320 + 10 * slots;
        let buckets = (len / 256).next_power_of_two() / 2;
        let slots_at = size_of::<Root>().next_multiple_of(64);
        let journal_at = slots_at + slots * size_of::<Slot>();
        let index_at = journal_at + journal_capacity * size_of::<JournalEntry>();
        let page_table_at = (index_at + buckets * size_of::<Cell32>()).next_multiple_of(64);
        let rest = len.checked_sub(page_table_at)?;
        let pages = (rest.checked_sub(UNIT)? / (PAGE + size_of::<PageInfo>())).min(1 << 24);
        let pages_at = (page_table_at + pages * size_of::<PageInfo>()).next_multiple_of(UNIT);
        (pages >= 4).then_some(Plan {
            slots,
            slots_at,
            journal_at,
            journal_capacity,
            index_at,
            buckets,
            page_table_at,
            pages_at,
            pages,
        })
    }

    /// Bytes of a zone that hold no channel and no message.
    pub fn fixed_cost(&self) -> usize {
        self.pages_at
    }
}

/// The layout of one zone, kept by each process.
#[derive(Debug, Clone, Copy)]
pub struct Geometry(Plan);

impl Geometry {
    /// The layout of a new zone of `len` bytes.
    pub fn plan_for(len: usize) -> Result<Self, LayoutError> {
        if len > crate::store::ground::memory::MAX_LEN {
            return Err(LayoutError::TooLarge(len));
        }
        Plan::new(len).map(Self).ok_or(LayoutError::TooSmall(len))
    }

    /// The layout of a zone that exists, if it is one that this module made.
    pub fn of(memory: &Memory) -> Result<Self, LayoutError> {
        let geometry = Self::plan_for(memory.len())?;
        let root = geometry.root(memory);
        if root.magic.get() != MAGIC {
            return Err(LayoutError::NotAZone);
        }
        if root.version.get() != VERSION {
            return Err(LayoutError::OtherVersion { found: root.version.get() });
        }
        if root.len.get() != memory.len() as u64 {
            return Err(LayoutError::OtherLength { found: root.len.get(), len: memory.len() });
        }
        let plan = &geometry.0;
        let same = root.slots.get() as usize == plan.slots
            && root.slots_at.get() as usize == plan.slots_at
            && root.journal_at.get() as usize == plan.journal_at
            && root.journal_capacity.get() as usize == plan.journal_capacity
            && root.index_at.get() as usize == plan.index_at
            && root.buckets.get() as usize == plan.buckets
            && root.page_table_at.get() as usize == plan.page_table_at
            && root.pages_at.get() as usize == plan.pages_at
            && root.pages.get() as usize == plan.pages;
        if same { Ok(geometry) } else { Err(LayoutError::NotAZone) }
    }

    /// Writes the layout into a root whose memory is cleared; all but the magic.
    pub fn describe(&self, root: &Root, len: usize) {
        root.version.store(VERSION);
        root.len.store(len as u64);
        root.slots.store(self.0.slots as u32);
        root.slots_at.store(self.0.slots_at as u64);
        root.journal_at.store(self.0.journal_at as u64);
        root.journal_capacity.store(self.0.journal_capacity as u32);
        root.index_at.store(self.0.index_at as u64);
        root.buckets.store(self.0.buckets as u32);
        root.page_table_at.store(self.0.page_table_at as u64);
        root.pages_at.store(self.0.pages_at as u64);
        root.pages.store(self.0.pages as u32);
    }

    pub fn plan(&self) -> &Plan {
        &self.0
    }

    pub fn root<'m>(&self, memory: &'m Memory) -> &'m Root {
        const { assert!(size_of::<Root>() < 128 * 1024) };
        &memory.array::<Root>(ROOT_AT, 1)[0]
    }

    pub fn slots<'m>(&self, memory: &'m Memory) -> &'m [Slot] {
        memory.array(self.0.slots_at, self.0.slots)
    }

    pub fn journal<'m>(&self, memory: &'m Memory) -> &'m [JournalEntry] {
        memory.array(self.0.journal_at, self.0.journal_capacity)
    }

    pub fn buckets<'m>(&self, memory: &'m Memory) -> &'m [Cell32] {
        memory.array(self.0.index_at, self.0.buckets)
    }

    pub fn page_table<'m>(&self, memory: &'m Memory) -> &'m [PageInfo] {
        memory.array(self.0.page_table_at, self.0.pages)
    }
}

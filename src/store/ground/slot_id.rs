//! Names of worker slots.

/// Names a worker slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u16);

impl SlotId {
    pub(crate) fn new(index: usize) -> Self {
        Self(index as u16)
    }

    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// Workers that must be woken because something waits for them.
pub type Wake = smallvec::SmallVec<[SlotId; 8]>;

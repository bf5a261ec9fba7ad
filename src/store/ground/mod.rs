//! What lies in the zone, where, and how it is reached: the only files of the store with `unsafe` of their own
//! beside those that read texts.

pub mod clocks;
pub mod flags;
pub mod geometry;
pub mod layout;
pub mod memory;
pub mod robust;
pub mod slot_id;

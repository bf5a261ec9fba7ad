//! A worker's beginning and end, and what it looks after in between.

pub mod binary_upgrade;
pub mod events_channel;
pub mod housekeeping;
pub mod shutdown;
pub mod start;

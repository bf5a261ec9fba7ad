//! A worker's beginning and end, and what it looks after in between.

pub mod drain_schedule;

#[cfg(feature = "nginx")]
pub mod binary_upgrade;
#[cfg(feature = "nginx")]
pub mod events_channel;
#[cfg(feature = "nginx")]
pub mod shutdown;
#[cfg(feature = "nginx")]
pub mod start;

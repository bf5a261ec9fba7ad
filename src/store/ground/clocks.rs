//! The machine's two clocks as they are; `model/clock.rs` says what the zone makes of them.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::store::ground::layout::Root;

/// In nanoseconds.
pub const SECOND: u64 = 1_000_000_000;

/// Starts the steady clock of a new zone, created at this unix second.
pub fn start(root: &Root, created: u64) {
    let wall = created * SECOND + wall() % SECOND;
    root.steady_offset.store(wall.wrapping_sub(monotonic()));
}

/// Nanoseconds since 1970.
pub fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Nanoseconds on a clock that nobody sets.
pub fn monotonic() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * SECOND + time.tv_nsec as u64
}

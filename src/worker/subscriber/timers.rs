//! A subscriber's one time: of its next ping, or of the end of its time, whichever is first.
//!
//! Messages do not move the timer; when it fires too early because something was sent meanwhile
//! (PING-1), it is set for the rest.

use std::time::Duration;

use crate::worker::subscriber::common::Common;

impl Common {
    /// Unless something is sent before, in milliseconds of nginx's clock.
    pub fn next_ping(&self) -> Option<u64> {
        self.location.ping_interval.map(|interval| self.last_sent + millis(interval))
    }

    pub fn ping_is_due(&self, now_ms: u64) -> bool {
        self.next_ping().is_some_and(|at| at <= now_ms)
    }

    pub fn has_expired(&self, now_ms: u64) -> bool {
        self.expires.is_some_and(|at| at <= now_ms)
    }
}

/// As nginx counts its times.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}

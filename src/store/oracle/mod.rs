//! Recounts the zone: what tests ask whether everything is as it should be. Not in the module as it is used.

pub mod check;
pub mod check_events;

//! Workers killed and stopped, configurations reloaded, zones and descriptors exhausted, clients that stall or vanish:
//! nothing acknowledged is lost, nobody gets what is not theirs, nothing hangs, and counts are exact.

#[path = "../load/mod.rs"]
mod load;
#[path = "../support/mod.rs"]
mod support;

mod clients;
mod kills;
mod mixture;
mod reloads;

//! A full zone: what makes room, and what is refused.

#[path = "../support/mod.rs"]
mod support;

mod bursts;
mod evict;
mod refuse;
mod workers;

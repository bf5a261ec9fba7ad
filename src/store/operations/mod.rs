//! What the zone does for its callers, one file an operation. `evict` is what they do when the zone is full,
//! `events` how they are told of.

pub mod create;
pub mod delete;
pub mod delivery;
pub mod events;
pub mod evict;
pub mod history;
pub mod poll;
pub mod publish;
pub mod reconcile;
pub mod resume_point;
pub mod slots;
pub mod statistics;
pub mod stuck;
pub mod subscribe;
pub mod sweep;

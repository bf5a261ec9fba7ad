//! What docs/security.md says: its recipes as they stand there, its sample, and what is logged.

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod log;
mod page;
mod recipes;
mod samples;

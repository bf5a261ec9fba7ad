//! The publisher location (docs/spec/publisher.md, JSON answers).

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod deletion;
mod ids;
mod info;
mod limits;
mod messages;
mod methods;

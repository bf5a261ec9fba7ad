//! The publisher location (docs/spec/publisher.md).

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod deletion;
mod http2;
mod ids;
mod info;
mod inside;
mod limits;
mod log;
mod messages;
mod methods;
mod smuggling;
mod uploads;

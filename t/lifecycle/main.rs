//! Channels, messages, workers and configurations over time (docs/spec/lifecycle.md).

#[path = "../support/mod.rs"]
mod support;

mod costs;
mod ends;
mod expiry;
mod reload;
mod zones;

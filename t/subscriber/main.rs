//! The subscriber location in every mode but WebSocket (docs/spec/subscriber.md).

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod answers;
mod event_source;
mod history;
mod life;
mod output;
mod polling;
mod resuming;
mod templates;

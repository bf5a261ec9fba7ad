//! The subscriber location in streaming mode (docs/spec/subscriber.md).

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod answers;
mod history;
mod life;
mod output;
mod templates;

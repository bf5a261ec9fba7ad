//! Subscriber locations beside streaming: polling, long polling, JSONP, EventSource (docs/spec/subscriber.md).

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod choice;
mod event_source;
mod exactness;
mod extensions;
mod framing;
mod guide;
mod heads;
mod jsonp;
mod long_polling;
mod padding;
mod polling;
mod templates;
mod waiting;

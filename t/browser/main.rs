//! A real browser on pages that the same nginx serves, configured by the samples in `nginx-conf/`.

#[path = "../support/mod.rs"]
mod support;

mod event_source;
mod frames;
mod polling;
mod web_socket;
mod wire;

//! The wall clock of a running nginx is set, by hours and both ways. libfaketime stands between nginx and the
//! clock; the monotonic clock is left alone, as it is where somebody sets the time.

#[path = "../support/mod.rs"]
mod support;

mod cursors;
mod faketime;
mod life;

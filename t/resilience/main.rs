//! Hard cases of delivery: bursts, floods, clients that leave in odd ways, other protocols and filters.

#[path = "../support/mod.rs"]
mod support;

mod boundary;
mod fairness;
mod history;
mod http2;
mod leaving;

//! This process: its subscribers, and how messages get to them.
//!
//! **How it goes.** nginx calls `callbacks.rs`; what that means for a subscriber becomes an event, which
//! `driver.rs` hands to the subscriber and whose effects it carries out.
//!
//! **Who owns what.** The [`Registry`](registry::Registry) owns the clients of this worker; the subscriber of each
//! holds its store subscriptions. nginx owns the request that a client sits on and says when that is over;
//! `driver::gone` is the one place where everything of a client is let go, however it ended. Encoded bytes are
//! shared by reference and belong to whoever still has to send them.
//!
//! **Which lock.** None of its own: a worker is one thread. The store's lock is held only inside the
//! store's calls, never while anything is formatted or sent. nginx is never called while a subscriber or
//! the registry is borrowed in a way that its callbacks could run into.
//!
//! **What a killed worker leaves** is in its slot of the zone; another worker gives it back
//! (`store/operations/slots.rs`). Its connections are closed by the kernel.

pub mod context;
pub mod drain_schedule;
pub mod mailbox_watch;
pub mod output;
pub mod registry;
pub mod subscriber;

#[cfg(feature = "nginx")]
mod admission;
#[cfg(feature = "nginx")]
mod callbacks;
#[cfg(feature = "nginx")]
mod client;
#[cfg(feature = "nginx")]
mod delivery;
#[cfg(feature = "nginx")]
mod departure;
#[cfg(feature = "nginx")]
mod driver;
#[cfg(feature = "nginx")]
mod handlers;
#[cfg(feature = "nginx")]
mod lifecycle;
#[cfg(feature = "nginx")]
mod log_lines;
#[cfg(feature = "nginx")]
mod log_throttle;
#[cfg(feature = "nginx")]
mod publish;
#[cfg(feature = "nginx")]
mod state;
#[cfg(feature = "nginx")]
mod stuck;
#[cfg(feature = "nginx")]
mod wakeup;

#[cfg(feature = "nginx")]
pub use self::admission::{
    Delivery, Failure, Outcome, SubscribeRequest, failed_request, serve, turn_away,
};
#[cfg(feature = "nginx")]
pub use self::callbacks::HANDLERS;
#[cfg(feature = "nginx")]
pub use self::lifecycle::start::{exit_process, init_module, init_process, wait_for_place};
#[cfg(feature = "nginx")]
pub use self::publish::{delete, publish, slot};
#[cfg(feature = "nginx")]
pub use self::state::Worker;
#[cfg(feature = "nginx")]
pub use self::subscriber::websocket::session::Opening;

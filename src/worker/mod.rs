//! This process: its subscribers, and how messages get to them.
//!
//! **Who owns what.** The [`Registry`] owns the subscribers of this worker; each holds its store
//! subscriptions and gives them back when it ends. nginx owns the request a subscriber sits on and says
//! when that is over (`gone`); that is the one place where everything of a subscriber is let go, however
//! it ended. Formatted bytes are shared by reference and belong to whoever still has to send them.
//!
//! **Which lock.** None of its own: a worker is one thread. The store's lock is held only inside the
//! store's calls, never while anything is formatted or sent. nginx is never called while a subscriber or
//! the registry is borrowed in a way that its callbacks could run into.
//!
//! **What a killed worker leaves** is in its slot of the zone; another worker gives it back
//! (`store/operations/slots.rs`). Its connections are closed by the kernel.

pub mod lifecycle;
pub mod mailbox_watch;
pub mod output;

#[cfg(feature = "nginx")]
mod admission;
#[cfg(feature = "nginx")]
mod context;
#[cfg(feature = "nginx")]
mod delivery;
#[cfg(feature = "nginx")]
mod isolation;
#[cfg(feature = "nginx")]
mod log_throttle;
#[cfg(feature = "nginx")]
mod publish;
#[cfg(feature = "nginx")]
mod registry;
#[cfg(feature = "nginx")]
mod stuck;
#[cfg(feature = "nginx")]
mod subscriber;
#[cfg(feature = "nginx")]
mod wakeup;

#[cfg(feature = "nginx")]
pub use self::admission::{Delivery, Failure, Outcome, SubscribeRequest, serve};
#[cfg(feature = "nginx")]
pub use self::context::Worker;
#[cfg(feature = "nginx")]
pub use self::isolation::failed_request;
#[cfg(feature = "nginx")]
pub use self::lifecycle::start::{exit_process, init_module, init_process, wait_for_place};
#[cfg(feature = "nginx")]
pub use self::publish::{delete, publish, slot};
#[cfg(feature = "nginx")]
pub use self::subscriber::websocket::session::{Opening, turn_away};

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
//! (`store/slots.rs`). Its connections are closed by the kernel.

pub mod compressed;
pub mod direct;
pub mod envelope;
pub mod formatted;
pub mod frames;
pub mod mailbox_watch;
pub mod outbox;
pub mod pace;

#[cfg(feature = "nginx")]
mod closing;
#[cfg(feature = "nginx")]
mod current;
#[cfg(feature = "nginx")]
mod delivery;
#[cfg(feature = "nginx")]
mod events;
#[cfg(feature = "nginx")]
mod eviction;
#[cfg(feature = "nginx")]
mod head;
#[cfg(feature = "nginx")]
mod hearing;
#[cfg(feature = "nginx")]
mod leaving;
#[cfg(feature = "nginx")]
mod mishap;
#[cfg(feature = "nginx")]
mod process;
#[cfg(feature = "nginx")]
mod publish;
#[cfg(feature = "nginx")]
mod registry;
#[cfg(feature = "nginx")]
mod sending;
#[cfg(feature = "nginx")]
mod sink;
#[cfg(feature = "nginx")]
mod stuck;
#[cfg(feature = "nginx")]
mod subscribe;
#[cfg(feature = "nginx")]
mod subscriber;
#[cfg(feature = "nginx")]
mod timers;
#[cfg(feature = "nginx")]
mod transmission;
#[cfg(feature = "nginx")]
mod upgrade;
#[cfg(feature = "nginx")]
mod wait;
#[cfg(feature = "nginx")]
mod wakeup;
#[cfg(feature = "nginx")]
mod websocket;

#[cfg(feature = "nginx")]
pub use self::current::Worker;
#[cfg(feature = "nginx")]
pub use self::mishap::failed_request;
#[cfg(feature = "nginx")]
pub use self::process::{exit_process, init_module, init_process, wait_for_place};
#[cfg(feature = "nginx")]
pub use self::publish::{delete, publish, slot};
#[cfg(feature = "nginx")]
pub use self::subscribe::{Failure, Kind, Order, Outcome, serve};
#[cfg(feature = "nginx")]
pub use self::websocket::{Opening, turn_away};

#[cfg(feature = "nginx")]
use self::current::{CURRENT, now};

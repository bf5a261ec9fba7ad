//! The zone that all worker processes share: channels, messages, mailboxes, counters.
//!
//! **Who owns what.** The channel index owns channels, a channel's history owns its stored messages, a
//! worker's slot owns everything that worker does: its mailbox, its subscriptions (one node a channel),
//! its drafts, its bookmarks, the page of history it is formatting. Objects are counted; each count is
//! one of those owners, all of which lie in the zone, so `oracle/check.rs` can recount them. Process memory
//! owns nothing here: what the store hands out is borrowed from an owner in the worker's slot.
//!
//! **Which lock.** One robust mutex guards everything but the few counters that a worker keeps of
//! itself. Transactions are short: no client data is copied, nothing is formatted, no channel list is
//! walked inside one. Text is copied in while the message is a draft of its worker, and read while an
//! entry of the worker's slot holds it.
//!
//! **What a killed process leaves.** A transaction is journalled and undone unless it committed
//! (`transaction/mod.rs`). What a dead worker owned is found in its slot, by whoever notices that nobody holds
//! the slot's liveness mutex any more (`operations/slots.rs`).
//!
//! Every arrow points down: `operations` are what the rest of the module calls; `model` the parts they are
//! made of; `transaction` the one way to change the zone, with its allocator and lists; `ground` what lies
//! where. `oracle` recounts all of it, for tests.

mod error;
mod ground;
mod model;
mod operations;
#[cfg(any(test, feature = "oracle"))]
pub mod oracle;
#[cfg(test)]
pub(crate) mod tests;
mod transaction;
mod zone;

pub use self::error::StoreError;
pub use self::ground::geometry::LayoutError;
pub use self::ground::layout::{Bookmark, Channel, Node};
pub use self::ground::memory::Ref;
pub use self::ground::slot_id::{SlotId, Wake};
pub use self::model::counts::{DropCause, Mode};
pub use self::model::event::Event;
pub use self::model::limits::Limits;
pub use self::model::parts::{MessageRef, Parts};
pub use self::model::stamp::Stamp;
pub use self::operations::delivery::{Mail, Notice};
pub use self::operations::events::EventsTurn;
pub use self::operations::evict::evicted_here;
pub use self::operations::history::{Gap, Page, PageStep};
pub use self::operations::poll::{
    Poll, PollRequest, Polled, Position, Progress, WaitPolicy, WaitStart,
};
pub use self::operations::publish::{Publish, Published};
pub use self::operations::resume_point::{JoinItem, ResumePoint};
pub use self::operations::slots::{NoSlot, Reclaimed};
pub use self::operations::statistics::{ChannelCounts, Totals, WorkerCounts};
pub use self::operations::stuck::{Misses, STUCK_AFTER};
pub use self::operations::subscribe::{JoinRules, Joined, Subscription, Subscriptions};
pub use self::operations::sweep::Swept;
pub use self::transaction::alloc::Full;
pub use self::zone::Zone;

//! The zone that all worker processes share: channels, messages, mailboxes, counters.
//!
//! **Who owns what.** The channel index owns channels, a channel's history owns its stored messages, a
//! worker's slot owns everything that worker does: its mailbox, its subscriptions (one node a channel),
//! its drafts, its bookmarks, the page of history it is formatting. Objects are counted; each count is
//! one of those owners, all of which lie in the zone, so `check.rs` can recount them. Process memory
//! owns nothing here: what the store hands out is borrowed from an owner in the worker's slot.
//!
//! **Which lock.** One robust mutex guards everything but the few counters that a worker keeps of
//! itself. Transactions are short: no client data is copied, nothing is formatted, no channel list is
//! walked inside one. Text is copied in while the message is a draft of its worker, and read while an
//! entry of the worker's slot holds it.
//!
//! **What a killed process leaves.** A transaction is journalled and undone unless it committed
//! (`transaction.rs`). What a dead worker owned is found in its slot, by whoever notices that nobody holds
//! the slot's liveness mutex any more (`slots.rs`).
//!
//! Every arrow points down: `operations` are what the rest of the module calls; `model` the parts they are
//! made of; `transaction` the one way to change the zone, with its allocator and lists; `ground` what lies
//! where. `oracle` recounts all of it, for tests.

mod ground;
mod model;
mod operations;
#[cfg(any(test, feature = "oracle"))]
pub mod oracle;
#[cfg(test)]
mod tests;
mod transaction;

use core::ptr::NonNull;

pub use self::ground::geometry::LayoutError;
pub use self::ground::layout::{Bookmark, Channel, Node};
pub use self::ground::memory::Ref;
pub use self::model::stamp::Stamp;
pub use self::operations::delivery::{Mail, Notice};
pub use self::operations::events::{Event, EventsTurn};
pub use self::operations::evict::evicted_here;
pub use self::operations::history::{Gap, Page, PageStep};
pub use self::operations::poll::{Ask, Began, Patience, Poll, Polled, Position, Standing};
pub use self::operations::publish::{Publish, Published};
pub use self::operations::resume_point::Since;
pub use self::operations::slots::{DropCause, Mode, NoSlot, Reclaimed};
pub use self::operations::statistics::{ChannelInfo, Totals, WorkerInfo};
pub use self::operations::stuck::{STUCK_AFTER, TakenBack};
pub use self::operations::subscribe::{JoinItem, JoinRules, Joined, Subscription, Subscriptions};
pub use self::operations::sweep::Swept;
pub use self::transaction::alloc::Full;

use self::ground::geometry::Geometry;
use self::ground::layout::{MAGIC, Message, Slot};
use self::ground::memory::Memory;
use self::transaction::Transaction;

/// What an operation refuses, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The zone has no room (LIFE-51..54).
    #[error("not enough shared memory")]
    Full,
    /// A channel limit (PUB-78, ADM-8).
    #[error("the number of channels is exceeded")]
    TooManyChannels,
    /// `push_stream_authorized_channels_only` (ADM-4).
    #[error("the channel does not exist or stores no message")]
    NotAuthorized,
    /// `push_stream_max_subscribers_per_channel` (ADM-5).
    #[error("the number of subscribers of the channel is exceeded")]
    TooManySubscribers,
    /// `push_stream_wildcard_channel_max_qtd` (ADM-7).
    #[error("too many wildcard channels")]
    TooManyWildcards,
    /// A publish to the events channel (EVT-17).
    #[error("only internal routines can change events channel")]
    EventsChannel,
    /// A subscription to the events channel where that is not allowed (ADM-6).
    #[error("the events channel is not open here")]
    EventsNotAllowed,
}

impl From<Full> for StoreError {
    fn from(_: Full) -> Self {
        StoreError::Full
    }
}

/// The zone-wide settings that operations obey.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    pub max_channels: Option<u64>,
    pub max_wildcard_channels: Option<u64>,
    /// Subscriptions per channel.
    pub max_subscribers: Option<u64>,
    /// Messages in a channel's history.
    pub max_stored: Option<u64>,
    /// Seconds.
    pub message_ttl: u64,
    /// Seconds.
    pub inactivity: u64,
    /// Empty: no channel is a wildcard channel.
    pub wildcard_prefix: Vec<u8>,
}

impl Limits {
    /// ADM-10, DIR-175.
    pub fn is_wildcard(&self, id: &[u8]) -> bool {
        !self.wildcard_prefix.is_empty() && id.starts_with(&self.wildcard_prefix)
    }
}

/// What a publisher sends.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts<'a> {
    /// The text, in pieces.
    pub text: &'a [&'a [u8]],
    pub event_id: Option<&'a [u8]>,
    pub event_type: Option<&'a [u8]>,
    pub binary: bool,
}

impl Parts<'_> {
    fn text_len(&self) -> usize {
        self.text.iter().map(|piece| piece.len()).sum()
    }

    /// Writes the bytes of a message that was made for these parts.
    ///
    /// # Safety
    ///
    /// The caller allocated the message and has not made it visible.
    unsafe fn copy_to(&self, memory: &Memory, message: Ref<Message>) {
        let mut at = message.offset() + Message::BYTES_AT;
        let pieces = [self.event_id, self.event_type].into_iter().flatten();
        for piece in pieces.chain(self.text.iter().copied()) {
            // SAFETY: the caller's promise; the message has room for all pieces.
            unsafe { memory.fill(at, piece) };
            at += piece.len();
        }
    }
}

/// A message as a worker reads it, borrowed from the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageRef<'a> {
    pub channel: Ref<Channel>,
    pub channel_id: &'a [u8],
    pub id: u64,
    pub stamp: Stamp,
    pub text: &'a [u8],
    pub event_id: Option<&'a [u8]>,
    pub event_type: Option<&'a [u8]>,
    pub binary: bool,
}

/// Names a worker slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u16);

impl SlotId {
    pub(crate) fn new(index: usize) -> Self {
        Self(index as u16)
    }

    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// Workers that must be woken because something waits for them.
pub type Wake = smallvec::SmallVec<[SlotId; 8]>;

/// A handle to the zone; every process has its own.
#[derive(Clone, Copy)]
pub struct Zone {
    memory: Memory,
    geometry: Geometry,
}

impl Zone {
    /// Lays out a new, empty zone.
    ///
    /// # Safety
    ///
    /// The memory is aligned to 16 bytes, `len` long, used by nobody else yet, and stays mapped at this
    /// address as long as the result or anything borrowed from it is used.
    pub unsafe fn create(base: NonNull<u8>, len: usize, now: u64) -> Result<Zone, LayoutError> {
        let geometry = Geometry::plan_for(len)?;
        // SAFETY: the caller's promise.
        let memory = unsafe { Memory::new(base, len) };
        // SAFETY: nobody else uses the zone yet.
        unsafe { memory.clear(0, geometry.plan().fixed_cost()) };
        let root = geometry.root(&memory);
        geometry.describe(root, len);
        root.lock.init().map_err(LayoutError::Lock)?;
        for slot in geometry.slots(&memory) {
            slot.liveness.init().map_err(LayoutError::Lock)?;
        }
        for key in &root.hash_keys {
            key.store(random());
        }
        root.created.store(now);
        model::clock::start(root, now);
        root.next_serial.store(1);
        let zone = Zone { memory, geometry };
        let tx = zone.begin();
        tx.free_all_pages(geometry.plan().pages);
        tx.commit();
        drop(tx);
        root.magic.store(MAGIC);
        Ok(zone)
    }

    /// Takes up a zone that exists.
    ///
    /// # Safety
    ///
    /// As for [`Zone::create`], but others may use the memory as a zone.
    pub unsafe fn attach(base: NonNull<u8>, len: usize) -> Result<Zone, LayoutError> {
        // SAFETY: the caller's promise.
        let memory = unsafe { Memory::new(base, len) };
        let geometry = Geometry::of(&memory)?;
        Ok(Zone { memory, geometry })
    }

    /// Bytes of the zone.
    pub fn size(&self) -> usize {
        self.memory.len()
    }

    /// Bytes of the zone that never hold a channel or a message.
    pub fn fixed_cost(&self) -> usize {
        self.geometry.plan().fixed_cost()
    }

    /// How many workers it can serve at once.
    pub fn slot_count(&self) -> usize {
        self.geometry.plan().slots
    }

    fn begin(&self) -> Transaction<'_> {
        let tx = Transaction::begin(&self.memory, &self.geometry);
        if tx.is_inherited() {
            tx.publish_noted();
        }
        tx
    }

    fn slot(&self, id: SlotId) -> &Slot {
        &self.geometry.slots(&self.memory)[id.index()]
    }
}

fn random() -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: the buffer is as long as said.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    assert_eq!(got, 8, "getrandom");
    u64::from_ne_bytes(bytes)
}

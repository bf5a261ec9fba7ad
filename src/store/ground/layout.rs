//! What lies in the zone: layout version 5.
//!
//! ```text
//! Root | slots | journal | index buckets | page table | pages ...
//! ```
//!
//! `geometry.rs` says where each part begins. Nothing here depends on the machine's page size.

use core::mem::{offset_of, size_of};

pub use crate::store::ground::flags::{ChannelFlags, MessageFlags, SlotState};
use crate::store::ground::memory::{Cell32, Cell64, Link, Object, Ref};
use crate::store::ground::robust::RobustMutex;
use crate::store::ground::slot_id::SlotId;

/// First word of every zone: `ngxpstrm`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"ngxpstrm");
/// Changes whenever an older or newer module would misread the zone; docs/zone-layout.md says what follows.
///
/// 2: the events channel, and events that were noted. 3: the count of configurations, by which workers know that
/// they were replaced. 4: the two clocks, eviction, and which pages hold nothing but messages. 5: who is
/// stuck, what is lent to a worker, and the way back through a mailbox.
pub const VERSION: u32 = 5;

/// Bytes in a page of the zone's own allocator; nothing to do with the machine's pages.
pub const PAGE: usize = 4096;
/// Most worker slots a zone can have: nginx's own limit on processes.
pub const MAX_SLOTS: usize = 1024;
/// Fewest worker slots, whatever the size of the zone.
pub const MIN_SLOTS: usize = 32;
/// Messages a worker may hold at once while it formats a page of history.
pub const PAGE_OF_HISTORY: usize = 32;
/// Ways a subscriber can be connected, counted apart in each slot.
pub const MODES: usize = 8;
/// Reasons why a message did not reach a subscriber, counted apart in each slot.
pub const CAUSES: usize = 4;
/// Lists by due time, so that a changed ttl keeps each of them in order (`expiry_queues.rs`).
pub const QUEUES: usize = 8;
/// Seconds that the buckets of recently removed objects span (`trash.rs`).
pub const TRASH_SECONDS: usize = 32;

/// An intrusive doubly linked list: the ends, kept in the zone.
#[repr(C)]
pub struct Ends<T> {
    pub head: Link<T>,
    pub tail: Link<T>,
}

/// An intrusive doubly linked list: the links, kept in the item.
#[repr(C)]
pub struct Links<T> {
    pub prev: Link<T>,
    pub next: Link<T>,
}

/// A time-ordered set of lists.
#[repr(C)]
pub struct ExpiryQueues<T>(pub [Ends<T>; QUEUES]);

/// The start of the zone.
#[repr(C)]
pub struct Root {
    pub magic: Cell64,
    pub version: Cell32,
    pub slots: Cell32,
    pub len: Cell64,
    /// Offsets in bytes from the start of the zone.
    pub slots_at: Cell64,
    pub journal_at: Cell64,
    pub index_at: Cell64,
    pub page_table_at: Cell64,
    pub pages_at: Cell64,
    /// Entries the journal can hold.
    pub journal_capacity: Cell32,
    /// A power of two.
    pub buckets: Cell32,
    pub pages: Cell32,
    /// Entries of the open transaction; 0 = everything before is committed.
    pub journal_len: Cell32,
    /// Keys of the index hash.
    pub hash_keys: [Cell64; 2],
    /// When the zone was created, unix seconds: where the steady clock begins (`model/clock.rs`).
    pub created: Cell64,

    /// Between the two clocks; see `clock.rs`. Nanoseconds and seconds, signed.
    pub steady_offset: Cell64,
    pub wall_shift: Cell64,

    /// The last (second, tag) given out; see `stamp.rs`.
    pub stamp_second: Cell64,
    pub stamp_tag: Cell32,
    /// Slots whose worker is stuck.
    pub stuck_workers: Cell32,

    pub channels: Cell32,
    pub wildcard_channels: Cell32,
    pub stored: Cell64,
    pub published: Cell64,
    /// Serial number of the next channel, so that equal ids of different lives can be told apart.
    pub next_serial: Cell64,
    /// Totals of workers that are gone.
    pub delivered: Cell64,
    pub dropped: [Cell64; CAUSES],

    /// Bytes of all allocated objects, rounded to their size class.
    pub used: Cell64,
    pub free_pages: Cell32,
    /// 1: the oldest messages make room; `evict.rs`.
    pub evicts: Cell32,
    pub evicted: Cell64,
    /// Rises with every configuration that takes the zone up, wrapping; see `events.rs`.
    pub events_turn: Cell32,
    /// The events channel; null if there is none.
    pub events: Link<Channel>,
    /// Messages that it stores at most; 0 = any number.
    pub events_max_stored: Cell32,
    /// Seconds that it stores them.
    pub events_ttl: Cell64,
    /// Events that found no room.
    pub events_dropped: Cell64,
    /// Events that were noted and are not yet in the events channel. Empty while nobody holds the lock.
    pub noted: Ends<Message>,

    /// All channels in order of creation, deleted ones that somebody still holds included.
    pub order: Ends<Channel>,
    /// Channels whose inactivity period runs.
    pub idle: ExpiryQueues<Channel>,
    /// Channels whose period ended while something kept them, and no longer does.
    pub due: Ends<Channel>,
    /// Stored messages by expiry.
    pub expiring: ExpiryQueues<Message>,
    pub trash: [TrashBucket; TRASH_SECONDS],

    /// Pages with free room, by size class; page numbers plus one.
    pub partial: [Cell32; CLASSES],
    /// Free runs of pages, by length bin.
    pub runs: [Cell32; BINS],

    pub lock: RobustMutex,
}

/// What was removed in one second; `trash.rs`.
#[repr(C)]
pub struct TrashBucket {
    pub second: Cell64,
    pub messages: Cell32,
    pub channels: Cell32,
}

/// Size classes of small objects; `alloc.rs` says which.
pub const CLASSES: usize = 37;
/// Length bins of free runs; `pages.rs`.
pub const BINS: usize = 128;

/// Describes one page of the allocator.
#[repr(C)]
pub struct PageInfo {
    /// [`PageState`] in the low byte; above it the length of the run in pages, or the size class and the
    /// number of objects that are no messages.
    pub state: Cell32,
    /// Free objects in the page (small); of a run, 1 if no message is in it.
    pub free: Cell32,
    /// Neighbours in the partial list or in the bin; page numbers plus one.
    pub prev: Cell32,
    pub next: Cell32,
    /// One bit per object in use.
    pub used: [Cell32; 4],
}

/// What a worker process has in the zone.
#[repr(C)]
pub struct Slot {
    /// Held by the worker while it lives.
    pub liveness: RobustMutex,
    pub state: Cell32,
    pub pid: Cell32,
    /// nginx's process slot: `by_worker` is listed in its order (STAT-58).
    pub position: Cell32,
    /// 1 while a wake-up is on its way.
    pub signalled: Cell32,
    /// Second of the steady clock at which the worker took the slot.
    pub started: Cell64,

    /// Mailbox: a queue of blocks; `mail_first` and `mail_end` index into its first and last block.
    pub mail_head: Link<MailBlock>,
    pub mail_tail: Link<MailBlock>,
    pub mail_first: Cell32,
    pub mail_end: Cell32,
    pub mail_count: Cell32,
    /// Entries at its front that the worker is reading without the lock.
    pub mail_lent: Cell32,
    /// 1: the worker has not taken its mail for long. 2: and the log was told that it misses some. `stuck.rs`.
    pub stuck: Cell32,
    /// Deliveries that its subscribers have missed since.
    pub missed: Cell32,
    /// Zone bytes of the messages in the mailbox.
    pub mail_bytes: Cell64,

    /// This worker's subscriptions, one node a channel.
    pub nodes: Ends<Node>,
    /// Those whose channel was deleted and whose subscribers have not been told.
    pub deleted_nodes: Ends<Node>,
    /// Messages being copied in.
    pub drafts: Ends<Message>,
    /// Places in channels' histories where subscribers of this worker go on reading.
    pub bookmarks: Ends<Bookmark>,
    /// The page of history that is being formatted.
    pub pinned: [Link<Message>; PAGE_OF_HISTORY],
    /// Where a listing of channels goes on.
    pub listing: Link<Channel>,
    /// A deleted channel whose messages are being freed.
    pub deleting: Link<Channel>,
    pub pinned_count: Cell32,
    /// Entries ever removed from the mailbox, wrapping.
    pub mail_removed: Cell32,

    /// Written by the owner alone, outside any transaction.
    pub subscribers: [Cell32; MODES],
    pub delivered: Cell64,
    pub dropped: [Cell64; CAUSES],
}

/// An entry of the journal: a word as it was before.
#[repr(C)]
pub struct JournalEntry {
    /// Offset in bytes from the start of the zone; bit 0 set: a 64-bit word.
    pub place: Cell64,
    pub before: Cell64,
}

/// A channel; its id follows.
#[repr(C)]
pub struct Channel {
    pub serial: Cell64,
    /// Id of the newest message; also the number of messages ever published (STAT-46).
    pub last_id: Cell64,
    /// Stamp of the newest message, stored or not (OLD-15); of its end, when it was deleted.
    pub last_second: Cell64,
    /// Stamp of the newest message that was removed: an older cursor has a gap.
    pub removed_second: Cell64,
    /// Second of the steady clock at which the channel goes if nothing keeps it.
    pub deadline: Cell64,
    pub last_tag: Cell32,
    pub removed_tag: Cell32,
    /// Holders: the index, nodes, messages, a listing, a deletion.
    pub refs: Cell32,
    pub flags: Cell32,
    pub hash: Cell32,
    pub hash_next: Link<Channel>,
    pub order: Links<Channel>,
    pub idle: Links<Channel>,
    pub nodes: Ends<Node>,
    pub fifo: Ends<Message>,
    pub stored: Cell32,
    pub subscribers: Cell32,
    /// Text of the DELETE request, if it had one.
    pub delete_text: Link<Message>,
    pub id_len: Cell32,
}

/// A message; its event id, event type and text follow. Immutable once published, but for its links,
/// holders and flags.
#[repr(C)]
pub struct Message {
    pub id: Cell64,
    /// Holders: the channel's history, mailbox entries, a draft, the list of noted events, bookmarks,
    /// the pinned page.
    pub refs: Cell32,
    pub flags: Cell32,
    pub channel: Link<Channel>,
    /// History of the channel; before that, the list of drafts or of noted events.
    pub fifo: Links<Message>,
    pub expiring: Links<Message>,
    /// Of its stamp, unix seconds; of a noted event, until that has a stamp, the second of the steady clock.
    pub second: Cell32,
    pub tag: Cell32,
    /// Second of the steady clock after which it is stored no longer.
    pub expires: Cell32,
    pub text_len: Cell32,
    pub event_id_len: Cell32,
    pub event_type_len: Cell32,
    /// Of the event id, so that a search compares bytes only where it pays.
    pub event_id_hash: Cell32,
}

/// The subscriptions that one worker has on one channel.
#[repr(C)]
pub struct Node {
    pub of_channel: Links<Node>,
    pub of_slot: Links<Node>,
    pub channel: Link<Channel>,
    pub slot: Cell32,
    pub subscribers: Cell32,
    /// What `mail_removed` of the slot is when all that was posted for this node has been taken.
    pub mail_until: Cell32,
}

/// Entries of a [`MailBlock`].
pub const MAIL_ENTRIES: usize = 30;

/// A piece of a mailbox.
#[repr(C)]
pub struct MailBlock {
    pub next: Link<MailBlock>,
    pub prev: Link<MailBlock>,
    pub entries: [Link<Message>; MAIL_ENTRIES],
}

/// Where a subscriber goes on reading a channel's history. Holds the message at that place.
#[repr(C)]
pub struct Bookmark {
    /// The last id that belongs to the history; later ones come live.
    pub until: Cell64,
    pub of_slot: Links<Bookmark>,
    pub message: Link<Message>,
    pub slot: Cell32,
    pub flags: Cell32,
    pub reserved: Cell32,
}

/// What the allocator keeps.
pub trait Allocated: Object {
    /// Not to be evicted.
    const FIXED: bool = true;
}
impl Allocated for Channel {}
impl Allocated for Node {}
impl Allocated for MailBlock {}
impl Allocated for Bookmark {}
impl Allocated for Message {
    const FIXED: bool = false;
}

macro_rules! objects {
    ($($t:ty),+) => {$(
        // SAFETY: repr(C), made of cells (or of a mutex behind an UnsafeCell, which is only touched
        // by the C library), aligned to at most 8.
        unsafe impl Object for $t {}
    )+};
}
objects!(Root, PageInfo, Slot, JournalEntry, Channel, Message, Node, MailBlock, Bookmark, Cell32);

impl Slot {
    pub fn state(&self) -> SlotState {
        match self.state.get() {
            1 => SlotState::Active,
            2 => SlotState::Leaving,
            3 => SlotState::Draining,
            _ => SlotState::Free,
        }
    }
}

impl Node {
    /// The worker whose subscriptions these are.
    pub fn worker(&self) -> SlotId {
        SlotId::new(self.slot.get() as usize)
    }
}

impl Channel {
    pub fn flags(&self) -> ChannelFlags {
        ChannelFlags::from_bits_retain(self.flags.get())
    }
    /// Where the id begins, in bytes from the start of the channel.
    pub const ID_AT: usize = offset_of!(Channel, id_len) + size_of::<Cell32>();
}

impl Message {
    pub fn flags(&self) -> MessageFlags {
        MessageFlags::from_bits_retain(self.flags.get())
    }
    /// Where the event id begins, in bytes from the start of the message.
    pub const BYTES_AT: usize = size_of::<Message>();
    /// Bytes of the whole object.
    pub fn size(&self) -> usize {
        Self::BYTES_AT
            + self.event_id_len.get() as usize
            + self.event_type_len.get() as usize
            + self.text_len.get() as usize
    }
}

/// The root lies at offset 0, where no [`Ref`] can point.
pub const ROOT_AT: usize = 0;

const _: () = {
    assert!(size_of::<Message>() == 64);
    assert!(size_of::<Node>() == 32);
    assert!(size_of::<MailBlock>() == 128);
    assert!(size_of::<Bookmark>() <= 48);
    assert!(size_of::<PageInfo>() == 32);
    assert!(size_of::<Slot>() % 8 == 0);
};

/// A page of the allocator as a reference target.
pub fn page_ref<T>(pages_at: usize, page: usize, offset: usize) -> Ref<T> {
    Ref::from_offset(pages_at + page * PAGE + offset)
}

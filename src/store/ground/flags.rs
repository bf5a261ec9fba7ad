//! What the zone's objects say of themselves in a word.

bitflags::bitflags! {
    /// Of a channel.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ChannelFlags: u32 {
        /// Its id starts with the wildcard prefix (ADM-10).
        const WILDCARD = 1;
        /// No longer in the index.
        const DELETED = 2;
        /// In a queue of `Root::idle`; the queue's number is in bits 8..16.
        const IN_QUEUE = 4;
        /// In `Root::due`.
        const DUE = 8;
        /// `Root::events` names it: it stays, and waits nowhere.
        const EVENTS = 16;
        const _ = !0;
    }

    /// Of a message.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct MessageFlags: u32 {
        /// Published as binary.
        const BINARY = 1;
        /// Has an event id, perhaps an empty one.
        const EVENT_ID = 2;
        /// Has an event type, perhaps an empty one.
        const EVENT_TYPE = 4;
        /// In its channel's history.
        const STORED = 8;
        /// In a queue of `Root::expiring`; the queue's number is in bits 8..16.
        const IN_QUEUE = 16;
        const _ = !0;
    }
}

/// State of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum SlotState {
    Free = 0,
    Active = 1,
    /// The worker is ending its subscribers; no longer listed (STAT-58).
    Leaving = 2,
    /// The worker goes on with its subscribers for a while, but takes no connections any more.
    Draining = 3,
}

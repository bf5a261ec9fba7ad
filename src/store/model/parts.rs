//! A message as it comes from a publisher, and as a worker reads it.

use crate::store::ground::layout::{Channel, Message};
use crate::store::ground::memory::{Memory, Ref};
use crate::store::model::stamp::Stamp;

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
    pub(in crate::store) fn text_len(&self) -> usize {
        self.text.iter().map(|piece| piece.len()).sum()
    }

    /// Writes the bytes of a message that was made for these parts.
    ///
    /// # Safety
    ///
    /// The caller allocated the message and has not made it visible.
    pub(in crate::store) unsafe fn copy_to(&self, memory: &Memory, message: Ref<Message>) {
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

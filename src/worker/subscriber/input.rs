//! What a client has sent, and how much of it is looked at in one turn of the event loop.

/// A client's share of one turn, in bytes: those that are read, what their messages cost, decompressing
/// above all, and those that are published, channel by channel.
const SHARE: usize = 128 * 1024;
/// What was received and not looked at, and what is left of the client's share.
pub struct Input<'i> {
    pub bytes: &'i mut [u8],
    pub budget: &'i mut Budget,
    /// Nothing more is to be had from the bytes: more are to be received.
    pub is_read: bool,
}

/// What is left of a client's share of a turn.
pub struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Budget(SHARE)
    }
}

impl Budget {
    pub fn spend(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }

    pub fn is_spent(&self) -> bool {
        self.0 == 0
    }
}

//! What a WebSocket is beyond a subscriber: its session, what its client sends, and the close of both sides.

pub mod close;
pub mod read;
pub mod session;
pub mod socket;

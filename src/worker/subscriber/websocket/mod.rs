//! What a WebSocket has beyond a stream: the client speaks too, and both close (RFC 6455).
//!
//! Everything that is sent goes the way of a stream, in frames; what the client sends is read in `read.rs`; how
//! both close is in `close.rs`.

pub mod close;
pub mod read;
pub mod session;

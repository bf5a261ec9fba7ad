//! WebSocket on the wire (RFC 6455): the handshake's values, frames in both directions, closing.

pub mod close;
pub mod close_handshake;
pub mod deflate;
pub mod extensions;
pub mod frame;
pub mod handshake;
pub mod inflate;
pub mod mask;
pub mod reader;
pub mod rules;
pub mod utf8;

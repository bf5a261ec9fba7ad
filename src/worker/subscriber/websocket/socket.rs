//! What a WebSocket keeps beyond a stream: its reader, its closing handshake, its times.

use std::cell::{Cell, RefCell};

use crate::protocol::websocket::close_handshake::CloseHandshake;
use crate::protocol::websocket::reader::Reader;
use crate::store::{Channel, Ref};

/// A channel that the client's messages go to, and its id.
pub(in crate::worker) type Target = (Ref<Channel>, Box<[u8]>);

/// The connection of a subscriber that can speak.
pub(in crate::worker) struct Socket {
    pub reader: RefCell<Reader>,
    /// What was read and not looked at, because it was the others' turn.
    pub pending_input: RefCell<Vec<u8>>,
    pub goodbye: CloseHandshake,
    /// The payload of the last ping that is not answered. The client must take it before the next is
    /// answered, so pings that come faster are not (RFC 6455 section 5.5.3).
    pub ping: RefCell<Option<Vec<u8>>>,
    /// Milliseconds of nginx's clock: when the next piece of an unfinished message must have come.
    pub piece_due: Cell<Option<u64>>,
    /// Milliseconds of nginx's clock: when a pong must have come.
    pub pong_due: Cell<Option<u64>>,
    /// Where its messages go, if it may publish.
    pub targets: Vec<Target>,
}

//! A WebSocket: a stream, its client's side, and the closing handshake of both.

use crate::protocol::websocket::close_handshake::CloseHandshake;
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::reader::Reader;
use crate::protocol::websocket::rules::ReaderLimits;
use crate::store::{self, Channel, Ref};
use crate::worker::output::encoded::Encoded;
use crate::worker::output::frames::Frames;
use crate::worker::subscriber::common::Common;
use crate::worker::subscriber::stream::Stream;
use crate::worker::subscriber::timers::millis;

/// What was agreed on in the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The response head (WS-20).
    pub head: Vec<u8>,
    pub frames: Frames,
    pub rules: ReaderLimits,
}

/// A channel that the client's messages go to, and its id.
pub type Target = (Ref<Channel>, Box<[u8]>);

pub struct WebSocket {
    pub stream: Stream,
    pub reader: Reader,
    /// What was read and not looked at, because it was the others' turn.
    pub pending_input: Vec<u8>,
    pub handshake: CloseHandshake,
    /// The payload of the last ping that is not answered. The client must take it before the next is
    /// answered, so pings that come faster are not (RFC 6455 section 5.5.3).
    pub ping: Option<Vec<u8>>,
    /// Milliseconds of nginx's clock: when the next piece of an unfinished message must have come.
    pub piece_due: Option<u64>,
    /// Milliseconds of nginx's clock: when a pong must have come.
    pub pong_due: Option<u64>,
    /// Where its messages go, if it may publish.
    pub targets: Vec<Target>,
}

impl WebSocket {
    /// `preread`: what came in one piece with the handshake (WS-87).
    pub fn open(limits: ReaderLimits, preread: Vec<u8>, targets: Vec<Target>) -> WebSocket {
        let stream = Stream::open(store::Mode::WebSocket);
        WebSocket::new(stream, CloseHandshake::open(), limits, preread, targets)
    }

    /// For a client that is refused, and whose frames are not looked at: all that it gets is the reason (WS-40).
    pub fn refused(limits: ReaderLimits, preread: Vec<u8>) -> WebSocket {
        let stream = Stream::refused(store::Mode::WebSocket);
        WebSocket::new(stream, CloseHandshake::refused(), limits, preread, Vec::new())
    }

    fn new(
        stream: Stream,
        handshake: CloseHandshake,
        limits: ReaderLimits,
        pending_input: Vec<u8>,
        targets: Vec<Target>,
    ) -> WebSocket {
        WebSocket {
            stream,
            reader: Reader::new(limits),
            pending_input,
            handshake,
            ping: None,
            piece_due: None,
            pong_due: None,
            targets,
        }
    }

    /// A ping was sent, or its pong may be in what was not heard yet.
    pub fn expect_pong(&mut self, common: &Common, now_ms: u64) {
        if let (Some(timeout), None) = (common.location.websocket.pong_timeout, self.pong_due) {
            self.pong_due = Some(now_ms + millis(timeout));
        }
    }

    /// The pong for the last ping, if nothing waits before it (WS-GAP-9). True if there is one now.
    pub fn answer_ping(&mut self, common: &mut Common) -> bool {
        if !self.handshake.is_open() {
            return false;
        }
        let Some(payload) = self.ping.take() else { return false };
        let mut bytes = Vec::new();
        frame::append(Opcode::Pong, &payload, &mut bytes);
        Encoded::raw(bytes).into_iter().for_each(|pong| common.out.push_first(pong));
        true
    }
}

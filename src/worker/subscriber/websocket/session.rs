//! What a WebSocket has beyond a stream: the client speaks too, and both say goodbye (RFC 6455).
//!
//! This file is how one begins. Everything that is sent goes the way of a stream, in frames; what the
//! client sends is read in `read.rs`; how both close is in `close.rs`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::conf::Location;
use crate::ngx_ext::request::Request;
use crate::protocol::websocket::close::Status;
use crate::protocol::websocket::close_handshake::CloseHandshake;
use crate::protocol::websocket::reader::Reader;
use crate::protocol::websocket::rules::ReaderLimits;
use crate::store::Mode;
use crate::worker::admission::{Failure, Outcome, Pending, SubscribeRequest, writable};
use crate::worker::output::body_wrapper::BodyWrapper;
use crate::worker::output::encoded::{Encoded, Framing};
use crate::worker::output::frames::Frames;
use crate::worker::output::sink::RequestSink;
use crate::worker::output::writer::Writer;
use crate::worker::subscriber::websocket::read::readable;
use crate::worker::subscriber::websocket::socket::{Socket, Target};
use crate::worker::subscriber::{Phase, Subscriber};

/// What was agreed on in the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The response head (WS-20).
    pub head: Vec<u8>,
    pub frames: Frames,
    pub rules: ReaderLimits,
}

/// Shakes hands with a client that is refused, and closes with the reason (WS-40). Unlike the original,
/// waits for the client to take it (WS-42, WS-GAP-16).
///
/// # Safety
///
/// As [`serve`](super::serve).
pub unsafe fn turn_away(
    request: Request<'_>,
    location: &Location,
    opening: &Opening,
    reason: &str,
) -> Result<Outcome, Failure> {
    // SAFETY: the caller's promise.
    let new = unsafe { Pending::of(request, location)? };
    let phase = Phase::Ending { footer_due: false };
    let subscriber = new.speaker(phase, opening, Vec::new(), CloseHandshake::refused());
    new.keep(&subscriber)?;
    new.open(&subscriber, opening);
    subscriber.state.borrow_mut().queue_close(Some(Status::PolicyViolation as u16), reason);
    Ok(new.go_on_speaking())
}

impl Pending {
    /// Joins the channels and opens the connection: head, header, history, live messages (WS-44).
    pub(in crate::worker) fn socket(
        self,
        order: &SubscribeRequest<'_>,
        opening: &Opening,
    ) -> Result<Outcome, Failure> {
        let Pending { worker, location, .. } = self;
        let joined = self.join(order)?.subscriptions;
        let targets = match location.websocket.allow_publish {
            true => joined
                .iter()
                .zip(order.items)
                .filter(|(_, item)| item.id != worker.main.events_channel_id)
                .map(|(joined, item)| (joined.channel, item.id.into()))
                .collect(),
            false => Vec::new(),
        };
        let subscriber = self.speaker(Phase::Open, opening, targets, CloseHandshake::open());
        self.begin(&subscriber, order, joined)?;
        self.open(&subscriber, opening);
        subscriber.start_timer();
        subscriber.begin_with(&location.header);
        subscriber.read_first_page(worker);
        Ok(self.go_on_speaking())
    }

    /// As [`Pending::resume_request`]: when nginx's handler has returned, the head leaves and the client is heard.
    fn go_on_speaking(self) -> Outcome {
        self.request.connection().post_writable();
        self.request.take_over(readable, writable);
        Outcome::Kept
    }

    fn speaker(
        self,
        phase: Phase,
        opening: &Opening,
        targets: Vec<Target>,
        goodbye: CloseHandshake,
    ) -> Rc<Subscriber> {
        let (mode, envelope) = (Mode::WebSocket, BodyWrapper::Templates);
        let subscriber = Subscriber::new(self.location, mode, phase, envelope, 0);
        subscriber.framing.set(Framing::Frames(opening.frames));
        subscriber.socket.get_or_init(|| {
            Box::new(Socket {
                reader: RefCell::new(Reader::new(opening.rules)),
                // What came in one piece with the handshake (WS-87).
                pending_input: RefCell::new(self.request.take_preread()),
                goodbye,
                ping: RefCell::new(None),
                piece_due: Cell::new(None),
                pong_due: Cell::new(None),
                targets,
            })
        });
        Rc::new(subscriber)
    }

    /// From now on things leave past the filters, the head first.
    fn open(self, subscriber: &Subscriber, opening: &Opening) {
        let request = self.request;
        if request.wants_nodelay() {
            request.connection().set_nodelay();
        }
        request.set_head_written(101, opening.head.len());
        let mut transmission = Writer::new(RequestSink::past_filters(request));
        let head = Encoded::raw(opening.head.clone());
        head.into_iter().for_each(|head| transmission.queue.push_history(head));
        subscriber.state.borrow_mut().transmission = Some(transmission);
    }
}

//! What a WebSocket has beyond a stream: the client speaks too, and both say goodbye (RFC 6455).
//!
//! Everything that is sent goes the way of a stream, in frames. What the client sends is read here, a
//! bounded amount in one turn of the event loop, and nothing of it is kept but an unfinished message.
//!
//! Closing: whoever sends its close frame second ends the connection. Ours is queued behind what waits,
//! by [`Subscriber::say_goodbye`] after the footer or by [`Subscriber::close`] without one; the client
//! then has `lingering_timeout` to send its own (WS-GAP-16).

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use nginx_sys::ngx_http_request_t;
use smallvec::SmallVec;

use super::current::{Worker, now};
use super::envelope::Envelope;
use super::formatted::{Formatted, Framing};
use super::frames::Frames;
use super::outbox::Outbox;
use super::sending::Then;
use super::sink::Attached;
use super::subscribe::{Failure, New, Order, Outcome, writable};
use super::subscriber::{Phase, State, Subscriber};
use super::transmission::Transmission;
use crate::conf::{self, Location};
use crate::ngx_ext::connection::{Connection, Failed};
use crate::ngx_ext::event::now_ms;
use crate::ngx_ext::guard::{cycle_log, guard};
use crate::ngx_ext::log::{Level, Quoted};
use crate::ngx_ext::reading::Received;
use crate::ngx_ext::request::Request;
use crate::protocol::websocket::close::{self, Status};
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::reader::{Incoming, Reader, Rules, Violation};
use crate::store::{Channel, Mode, Parts, Ref};

/// Bytes read at once.
const READ: usize = 8 * 1024;
/// Reads in one turn of the event loop, so that others are served in between.
const READS: usize = 16;

/// What was agreed on in the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The response head (WS-20).
    pub head: Vec<u8>,
    pub frames: Frames,
    pub rules: Rules,
}

/// How far the closing handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Our close frame is queued; the client's has not come.
    Closing,
    /// Both are there, or the client's time is up: the connection ends when ours has left.
    Closed,
    /// The client's frames make no sense or are not wanted: the connection ends when our close frame has
    /// left, and what the client still sends is thrown away for a while.
    Failed,
}

/// The connection of a subscriber that can speak.
pub(super) struct Socket {
    reader: RefCell<Reader>,
    stage: Cell<Stage>,
    /// What the close frame says if the ending is not a normal one.
    code: Cell<Option<Status>>,
    /// The payload of the last ping that is not answered. The client must take it before the next is
    /// answered, so pings that come faster are not (RFC 6455 section 5.5.3).
    ping: RefCell<Option<Vec<u8>>>,
    /// Milliseconds of nginx's clock: when a pong must have come.
    pong_due: Cell<Option<u64>>,
    /// Where its messages go, if it may publish.
    targets: Vec<(Ref<Channel>, Box<[u8]>)>,
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
    let new = unsafe { New::of(request, location)? };
    let phase = Phase::Ending { footer_due: false };
    let subscriber = new.speaker(phase, opening, Vec::new(), Stage::Failed);
    new.keep(&subscriber)?;
    new.open(&subscriber, opening);
    let mut bytes = Vec::new();
    close::append(Some(Status::PolicyViolation as u16), reason, &mut bytes);
    subscriber.state.borrow_mut().queue_raw(bytes);
    Ok(new.go_on_speaking())
}

impl New {
    /// Joins the channels and opens the connection: head, header, history, live messages (WS-44).
    pub(super) fn socket(self, order: &Order<'_>, opening: &Opening) -> Result<Outcome, Failure> {
        let New { worker, location, .. } = self;
        let (rules, limits) = (location.join_rules(), &order.main.limits);
        let joined =
            worker.zone.join(worker.me, order.items, &order.since, &rules, limits, now())?;
        worker.wake(&joined.wake);
        let joined = joined.subscriptions;
        let targets = match location.websocket.allow_publish {
            true => joined
                .iter()
                .zip(order.items)
                .filter(|(_, item)| item.id != worker.events_id)
                .map(|(joined, item)| (joined.channel, item.id.into()))
                .collect(),
            false => Vec::new(),
        };
        let subscriber = self.speaker(Phase::Open, opening, targets, Stage::Open);
        subscriber.set_history(joined.iter().filter_map(|joined| joined.history));
        self.enter(&subscriber, joined);
        self.keep(&subscriber)?;
        self.open(&subscriber, opening);
        subscriber.start_timer();
        subscriber.begin_with(&location.header);
        subscriber.read_first_page(worker);
        Ok(self.go_on_speaking())
    }

    /// As [`New::go_on`]: when nginx's handler has returned, the head leaves and the client is heard.
    fn go_on_speaking(self) -> Outcome {
        self.request.connection().post_writable();
        self.request.take_over(readable, writable);
        Outcome::Kept
    }

    fn speaker(
        self,
        phase: Phase,
        opening: &Opening,
        targets: Vec<(Ref<Channel>, Box<[u8]>)>,
        stage: Stage,
    ) -> Rc<Subscriber> {
        let (mode, envelope) = (Mode::WebSocket, Envelope::Templates);
        let subscriber = Subscriber::new(self.location, mode, phase, envelope, 0);
        subscriber.framing.set(Framing::Frames(opening.frames));
        subscriber.socket.get_or_init(|| {
            Box::new(Socket {
                reader: RefCell::new(Reader::new(opening.rules)),
                stage: Cell::new(stage),
                code: Cell::new(None),
                ping: RefCell::new(None),
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
        let mut transmission = Transmission::new(Attached::past_filters(request));
        let head = Formatted::raw(opening.head.clone());
        head.into_iter().for_each(|head| transmission.outbox.push_history(head));
        subscriber.state.borrow_mut().transmission = Some(transmission);
    }
}

impl Subscriber {
    fn readable(&self, worker: &Worker, request: Request<'_>) {
        let connection = request.connection();
        if connection.take_read_timeout() {
            return self.silent(worker);
        }
        // What came in one piece with the handshake (WS-87).
        self.take_input(worker, &mut request.take_preread());
        if self.is_over() {
            return;
        }
        let mut buffer = [0; READ];
        for _ in 0..READS {
            match connection.receive(&mut buffer) {
                Ok(Received::Bytes(n)) => self.take_input(worker, &mut buffer[..n]),
                Ok(Received::Nothing) => return self.await_input(request, connection),
                Ok(Received::End) | Err(Failed) => return self.left(worker, request),
            }
            if self.is_over() {
                return;
            }
        }
        connection.post_readable();
    }

    /// Reads frames and does what they say.
    fn take_input(&self, worker: &Worker, mut input: &mut [u8]) {
        let Some(socket) = self.socket.get() else { return };
        while !self.is_over() && matches!(socket.stage.get(), Stage::Open | Stage::Closing) {
            let read = socket.reader.borrow_mut().read(&mut input);
            match read {
                Ok(Some(incoming)) => self.take(worker, socket, incoming),
                Ok(None) => return,
                Err(violation) => return self.violated(worker, violation),
            }
        }
    }

    fn take(&self, worker: &Worker, socket: &Socket, incoming: Incoming) {
        let open = socket.stage.get() == Stage::Open;
        match incoming {
            Incoming::Close(close) => {
                socket.stage.set(Stage::Closed);
                self.close(worker, open.then_some((close.code, "")));
            }
            Incoming::Ping(payload) if open => {
                socket.ping.replace(Some(payload));
                self.pump(worker, false);
            }
            Incoming::Pong(_) => socket.pong_due.set(None),
            Incoming::Text(text) if open => self.publish(worker, socket, &text, false),
            Incoming::Binary(bytes) if open => self.publish(worker, socket, &bytes, true),
            _ => {}
        }
    }

    /// To every channel it is still on (WS-91..97). An empty message is none, as in a POST (WS-99,
    /// WS-GAP-22).
    fn publish(&self, worker: &Worker, socket: &Socket, text: &[u8], binary: bool) {
        if text.is_empty() {
            return;
        }
        let targets: SmallVec<[&[u8]; 4]> = {
            let state = self.state.borrow();
            let on = |channel| {
                state.memberships.iter().any(|member| member.subscription.channel == channel)
            };
            let targets = socket.targets.iter().filter(|(channel, _)| on(*channel));
            targets.map(|(_, id)| &**id).collect()
        };
        let parts = Parts { text: &[text], binary, ..Parts::default() };
        for id in targets {
            if let Err(error) = worker.publish_existing(id, &parts, self.location.store_messages) {
                self.log(
                    Level::Error,
                    format_args!(
                        "push stream module: a websocket's message of {} bytes is not published to \
                         channel {} by worker {}: {error}",
                        text.len(),
                        Quoted(id),
                        worker.pid()
                    ),
                );
                // Nothing says how much of this the client knows; it may try again elsewhere.
                return self.fail(worker, Status::InternalError, "");
            }
        }
    }

    /// The pong for the last ping, if nothing waits before it (WS-GAP-9). True if there is one now.
    pub(super) fn answer_ping(&self, state: &mut State) -> bool {
        let ping = self.socket.get().filter(|socket| socket.stage.get() == Stage::Open);
        let Some(payload) = ping.and_then(|socket| socket.ping.take()) else { return false };
        let mut bytes = Vec::new();
        frame::append(Opcode::Pong, &payload, &mut bytes);
        if let (Some(pong), Some(transmission)) = (Formatted::raw(bytes), &mut state.transmission) {
            transmission.outbox.push_history(pong);
        }
        true
    }

    fn violated(&self, worker: &Worker, violation: Violation) {
        self.log(
            Level::Info,
            format_args!("push stream module: a websocket is closed: {violation}"),
        );
        self.fail(worker, violation.status(), "");
    }

    /// Closes with a code, whatever the client still sends.
    fn fail(&self, worker: &Worker, status: Status, reason: &str) {
        let Some(socket) = self.socket.get() else { return };
        let open = socket.stage.replace(Stage::Failed) == Stage::Open;
        self.close(worker, open.then_some((Some(status as u16), reason)));
    }

    /// Ends without footer, with a close frame if ours is not queued yet.
    fn close(&self, worker: &Worker, frame: Option<(Option<u16>, &str)>) {
        let (memberships, unread, counted) = {
            let mut state = self.state.borrow_mut();
            let counted = state.phase.counts();
            if !state.unread.is_empty() {
                state.held = Outbox::default();
            }
            let memberships = std::mem::take(&mut state.memberships);
            let unread = std::mem::take(&mut state.unread);
            if let Some((code, reason)) = frame {
                state.phase = Phase::Ending { footer_due: false };
                let mut bytes = Vec::new();
                close::append(code, reason, &mut bytes);
                state.queue_raw(bytes);
            }
            (memberships, unread, counted)
        };
        worker.release(memberships);
        worker.give_up(&unread);
        if counted {
            worker.count_out(self);
        }
        self.pump(worker, false);
    }

    /// What the close frame after the footer is to say, if this ending is not a normal one.
    pub(super) fn close_with(&self, status: Status) {
        if let Some(socket) = self.socket.get() {
            socket.code.set(Some(status));
        }
    }

    /// The close frame behind the footer (WS-63, WS-GAP-15).
    pub(super) fn say_goodbye(&self, worker: &Worker, state: &mut State) {
        let Some(socket) = self.socket.get() else { return };
        let normal = match worker.is_leaving() {
            true => Status::GoingAway,
            false => Status::Normal,
        };
        let normal = self.location.websocket.close_codes.then_some(normal);
        let code = socket.code.get().or(normal).map(|status| status as u16);
        let mut bytes = Vec::new();
        close::append(code, "", &mut bytes);
        state.queue_raw(bytes);
        socket.stage.set(Stage::Closing);
    }

    /// Everything has left, our close frame too.
    pub(super) fn finish_socket(&self, worker: &Worker, request: Request<'_>) {
        let Some(socket) = self.socket.get() else { return };
        let stage = socket.stage.get();
        if stage == Stage::Closing {
            let connection = request.connection();
            if !connection.is_read_timer_set() {
                connection.set_read_timer(request.lingering_timeout());
            }
            return;
        }
        self.gone(worker);
        request.end(stage == Stage::Failed);
    }

    /// The read timer ran out: a frame or message was begun and not continued, or no close frame came.
    fn silent(&self, worker: &Worker) {
        let Some(socket) = self.socket.get() else { return };
        if socket.stage.get() == Stage::Open {
            self.log(
                Level::Info,
                format_args!(
                    "push stream module: a websocket is closed: a message was not completed"
                ),
            );
            return self.fail(worker, Status::PolicyViolation, "message timed out");
        }
        socket.stage.set(Stage::Closed);
        self.pump(worker, false);
    }

    /// The process ends: there is no time for the client's goodbye, and nginx wants no connection left.
    pub(super) fn hang_up(&self, worker: &Worker) {
        if self.socket.get().is_some() {
            self.carry_out(worker, Then::Abort);
        }
    }

    /// The client went without a goodbye (WS-89).
    fn left(&self, worker: &Worker, request: Request<'_>) {
        let line = "push stream module: client closed prematurely connection";
        request.log(Level::Info, format_args!("{line}"));
        self.carry_out(worker, Then::Abort);
    }

    /// A message in progress has `client_body_timeout` between two pieces.
    fn await_input(&self, request: Request<'_>, connection: Connection<'_>) {
        let Some(socket) = self.socket.get() else { return };
        match socket.stage.get() {
            Stage::Open if socket.reader.borrow().is_inside() => {
                connection.set_read_timer(request.client_body_timeout());
            }
            Stage::Open => connection.stop_read_timer(),
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        self.state.borrow().transmission.is_none()
    }

    /// A ping was sent.
    pub(super) fn expect_pong(&self) {
        let timeout = self.location.websocket.pong_timeout;
        if let (Some(socket), Some(timeout)) = (self.socket.get(), timeout) {
            if socket.pong_due.get().is_none() {
                socket.pong_due.set(Some(now_ms() + timeout.as_millis() as u64));
            }
        }
    }

    pub(super) fn pong_due(&self) -> Option<u64> {
        self.socket.get().and_then(|socket| socket.pong_due.get())
    }

    pub(super) fn no_pong(&self, worker: &Worker) {
        self.log(
            Level::Info,
            format_args!("push stream module: a websocket is closed: no pong in time"),
        );
        self.fail(worker, Status::PolicyViolation, "no pong in time");
    }

    fn log(&self, level: Level, line: std::fmt::Arguments<'_>) {
        if let Some(transmission) = &self.state.borrow().transmission {
            transmission.sink.request().log(level, line);
        }
    }
}

impl State {
    fn queue_raw(&mut self, bytes: Vec<u8>) {
        if let Some(item) = Formatted::raw(bytes) {
            self.queue(&item);
        }
    }
}

/// The client sent something or has gone, or the read timer ran out.
unsafe extern "C" fn readable(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls with a live request, one that was taken over.
    unsafe {
        let request = Request::from_raw(r);
        guard(cycle_log(), "a readable subscriber", (), || {
            let subscriber = request.state::<Weak<Subscriber>>(conf::ctx_index());
            let subscriber = subscriber.and_then(Weak::upgrade);
            if let (Some(worker), Some(subscriber)) = (Worker::current(), subscriber) {
                subscriber.readable(worker, request);
            }
        });
    }
}

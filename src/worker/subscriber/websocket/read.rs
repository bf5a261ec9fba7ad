//! What a WebSocket's client says: its frames are read, and what they say is done.
//!
//! In one turn of the event loop a client gets a bounded share of the worker. What was read and not
//! looked at then is kept for the next turn; beyond that nothing is kept but an unfinished message.

use nginx_sys::ngx_http_request_t;
use smallvec::SmallVec;

use crate::ngx_ext::connection::{Connection, Failed};
use crate::ngx_ext::log::{Level, Quoted};
use crate::ngx_ext::raw_connection::Received;
use crate::ngx_ext::request::Request;
use crate::ngx_ext::timer::now_ms;
use crate::protocol::websocket::close::Status;
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::reader::{Incoming, Read};
use crate::store::{Channel, Parts, Ref};
use crate::worker::context::Worker;
use crate::worker::isolation;
use crate::worker::output::encoded::Encoded;
use crate::worker::subscriber::timers::millis;
use crate::worker::subscriber::websocket::socket::{Socket, Target};
use crate::worker::subscriber::{State, Subscriber};

/// Bytes read at once.
const READ: usize = 8 * 1024;
/// A client's share of one turn, in bytes: those that are read, what their messages cost, decompressing
/// above all, and those that are published, channel by channel.
const SHARE: usize = 128 * 1024;
/// What answering or publishing costs besides, as so many bytes.
const ACT: usize = 512;

/// What is left of a client's share.
struct Budget(usize);

impl Budget {
    fn spend(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }

    fn is_spent(&self) -> bool {
        self.0 == 0
    }
}

impl Subscriber {
    fn readable(&self, worker: &Worker, request: Request<'_>) {
        let Some(socket) = self.socket.get() else { return };
        let connection = request.connection();
        if connection.take_read_timeout() {
            return self.silent(worker);
        }
        let mut share = Budget(SHARE);
        let mut pending_input = socket.pending_input.take();
        let mut input = &mut pending_input[..];
        let mut buffer = [0; READ];
        loop {
            self.hear(worker, socket, &mut input, &mut share);
            if self.is_over() {
                return;
            }
            if share.is_spent() {
                socket.pending_input.replace(input.to_vec());
                return self.hear_more_later(socket, connection);
            }
            match connection.receive(&mut buffer) {
                Ok(Received::Bytes(n)) => {
                    share.spend(n);
                    input = &mut buffer[..n];
                }
                Ok(Received::Nothing) => return self.await_input(socket, request, connection),
                Ok(Received::End) | Err(Failed) => return self.left(worker, request),
            }
        }
    }

    /// Reads frames and does what they say, until the share is spent. What is left then stays in `input`;
    /// what the client says after it was not listened to any more is thrown away.
    fn hear(&self, worker: &Worker, socket: &Socket, input: &mut &mut [u8], share: &mut Budget) {
        while !self.is_over() && socket.goodbye.accepts_frames() {
            if share.is_spent() {
                return;
            }
            let (read, work) = {
                let mut reader = socket.reader.borrow_mut();
                (reader.read(input), reader.take_work())
            };
            share.spend(usize::try_from(work).unwrap_or(usize::MAX));
            match read {
                Ok(Read::Whole(incoming)) => self.take(worker, socket, incoming, share),
                Ok(Read::Working) => {}
                Ok(Read::Starved) => return,
                Err(violation) => {
                    self.log(Level::Info, format_args!("a websocket is closed: {violation}"));
                    self.fail(worker, violation.status(), "");
                }
            }
        }
        *input = &mut [];
    }

    fn take(&self, worker: &Worker, socket: &Socket, incoming: Incoming, share: &mut Budget) {
        let open = socket.goodbye.is_open();
        match incoming {
            Incoming::Close(close) => self.client_closed(worker, close.code),
            Incoming::Ping(payload) if open => {
                share.spend(ACT);
                socket.ping.replace(Some(payload));
                self.pump(worker, false);
            }
            Incoming::Pong(_) => socket.pong_due.set(None),
            Incoming::Text(text) if open => self.publish(worker, socket, &text, false, share),
            Incoming::Binary(bytes) if open => self.publish(worker, socket, &bytes, true, share),
            _ => {}
        }
    }

    /// To every channel it is still on, or to none (WS-91..97, WS-100). An empty message is none, as in a
    /// POST (WS-99, WS-GAP-22).
    fn publish(
        &self,
        worker: &Worker,
        socket: &Socket,
        text: &[u8],
        binary: bool,
        share: &mut Budget,
    ) {
        if text.is_empty() {
            return;
        }
        let targets: SmallVec<[(Ref<Channel>, &[u8]); 4]> = {
            let state = self.state.borrow();
            let is_on = |(channel, _): &&Target| {
                state.memberships.iter().any(|member| member.subscription.channel == *channel)
            };
            socket.targets.iter().filter(is_on).map(|(channel, id)| (*channel, &**id)).collect()
        };
        share.spend(targets.len().saturating_mul(text.len() + ACT));
        let parts = Parts { text: &[text], binary, ..Parts::default() };
        if let Err(error) = worker.publish_existing(&targets, &parts, self.location.store_messages)
        {
            self.log(
                Level::Error,
                format_args!(
                    "a websocket's message of {} bytes is not published to {} \
                     channels, the first of them {}, by worker {}: {error}",
                    text.len(),
                    targets.len(),
                    Quoted(targets.first().map_or(&[], |(_, id)| id)),
                    worker.pid()
                ),
            );
            self.fail(worker, Status::InternalError, "");
        }
    }

    /// The pong for the last ping, if nothing waits before it (WS-GAP-9). True if there is one now.
    pub(in crate::worker) fn answer_ping(&self, state: &mut State) -> bool {
        let socket = self.socket.get().filter(|socket| socket.goodbye.is_open());
        let Some(payload) = socket.and_then(|socket| socket.ping.take()) else { return false };
        let mut bytes = Vec::new();
        frame::append(Opcode::Pong, &payload, &mut bytes);
        if let (Some(pong), Some(transmission)) = (Encoded::raw(bytes), &mut state.transmission) {
            transmission.queue.push_history(pong);
        }
        true
    }

    /// In the next turn. The client's times do not run while it is not heard (WS-60, WS-85).
    fn hear_more_later(&self, socket: &Socket, connection: Connection<'_>) {
        if socket.goodbye.is_open() {
            connection.stop_read_timer();
        }
        if socket.pong_due.take().is_some() {
            self.expect_pong();
        }
        connection.post_readable();
    }

    /// A message in progress has `client_body_timeout` between two pieces, whatever control frames come
    /// in between (WS-85).
    fn await_input(&self, socket: &Socket, request: Request<'_>, connection: Connection<'_>) {
        if !socket.goodbye.is_open() {
            return;
        }
        let (inside, progressed) = {
            let mut reader = socket.reader.borrow_mut();
            (reader.is_inside(), reader.take_progress())
        };
        if !inside {
            socket.piece_due.set(None);
            return connection.stop_read_timer();
        }
        let (now, due) = (now_ms(), socket.piece_due.get().filter(|_| !progressed));
        let due = due.unwrap_or_else(|| now.saturating_add(request.client_body_timeout()));
        socket.piece_due.set(Some(due));
        connection.set_read_timer(due.saturating_sub(now).max(1));
    }

    /// A ping was sent, or its pong may be in what was not heard yet.
    pub(in crate::worker) fn expect_pong(&self) {
        let timeout = self.location.websocket.pong_timeout;
        if let (Some(socket), Some(timeout)) = (self.socket.get(), timeout) {
            if socket.pong_due.get().is_none() {
                socket.pong_due.set(Some(now_ms() + millis(timeout)));
            }
        }
    }

    pub(in crate::worker) fn pong_due(&self) -> Option<u64> {
        self.socket.get().and_then(|socket| socket.pong_due.get())
    }

    fn is_over(&self) -> bool {
        self.state.borrow().transmission.is_none()
    }
}

/// The client sent something or has gone, or the read timer ran out.
pub(in crate::worker) unsafe extern "C" fn readable(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls with a live request, one that was taken over.
    let request = unsafe { Request::from_raw(r) };
    if let Some((worker, subscriber)) = isolation::of(request) {
        subscriber.guarded(worker, "a readable subscriber", || {
            subscriber.readable(worker, request);
        });
    }
}

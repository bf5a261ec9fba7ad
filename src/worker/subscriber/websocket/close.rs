//! How a WebSocket ends: our close frame, the client's, and the end of the connection (WS-63, WS-GAP-15,
//! WS-GAP-16). How far that has come is [`CloseHandshake`](crate::protocol::websocket::goodbye::Goodbye)'s.
//!
//! Ours is queued behind what waits, by [`Subscriber::say_goodbye`] after the footer or by
//! [`Subscriber::close`] without one; the client then has `lingering_timeout` to send its own.

use std::fmt::Arguments;

use crate::ngx_ext::log::Level;
use crate::ngx_ext::request::Request;
use crate::protocol::websocket::close::{self, Status};
use crate::protocol::websocket::close_handshake::Next;
use crate::worker::context::Worker;
use crate::worker::output::encoded::Encoded;
use crate::worker::output::send_queue::SendQueue;
use crate::worker::subscriber::sending::Then;
use crate::worker::subscriber::{Phase, State, Subscriber};

impl Subscriber {
    /// The client's close frame has come: ours has its code (WS-78, WS-79, WS-GAP-11).
    pub(in crate::worker) fn client_closed(&self, worker: &Worker, code: Option<u16>) {
        let Some(socket) = self.socket.get() else { return };
        let answer = socket.goodbye.client_closed();
        socket.reader.borrow_mut().forget_messages();
        self.close(worker, answer.then_some((code, "")));
    }

    /// Closes with a code, whatever the client still sends.
    pub(in crate::worker) fn fail(&self, worker: &Worker, status: Status, reason: &str) {
        let Some(socket) = self.socket.get() else { return };
        let first = socket.goodbye.fail();
        socket.reader.borrow_mut().forget_messages();
        self.close(worker, first.then_some((Some(status as u16), reason)));
    }

    /// Ends without footer, with a close frame if ours is not queued yet.
    fn close(&self, worker: &Worker, frame: Option<(Option<u16>, &str)>) {
        let counted = {
            let mut state = self.state.borrow_mut();
            let counted = state.phase.counts();
            if !state.unread.is_empty() {
                state.held = SendQueue::default();
            }
            if let Some((code, reason)) = frame {
                state.phase = Phase::Ending { footer_due: false };
                state.queue_close(code, reason);
            }
            counted && !state.phase.counts()
        };
        if counted {
            worker.count_out(self);
        }
        self.let_go(worker);
        self.pump(worker, false);
    }

    /// What the close frame after the footer is to say, if this ending is not a normal one.
    pub(in crate::worker) fn close_with(&self, status: Status) {
        if let Some(socket) = self.socket.get() {
            socket.goodbye.set_code(status);
        }
    }

    /// The close frame behind the footer (WS-63, WS-GAP-15).
    pub(in crate::worker) fn say_goodbye(&self, worker: &Worker, state: &mut State) {
        let Some(socket) = self.socket.get() else { return };
        let normal = match worker.is_leaving() {
            true => Status::GoingAway,
            false => Status::Normal,
        };
        let normal = self.location.websocket.close_codes.then_some(normal);
        let code = socket.goodbye.queue_close(normal).map(|status| status as u16);
        state.queue_close(code, "");
        // No message of the client's is waited for any more; its goodbye has a time of its own.
        socket.reader.borrow_mut().forget_messages();
        if let Some(transmission) = &state.transmission {
            transmission.sink.request().connection().stop_read_timer();
        }
    }

    /// Everything has left, our close frame too.
    pub(in crate::worker) fn finish_socket(&self, worker: &Worker, request: Request<'_>) {
        let Some(socket) = self.socket.get() else { return };
        match socket.goodbye.on_flushed() {
            Next::Await => request.connection().set_read_timer(request.lingering_timeout()),
            Next::KeepWaiting => {}
            Next::End { linger } => {
                self.gone(worker);
                request.end(linger);
            }
        }
    }

    /// The read timer ran out: a frame or message was begun and not continued, or no close frame came.
    pub(in crate::worker) fn silent(&self, worker: &Worker) {
        let Some(socket) = self.socket.get() else { return };
        if socket.goodbye.time_is_up() {
            self.log(
                Level::Info,
                format_args!("a websocket is closed: a message was not completed"),
            );
            return self.fail(worker, Status::PolicyViolation, "message timed out");
        }
        self.pump(worker, false);
    }

    pub(in crate::worker) fn no_pong(&self, worker: &Worker) {
        self.log(Level::Info, format_args!("a websocket is closed: no pong in time"));
        self.fail(worker, Status::PolicyViolation, "no pong in time");
    }

    /// The process ends: there is no time for the client's goodbye, and nginx wants no connection left.
    pub(in crate::worker) fn hang_up(&self, worker: &Worker) {
        if self.socket.get().is_some() {
            self.carry_out(worker, Then::Abort);
        }
    }

    /// The client went without a goodbye (WS-89).
    pub(in crate::worker) fn left(&self, worker: &Worker, request: Request<'_>) {
        let line = "client closed prematurely connection";
        request.log(Level::Info, format_args!("{line}"));
        self.carry_out(worker, Then::Abort);
    }

    pub(in crate::worker) fn log(&self, level: Level, line: Arguments<'_>) {
        if let Some(transmission) = &self.state.borrow().transmission {
            transmission.sink.request().log(level, line);
        }
    }
}

impl State {
    /// Our close frame, behind what waits.
    pub(in crate::worker) fn queue_close(&mut self, code: Option<u16>, reason: &str) {
        let mut bytes = Vec::new();
        close::append(code, reason, &mut bytes);
        if let Some(item) = Encoded::raw(bytes) {
            self.queue(&item);
        }
    }
}

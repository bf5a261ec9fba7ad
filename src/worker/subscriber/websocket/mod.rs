//! What a WebSocket has beyond a stream: the client speaks too, and both close (RFC 6455).
//!
//! Everything that is sent goes the way of a stream, in frames. This file is what happens to one; what it keeps is
//! in `session.rs`, what the client sends is read in `read.rs`, how both close is in `close.rs`.

pub mod close;
pub mod read;
pub mod session;

use crate::protocol::websocket::close::Status;
use crate::worker::subscriber::common::Common;
use crate::worker::subscriber::effect::Effect;
use crate::worker::subscriber::event::{Event, Turn};
use crate::worker::subscriber::websocket::session::WebSocket;

impl WebSocket {
    pub fn react(&mut self, common: &mut Common, turn: &mut Turn<'_>, event: &mut Event<'_, '_>) {
        match event {
            Event::Message { message, encodings, flushed } => {
                if !self.stream.deliver(common, turn, message, encodings, flushed) {
                    self.handshake.set_code(Status::TryAgainLater);
                }
            }
            Event::Timer => self.time_has_come(common, turn),
            Event::Input(input) => self.hear(common, turn, input),
            Event::InputEnds { body_timeout } => self.await_input(turn, *body_timeout),
            Event::InputWaits(rest) => self.hear_more_later(common, turn, std::mem::take(rest)),
            Event::ReadTimedOut => self.silent(common, turn),
            Event::ClientLeft => self.client_left(turn),
            Event::NotPublished => self.fail(common, turn, Status::InternalError, ""),
            Event::ProcessEnds => turn.add(Effect::Abort),
            _ => self.stream.react(common, turn, event),
        }
    }

    fn time_has_come(&mut self, common: &mut Common, turn: &mut Turn<'_>) {
        if self.stream.time_is_up(common, turn) || !self.stream.is_open() {
            return;
        }
        if self.pong_due.is_some_and(|at| at <= turn.now_ms) {
            return self.no_pong(common, turn);
        }
        if common.ping_is_due(turn.now_ms) && self.stream.ping(common, turn) {
            self.expect_pong(common, turn.now_ms);
        }
    }
}

//! How a WebSocket ends: our close frame, the client's, and the end of the connection (WS-63, WS-GAP-15,
//! WS-GAP-16). How far that has come is [`CloseHandshake`](crate::protocol::websocket::close_handshake)'s.
//!
//! Ours is queued behind what waits, by [`WebSocket::next`] after the footer or by [`WebSocket::close`] without
//! one; the client then has `lingering_timeout` to send its own.

use crate::protocol::websocket::close::{self, Status};
use crate::protocol::websocket::close_handshake;
use crate::worker::context::Context;
use crate::worker::output::encoded::Encoded;
use crate::worker::subscriber::common::Common;
use crate::worker::subscriber::effect::{Effect, LogLine, Next};
use crate::worker::subscriber::event::Turn;
use crate::worker::subscriber::websocket::session::WebSocket;

impl WebSocket {
    /// What comes when everything has left: behind the footer our close frame (WS-63, WS-GAP-15), behind that
    /// the end.
    pub fn next(&mut self, common: &mut Common, context: &Context) -> Next {
        match self.stream.next(common) {
            Next::Finish => match self.handshake.on_flushed() {
                close_handshake::Next::Await => Next::AwaitClose,
                close_handshake::Next::KeepWaiting => Next::Idle,
                close_handshake::Next::End { linger } => Next::End { linger },
            },
            Next::Queued => {
                self.queue_close_behind_footer(common, context);
                Next::Closing
            }
            next => next,
        }
    }

    fn queue_close_behind_footer(&mut self, common: &mut Common, context: &Context) {
        let normal = match context.is_leaving() {
            true => Status::GoingAway,
            false => Status::Normal,
        };
        let normal = common.location.websocket.close_codes.then_some(normal);
        let code = self.handshake.queue_close(normal).map(|status| status as u16);
        common.queue_close(code, "");
        // No message of the client's is waited for any more; its close frame has a time of its own.
        self.reader.forget_messages();
    }

    /// The client's close frame has come: ours has its code (WS-78, WS-79, WS-GAP-11).
    pub fn client_closed(&mut self, common: &mut Common, turn: &mut Turn<'_>, code: Option<u16>) {
        let is_due = self.handshake.client_closed();
        self.close(common, turn, is_due.then_some((code, "")));
    }

    /// Closes with a code, whatever the client still sends.
    pub fn fail(&mut self, common: &mut Common, turn: &mut Turn<'_>, status: Status, reason: &str) {
        let is_due = self.handshake.fail();
        self.close(common, turn, is_due.then_some((Some(status as u16), reason)));
    }

    /// Ends without footer, with a close frame if ours is not queued yet.
    fn close(
        &mut self,
        common: &mut Common,
        turn: &mut Turn<'_>,
        frame: Option<(Option<u16>, &str)>,
    ) {
        self.reader.forget_messages();
        common.out.cut_at_unread();
        if let Some((code, reason)) = frame {
            self.stream.close(turn.context, false);
            common.queue_close(code, reason);
        }
        turn.leave(common);
        turn.add(Effect::Flush { progress: false });
    }

    /// The read timer ran out: a frame or message was begun and not continued, or no close frame came.
    pub fn silent(&mut self, common: &mut Common, turn: &mut Turn<'_>) {
        if self.handshake.time_is_up() {
            turn.add(Effect::Log(Box::new(LogLine::MessageIncomplete)));
            return self.fail(common, turn, Status::PolicyViolation, "message timed out");
        }
        turn.add(Effect::Flush { progress: false });
    }

    pub fn no_pong(&mut self, common: &mut Common, turn: &mut Turn<'_>) {
        turn.add(Effect::Log(Box::new(LogLine::NoPong)));
        self.fail(common, turn, Status::PolicyViolation, "no pong in time");
    }

    /// The client went without a close frame (WS-89).
    pub fn client_left(&mut self, turn: &mut Turn<'_>) {
        turn.add(Effect::Log(Box::new(LogLine::ClientLeft)));
        turn.add(Effect::Abort);
    }
}

impl Common {
    /// Our close frame, behind what waits.
    pub fn queue_close(&mut self, code: Option<u16>, reason: &str) {
        let mut bytes = Vec::new();
        close::append(code, reason, &mut bytes);
        Encoded::raw(bytes).into_iter().for_each(|item| self.out.push(&item));
    }
}

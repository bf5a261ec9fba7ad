//! What a WebSocket's client says: its frames are read, and what they say is done.
//!
//! In one turn of the event loop a client gets a bounded share of the worker. What was read and not
//! looked at then is kept for the next turn; beyond that nothing is kept but an unfinished message.

use crate::protocol::websocket::reader::{Incoming, Read};
use crate::worker::subscriber::common::Common;
use crate::worker::subscriber::effect::{Effect, LogLine, Publication};
use crate::worker::subscriber::event::Turn;
use crate::worker::subscriber::input::{Budget, Input};
use crate::worker::subscriber::websocket::session::{Target, WebSocket};

/// What answering or publishing costs besides, as so many bytes.
const ACT: usize = 512;

impl WebSocket {
    /// Reads frames until one has an effect, which comes before the next, or the share is spent. What the client
    /// says after it was not listened to any more is thrown away.
    pub fn hear(&mut self, common: &mut Common, turn: &mut Turn<'_>, input: &mut Input<'_>) {
        while self.handshake.accepts_frames() {
            if input.budget.is_spent() || !turn.effects.is_empty() {
                return;
            }
            let read = self.reader.read(&mut input.bytes);
            let work = self.reader.take_work();
            input.budget.spend(usize::try_from(work).unwrap_or(usize::MAX));
            match read {
                Ok(Read::Whole(incoming)) => self.take(common, turn, incoming, input.budget),
                Ok(Read::Working) => {}
                Ok(Read::Starved) => {
                    input.is_read = true;
                    return;
                }
                Err(violation) => {
                    let status = violation.status();
                    turn.add(Effect::Log(Box::new(LogLine::Violation(violation))));
                    self.fail(common, turn, status, "");
                }
            }
        }
        input.bytes = &mut [];
        input.is_read = true;
    }

    fn take(
        &mut self,
        common: &mut Common,
        turn: &mut Turn<'_>,
        incoming: Incoming,
        budget: &mut Budget,
    ) {
        let open = self.handshake.is_open();
        match incoming {
            Incoming::Close(close) => self.client_closed(common, turn, close.code),
            Incoming::Ping(payload) if open => {
                budget.spend(ACT);
                self.ping = Some(payload);
                turn.add(Effect::Flush { progress: false });
            }
            Incoming::Pong(_) => self.pong_due = None,
            Incoming::Text(text) if open => self.publish(common, turn, text, false, budget),
            Incoming::Binary(bytes) if open => self.publish(common, turn, bytes, true, budget),
            _ => {}
        }
    }

    /// To every channel it is still on, or to none (WS-91..97, WS-100). An empty message is none, as in a
    /// POST (WS-99, WS-GAP-22).
    fn publish(
        &mut self,
        common: &Common,
        turn: &mut Turn<'_>,
        text: Vec<u8>,
        binary: bool,
        budget: &mut Budget,
    ) {
        if text.is_empty() {
            return;
        }
        let is_on = |(channel, _): &&Target| {
            common.memberships.iter().any(|member| member.subscription.channel == *channel)
        };
        let targets: Vec<Target> = self.targets.iter().filter(is_on).cloned().collect();
        budget.spend(targets.len().saturating_mul(text.len() + ACT));
        if !targets.is_empty() {
            turn.add(Effect::Publish(Box::new(Publication { targets, text, binary })));
        }
    }

    /// In the next turn. The client's times do not run while it is not heard (WS-60, WS-85).
    pub fn hear_more_later(&mut self, common: &Common, turn: &mut Turn<'_>, rest: Vec<u8>) {
        self.pending_input = rest;
        if self.handshake.is_open() {
            turn.add(Effect::StopReadTimer);
        }
        if self.pong_due.take().is_some() {
            self.expect_pong(common, turn.now_ms);
        }
        turn.add(Effect::ReadLater);
    }

    /// A message in progress has `client_body_timeout` between two pieces, whatever control frames come
    /// in between (WS-85).
    pub fn await_input(&mut self, turn: &mut Turn<'_>, body_timeout: u64) {
        if !self.handshake.is_open() {
            return;
        }
        let progressed = self.reader.take_progress();
        if !self.reader.is_inside() {
            self.piece_due = None;
            return turn.add(Effect::StopReadTimer);
        }
        let due = self.piece_due.filter(|_| !progressed);
        let due = due.unwrap_or_else(|| turn.now_ms.saturating_add(body_timeout));
        self.piece_due = Some(due);
        turn.add(Effect::SetReadTimer(due.saturating_sub(turn.now_ms).max(1)));
    }
}

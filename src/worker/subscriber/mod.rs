//! One subscriber: what happens to it goes in as an [`Event`], what is to be done comes out as [`Effect`]s.
//!
//! Its mode is what it is: a [`Stream`] stays open, a [`LongPoll`] waits for its answer or is one, a [`WebSocket`]
//! is a stream whose client speaks too. Nothing here knows nginx; `driver.rs` carries the effects out.

pub mod common;
pub mod effect;
pub mod event;
pub mod input;
pub mod long_poll;
pub mod outgoing;
pub mod stream;
pub mod timers;
pub mod websocket;

#[cfg(all(test, not(feature = "nginx")))]
mod tests;

use std::rc::Rc;

use crate::conf::Location;
use crate::store::{self, Stamp};
use crate::worker::context::Context;
use crate::worker::output::body_wrapper::BodyWrapper;
use crate::worker::output::encoded::{Encoded, EncodingCache};
use crate::worker::subscriber::common::Common;
use crate::worker::subscriber::effect::{Left, Next};
use crate::worker::subscriber::event::{Event, Turn};
use crate::worker::subscriber::long_poll::LongPoll;
use crate::worker::subscriber::outgoing::Outgoing;
use crate::worker::subscriber::stream::Stream;
use crate::worker::subscriber::timers::millis;
use crate::worker::subscriber::websocket::session::WebSocket;

/// A subscriber of this worker.
pub struct Subscriber {
    pub common: Common,
    pub mode: Mode,
}

/// How messages reach it, and how far that has come.
pub enum Mode {
    Stream(Stream),
    LongPoll(LongPoll),
    WebSocket(Box<WebSocket>),
    /// The request is over: nothing happens to it any more.
    Ended,
}

impl Subscriber {
    pub fn new(
        location: &'static Location,
        mode: Mode,
        wrapper: BodyWrapper,
        minimum: usize,
    ) -> Subscriber {
        Subscriber { common: Common::new(location, Outgoing::new(wrapper), minimum), mode }
    }

    /// As which it counts, as long as it is neither ending nor over (ADM-15).
    pub fn counts_as(&self) -> Option<store::Mode> {
        match &self.mode {
            Mode::Stream(stream) => stream.counts_as(),
            Mode::LongPoll(poll) => poll.counts_as(),
            Mode::WebSocket(socket) => socket.stream.counts_as(),
            Mode::Ended => None,
        }
    }

    /// Whether it is neither ending nor over.
    pub fn is_live(&self) -> bool {
        self.counts_as().is_some()
    }

    /// What happens to it.
    pub fn react(&mut self, turn: &mut Turn<'_>, event: &mut Event<'_, '_>) {
        let Subscriber { common, mode } = self;
        match mode {
            Mode::Stream(stream) => stream.react(common, turn, event),
            Mode::LongPoll(poll) => poll.react(common, turn, event),
            Mode::WebSocket(socket) => socket.react(common, turn, event),
            Mode::Ended => {}
        }
    }

    /// What a live message is for a stream for which nothing waits; it is to be sent at once. What
    /// [`Subscriber::react`] does for all others, and for these: nearly every delivery is one, so this one costs
    /// no list of effects.
    pub fn send_at_once<'c>(
        &mut self,
        context: &Context,
        now_ms: u64,
        encodings: &'c mut EncodingCache<'_>,
    ) -> Option<&'c Rc<Encoded>> {
        let Subscriber { common, mode } = self;
        let stream = match mode {
            Mode::Stream(stream) => stream,
            Mode::WebSocket(socket) => &socket.stream,
            Mode::LongPoll(_) | Mode::Ended => return None,
        };
        if !stream.is_open() || !common.out.is_idle() {
            return None;
        }
        let item = encodings.get(&common.encoding(context))?;
        common.last_sent = now_ms;
        Some(item)
    }

    /// Everything that waited has left: what comes next. `pages`: so many of the history may be read now.
    pub fn next(&mut self, context: &Context, pages: usize) -> Option<Next> {
        let Subscriber { common, mode } = self;
        if let Mode::WebSocket(socket) = mode {
            if socket.answer_ping(common) {
                return Some(Next::Queued);
            }
        }
        if common.out.has_history() {
            if pages == 0 {
                return None;
            }
            self.read_page(context);
            return Some(Next::Page);
        }
        if common.out.release_held() {
            return Some(Next::Queued);
        }
        Some(match mode {
            Mode::Stream(stream) => stream.next(common),
            Mode::LongPoll(poll) => poll.next(common),
            Mode::WebSocket(socket) => socket.next(common, context),
            Mode::Ended => Next::Idle,
        })
    }

    /// Reads the next page of its history, if there is one. Right after the join, so that little of it can be
    /// removed in between, and then whenever the one before has left.
    pub fn read_page(&mut self, context: &Context) {
        let live = matches!(self.mode, Mode::Stream(_)) && self.is_live();
        let Common { location, out, .. } = &mut self.common;
        if out.has_history() {
            let (location, encoding) = (*location, self.common.encoding(context));
            self.common.out.read_page(context, location, &encoding, live);
        }
    }

    /// Only what its client does not take is waited for: the end follows, and has a filter let go.
    pub fn is_ending(&self) -> bool {
        !self.is_live()
    }

    /// Whether it was handed all that was published for it up to this.
    pub fn is_up_to(&self, context: &Context, stamp: Stamp) -> bool {
        let memberships = &self.common.memberships;
        memberships.len() == 1 || self.common.progress(context).is_up_to(stamp)
    }

    /// Its times begin (SUB-43, PING-1, LP-8). Milliseconds of nginx's clock.
    pub fn start_times(&mut self, now_ms: u64) {
        let location = self.common.location;
        let ttl = match self.mode {
            Mode::LongPoll(_) => location.longpolling_ttl,
            _ => location.subscriber_ttl,
        };
        self.common.last_sent = now_ms;
        self.common.expires = ttl.map(|ttl| now_ms + millis(ttl));
    }

    /// When something is next to be done for it, in milliseconds of nginx's clock.
    pub fn next_time(&self) -> Option<u64> {
        let common = &self.common;
        let (ping, pong) = match &self.mode {
            Mode::Stream(stream) if stream.is_open() => (common.next_ping(), None),
            Mode::WebSocket(socket) if socket.stream.is_open() => {
                (common.next_ping(), socket.pong_due)
            }
            // PING-4.
            Mode::LongPoll(LongPoll::Waiting(_)) => (None, None),
            _ => return None,
        };
        ping.into_iter().chain(common.expires).chain(pong).min()
    }

    /// The request is over, however it came to that. What it leaves is to be given back.
    pub fn end(&mut self, context: &Context) -> Left {
        if let Some(mode) = self.counts_as() {
            context.count_out(mode);
        }
        self.mode = Mode::Ended;
        self.common.out.clear();
        self.common.forget_all()
    }
}

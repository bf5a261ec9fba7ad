//! What happens to a subscriber, and the turn of the event loop in which it does.

use crate::store::{Channel, MessageRef, Ref, Stamp};
use crate::worker::context::Context;
use crate::worker::output::encoded::EncodingCache;
use crate::worker::subscriber::common::Common;
use crate::worker::subscriber::effect::{Effect, Effects};
use crate::worker::subscriber::input::Input;

pub enum Event<'e, 'm> {
    /// A live message of one of its channels. `flushed`: the subscriber had no room for it, and what waited was
    /// sent as far as the socket took it.
    Message { message: &'e MessageRef<'m>, encodings: &'e mut EncodingCache<'m>, flushed: bool },
    /// One of its channels was deleted, which has `end` for its place among the messages.
    ChannelDeleted { channel: Ref<Channel>, end: Stamp, encodings: &'e mut EncodingCache<'m> },
    /// The timer for [`Subscriber::next_time`](super::Subscriber::next_time) ran out.
    Timer,
    /// The socket takes more, or something is to be looked after.
    Writable,
    /// The client has taken nothing for `send_timeout`.
    WriteTimedOut,
    /// The worker ends its subscribers.
    Shutdown,
    /// The process ends: there is no time for a client's answer.
    ProcessEnds,
    /// A WebSocket's client said something.
    Input(&'e mut Input<'m>),
    /// Nothing more is to be read now. Its client has so many milliseconds for the next piece of an unfinished
    /// message.
    InputEnds { body_timeout: u64 },
    /// It is the others' turn; so much was not looked at.
    InputWaits(Vec<u8>),
    /// Nothing came in the time for it.
    ReadTimedOut,
    /// The client closed the connection, or it broke.
    ClientLeft,
    /// What the client said was not published.
    NotPublished,
}

/// The worker and the moment in which an event happens, and what is to be done after it.
pub struct Turn<'c> {
    pub context: &'c Context,
    /// Milliseconds of nginx's clock.
    pub now_ms: u64,
    pub effects: Effects,
}

impl<'c> Turn<'c> {
    pub fn new(context: &'c Context, now_ms: u64) -> Turn<'c> {
        Turn { context, now_ms, effects: Effects::new() }
    }

    pub fn add(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Gives back all that a subscriber has in the store.
    pub fn leave(&mut self, common: &mut Common) {
        self.add(Effect::Leave(common.forget_all()));
    }
}

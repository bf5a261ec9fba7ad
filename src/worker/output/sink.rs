//! Where a subscriber's bytes go, whatever nginx keeps of its client.
//!
//! There is one kind: nginx's request lives as long as the subscriber ([`RequestSink`]). Nothing outside this
//! folder knows more of it than what is here, so that one that keeps the connection alone can stand beside it.

use std::fmt::Arguments;
use std::rc::Rc;

use nginx_sys::ngx_int_t;

use crate::ngx_ext::connection::Failed;
use crate::ngx_ext::log::Level;
use crate::ngx_ext::raw_connection::Received;
use crate::store::Position;
use crate::worker::output::body_wrapper::Media;
use crate::worker::output::encoded::{Encoded, Framing};
use crate::worker::output::request_sink::{self, RequestSink};
use crate::worker::output::response_head::{Head, Unsent};
use crate::worker::output::sent::Sent;

pub enum Sink {
    Request(RequestSink),
}

/// What nginx was given to do while something was sent.
pub enum Posted {
    Request(request_sink::Posted),
}

impl Posted {
    /// Has nginx do it. The sink may be over after this.
    pub fn run(self) {
        match self {
            Posted::Request(posted) => posted.run(),
        }
    }
}

/// How it ends; the sink is no more then.
impl Sink {
    /// With the end of the body; the connection may serve another request.
    pub fn finish(self) {
        match self {
            Sink::Request(sink) => sink.finish(),
        }
    }

    /// Without an end of the body: the connection is closed.
    pub fn abort(self) {
        match self {
            Sink::Request(sink) => sink.abort(),
        }
    }

    /// After all that was to be said. `linger`: what the client still sends is read for a while.
    pub fn end(self, linger: bool) {
        match self {
            Sink::Request(sink) => sink.end(linger),
        }
    }

    /// With an answer that has no body, whose head was sent with this return code.
    pub fn finalize(self, rc: ngx_int_t) {
        match self {
            Sink::Request(sink) => sink.finalize(rc),
        }
    }

    /// Because of a fault of ours: with 500, or the end of the connection if the head has left.
    pub fn fail(self) {
        match self {
            Sink::Request(sink) => sink.fail(),
        }
    }
}

/// How the answer begins.
impl Sink {
    /// Sends the head; how what follows is framed.
    pub fn send_head(&mut self, head: &Head<'static>) -> Result<Framing, Unsent> {
        match self {
            Sink::Request(sink) => sink.send_head(head),
        }
    }

    /// Sends a head that is the whole answer; the return code for [`Sink::finalize`].
    pub fn send_nothing_new(&self, position: Position, media: Media) -> ngx_int_t {
        match self {
            Sink::Request(sink) => sink.send_nothing_new(position, media),
        }
    }
}

/// How bytes leave.
impl Sink {
    /// Sends an item from `offset` on; the same item again and again until it is sent as a whole.
    pub fn send(&mut self, item: &Rc<Encoded>, offset: usize) -> Result<Sent, Failed> {
        match self {
            Sink::Request(sink) => sink.send(item, offset),
        }
    }

    /// Whether the item being sent cannot be taken back.
    pub fn has_begun(&self) -> bool {
        match self {
            Sink::Request(sink) => sink.has_begun(),
        }
    }

    /// From now on only what the client does not take is waited for: the end follows, and has a filter let go.
    pub fn wait_for_client_alone(&mut self) {
        match self {
            Sink::Request(sink) => sink.wait_for_client_alone(),
        }
    }

    /// Goes on with what nginx holds; true when it holds nothing any more.
    pub fn drain(&mut self) -> Result<bool, Failed> {
        match self {
            Sink::Request(sink) => sink.drain(),
        }
    }

    /// Asks to be told when it can be written again, within `send_timeout` of the last progress.
    pub fn await_writable(&self, progress: bool) -> Result<(), Failed> {
        match self {
            Sink::Request(sink) => sink.await_writable(progress),
        }
    }

    /// Nothing waits to be written.
    pub fn rest(&self) {
        match self {
            Sink::Request(sink) => sink.rest(),
        }
    }

    /// What sending has had nginx post, if it may have.
    pub fn take_posted(&mut self) -> Option<Posted> {
        match self {
            Sink::Request(sink) => sink.take_posted().map(Posted::Request),
        }
    }

    /// More is sent in the next turn of the event loop.
    pub fn write_later(&self) {
        match self {
            Sink::Request(sink) => sink.write_later(),
        }
    }

    pub fn write_timed_out(&self) -> bool {
        match self {
            Sink::Request(sink) => sink.write_timed_out(),
        }
    }
}

/// What the client sends.
impl Sink {
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Received, Failed> {
        match self {
            Sink::Request(sink) => sink.receive(buffer),
        }
    }

    /// More is read in the next turn of the event loop.
    pub fn read_later(&self) {
        match self {
            Sink::Request(sink) => sink.read_later(),
        }
    }

    /// True once if nothing came in the time for it.
    pub fn take_read_timeout(&self) -> bool {
        match self {
            Sink::Request(sink) => sink.take_read_timeout(),
        }
    }

    pub fn set_read_timer(&self, ms: u64) {
        match self {
            Sink::Request(sink) => sink.set_read_timer(ms),
        }
    }

    pub fn stop_read_timer(&self) {
        match self {
            Sink::Request(sink) => sink.stop_read_timer(),
        }
    }

    /// Milliseconds that a client has between two pieces of what it sends.
    pub fn body_timeout(&self) -> u64 {
        match self {
            Sink::Request(sink) => sink.body_timeout(),
        }
    }

    /// Milliseconds that a client has to close.
    pub fn lingering_timeout(&self) -> u64 {
        match self {
            Sink::Request(sink) => sink.lingering_timeout(),
        }
    }
}

/// What else is said of it.
impl Sink {
    /// The connection is closed at the end, whatever the client asked for.
    pub fn stop_keepalive(&self) {
        match self {
            Sink::Request(sink) => sink.stop_keepalive(),
        }
    }

    /// When the connection is closed, the client sees a reset, and what it did not read is given up.
    pub fn reset_on_close(&self) {
        match self {
            Sink::Request(sink) => sink.reset_on_close(),
        }
    }

    /// A line for nginx's log, with what nginx says there of the client.
    pub fn log(&self, level: Level, line: Arguments<'_>) {
        match self {
            Sink::Request(sink) => sink.log(level, line),
        }
    }
}

//! What a subscriber wants done after an event. `driver.rs` does it, with nothing of the subscriber borrowed.

use std::rc::Rc;

use smallvec::SmallVec;

use crate::protocol::websocket::rules::Violation;
use crate::store::{Bookmark, Channel, Position, Ref};
use crate::worker::output::body_wrapper::Media;
use crate::worker::output::encoded::Encoded;
use crate::worker::registry::Membership;

/// Effects of one event, in the order in which they are to be carried out. The end of a wait has four.
pub type Effects = SmallVec<[Effect; 4]>;

#[derive(Debug)]
pub enum Effect {
    /// Sends this at once: nothing waits before it.
    Send(Rc<Encoded>),
    /// Sends what waits. `progress`: the client has just taken something, so its time begins anew.
    Flush {
        progress: bool,
    },
    /// Hands the subscriber the same event once more.
    Again,
    /// Leaves channels and gives up histories, which the subscriber has forgotten already: what the store does
    /// not get back because of a panic, it gets when the worker reconciles.
    Leave(Left),
    /// Sends the head of a poll's answer; what follows is done only if it leaves.
    Head(AnswerHead),
    /// Ends the request with a head that is the whole answer.
    NothingNew(AnswerHead),
    /// The subscriber's time does not run any more.
    StopTimer,
    /// Has this worker take its mail soon.
    TakeMail,
    /// Publishes what a WebSocket's client said.
    Publish(Box<Publication>),
    /// The connection is closed at the end, whatever the request said.
    StopKeepalive,
    /// The connection ends with a reset: what the client did not read is given up.
    ResetOnClose,
    /// The read handler is called after so many milliseconds, even if nothing comes.
    SetReadTimer(u64),
    StopReadTimer,
    /// The read handler is called in the next turn of the event loop.
    ReadLater,
    /// Ends the request without an end of its body.
    Abort,
    Log(Box<LogLine>),
}

/// What the head of a poll's answer says.
#[derive(Debug, Clone, Copy)]
pub struct AnswerHead {
    pub position: Position,
    pub media: Media,
}

/// What a subscriber gives back to the store.
#[derive(Debug, Default)]
pub struct Left {
    pub memberships: SmallVec<[Membership; 1]>,
    pub unread: SmallVec<[Ref<Bookmark>; 1]>,
}

/// A message of a client's, for channels by their ids.
#[derive(Debug)]
pub struct Publication {
    pub targets: Vec<(Ref<Channel>, Box<[u8]>)>,
    pub text: Vec<u8>,
    pub binary: bool,
}

/// What nginx's log is told of a subscriber.
#[derive(Debug)]
pub enum LogLine {
    /// So many bytes wait, and `len` more are too many.
    SlowReader {
        channel: Vec<u8>,
        waiting: usize,
        len: usize,
        max_pending: usize,
        dropped: u64,
    },
    Violation(Violation),
    MessageIncomplete,
    NoPong,
    ClientLeft,
}

/// What comes when everything that waited has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// More was queued.
    Queued,
    /// More was queued: a page of history.
    Page,
    /// A WebSocket's close frame was queued, or is not to come: its client's time is its own from here on.
    Closing,
    /// Nothing, until something happens.
    Idle,
    /// The response ends.
    Finish,
    /// The client has `lingering_timeout` to send its close frame.
    AwaitClose,
    /// The connection ends. `linger`: what the client still sends is read for a while.
    End { linger: bool },
}

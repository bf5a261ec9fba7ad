//! One subscriber: its channels, what it still has to be told, and how it ends.
//!
//! The order in which things reach a stream: history, channel by channel or, from a position on, in
//! the order of publication, a page when the socket has taken the one before; then the live
//! messages that came meanwhile; then live messages as they come; at the end the footer. A poll
//! that finds something is the same without anything live; a long poll that does not is a [`Wait`]
//! before. What a subscriber needs after its response head is in here, not in the request.
//!
//! This file is what happens to a subscriber; `sending.rs` is how what it is told leaves.

pub mod long_poll;
pub mod sending;
pub mod timers;
pub mod websocket;

use std::cell::{Cell, OnceCell, RefCell};

use smallvec::SmallVec;

use crate::conf::Location;
use crate::ngx_ext::log::{Level, Quoted};
use crate::ngx_ext::timer::{Event, now_ms};
use crate::protocol::websocket::close::Status;
use crate::store::{Bookmark, Channel, DropCause, MessageRef, Mode, Progress, Ref, Stamp};
use crate::worker::context::{Worker, now};
use crate::worker::output::body_wrapper::BodyWrapper;
use crate::worker::output::encoded::{
    Encoded, Encoding, EncodingCache, EventIds, Framing, Padding,
};
use crate::worker::output::send_queue::SendQueue;
use crate::worker::output::writer::Writer;
use crate::worker::registry::Membership;
use crate::worker::subscriber::long_poll::Wait;
use crate::worker::subscriber::sending::Then;
use crate::worker::subscriber::websocket::socket::Socket;

/// Where a subscriber stands.
pub(in crate::worker) enum Phase {
    /// A long poll: nothing has been answered.
    Waiting(Box<Wait>),
    /// A stream: live messages go out.
    Open,
    /// No more messages come; what waits is sent, then the footer if it is still due. A poll with
    /// something to send begins here.
    Ending { footer_due: bool },
    /// The request is over.
    Ended,
}

impl Phase {
    /// It counts as a subscriber (ADM-15).
    pub(in crate::worker) fn counts(&self) -> bool {
        matches!(self, Phase::Waiting(_) | Phase::Open)
    }
}

pub(in crate::worker) struct State {
    pub phase: Phase,
    pub memberships: SmallVec<[Membership; 1]>,
    /// Histories still to be read; the next one is the last.
    pub unread: SmallVec<[Ref<Bookmark>; 1]>,
    /// It is a stream that goes on from a position, which holds for all of its channels.
    pub resumes: bool,
    pub envelope: BodyWrapper,
    /// Live messages that wait for the end of the history.
    pub held: SendQueue,
    /// None before the head is sent and when the request is over.
    pub transmission: Option<Writer>,
}

impl State {
    /// How far this worker has come with its channels.
    pub fn standing(&self, worker: &Worker) -> Progress {
        let subscriptions: Vec<_> = self.memberships.iter().map(|m| m.subscription).collect();
        worker.zone().standing(worker.me(), &subscriptions, now())
    }
}

/// A subscriber of this worker.
pub struct Subscriber {
    pub location: &'static Location,
    pub(in crate::worker) framing: Cell<Framing>,
    /// Bytes that its messages have at least.
    minimum: usize,
    mode: Mode,
    pub(in crate::worker) state: RefCell<State>,
    /// What a WebSocket has beyond a stream.
    pub(in crate::worker) socket: OnceCell<Box<Socket>>,
    pub(in crate::worker) timer: RefCell<Option<Event>>,
    /// Milliseconds of nginx's clock: when something was last sent, and when its time is up.
    pub(in crate::worker) last_sent: Cell<u64>,
    pub(in crate::worker) expires: Cell<Option<u64>>,
    /// Its number among this worker's subscribers.
    pub(in crate::worker) number: Cell<usize>,
}

impl Subscriber {
    pub(in crate::worker) fn new(
        location: &'static Location,
        mode: Mode,
        phase: Phase,
        envelope: BodyWrapper,
        minimum: usize,
    ) -> Subscriber {
        Subscriber {
            location,
            framing: Cell::new(Framing::Plain),
            minimum,
            mode,
            state: RefCell::new(State {
                phase,
                memberships: SmallVec::new(),
                unread: SmallVec::new(),
                resumes: false,
                envelope,
                held: SendQueue::default(),
                transmission: None,
            }),
            socket: OnceCell::new(),
            timer: RefCell::new(None),
            last_sent: Cell::new(0),
            expires: Cell::new(None),
            number: Cell::new(usize::MAX),
        }
    }

    pub fn set_memberships(&self, memberships: SmallVec<[Membership; 1]>) {
        self.state.borrow_mut().memberships = memberships;
    }

    /// Histories to be sent, in this order; where a stream goes on from a position, in the order of
    /// publication.
    pub fn set_history(
        &self,
        history: impl DoubleEndedIterator<Item = Ref<Bookmark>>,
        resumes: bool,
    ) {
        let mut state = self.state.borrow_mut();
        state.unread = history.rev().collect();
        state.resumes = resumes;
    }

    /// How its messages look.
    pub fn shape(&self, worker: &Worker) -> Encoding<'static> {
        Encoding {
            template: &self.location.message_template,
            framing: self.framing.get(),
            padding: Padding { minimum: self.minimum, largest: worker.main.largest_padding },
            event_ids: match self.location.auto_event_id {
                true => EventIds::Auto,
                false => EventIds::Published,
            },
        }
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether it is neither ending nor over.
    pub fn is_live(&self) -> bool {
        self.state.borrow().phase.counts()
    }

    /// A live message of a channel.
    pub fn deliver(
        &self,
        worker: &Worker,
        forms: &mut EncodingCache<'_>,
        message: &MessageRef<'_>,
    ) {
        if matches!(self.state.borrow().phase, Phase::Waiting(_)) {
            return self.answer_message(worker, forms, message);
        }
        let Some(item) = forms.get(&self.shape(worker)) else { return };
        if !self.state.borrow().has_room(item, self.location) {
            // It may have read on since the last write.
            self.pump(worker, false);
        }
        let mut state = self.state.borrow_mut();
        let Phase::Open = state.phase else { return };
        if !state.has_room(item, self.location) {
            drop(state);
            return self.end_slow(worker, message.channel_id, item.bytes.len());
        }
        self.last_sent.set(now_ms());
        let sent = state.send_or_queue(item);
        drop(state);
        self.after(worker, sent);
    }

    /// A sign of life, unless other things wait anyway.
    pub fn ping(&self, worker: &Worker, text: &[u8]) {
        let item = Encoded::ping(&self.shape(worker), text);
        let mut state = self.state.borrow_mut();
        let idle = matches!(state.phase, Phase::Open) && state.is_idle();
        if let Some(item) = item.filter(|_| idle) {
            let sent = state.send_or_queue(&item);
            drop(state);
            self.expect_pong();
            self.after(worker, sent);
        }
    }

    /// Whether it was handed all that was published for it up to this.
    pub fn is_up_to(&self, worker: &Worker, stamp: Stamp) -> bool {
        let state = self.state.borrow();
        if state.memberships.len() == 1 {
            return true;
        }
        match state.standing(worker) {
            Progress::Clear { .. } => true,
            Progress::Behind { taken } => taken >= stamp,
        }
    }

    /// One of its channels was deleted: says so (SUB-48, DEL-1..3), and ends if it was the last.
    pub fn channel_deleted(
        &self,
        worker: &Worker,
        channel: Ref<Channel>,
        end: Stamp,
        notice: &mut EncodingCache<'_>,
    ) {
        if matches!(self.state.borrow().phase, Phase::Waiting(_)) {
            return self.answer_deleted(worker, notice.view, end);
        }
        let of_it = |m: &Membership| m.subscription.channel == channel;
        let (membership, last) = {
            let mut state = self.state.borrow_mut();
            let Some(i) = state.memberships.iter().position(of_it) else { return };
            if let Some(notice) = notice.get(&self.shape(worker)) {
                state.queue(notice);
            }
            let membership = state.memberships.remove(i);
            let last = state.memberships.is_empty();
            if last {
                state.phase = Phase::Ending { footer_due: true };
            }
            (membership, last)
        };
        if last {
            worker.count_out(self);
        }
        worker.release(std::iter::once(membership));
        self.last_sent.set(now_ms());
        self.pump(worker, false);
    }

    /// Its time is up. Milliseconds of nginx's clock if it gets more.
    pub fn time_is_up(&self, worker: &Worker) -> Option<u64> {
        if matches!(self.state.borrow().phase, Phase::Waiting(_)) {
            return self.wait_is_over(worker);
        }
        self.end(worker);
        None
    }

    /// Ends in the normal way: footer and end of the response (SUB-43, SUB-46), or the answer of a wait
    /// that was in vain. History that has not been read is given up, with all that came after it.
    pub fn end(&self, worker: &Worker) {
        if matches!(self.state.borrow().phase, Phase::Waiting(_)) {
            return self.cut_wait(worker);
        }
        {
            let mut state = self.state.borrow_mut();
            let Phase::Open = state.phase else { return };
            if !state.unread.is_empty() {
                state.held = SendQueue::default();
            }
            state.phase = Phase::Ending { footer_due: true };
        }
        worker.count_out(self);
        self.let_go(worker);
        self.pump(worker, false);
    }

    /// Ends because too much waits: what has not begun is dropped and counted, the rest is the normal
    /// ending, and the connection is closed.
    fn end_slow(&self, worker: &Worker, channel: &[u8], len: usize) {
        {
            let mut state = self.state.borrow_mut();
            let waited = state.waiting();
            let mut dropped = 1 + std::mem::take(&mut state.held).messages();
            if let Some(Writer { sink, queue, .. }) = &mut state.transmission {
                dropped += queue.drop_unbegun(sink.has_begun());
                sink.request().bits().set_keepalive(false);
                sink.request().log(
                    Level::Warn,
                    format_args!(
                        "a subscriber of channel {} in worker {} reads too slowly: \
                         {waited} bytes wait, {len} more are over push_stream_subscriber_max_pending \
                         {}; it ends, messages dropped: {dropped}",
                        Quoted(channel),
                        worker.pid(),
                        self.location.max_pending,
                    ),
                );
            }
            worker.count_dropped(DropCause::SlowReader, dropped);
        }
        self.close_with(Status::TryAgainLater);
        self.end(worker);
    }

    /// The socket can be written again, or the time to write has run out.
    pub fn writable(&self, worker: &Worker, timed_out: bool) {
        if !timed_out {
            // One that came after all had been ended has not been told yet.
            if worker.has_ended_all() {
                self.end(worker);
            }
            return self.pump(worker, true);
        }
        let lost = {
            let state = self.state.borrow();
            let Some(Writer { sink, queue, .. }) = &state.transmission else { return };
            sink.request().reset_on_close();
            queue.messages() + state.held.messages()
        };
        worker.count_dropped(DropCause::SlowReader, lost);
        self.carry_out(worker, Then::Abort);
    }

    /// Leaves its channels and gives up its histories. They are forgotten first: what the store does not
    /// get back because of a panic, it gets when the worker settles up.
    pub(in crate::worker) fn let_go(&self, worker: &Worker) {
        let (memberships, unread) = {
            let mut state = self.state.borrow_mut();
            (std::mem::take(&mut state.memberships), std::mem::take(&mut state.unread))
        };
        worker.release(memberships);
        worker.give_up(&unread);
    }

    /// The request is over, however it came to that: nothing of it is used any more.
    pub fn gone(&self, worker: &Worker) {
        let counted = {
            let mut state = self.state.borrow_mut();
            let counted = state.phase.counts();
            state.phase = Phase::Ended;
            state.transmission = None;
            state.held = SendQueue::default();
            counted
        };
        self.timer.replace(None);
        if counted {
            worker.count_out(self);
        }
        self.let_go_anyway(worker);
    }
}

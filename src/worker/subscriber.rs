//! One subscriber: its channels, what it still has to be told, and how it ends.
//!
//! The order in which things reach it: history, channel by channel, a page when the socket has taken
//! the one before; then the live messages that came meanwhile; then live messages as they come; at the
//! end the footer. What a subscriber needs after its response head is in here, not in the request.
//!
//! nginx is called in two ways: to send, with the state borrowed (sending calls nothing of ours back),
//! and to end the request or to run what it posted, with nothing borrowed (`carry_out`).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use smallvec::SmallVec;

use super::current::{Worker, now};
use super::formatted::{Formatted, Framing, view};
use super::outbox::Outbox;
use super::registry::Place;
use super::sink::Attached;
use super::transmission::{Flow, Transmission};
use crate::conf::Location;
use crate::ngx_ext::connection::Failed;
use crate::ngx_ext::event::{Event, now_ms};
use crate::ngx_ext::log::{Level, Quoted};
use crate::protocol::template::{MessageView, Template};
use crate::store::{Channel, DropCause, Mode, Ref, Subscription};

/// Pages of history sent in one turn of the event loop, so that others are served in between.
const PAGES: usize = 4;

/// One channel of a subscriber.
pub struct Membership {
    pub subscription: Subscription,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// No more messages; what waits is sent, then the footer if it is still due.
    Ending {
        footer_due: bool,
    },
    /// The request is over.
    Ended,
}

/// What is to be done with the request, once nothing of the subscriber is borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Wait,
    /// More can be sent at once, but others come first.
    GoOnLater,
    Finish,
    Abort,
}

struct State {
    phase: Phase,
    memberships: SmallVec<[Membership; 1]>,
    /// Live messages that wait for the head, or for the end of the history.
    held: Outbox,
    /// None before the head is sent and when the request is over.
    transmission: Option<Transmission>,
}

/// A subscriber of this worker.
pub struct Subscriber {
    pub location: &'static Location,
    framing: Cell<Framing>,
    mode: Mode,
    state: RefCell<State>,
    pub(super) timer: RefCell<Option<Event>>,
    /// Milliseconds of nginx's clock: when something was last sent, and when its time is up.
    pub(super) last_sent: Cell<u64>,
    pub(super) expires: Cell<Option<u64>>,
    /// Its number among this worker's subscribers.
    pub(super) number: Cell<usize>,
}

impl Subscriber {
    pub fn new(location: &'static Location, mode: Mode) -> Subscriber {
        Subscriber {
            location,
            framing: Cell::new(Framing::Plain),
            mode,
            state: RefCell::new(State {
                phase: Phase::Open,
                memberships: SmallVec::new(),
                held: Outbox::default(),
                transmission: None,
            }),
            timer: RefCell::new(None),
            last_sent: Cell::new(0),
            expires: Cell::new(None),
            number: Cell::new(usize::MAX),
        }
    }

    pub fn set_memberships(&self, memberships: SmallVec<[Membership; 1]>) {
        self.state.borrow_mut().memberships = memberships;
    }

    pub fn template(&self) -> &Rc<Template> {
        &self.location.message_template.template
    }

    pub fn framing(&self) -> Framing {
        self.framing.get()
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The head was sent: what waited begins to flow.
    pub fn open(&self, worker: &Worker, sink: Attached) {
        self.framing.set(sink.framing());
        self.state.borrow_mut().transmission = Some(Transmission::new(sink));
        self.pump(worker, true);
    }

    /// Hands over a live message of a channel.
    pub fn deliver(&self, worker: &Worker, item: &Rc<Formatted>, channel: &[u8]) {
        if !self.state.borrow().has_room(item, self.location) {
            // It may have read on since the last write.
            self.pump(worker, false);
        }
        let mut state = self.state.borrow_mut();
        if state.phase != Phase::Open {
            return;
        }
        if !state.has_room(item, self.location) {
            drop(state);
            return self.end_slow(worker, channel, item.bytes.len());
        }
        self.last_sent.set(now_ms());
        let sent = state.send_or_queue(item);
        drop(state);
        self.after(worker, sent);
    }

    /// Sends something that is not a message of a channel, unless other things wait anyway.
    pub fn ping(&self, worker: &Worker, text: &[u8]) {
        let view = MessageView::ping(text);
        let item = Formatted::message(self.template(), self.framing(), &view, false);
        let mut state = self.state.borrow_mut();
        if let Some(item) = item.filter(|_| state.phase == Phase::Open && state.is_idle()) {
            let sent = state.send_or_queue(&item);
            drop(state);
            self.after(worker, sent);
        }
    }

    /// One of its channels was deleted: says so (SUB-48, DEL-1..3), and ends if it was the last.
    pub fn channel_deleted(
        &self,
        worker: &Worker,
        channel: Ref<Channel>,
        notice: Option<&Rc<Formatted>>,
    ) {
        let (membership, last) = {
            let mut state = self.state.borrow_mut();
            let of_it = |m: &Membership| m.subscription.channel == channel;
            let Some(i) = state.memberships.iter().position(of_it) else { return };
            let membership = state.memberships.remove(i);
            if let Some(notice) = notice {
                state.queue(notice);
            }
            let last = state.memberships.is_empty();
            if last {
                state.phase = Phase::Ending { footer_due: true };
            }
            (membership, last)
        };
        worker.release(std::iter::once(membership));
        if last {
            worker.count_out(self);
        }
        self.last_sent.set(now_ms());
        self.pump(worker, false);
    }

    /// Ends in the normal way: footer and end of the response (SUB-43, SUB-46). History that has not
    /// been read is given up, with all that came after it.
    pub fn end(&self, worker: &Worker) {
        let memberships = {
            let mut state = self.state.borrow_mut();
            if state.phase != Phase::Open {
                return;
            }
            if state.reading().is_some() {
                state.held = Outbox::default();
            }
            state.phase = Phase::Ending { footer_due: true };
            std::mem::take(&mut state.memberships)
        };
        worker.release(memberships);
        worker.count_out(self);
        self.pump(worker, false);
    }

    /// Ends because too much waits: what has not begun is dropped and counted, the rest is the normal
    /// ending, and the connection is closed.
    fn end_slow(&self, worker: &Worker, channel: &[u8], len: usize) {
        {
            let mut state = self.state.borrow_mut();
            let waited = state.waiting();
            let mut dropped = 1 + std::mem::take(&mut state.held).messages();
            if let Some(Transmission { sink, outbox, .. }) = &mut state.transmission {
                dropped += outbox.drop_unbegun(sink.has_begun());
                sink.request().bits().set_keepalive(false);
                sink.request().log(
                    Level::Warn,
                    format_args!(
                        "push stream module: a subscriber of channel {} in worker {} reads too slowly: \
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
        self.end(worker);
    }

    /// The socket can be written again, or the time to write has run out.
    pub fn writable(&self, worker: &Worker, timed_out: bool) {
        if !timed_out {
            return self.pump(worker, true);
        }
        let lost = {
            let state = self.state.borrow();
            let Some(Transmission { sink, outbox, .. }) = &state.transmission else { return };
            sink.request().reset_on_close();
            outbox.messages() + state.held.messages()
        };
        worker.count_dropped(DropCause::SlowReader, lost);
        self.carry_out(worker, Then::Abort);
    }

    /// The request is over, however it came to that: nothing of it is used any more.
    pub fn gone(&self, worker: &Worker) {
        let (memberships, counted) = {
            let mut state = self.state.borrow_mut();
            let counted = state.phase == Phase::Open;
            state.phase = Phase::Ended;
            state.transmission = None;
            state.held = Outbox::default();
            (std::mem::take(&mut state.memberships), counted)
        };
        self.timer.replace(None);
        worker.release(memberships);
        if counted {
            worker.count_out(self);
        }
    }

    /// Sends what waits until nothing does, the socket is full, or it is the others' turn.
    fn pump(&self, worker: &Worker, progress: bool) {
        let mut pages = 0;
        let then = loop {
            let mut state = self.state.borrow_mut();
            let Some(transmission) = &mut state.transmission else { break Then::Wait };
            match transmission.send_waiting(progress || pages > 0) {
                Ok(Flow::Blocked) => break Then::Wait,
                Ok(Flow::Idle) => {}
                Err(Failed) => break Then::Abort,
            }
            // Everything that waited has left: what comes next?
            match state.phase {
                _ if state.reading().is_some() => {
                    if pages == PAGES {
                        break Then::GoOnLater;
                    }
                    pages += 1;
                    state.read_page(worker, self.location, self.framing());
                }
                _ if !state.held.is_empty() => state.release_held(),
                Phase::Ending { footer_due: true } => {
                    state.phase = Phase::Ending { footer_due: false };
                    let footer = Formatted::text(self.framing(), &self.location.footer);
                    footer.into_iter().for_each(|footer| state.queue(&footer));
                }
                Phase::Ending { footer_due: false } => break Then::Finish,
                Phase::Open | Phase::Ended => break Then::Wait,
            }
        };
        self.carry_out(worker, then);
    }

    fn after(&self, worker: &Worker, sent: Result<(), Failed>) {
        self.carry_out(worker, if sent.is_ok() { Then::Wait } else { Then::Abort });
    }

    fn carry_out(&self, worker: &Worker, then: Then) {
        let (request, filtered) = {
            let mut state = self.state.borrow_mut();
            let Some(transmission) = &mut state.transmission else { return };
            worker.count_delivered(transmission.take_sent());
            (transmission.sink.request(), transmission.sink.is_filtered())
        };
        match then {
            // A filter may have started a subrequest.
            Then::Wait if filtered => request.run_posted(),
            Then::Wait => {}
            Then::GoOnLater => request.connection().post_writable(),
            Then::Finish => {
                self.gone(worker);
                request.finish();
            }
            Then::Abort => {
                self.gone(worker);
                request.abort();
            }
        }
    }
}

impl State {
    /// The channel whose history is being read, if any.
    fn reading(&self) -> Option<usize> {
        self.memberships.iter().position(|m| m.subscription.history.is_some())
    }

    /// Nothing waits, so the next thing can be sent at once.
    fn is_idle(&self) -> bool {
        let sending = self.transmission.as_ref();
        sending.is_some_and(|t| t.outbox.is_empty())
            && self.held.is_empty()
            && self.reading().is_none()
    }

    /// Live bytes behind the item being sent.
    fn waiting(&self) -> usize {
        let behind = self.transmission.as_ref().map_or(0, |t| t.outbox.behind());
        behind + self.held.live_bytes()
    }

    /// Whether one more may wait. A single one always may.
    fn has_room(&self, item: &Formatted, location: &Location) -> bool {
        let nothing = self.transmission.as_ref().is_none_or(|t| t.outbox.live_bytes() == 0);
        nothing && self.held.is_empty() || self.waiting() + item.bytes.len() <= location.max_pending
    }

    fn send_or_queue(&mut self, item: &Rc<Formatted>) -> Result<(), Failed> {
        if self.is_idle() {
            if let Some(transmission) = &mut self.transmission {
                return transmission.send_now(item).map(drop);
            }
        }
        self.queue(item);
        Ok(())
    }

    fn queue(&mut self, item: &Rc<Formatted>) {
        let must_hold = self.reading().is_some() || !self.held.is_empty();
        match &mut self.transmission {
            Some(transmission) if !must_hold => transmission.outbox.push(Rc::clone(item)),
            _ => self.held.push(Rc::clone(item)),
        }
    }

    fn release_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        if let Some(transmission) = &mut self.transmission {
            transmission.outbox.append(held);
        }
    }

    fn read_page(&mut self, worker: &Worker, location: &Location, framing: Framing) {
        let Some(i) = self.reading() else { return };
        let history = &mut self.memberships[i].subscription.history;
        let (Some(bookmark), Some(transmission)) = (history.take(), &mut self.transmission) else {
            return;
        };
        let step = worker.zone().read_history(worker.me(), bookmark, location.max_pending, now());
        *history = step.next;
        let template = &location.message_template.template;
        for message in step.page.messages() {
            let item = Formatted::message(template, framing, &view(&message), true);
            item.into_iter().for_each(|item| transmission.outbox.push_history(item));
        }
    }
}

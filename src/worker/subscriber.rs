//! One subscriber: its channels, what it still has to be told, and how it ends.
//!
//! The order in which things reach it: history, channel by channel, a page when the socket has taken
//! the one before; then the live messages that came meanwhile; then live messages as they come; at the
//! end the footer. What a subscriber needs after its response head is in here, not in the request.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use smallvec::SmallVec;

use super::Worker;
use super::formatted::{Formatted, Framing};
use super::outbox::Outbox;
use super::registry::Place;
use super::sink::{Attached, Sent};
use crate::conf::Location;
use crate::ngx_ext::connection::Failed;
use crate::ngx_ext::event::{Event, now_ms};
use crate::ngx_ext::log::{Level, Quoted};
use crate::protocol::template::{MessageView, Template};
use crate::store::{self, DropCause, Mode, Ref, Subscription};

/// One channel of a subscriber.
pub struct Membership {
    pub subscription: Subscription,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The response head is not sent yet: everything waits.
    Opening,
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
    Finish,
    Abort,
}

struct State {
    phase: Phase,
    memberships: SmallVec<[Membership; 1]>,
    outbox: Outbox,
    /// Live messages that wait for the end of the history.
    held: Outbox,
    sink: Option<Attached>,
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
                phase: Phase::Opening,
                memberships: SmallVec::new(),
                outbox: Outbox::default(),
                held: Outbox::default(),
                sink: None,
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
        {
            let mut state = self.state.borrow_mut();
            state.sink = Some(sink);
            if state.phase == Phase::Opening {
                state.phase = Phase::Open;
            }
        }
        self.pump(worker, true);
    }

    /// Hands over a live message of a channel. True if it was taken.
    pub fn deliver(&self, worker: &Worker, item: &Rc<Formatted>, channel: &[u8]) -> bool {
        let then = {
            let mut state = self.state.borrow_mut();
            if !state.is_open() {
                return false;
            }
            let waits = !state.outbox.is_empty() || !state.held.is_empty();
            if waits && !state.fits(item, self.location) {
                drop(state);
                self.end_slow(worker, channel);
                return false;
            }
            self.last_sent.set(now_ms());
            if state.must_hold() {
                state.held.push(Rc::clone(item));
                return true;
            }
            if waits {
                state.outbox.push(Rc::clone(item));
                return true;
            }
            state.send_now(item)
        };
        self.carry_out(worker, then);
        true
    }

    /// Sends something that is not a message of a channel, unless other things wait anyway.
    pub fn ping(&self, worker: &Worker, text: &[u8]) {
        let view = MessageView::ping(text);
        let item = Formatted::message(self.template(), self.framing(), &view, false);
        let then = {
            let mut state = self.state.borrow_mut();
            let idle = state.phase == Phase::Open
                && !state.must_hold()
                && state.outbox.is_empty()
                && state.held.is_empty();
            match item {
                Some(item) if idle => state.send_now(&item),
                _ => return,
            }
        };
        self.carry_out(worker, then);
    }

    /// One of its channels was deleted: says so (SUB-48, DEL-1..3), and ends if it was the last.
    pub fn channel_deleted(
        &self,
        worker: &Worker,
        channel: Ref<store::Channel>,
        notice: Option<&Rc<Formatted>>,
    ) {
        let (membership, last) = {
            let mut state = self.state.borrow_mut();
            let of_it = |m: &Membership| m.subscription.channel == channel;
            let Some(i) = state.memberships.iter().position(of_it) else { return };
            let membership = state.memberships.remove(i);
            if let Some(notice) = notice {
                match state.must_hold() {
                    true => state.held.push(Rc::clone(notice)),
                    false => state.outbox.push(Rc::clone(notice)),
                }
            }
            let last = state.memberships.is_empty();
            if last && state.is_open() {
                // Opening: what waits is sent when the head is out.
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
            if !state.is_open() {
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
    fn end_slow(&self, worker: &Worker, channel: &[u8]) {
        {
            let mut state = self.state.borrow_mut();
            let begun = state.sink.as_ref().is_some_and(Attached::has_begun);
            let waited = state.outbox.behind() + state.held.bytes();
            let held = std::mem::take(&mut state.held);
            let dropped = 1 + held.messages() + state.outbox.drop_unbegun(begun);
            worker.count_dropped(DropCause::SlowReader, dropped);
            if let Some(sink) = &state.sink {
                sink.request().bits().set_keepalive(false);
                sink.request().log(
                    Level::Warn,
                    format_args!(
                        "push stream module: a subscriber of channel {} in worker {} reads too \
                         slowly, {waited} bytes waited: {dropped} messages are dropped and it ends",
                        Quoted(channel),
                        worker.pid(),
                    ),
                );
            }
        }
        self.end(worker);
    }

    /// The socket can be written again, or the time to write has run out.
    pub fn writable(&self, worker: &Worker, timed_out: bool) {
        if timed_out {
            let lost = {
                let state = self.state.borrow();
                if let Some(sink) = &state.sink {
                    sink.request().connection().reset_on_close();
                }
                state.outbox.messages() + state.held.messages()
            };
            worker.count_dropped(DropCause::SlowReader, lost);
            return self.carry_out(worker, Then::Abort);
        }
        self.pump(worker, true);
    }

    /// The request is over, however it came to that: nothing of it is used any more.
    pub fn gone(&self, worker: &Worker) {
        let (memberships, counted) = {
            let mut state = self.state.borrow_mut();
            let counted = state.is_open();
            state.phase = Phase::Ended;
            state.sink = None;
            state.outbox = Outbox::default();
            state.held = Outbox::default();
            (std::mem::take(&mut state.memberships), counted)
        };
        self.timer.replace(None);
        worker.release(memberships);
        if counted {
            worker.count_out(self);
        }
    }

    /// Sends what waits until nothing does or the socket is full.
    fn pump(&self, worker: &Worker, mut progress: bool) {
        let then = loop {
            let mut state = self.state.borrow_mut();
            match state.send_waiting(&mut progress) {
                Ok(Waiting::Blocked) => break Then::Wait,
                Ok(Waiting::Nothing) => {}
                Err(Failed) => break Then::Abort,
            }
            // Everything that waited has left: what comes next?
            if let Some(i) = state.reading() {
                self.read_page(worker, &mut state, i);
                continue;
            }
            if !state.held.is_empty() {
                let held = std::mem::take(&mut state.held);
                state.outbox.append(held);
                continue;
            }
            match state.phase {
                Phase::Ending { footer_due: true } => {
                    state.phase = Phase::Ending { footer_due: false };
                    let footer = Formatted::text(self.framing(), &self.location.footer);
                    footer.into_iter().for_each(|footer| state.outbox.push(footer));
                }
                Phase::Ending { footer_due: false } => break Then::Finish,
                Phase::Opening | Phase::Open | Phase::Ended => break Then::Wait,
            }
        };
        self.carry_out(worker, then);
    }

    fn read_page(&self, worker: &Worker, state: &mut State, i: usize) {
        let Some(bookmark) = state.memberships[i].subscription.history.take() else { return };
        let step = worker.zone().read_history(worker.me(), bookmark, worker.now());
        state.memberships[i].subscription.history = step.next;
        let mut count = 0;
        for message in step.page.messages() {
            let view = view(&message);
            let item = Formatted::message(self.template(), self.framing(), &view, true);
            item.into_iter().for_each(|item| state.outbox.push(item));
            count += 1;
        }
        worker.count_delivered(count);
    }

    fn carry_out(&self, worker: &Worker, then: Then) {
        if then == Then::Wait {
            return;
        }
        let request = {
            let state = self.state.borrow();
            if state.phase == Phase::Ended {
                return;
            }
            state.sink.as_ref().map(Attached::request)
        };
        match (request, then) {
            (Some(request), Then::Finish) => {
                self.gone(worker);
                request.finish();
            }
            // The filters may still hold our bytes: they go when the request has ended.
            (Some(request), _) => request.abort(),
            (None, _) => {}
        }
    }
}

enum Waiting {
    Nothing,
    Blocked,
}

impl State {
    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Opening | Phase::Open)
    }

    /// The channel whose history is being read, if any.
    fn reading(&self) -> Option<usize> {
        self.memberships.iter().position(|m| m.subscription.history.is_some())
    }

    /// Live messages must wait: for the head, or for the history.
    fn must_hold(&self) -> bool {
        self.sink.is_none() || self.reading().is_some() || !self.held.is_empty()
    }

    fn fits(&self, item: &Formatted, location: &Location) -> bool {
        let waiting = self.outbox.behind() + self.held.bytes();
        waiting + item.bytes.len() <= location.max_pending
    }

    /// Sends an item when nothing waits before it; queues what the socket does not take.
    fn send_now(&mut self, item: &Rc<Formatted>) -> Then {
        let Some(sink) = &mut self.sink else { return Then::Abort };
        let sent = match sink.send(item, 0) {
            Ok(sent) => sent,
            Err(Failed) => return Then::Abort,
        };
        let n = match sent {
            Sent::All => return Then::Wait,
            Sent::Some(n) => n,
            Sent::Taken => 0,
        };
        self.outbox.push(Rc::clone(item));
        self.outbox.advance(n);
        match sink.await_writable(true) {
            Ok(()) => Then::Wait,
            Err(Failed) => Then::Abort,
        }
    }

    /// Sends the outbox as far as the socket takes it.
    fn send_waiting(&mut self, progress: &mut bool) -> Result<Waiting, Failed> {
        let State { outbox, sink: Some(sink), .. } = self else { return Ok(Waiting::Blocked) };
        while let Some((item, offset)) = outbox.front() {
            let (item, len) = (Rc::clone(item), item.bytes.len());
            match sink.send(&item, offset)? {
                Sent::All => outbox.advance(len - offset),
                Sent::Some(n) => {
                    *progress |= n > 0;
                    outbox.advance(n);
                    sink.await_writable(*progress)?;
                    return Ok(Waiting::Blocked);
                }
                Sent::Taken => {
                    sink.await_writable(*progress)?;
                    return Ok(Waiting::Blocked);
                }
            }
            *progress = true;
        }
        if !sink.drain()? {
            sink.await_writable(*progress)?;
            return Ok(Waiting::Blocked);
        }
        sink.rest();
        Ok(Waiting::Nothing)
    }
}

/// A message of the store as templates see it.
pub fn view<'m>(message: &store::MessageRef<'m>) -> MessageView<'m> {
    MessageView {
        id: i64::try_from(message.id).unwrap_or(i64::MAX),
        channel: message.channel_id,
        text: message.text,
        time: message.stamp.second,
        tag: message.stamp.tag,
        event_id: message.event_id,
        event_type: message.event_type,
    }
}

//! How what a subscriber is told leaves: page by page, as far as its socket takes it, in fair shares.
//!
//! nginx is called in two ways: to send, with the state borrowed (sending calls nothing of ours back),
//! and to end the request or to run what it posted, with nothing borrowed (`carry_out`).

use std::rc::Rc;

use crate::conf::{Location, TemplateKind};
use crate::ngx_ext::connection::Failed;
use crate::ngx_ext::request::Request;
use crate::ngx_ext::substitution::Substitution;
use crate::worker::context::{Worker, now};
use crate::worker::output::encoded::{Encoded, Encoding, EventIds, view};
use crate::worker::output::filter_bypass;
use crate::worker::output::sink::RequestSink;
use crate::worker::output::writer::{Flow, Writer};
use crate::worker::subscriber::{Phase, State, Subscriber};

/// Pages of history sent in one turn of the event loop, so that others are served in between.
const PAGES: usize = 4;

/// What is to be done with the request, once nothing of the subscriber is borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) enum Then {
    Wait,
    /// More can be sent at once, but others come first.
    GoOnLater,
    Finish,
    Abort,
}

impl Subscriber {
    /// The head was sent: from now on things leave through the request's sink. First comes what opens
    /// the envelope.
    pub(in crate::worker) fn attach(
        &self,
        worker: &Worker,
        request: Request<'static>,
        substitution: Option<Substitution>,
    ) {
        if request.is_http1() && request.wants_nodelay() {
            request.connection().set_nodelay();
        }
        let direct = filter_bypass::allowed(self.location.direct_output, worker.all_modules_known);
        let sink = RequestSink::new(request, direct, substitution);
        self.framing.set(sink.framing());
        let mut state = self.state.borrow_mut();
        let mut transmission = Writer::new(sink);
        for text in state.envelope.opening() {
            let opening = Encoded::text(self.framing.get(), text);
            opening.into_iter().for_each(|item| transmission.queue.push_history(item));
        }
        state.transmission = Some(transmission);
    }

    /// Text that comes before all messages.
    pub(in crate::worker) fn begin_with(&self, text: &[u8]) {
        let item = Encoded::text(self.framing.get(), text);
        if let (Some(item), Some(transmission)) = (item, &mut self.state.borrow_mut().transmission)
        {
            transmission.queue.push_history(item);
        }
    }

    /// Reads the first page of its history right after the join, so that little of it can be removed in
    /// between. Nothing is sent yet.
    pub(in crate::worker) fn read_first_page(&self, worker: &Worker) {
        let mut state = self.state.borrow_mut();
        if !state.unread.is_empty() {
            state.read_page(worker, self.location, &self.shape(worker));
        }
    }

    /// The one message of an answer, if it is not empty, and the end.
    pub(in crate::worker) fn answer_with(&self, worker: &Worker, item: Option<Rc<Encoded>>) {
        if let Some(item) = item {
            self.state.borrow_mut().queue(&item);
        }
        self.pump(worker, true);
    }

    /// Sends what waits until nothing does, the socket is full, or it is the others' turn.
    pub(in crate::worker) fn pump(&self, worker: &Worker, progress: bool) {
        let mut pages = 0;
        let then = loop {
            let mut state = self.state.borrow_mut();
            let ends = matches!(state.phase, Phase::Ending { .. });
            let Some(transmission) = &mut state.transmission else { break Then::Wait };
            if ends {
                transmission.sink.waits_for_client_alone();
            }
            match transmission.send_waiting(progress || pages > 0) {
                Ok(Flow::Blocked) => break Then::Wait,
                Ok(Flow::Idle) => {}
                Err(Failed) => break Then::Abort,
            }
            // Everything that waited has left: what comes next?
            if self.answer_ping(&mut state) {
                continue;
            }
            match state.phase {
                _ if !state.unread.is_empty() => {
                    if pages == PAGES {
                        break Then::GoOnLater;
                    }
                    pages += 1;
                    state.read_page(worker, self.location, &self.shape(worker));
                }
                _ if !state.held.is_empty() => state.release_held(),
                Phase::Ending { footer_due: true } => {
                    state.phase = Phase::Ending { footer_due: false };
                    let text = state.envelope.closing(&self.location.footer);
                    let footer = Encoded::text(self.framing.get(), text);
                    footer.into_iter().for_each(|footer| state.queue(&footer));
                    self.say_goodbye(worker, &mut state);
                }
                Phase::Ending { footer_due: false } => break Then::Finish,
                Phase::Waiting(_) | Phase::Open | Phase::Ended => break Then::Wait,
            }
        };
        self.carry_out(worker, then);
    }

    pub(in crate::worker) fn after(&self, worker: &Worker, sent: Result<(), Failed>) {
        self.carry_out(worker, if sent.is_ok() { Then::Wait } else { Then::Abort });
    }

    pub(in crate::worker) fn carry_out(&self, worker: &Worker, then: Then) {
        let request = {
            let mut state = self.state.borrow_mut();
            let Some(transmission) = &mut state.transmission else { return };
            worker.count_delivered(transmission.take_sent());
            transmission.sink.request()
        };
        match then {
            // A filter may have started a subrequest (`add_before_body`).
            Then::Wait => request.run_posted(),
            Then::GoOnLater => request.connection().post_writable_next(),
            Then::Finish if self.socket.get().is_some() => self.finish_socket(worker, request),
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
    /// Nothing waits, so the next thing can be sent at once.
    pub fn is_idle(&self) -> bool {
        let sending = self.transmission.as_ref();
        sending.is_some_and(|t| t.queue.is_empty())
            && self.held.is_empty()
            && self.unread.is_empty()
    }

    /// Live bytes behind the item being sent.
    pub fn waiting(&self) -> usize {
        let behind = self.transmission.as_ref().map_or(0, |t| t.queue.behind());
        behind + self.held.live_bytes()
    }

    /// Whether one more may wait. A single one always may.
    pub fn has_room(&self, item: &Encoded, location: &Location) -> bool {
        let nothing = self.transmission.as_ref().is_none_or(|t| t.queue.live_bytes() == 0);
        nothing && self.held.is_empty() || self.waiting() + item.bytes.len() <= location.max_pending
    }

    pub fn send_or_queue(&mut self, item: &Rc<Encoded>) -> Result<(), Failed> {
        if self.is_idle() {
            if let Some(transmission) = &mut self.transmission {
                return transmission.send_now(item).map(drop);
            }
        }
        self.queue(item);
        Ok(())
    }

    pub fn queue(&mut self, item: &Rc<Encoded>) {
        let must_hold = !self.unread.is_empty() || !self.held.is_empty();
        match &mut self.transmission {
            Some(transmission) if !must_hold => transmission.queue.push(Rc::clone(item)),
            _ => self.held.push(Rc::clone(item)),
        }
    }

    fn release_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        if let Some(transmission) = &mut self.transmission {
            transmission.queue.append(held);
        }
    }

    fn read_page(&mut self, worker: &Worker, location: &Location, shape: &Encoding<'_>) {
        let Some(transmission) = &mut self.transmission else { return };
        let (zone, me, most) = (worker.zone(), worker.me(), location.max_pending);
        // A client that comes back with what any message says of its place says that all before it was
        // had, in every channel. The answer to a poll has a cursor of its own (OLD-14).
        let in_one_order = self.resumes || shape.event_ids == EventIds::Auto;
        let page = if in_one_order {
            zone.read_merged(me, &mut self.unread, most, now())
        } else {
            let Some(bookmark) = self.unread.pop() else { return };
            let step = zone.read_history(me, bookmark, most, now());
            self.unread.extend(step.next);
            step.page
        };
        let mut gaps = page.gaps().iter().peekable();
        let tells_gaps = location.gap_events
            && location.message_template.kind == TemplateKind::EventStream
            && matches!(self.phase, Phase::Open);
        for (i, message) in page.messages().enumerate() {
            while let Some(gap) = gaps.next_if(|gap| tells_gaps && gap.at <= i) {
                transmission.tell_gap(shape.framing, gap);
            }
            let Some(item) = worker.compressed.message(shape, &view(&message)) else { continue };
            let separator = self.envelope.separator();
            let separator = separator.and_then(|text| Encoded::text(shape.framing, text));
            separator.into_iter().for_each(|item| transmission.queue.push_history(item));
            transmission.queue.push_history(item);
        }
        for gap in gaps.filter(|_| tells_gaps) {
            transmission.tell_gap(shape.framing, gap);
        }
    }
}

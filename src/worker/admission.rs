//! A request becomes a subscriber, or is answered with what there is.

use std::ffi::c_void;
use std::rc::Rc;

use nginx_sys::{ngx_http_request_t, ngx_int_t};
use smallvec::SmallVec;

use crate::conf::{self, Location, Main, TemplateKind};
use crate::ngx_ext::guard::guard_or;
use crate::ngx_ext::log::cycle_log;
use crate::ngx_ext::request::{OutOfMemory, Request};
use crate::protocol::padding::{self, Minimums};
use crate::protocol::{percent, sse};
use crate::store::{
    JoinItem, Joined, Mode, Poll, PollRequest, ResumePoint, Stamp, StoreError, Subscription,
    Subscriptions, WaitPolicy,
};
use crate::worker::context::{Worker, now};
use crate::worker::isolation;
use crate::worker::output::body_wrapper::BodyWrapper;
use crate::worker::output::encoded::Padding;
use crate::worker::output::response_head::{self, Unsent};
use crate::worker::subscriber::long_poll::Wait;
use crate::worker::subscriber::websocket::session::Opening;
use crate::worker::subscriber::{Phase, Subscriber};

/// How a subscriber is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery<'o> {
    /// Messages as they come, in a response without end.
    Stream(Option<Minimums>),
    /// One response with what there is, perhaps in a call of the `callback`.
    Poll { patience: WaitPolicy, callback: Option<&'o [u8]> },
    /// Messages as they come, in frames.
    WebSocket(&'o Opening),
}

/// What a request asks for.
#[derive(Clone, Copy)]
pub struct SubscribeRequest<'o> {
    pub location: &'o Location,
    pub main: &'o Main,
    pub items: &'o [JoinItem<'o>],
    pub since: ResumePoint<'o>,
    pub kind: Delivery<'o>,
}

impl SubscribeRequest<'_> {
    /// One channel of it, for the log.
    pub(in crate::worker) fn first_id(&self) -> &[u8] {
        self.items.first().map_or(b"", |item| item.id)
    }
}

/// What became of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The subscriber has it, and finalizes it.
    Kept,
    /// It was answered, and is to be finalized with this.
    Answered(ngx_int_t),
}

/// Why the request is no subscriber. It is to be finalized by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The store refuses; nothing was answered (LIFE-55).
    Refused(StoreError),
    /// The head does not leave.
    Unsent(ngx_int_t),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Refused(error)
    }
}

impl From<OutOfMemory> for Failure {
    fn from(_: OutOfMemory) -> Self {
        Failure::Refused(StoreError::Full)
    }
}

impl From<Unsent> for Failure {
    fn from(Unsent(rc): Unsent) -> Self {
        Failure::Unsent(rc)
    }
}

/// Serves a request in a subscriber location: all of its channels or none.
///
/// # Safety
///
/// After [`Outcome::Kept`] the request stays open until the subscriber ends it: the caller does not
/// finalize it.
pub unsafe fn serve(
    request: Request<'_>,
    order: &SubscribeRequest<'_>,
) -> Result<Outcome, Failure> {
    // SAFETY: the caller's promise.
    let new = unsafe { Pending::of(request, order.location)? };
    let outcome = match order.kind {
        Delivery::Stream(minimums) => new.stream(order, minimums.unwrap_or_default()),
        Delivery::Poll { patience, callback } => {
            new.poll(order, patience, BodyWrapper::new(callback))
        }
        Delivery::WebSocket(opening) => new.socket(order, opening),
    };
    if outcome.is_err() {
        // nginx may go on with the request, in a location for errors.
        isolation::forget(request);
    }
    outcome
}

/// A request on its way to be a subscriber.
#[derive(Clone, Copy)]
pub(in crate::worker) struct Pending {
    pub worker: &'static Worker,
    pub request: Request<'static>,
    pub location: &'static Location,
}

impl Pending {
    /// # Safety
    ///
    /// As [`serve`].
    pub unsafe fn of(request: Request<'_>, location: &Location) -> Result<Pending, Failure> {
        let Some(worker) = Worker::current() else { return Err(StoreError::Full.into()) };
        // SAFETY: the caller keeps the request open; its end reaches the subscriber (`ended`) before it
        // is freed, and nginx keeps the configuration of a request as long as the request.
        let (request, location) = unsafe {
            let location: &'static Location = &*std::ptr::from_ref(location);
            (Request::from_raw(request.as_ptr()), location)
        };
        Ok(Pending { worker, request, location })
    }

    fn stream(self, order: &SubscribeRequest<'_>, minimums: Minimums) -> Result<Outcome, Failure> {
        let Pending { worker, request, location } = self;
        let Joined { stamp: position, subscriptions: joined, .. } = self.join(order)?;
        let mode = match location.message_template.kind {
            TemplateKind::EventStream => Mode::EventSource,
            TemplateKind::Plain => Mode::Streaming,
        };
        let subscriber = Rc::new(Subscriber::new(
            location,
            mode,
            Phase::Open,
            BodyWrapper::Templates,
            minimums.message,
        ));
        self.begin(&subscriber, order, joined)?;
        let gap = self.report_gap(order)?;
        let substitution = response_head::of_stream(request, location, worker.all_modules_known)?;
        subscriber.start_timer();
        subscriber.attach(worker, request, substitution);
        subscriber.pad_header(worker, minimums.header);
        subscriber.begin_events(worker, order, &gap, position);
        subscriber.read_first_page(worker);
        Ok(self.resume_request())
    }

    fn poll(
        self,
        order: &SubscribeRequest<'_>,
        patience: WaitPolicy,
        envelope: BodyWrapper,
    ) -> Result<Outcome, Failure> {
        let Pending { worker, request, location } = self;
        let SubscribeRequest { items, since, .. } = order;
        let (rules, limits) = (location.join_rules(), &order.main.limits);
        let ask = PollRequest { items, since, patience, rules: &rules, limits, now: now() };
        let polled = worker.zone.poll(worker.me, &ask)?;
        worker.wake(&polled.wake);
        worker.tell_evictions(order.first_id());
        let reported = self.report_gap(order);
        match polled.poll {
            Poll::Nothing { position } => {
                reported?;
                Ok(Outcome::Answered(response_head::nothing_new(
                    request,
                    position,
                    envelope.media(),
                )))
            }
            Poll::Found { history, position } => {
                let phase = Phase::Ending { footer_due: true };
                let (mode, media) = (Mode::LongPolling, envelope.media());
                let subscriber = Rc::new(Subscriber::new(location, mode, phase, envelope, 0));
                subscriber.set_history(history.into_iter(), false);
                self.keep(&subscriber)?;
                reported?;
                let all_known = worker.all_modules_known;
                let substitution =
                    response_head::of_answer(request, location, position, media, all_known)?;
                subscriber.attach(worker, request, substitution);
                subscriber.read_first_page(worker);
                Ok(self.resume_request())
            }
            Poll::Waiting { subscriptions, began } => {
                let wait = Box::new(Wait { request, began, envelope });
                let (mode, phase) = (Mode::LongPolling, Phase::Waiting(wait));
                let subscriber =
                    Rc::new(Subscriber::new(location, mode, phase, BodyWrapper::Templates, 0));
                self.enter(&subscriber, subscriptions);
                self.keep(&subscriber)?;
                reported?;
                subscriber.start_timer();
                Ok(self.resume_request())
            }
        }
    }

    /// Says in the head which channels have lost messages that this client has not had, if the location
    /// reports it: percent-encoded and separated by commas. After it joined: what goes from now on was
    /// there for it.
    fn report_gap(self, order: &SubscribeRequest<'_>) -> Result<Vec<u8>, OutOfMemory> {
        let Pending { worker, request, location } = self;
        let mut gap = Vec::new();
        if order.since.time.is_none() || !(location.gap_report || location.gap_events) {
            return Ok(gap);
        }
        for i in worker.zone.gaps(order.items, &order.since, now()) {
            if !gap.is_empty() {
                gap.push(b',');
            }
            percent::append_component(order.items[i].id, &mut gap);
        }
        if location.gap_report && !gap.is_empty() {
            request.push_header("X-Nginx-PushStream-Gap", &gap)?;
        }
        Ok(gap)
    }

    /// Joins the channels of a stream.
    pub(in crate::worker) fn join(
        self,
        order: &SubscribeRequest<'_>,
    ) -> Result<Joined, StoreError> {
        let Pending { worker, location, .. } = self;
        let (rules, limits) = (location.join_rules(), &order.main.limits);
        let joined =
            worker.zone.join(worker.me, order.items, &order.since, &rules, limits, now())?;
        worker.wake(&joined.wake);
        worker.tell_evictions(order.first_id());
        Ok(joined)
    }

    /// What a stream that has joined gets: its history, live messages, and its end with the request.
    pub(in crate::worker) fn begin(
        self,
        subscriber: &Rc<Subscriber>,
        order: &SubscribeRequest<'_>,
        joined: Subscriptions,
    ) -> Result<(), OutOfMemory> {
        let history = joined.iter().filter_map(|joined| joined.history);
        subscriber.set_history(history, order.since.is_position());
        self.enter(subscriber, joined);
        self.keep(subscriber)
    }

    /// Lists a subscriber on its channels.
    pub fn enter(self, subscriber: &Rc<Subscriber>, joined: Subscriptions) {
        let worker = self.worker;
        let memberships: SmallVec<_> = joined
            .iter()
            .map(|&joined| {
                let joined = Subscription { history: None, ..joined };
                worker.registry.enter(subscriber, joined)
            })
            .collect();
        subscriber.set_memberships(memberships);
        worker.count_in(subscriber);
    }

    /// Ties the subscriber to its request. From here on it goes when the request does.
    pub fn keep(self, subscriber: &Rc<Subscriber>) -> Result<(), OutOfMemory> {
        let Pending { worker, request, .. } = self;
        subscriber.number.set(worker.registry.add(subscriber));
        let data = Rc::into_raw(Rc::clone(subscriber));
        let kept = request
            .set_state(conf::ctx_index(), Rc::downgrade(subscriber))
            .and_then(|()| request.on_end(ended, data.cast_mut().cast::<c_void>()));
        if let Err(OutOfMemory) = kept {
            // SAFETY: nobody else got the pointer.
            drop(unsafe { Rc::from_raw(data) });
            worker.end_of(subscriber);
            return kept;
        }
        worker.keep_looking();
        Ok(())
    }

    /// What follows may end the request, which nginx still has in its hands while its handler runs: it
    /// is done when that has returned, but before a worker that is leaving may end. A client that has
    /// closed its side already is noticed after it: an answer that is at hand reaches it.
    pub fn resume_request(self) -> Outcome {
        self.request.connection().post_writable();
        self.request.hold(writable);
        Outcome::Kept
    }
}

impl Subscriber {
    /// What fills up the header template, if there is one (PAD-6).
    fn pad_header(&self, worker: &Worker, minimum: usize) {
        let len = self.location.header.len();
        if len == 0 {
            return;
        }
        let fill = Padding { minimum, largest: worker.main.largest_padding }.of(len);
        let mut text = Vec::with_capacity(fill);
        match self.location.message_template.kind {
            TemplateKind::Plain => padding::append_crlf(fill, &mut text),
            TemplateKind::EventStream => padding::append_comment(fill, &mut text),
        }
        self.begin_with(&text);
    }
}

impl Subscriber {
    /// What an event stream is told before any message: when to come back, what is gone, and where it
    /// begins, so that it can come back from there although it has got nothing yet.
    fn begin_events(
        &self,
        worker: &Worker,
        order: &SubscribeRequest<'_>,
        gap: &[u8],
        position: Stamp,
    ) {
        let location = self.location;
        if location.message_template.kind != TemplateKind::EventStream {
            return;
        }
        if let Some(retry) = location.eventsource_retry {
            self.begin_with(&sse::retry(retry.as_millis()));
        }
        if location.gap_events && !gap.is_empty() {
            self.begin_with(&sse::gap(gap));
        }
        // It has no place yet, or one that leads nowhere: an id that is gone, or a time that has not come.
        let present = position.second.max(worker.zone.wall(now()));
        let is_placed = order.since.time.is_some_and(|time| time <= present);
        let has_history = !self.state.borrow().unread.is_empty();
        if location.auto_event_id && !is_placed && !has_history {
            self.begin_with(&sse::position(position.second, position.tag));
        }
    }
}

impl Worker {
    fn end_of(&self, subscriber: &Rc<Subscriber>) {
        subscriber.gone(self);
        self.registry.remove(subscriber.number.replace(usize::MAX));
    }
}

/// nginx ends the request.
unsafe extern "C" fn ended(data: *mut c_void) {
    // SAFETY: the reference that `keep` gave away; nginx calls this once.
    let subscriber = unsafe { Rc::from_raw(data.cast::<Subscriber>().cast_const()) };
    let end = || {
        if let Some(worker) = Worker::current() {
            worker.end_of(&subscriber);
        }
    };
    // The request is freed after this: whatever happened, nothing may find it any more.
    // SAFETY: the log of the running cycle.
    unsafe { guard_or(cycle_log(), "the end of a subscriber", end, end) }
}

/// The connection can be written, or its write timer ran out.
pub(in crate::worker) unsafe extern "C" fn writable(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls with a live request, one that `serve` was given.
    let request = unsafe { Request::from_raw(r) };
    if let Some((worker, subscriber)) = isolation::of(request) {
        let timed_out = request.connection().write_timed_out();
        subscriber.guarded(worker, "a writable subscriber", || {
            subscriber.writable(worker, timed_out);
        });
    }
}

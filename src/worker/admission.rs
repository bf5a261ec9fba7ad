//! A request becomes a subscriber, or is answered with what there is.

use std::ffi::c_void;
use std::rc::Rc;

use nginx_sys::ngx_int_t;
use smallvec::SmallVec;

use crate::conf::{self, Location, Main};
use crate::ngx_ext::log::cycle_log;
use crate::ngx_ext::request::{OutOfMemory, Request};
use crate::ngx_ext::timer::{Event, now_ms};
use crate::protocol::padding::Minimums;
use crate::protocol::percent;
use crate::protocol::websocket::close::Status;
use crate::store::{
    JoinItem, Joined, Poll, PollRequest, ResumePoint, StoreError, Subscription, Subscriptions,
    WaitPolicy,
};
use crate::worker::client::Client;
use crate::worker::driver;
use crate::worker::output::body_wrapper::BodyWrapper;
use crate::worker::output::encoded::{Encoded, Framing};
use crate::worker::output::request_sink::{self, RequestSink};
use crate::worker::output::response_head::{HeadKind, Unsent};
use crate::worker::output::sink::Sink;
use crate::worker::state::Worker;
use crate::worker::subscriber::long_poll::LongPoll;
use crate::worker::subscriber::stream::{Beginning, Stream};
use crate::worker::subscriber::websocket::session::{Opening, WebSocket};
use crate::worker::subscriber::{Mode, Subscriber};

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
        Delivery::WebSocket(opening) => new.websocket(order, opening),
    };
    if outcome.is_err() {
        // nginx may go on with the request, in a location for errors.
        forget(request);
    }
    outcome
}

/// Shakes hands with a client that is refused, and closes with the reason (WS-40). Unlike the original,
/// waits for the client to take it (WS-42, WS-GAP-16).
///
/// # Safety
///
/// As [`serve`].
pub unsafe fn turn_away(
    request: Request<'_>,
    location: &Location,
    opening: &Opening,
    reason: &str,
) -> Result<Outcome, Failure> {
    // SAFETY: the caller's promise.
    let new = unsafe { Pending::of(request, location)? };
    let socket = WebSocket::refused(opening.rules, new.request.take_preread());
    let client = new.websocket_client(opening, socket);
    new.keep(&client)?;
    client.subscriber.borrow_mut().common.queue_close(Some(Status::PolicyViolation as u16), reason);
    Ok(new.resume_websocket())
}

/// A panic in the handling of a request, which the caller finalizes with what this returns: 500, or the
/// end of the connection if the head has left. A subscriber that it has become is none any more.
pub fn failed_request(request: Request<'_>) -> ngx_int_t {
    forget(request);
    request_sink::failure(request)
}

/// The request is no subscriber any more: whatever nginx does with it now, nothing is sent into that.
fn forget(request: Request<'_>) {
    if let (Some(worker), Some(client)) = (Worker::current(), Client::of(request)) {
        driver::gone(worker, &client);
    }
}

/// A request on its way to be a subscriber.
#[derive(Clone, Copy)]
struct Pending {
    worker: &'static Worker,
    request: Request<'static>,
    location: &'static Location,
}

impl Pending {
    /// # Safety
    ///
    /// As [`serve`].
    unsafe fn of(request: Request<'_>, location: &Location) -> Result<Pending, Failure> {
        let Some(worker) = Worker::current() else { return Err(StoreError::Full.into()) };
        // SAFETY: the caller keeps the request open; its end reaches the client (`Handlers::ended`) before it
        // is freed, and nginx keeps the configuration of a request as long as the request.
        let (request, location) = unsafe {
            let location: &'static Location = &*std::ptr::from_ref(location);
            (Request::from_raw(request.as_ptr()), location)
        };
        Ok(Pending { worker, request, location })
    }

    fn stream(self, order: &SubscribeRequest<'_>, minimums: Minimums) -> Result<Outcome, Failure> {
        let Pending { worker, location, .. } = self;
        let context = &worker.context;
        let Joined { stamp: position, subscriptions: joined, .. } = self.join(order)?;
        let mode = Mode::Stream(Stream::open(Stream::mode_in(location)));
        let client = self.client(mode, BodyWrapper::Templates, minimums.message);
        self.begin(&client, order, joined)?;
        let gap = self.report_gap(order)?;
        driver::send_head(worker, &client, HeadKind::Stream)?;
        self.start_timer(&client);
        // One that has no place yet, or one that leads nowhere: an id that is gone, or a time that has not come.
        let present = position.second.max(context.zone.wall(context.now()));
        let beginning = Beginning {
            header_minimum: minimums.header,
            gap: &gap,
            position,
            is_placed: order.since.time.is_some_and(|time| time <= present),
        };
        let mut subscriber = client.subscriber.borrow_mut();
        Stream::begin(&mut subscriber.common, context, &beginning);
        subscriber.read_page(context);
        Ok(self.resume_request())
    }

    fn poll(
        self,
        order: &SubscribeRequest<'_>,
        patience: WaitPolicy,
        wrapper: BodyWrapper,
    ) -> Result<Outcome, Failure> {
        let Pending { worker, request, location } = self;
        let context = &worker.context;
        let SubscribeRequest { items, since, .. } = order;
        let (rules, limits, now) = (location.join_rules(), &order.main.limits, context.now());
        let ask = PollRequest { items, since, patience, rules: &rules, limits, now };
        let polled = context.zone.poll(context.me, &ask)?;
        worker.wake(&polled.wake);
        worker.tell_evictions(order.first_id());
        let reported = self.report_gap(order);
        match polled.poll {
            Poll::Nothing { position } => {
                reported?;
                let sink = RequestSink::new(request);
                Ok(Outcome::Answered(sink.send_nothing_new(position, wrapper.media())))
            }
            Poll::Found { history, position } => {
                let media = wrapper.media();
                let client = self.client(Mode::LongPoll(LongPoll::found()), wrapper, 0);
                client.subscriber.borrow_mut().common.out.set_history(history.into_iter(), false);
                self.keep(&client)?;
                reported?;
                driver::send_head(worker, &client, HeadKind::Answer { position, media })?;
                client.subscriber.borrow_mut().read_page(context);
                Ok(self.resume_request())
            }
            Poll::Waiting { subscriptions, began } => {
                let client = self.client(Mode::LongPoll(LongPoll::waiting(began)), wrapper, 0);
                self.enter(&client, subscriptions);
                self.keep(&client)?;
                reported?;
                self.start_timer(&client);
                Ok(self.resume_request())
            }
        }
    }

    /// Joins the channels and opens the connection: head, header, history, live messages (WS-44).
    fn websocket(
        self,
        order: &SubscribeRequest<'_>,
        opening: &Opening,
    ) -> Result<Outcome, Failure> {
        let Pending { worker, request, location } = self;
        let joined = self.join(order)?.subscriptions;
        let targets = match location.websocket.allow_publish {
            true => joined
                .iter()
                .zip(order.items)
                .filter(|(_, item)| item.id != worker.context.main.events_channel_id)
                .map(|(joined, item)| (joined.channel, item.id.into()))
                .collect(),
            false => Vec::new(),
        };
        let socket = WebSocket::open(opening.rules, request.take_preread(), targets);
        let client = self.websocket_client(opening, socket);
        self.begin(&client, order, joined)?;
        self.start_timer(&client);
        let mut subscriber = client.subscriber.borrow_mut();
        subscriber.common.out.begin_with(&location.header);
        subscriber.read_page(&worker.context);
        Ok(self.resume_websocket())
    }

    /// A client whose head is still to be sent.
    fn client(self, mode: Mode, wrapper: BodyWrapper, minimum: usize) -> Rc<Client> {
        let subscriber = Subscriber::new(self.location, mode, wrapper, minimum);
        Client::new(subscriber, Sink::Request(RequestSink::new(self.request)))
    }

    /// A client whose head is the first that waits to be sent, past the filters.
    fn websocket_client(self, opening: &Opening, socket: WebSocket) -> Rc<Client> {
        let mode = Mode::WebSocket(Box::new(socket));
        let mut subscriber = Subscriber::new(self.location, mode, BodyWrapper::Templates, 0);
        let out = &mut subscriber.common.out;
        out.framing = Framing::Frames(opening.frames);
        Encoded::raw(opening.head.clone()).into_iter().for_each(|head| out.push_first(head));
        // A client that was told nothing has not been answered.
        out.queue.note_begun();
        let sink = RequestSink::past_filters(self.request, 101, opening.head.len());
        Client::new(subscriber, Sink::Request(sink))
    }

    /// Says in the head which channels have lost messages that this client has not had, if the location
    /// reports it: percent-encoded and separated by commas. After it joined: what goes from now on was
    /// there for it.
    fn report_gap(self, order: &SubscribeRequest<'_>) -> Result<Vec<u8>, OutOfMemory> {
        let Pending { worker, request, location } = self;
        let context = &worker.context;
        let mut gap = Vec::new();
        if order.since.time.is_none() || !(location.gap_report || location.gap_events) {
            return Ok(gap);
        }
        for i in context.zone.gaps(order.items, &order.since, context.now()) {
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
    fn join(self, order: &SubscribeRequest<'_>) -> Result<Joined, StoreError> {
        let Pending { worker, location, .. } = self;
        let context = &worker.context;
        let (rules, limits, now) = (location.join_rules(), &order.main.limits, context.now());
        let joined =
            context.zone.join(context.me, order.items, &order.since, &rules, limits, now)?;
        worker.wake(&joined.wake);
        worker.tell_evictions(order.first_id());
        Ok(joined)
    }

    /// What a stream that has joined gets: its history, live messages, and its end with the request.
    fn begin(
        self,
        client: &Rc<Client>,
        order: &SubscribeRequest<'_>,
        joined: Subscriptions,
    ) -> Result<(), OutOfMemory> {
        let history = joined.iter().filter_map(|joined| joined.history);
        let resumes = order.since.is_position();
        client.subscriber.borrow_mut().common.out.set_history(history, resumes);
        self.enter(client, joined);
        self.keep(client)
    }

    /// Lists a client on its channels.
    fn enter(self, client: &Rc<Client>, joined: Subscriptions) {
        let Pending { worker, .. } = self;
        let memberships: SmallVec<_> = joined
            .iter()
            .map(|&joined| {
                let joined = Subscription { history: None, ..joined };
                worker.registry.enter(client, joined)
            })
            .collect();
        let mut subscriber = client.subscriber.borrow_mut();
        subscriber.common.memberships = memberships;
        subscriber.counts_as().into_iter().for_each(|mode| worker.context.count_in(mode));
    }

    /// Ties the client to its request. From here on it goes when the request does.
    fn keep(self, client: &Rc<Client>) -> Result<(), OutOfMemory> {
        let Pending { worker, request, .. } = self;
        client.number.set(worker.registry.add(client));
        let data = Rc::into_raw(Rc::clone(client));
        let kept = request
            .set_state(conf::ctx_index(), Rc::downgrade(client))
            .and_then(|()| request.on_end(worker.handlers.ended, data.cast_mut().cast::<c_void>()));
        if let Err(OutOfMemory) = kept {
            // SAFETY: nobody else got the pointer.
            drop(unsafe { Rc::from_raw(data) });
            driver::remove(worker, client);
            return kept;
        }
        worker.keep_looking();
        Ok(())
    }

    /// Its times begin, if it has any.
    fn start_timer(self, client: &Rc<Client>) {
        let now = now_ms();
        client.subscriber.borrow_mut().start_times(now);
        if client.subscriber.borrow().next_time().is_some() {
            let data = Rc::as_ptr(client).cast_mut().cast::<c_void>();
            // SAFETY: the client owns the timer, so it lives while the timer can fire; the log
            // outlives both.
            let timer = unsafe { Event::new(self.worker.handlers.client_time, data, cycle_log()) };
            client.timer.replace(Some(timer));
            client.set_timer(now);
        }
    }

    /// What follows may end the request, which nginx still has in its hands while its handler runs: it
    /// is done when that has returned, but before a worker that is leaving may end. A client that has
    /// closed its side already is noticed after it: an answer that is at hand reaches it.
    fn resume_request(self) -> Outcome {
        self.request.connection().post_writable();
        self.request.hold(self.worker.handlers.writable);
        Outcome::Kept
    }

    /// As [`Pending::resume_request`]: when nginx's handler has returned, the head leaves and the client is heard.
    fn resume_websocket(self) -> Outcome {
        let handlers = self.worker.handlers;
        self.request.connection().post_writable();
        self.request.take_over(handlers.readable, handlers.writable);
        Outcome::Kept
    }
}

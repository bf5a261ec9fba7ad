//! Hands events to subscribers and carries out what they want done.
//!
//! nginx is called in two ways: to send, with the client borrowed (sending calls nothing of ours back), and to end
//! the request or to run what it posted, with nothing borrowed.
//!
//! A panic costs the one client it concerns: its connection is closed, or answered 500 if nothing has been said
//! yet; what it held in the zone is given back; all others go on.

use std::ops::ControlFlow::{self, Break, Continue};
use std::rc::Rc;

use smallvec::SmallVec;

use crate::ngx_ext::connection::Failed;
use crate::ngx_ext::guard::guard_or;
use crate::ngx_ext::log::cycle_log;
use crate::ngx_ext::raw_connection::Received;
use crate::ngx_ext::timer::now_ms;
use crate::store::{MessageRef, Parts};
use crate::worker::client::Client;
use crate::worker::log_lines;
use crate::worker::output::encoded::{Encoded, EncodingCache};
use crate::worker::output::response_head::{Head, HeadKind, Unsent};
use crate::worker::output::send_queue::SendQueue;
use crate::worker::output::sink::{Posted, Sink};
use crate::worker::output::writer::{Flow, Writer};
use crate::worker::state::Worker;
use crate::worker::subscriber::Mode;
use crate::worker::subscriber::effect::{AnswerHead, Effect, Next, Publication};
use crate::worker::subscriber::event::{Event, Turn};
use crate::worker::subscriber::input::{Budget, Input};

/// Pages of history sent in one turn of the event loop, so that others are served in between.
const PAGES: usize = 4;
/// Bytes read at once.
const READ: usize = 8 * 1024;

/// What happens to this client in the course of `callback`; a panic ends the client, and is no concern of the
/// caller's.
pub fn dispatch(worker: &Worker, client: &Client, callback: &'static str, event: Event<'_, '_>) {
    guarded(worker, client, callback, || react(worker, client, event));
}

/// Hands a live message of one of its channels to this client.
pub fn deliver<'m>(
    worker: &Worker,
    client: &Client,
    message: &MessageRef<'m>,
    encodings: &mut EncodingCache<'m>,
) {
    guarded(worker, client, "the delivery to a subscriber", || {
        let sent = {
            let subscriber = &mut *client.subscriber.borrow_mut();
            let item = subscriber.send_at_once(&worker.context, now_ms(), encodings);
            item.map(|item| offer(worker, client, &mut subscriber.common.out.queue, item))
        };
        match sent {
            Some(sent) => _ = settle(worker, client, sent),
            None => react(worker, client, Event::Message { message, encodings, flushed: false }),
        }
    });
}

/// Does something for this client in the course of `callback`, as [`dispatch`].
pub fn guarded(worker: &Worker, client: &Client, callback: &'static str, f: impl FnOnce()) {
    // SAFETY: the log of the running cycle.
    unsafe { guard_or(cycle_log(), callback, || fail(worker, client), f) }
}

/// Ends after a fault of ours. One that was ended already is in nginx's hands, or no more.
pub fn fail(worker: &Worker, client: &Client) {
    gone(worker, client).into_iter().for_each(Sink::fail);
}

/// The client is over, however it came to that: nothing of it is used any more. What is left to be ended, if
/// anything is.
pub fn gone(worker: &Worker, client: &Client) -> Option<Sink> {
    let sink = client.sink.take();
    client.timer.take();
    // A panic in giving back is no reason not to end; what it had forgotten before is not given back twice.
    // SAFETY: the log of the running cycle.
    let once = |or: &dyn Fn()| unsafe {
        guard_or(cycle_log(), "what a subscriber leaves", or, || {
            let left = client.subscriber.borrow_mut().end(&worker.context);
            worker.leave(left);
        });
    };
    once(&|| once(&|| {}));
    sink
}

/// nginx has ended the request of this client.
pub fn remove(worker: &Worker, client: &Client) {
    gone(worker, client);
    worker.registry.remove(client.number.replace(usize::MAX));
}

/// The connection can be written, or its write timer ran out.
pub fn write_on(worker: &Worker, client: &Client) {
    if client.sink.borrow().as_ref().is_some_and(Sink::write_timed_out) {
        return react(worker, client, Event::WriteTimedOut);
    }
    if worker.context.has_ended_all() {
        // One that came after all had been ended has not been told yet.
        react(worker, client, Event::Shutdown);
    }
    react(worker, client, Event::Writable);
}

/// The time is there for what is next to be done; the one after is set.
pub fn time_has_come(worker: &Worker, client: &Client) {
    react(worker, client, Event::Timer);
    client.set_timer(now_ms());
}

/// The client sent something or has gone, or the read timer ran out. It gets a bounded share of the turn.
pub fn read(worker: &Worker, client: &Client) {
    if client.sink.borrow().as_ref().is_none_or(Sink::take_read_timeout) {
        return react(worker, client, Event::ReadTimedOut);
    }
    let mut pending = match &mut client.subscriber.borrow_mut().mode {
        Mode::WebSocket(socket) => std::mem::take(&mut socket.pending_input),
        _ => return,
    };
    let mut budget = Budget::default();
    let mut buffer = [0; READ];
    let mut heard = hear(worker, client, &mut pending, &mut budget);
    while heard.is_continue() {
        if budget.is_spent() {
            return react(worker, client, Event::InputWaits(Vec::new()));
        }
        let received = match &*client.sink.borrow() {
            Some(sink) => sink.receive(&mut buffer).map(|received| (received, sink.body_timeout())),
            None => return,
        };
        match received {
            Ok((Received::Bytes(n), _)) => {
                budget.spend(n);
                heard = hear(worker, client, &mut buffer[..n], &mut budget);
            }
            Ok((Received::Nothing, body_timeout)) => {
                return react(worker, client, Event::InputEnds { body_timeout });
            }
            Ok((Received::End, _)) | Err(Failed) => {
                return react(worker, client, Event::ClientLeft);
            }
        }
    }
}

/// Has a client's bytes read. Breaks where no more are to be received in this turn.
fn hear(
    worker: &Worker,
    client: &Client,
    bytes: &mut [u8],
    budget: &mut Budget,
) -> ControlFlow<()> {
    let mut input = Input { bytes, budget, is_read: false };
    while !input.is_read {
        if input.budget.is_spent() {
            let rest = input.bytes.to_vec();
            react(worker, client, Event::InputWaits(rest));
            return Break(());
        }
        react(worker, client, Event::Input(&mut input));
        if client.is_over() {
            return Break(());
        }
    }
    Continue(())
}

fn react(worker: &Worker, client: &Client, mut event: Event<'_, '_>) {
    loop {
        let mut turn = Turn::new(&worker.context, now_ms());
        client.subscriber.borrow_mut().react(&mut turn, &mut event);
        let mut again = false;
        for effect in turn.effects.drain(..) {
            again |= matches!(effect, Effect::Again);
            if carry_out(worker, client, effect).is_break() {
                return;
            }
        }
        if !again {
            return;
        }
    }
}

/// Breaks where the client is over.
fn carry_out(worker: &Worker, client: &Client, effect: Effect) -> ControlFlow<()> {
    match effect {
        Effect::Send(item) => {
            let sent = {
                let mut subscriber = client.subscriber.borrow_mut();
                offer(worker, client, &mut subscriber.common.out.queue, &item)
            };
            return settle(worker, client, sent);
        }
        Effect::Flush { progress } => {
            flush(worker, client, progress)?;
            let posted = client.sink.borrow_mut().as_mut().and_then(Sink::take_posted);
            return run_posted(client, posted);
        }
        Effect::Head(head) => {
            let AnswerHead { position, media } = head;
            let kind = HeadKind::Answer { position, media };
            if let Err(Unsent(rc)) = send_head(worker, client, kind) {
                return end(worker, client, |sink| sink.finalize(rc));
            }
        }
        Effect::NothingNew(head) => {
            return end(worker, client, |sink| {
                let rc = sink.send_nothing_new(head.position, head.media);
                sink.finalize(rc);
            });
        }
        Effect::Abort => return end(worker, client, Sink::abort),
        Effect::Leave(left) => worker.leave(left),
        Effect::StopTimer => drop(client.timer.take()),
        Effect::TakeMail => worker.later.post(),
        Effect::Publish(publication) => return publish(worker, client, &publication),
        Effect::Again => {}
        effect => {
            if let Some(sink) = &*client.sink.borrow() {
                tell(worker, sink, effect);
            }
        }
    }
    Continue(())
}

/// What concerns the sink alone.
fn tell(worker: &Worker, sink: &Sink, effect: Effect) {
    match effect {
        Effect::StopKeepalive => sink.stop_keepalive(),
        Effect::ResetOnClose => sink.reset_on_close(),
        Effect::SetReadTimer(ms) => sink.set_read_timer(ms),
        Effect::StopReadTimer => sink.stop_read_timer(),
        Effect::ReadLater => sink.read_later(),
        Effect::Log(line) => log_lines::write(sink, &line, worker.pid()),
        _ => {}
    }
}

/// Sends the head of an answer; what follows is framed for it.
pub fn send_head(worker: &Worker, client: &Client, kind: HeadKind) -> Result<(), Unsent> {
    let mut subscriber = client.subscriber.borrow_mut();
    let (location, all_modules_known) = (subscriber.common.location, worker.all_modules_known);
    let mut sink = client.sink.borrow_mut();
    let Some(sink) = &mut *sink else { return Ok(()) };
    let framing = sink.send_head(&Head { location, all_modules_known, kind })?;
    subscriber.common.out.begin(framing);
    Ok(())
}

/// Sends what waits until nothing does, the socket is full, or it is the others' turn.
fn flush(worker: &Worker, client: &Client, progress: bool) -> ControlFlow<()> {
    let mut pages = 0;
    loop {
        if send_waiting(worker, client, progress || pages > 0)? == Flow::Blocked {
            return Continue(());
        }
        let next = client.subscriber.borrow_mut().next(&worker.context, PAGES - pages);
        let sink = client.sink.borrow();
        let Some(sink_ref) = &*sink else { return Break(()) };
        match next {
            Some(Next::Queued) => {}
            Some(Next::Page) => pages += 1,
            Some(Next::Closing) => sink_ref.stop_read_timer(),
            Some(Next::AwaitClose) => {
                sink_ref.set_read_timer(sink_ref.lingering_timeout());
                return Continue(());
            }
            Some(Next::Idle) => return Continue(()),
            None => {
                sink_ref.write_later();
                return Continue(());
            }
            Some(Next::Finish) => {
                drop(sink);
                return end(worker, client, Sink::finish);
            }
            Some(Next::End { linger }) => {
                drop(sink);
                return end(worker, client, |sink| sink.end(linger));
            }
        }
    }
}

/// What came of sending, and what nginx has to do for it.
type Sending = Option<(Result<Flow, Failed>, Option<Posted>)>;

/// Sends an item before which nothing waits; `None`: the client is over.
fn offer(worker: &Worker, client: &Client, queue: &mut SendQueue, item: &Rc<Encoded>) -> Sending {
    let mut sink = client.sink.borrow_mut();
    let sink = sink.as_mut()?;
    let mut writer = Writer { queue, sink, sent: 0 };
    let flow = writer.send_now(item);
    worker.context.count_delivered(writer.sent);
    Some((flow, sink.take_posted()))
}

fn settle(worker: &Worker, client: &Client, sent: Sending) -> ControlFlow<()> {
    match sent {
        Some((Ok(_), posted)) => run_posted(client, posted),
        Some((Err(Failed), _)) => end(worker, client, Sink::abort),
        None => Break(()),
    }
}

/// Sends what waits, as far as the socket takes it.
fn send_waiting(worker: &Worker, client: &Client, progress: bool) -> ControlFlow<(), Flow> {
    let flow = {
        let mut sink = client.sink.borrow_mut();
        let Some(sink) = &mut *sink else { return Break(()) };
        let mut subscriber = client.subscriber.borrow_mut();
        if subscriber.is_ending() {
            sink.wait_for_client_alone();
        }
        let mut writer = Writer { queue: &mut subscriber.common.out.queue, sink, sent: 0 };
        let flow = writer.send_waiting(progress);
        worker.context.count_delivered(writer.sent);
        flow
    };
    match flow {
        Ok(flow) => Continue(flow),
        Err(Failed) => {
            gone(worker, client).into_iter().for_each(Sink::abort);
            Break(())
        }
    }
}

/// Has nginx do what came of sending. Breaks where the client is over after this.
fn run_posted(client: &Client, posted: Option<Posted>) -> ControlFlow<()> {
    match posted.map(Posted::run) {
        Some(()) if client.is_over() => Break(()),
        _ => Continue(()),
    }
}

fn end(worker: &Worker, client: &Client, how: impl FnOnce(Sink)) -> ControlFlow<()> {
    if let Some(sink) = gone(worker, client) {
        how(sink);
    }
    Break(())
}

/// What a client said, to all of the channels or to none.
fn publish(worker: &Worker, client: &Client, publication: &Publication) -> ControlFlow<()> {
    let Publication { targets, text, binary } = publication;
    let parts = Parts { text: &[text], binary: *binary, ..Parts::default() };
    let store = client.subscriber.borrow().common.location.store_messages;
    let targets: SmallVec<[(_, &[u8]); 4]> =
        targets.iter().map(|(channel, id)| (*channel, &**id)).collect();
    if let Err(error) = worker.publish_existing(&targets, &parts, store) {
        if let Some(sink) = &*client.sink.borrow() {
            log_lines::write_not_published(sink, publication, worker.pid(), &error);
        }
        react(worker, client, Event::NotPublished);
    }
    match client.is_over() {
        true => Break(()),
        false => Continue(()),
    }
}

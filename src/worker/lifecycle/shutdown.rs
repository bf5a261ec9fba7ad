//! How a worker goes when nginx tells it to finish its requests.
//!
//! **What begins it.** nginx calls no module, but it closes idle connections, and so reaches our eventfd's
//! (`ngx_ext/eventfd.rs`); a worker without one looks at nginx's flag.
//!
//! **At once, or little by little.** Without `push_stream_reload_drain` the worker ends all its subscribers
//! there and then (LIFE-94). With it the worker goes on as before: same zone, same messages, pings, times and
//! deletions; a request that still reaches it is joined. A timer ends as many as are due (`drain_schedule.rs`), so that
//! all of them have come back to the new workers when the time is over; then it is as without the directive.
//!
//! **Only for a successor.** Draining makes sense if the workers that clients come back to are on this zone.
//! They are if a configuration has taken it up since this process was started; the zone counts these, and the
//! master's count comes with the fork. A graceful stop (QUIT), a binary upgrade (WINCH) and a reload that
//! leaves the zone (another name, no location left) have none: whoever stayed would miss what is published
//! elsewhere, so they end subscribers at once. The same if the successors go while this worker drains: it
//! sees that nobody serves the zone any more.
//!
//! **What keeps the process.** nginx lets it go when no timer is left that is not cancelable. The look at the
//! mailbox is such a timer and runs as long as there are subscribers (`housekeeping.rs`); the timer of the drain
//! is not: with the last subscriber the worker goes, however much time is left. Each worker has its own time,
//! from the moment it was told, whatever reloads follow; nginx tells a worker only once.
//!
//! **The other ends.** A fast stop (TERM) ends all at once, as ever, out of `exit_process`. What nginx does
//! when `worker_shutdown_timeout` is over, it does before any module hears of it, and without an ending: so
//! the drain is over a little earlier, in time for footers and close frames to leave and for clients to
//! answer them. Slow readers have until then, or until `send_timeout`.

use std::cell::Cell;

use crate::ngx_ext::guard::guard;
use crate::ngx_ext::log::{cycle_log, notice};
use crate::ngx_ext::process;
use crate::ngx_ext::timer::now_ms;
use crate::store::EventsTurn;
use crate::worker::client::Client;
use crate::worker::context::{Context, Departure};
use crate::worker::drain_schedule::Pace;
use crate::worker::state::Worker;
use crate::worker::subscriber::event::Event;
use crate::worker::{delivery, driver};

/// Turns of taking mail before a leaving worker ends its subscribers.
const LAST_DRAINS: usize = 1000;
/// How long nobody must have served the zone before a drain is given up, in milliseconds: a killed worker is
/// replaced sooner.
const UNSERVED: u64 = 1000;
/// How long successors may take to start, in milliseconds.
const START: u64 = 10_000;
/// How long after a newer configuration a worker is told to go at the latest, in milliseconds.
const UNTOLD: u64 = 5000;

thread_local! {
    /// The configuration that this process serves, as the zone counts them. A worker inherits its master's.
    static TURN: Cell<Option<EventsTurn>> = const { Cell::new(None) };
}

/// The master, when a configuration has taken up the zone.
pub fn note_turn(turn: EventsTurn) {
    TURN.set(Some(turn));
}

/// nginx wants this worker to finish its requests.
pub fn begin(worker: &Worker) {
    let (context, departure) = (&worker.context, &worker.departure);
    if context.is_leaving() {
        return;
    }
    let succeeded = TURN.get() != Some(context.zone.events_turn());
    if departure.span == 0 || !succeeded {
        return leave(worker);
    }
    let now = now_ms();
    let pace = Pace::new(now, departure.span);
    context.set_departure(Departure::Draining);
    departure.pace.set(Some(pace));
    departure.timer.set_timer(pace.wait(context.live(), now));
    context.zone.start_draining(context.me);
    departure.served.set(now + START);
    check_successors(worker);
    notice(format_args!(
        "worker {} ends its {} subscribers over {} ms",
        worker.pid(),
        context.live(),
        departure.span
    ));
}

/// The next step of a drain, whatever became of this one.
pub fn drain_later(worker: &Worker) {
    if let Some(pace) = worker.departure.pace.get() {
        worker.departure.timer.set_timer(pace.wait(worker.context.live(), now_ms()));
    }
}

/// Ends as many subscribers as are due.
pub fn drain_some(worker: &Worker) {
    let (Context { zone, me, .. }, departure) = (&worker.context, &worker.departure);
    let Some(mut pace) = departure.pace.get() else { return };
    let (now, live) = (now_ms(), worker.context.live());
    let due = pace.due(live, now);
    if pace.is_over(now) && due == live {
        return leave(worker);
    }
    departure.pace.set(Some(pace));
    departure.timer.set_timer(pace.wait(live - due, now));
    if due > 0 && zone.has_mail(*me) {
        delivery::take_mail(worker);
    }
    let mut number = departure.next.get();
    for _ in 0..due {
        let Some((found, client)) = worker.registry.next(number, Client::is_live) else { break };
        number = found + 1;
        departure.next.set(number);
        driver::dispatch(worker, &client, "the end of a worker", Event::Shutdown);
    }
}

/// A worker that a newer configuration has replaced is told to go. One whose channel to the master broke,
/// because it had no descriptor left to take another worker's, is not, ever: it tells itself.
pub fn check_replaced(worker: &Worker) {
    let context = &worker.context;
    if context.is_leaving() || TURN.get() == Some(context.zone.events_turn()) {
        return;
    }
    let (replaced, now) = (&worker.departure.replaced, now_ms());
    let since = replaced.get().unwrap_or(now);
    replaced.set(Some(since));
    if now.saturating_sub(since) >= UNTOLD {
        notice(format_args!(
            "worker {} was replaced and not told, it finishes by itself",
            worker.pid()
        ));
        process::finish();
    }
}

/// A drain for which there is no longer a reason is over.
pub fn check_successors(worker: &Worker) {
    if worker.departure.pace.get().is_none() {
        return;
    }
    let (served, now) = (&worker.departure.served, now_ms());
    if worker.context.zone.is_served() {
        served.set(now);
    } else if now.saturating_sub(served.get()) >= UNSERVED {
        leave(worker);
    }
}

/// Ends all subscribers in the normal way (LIFE-89, LIFE-94).
pub fn leave(worker: &Worker) {
    let context = &worker.context;
    if context.has_ended_all() {
        return;
    }
    context.set_departure(Departure::Ended);
    worker.departure.pace.set(None);
    // Whatever becomes of that, subscribers are to be ended.
    // SAFETY: the log of the running cycle.
    unsafe {
        guard(cycle_log(), "the last delivery of a worker", (), || {
            for _ in 0..LAST_DRAINS {
                if context.zone.has_mail(context.me) {
                    delivery::take_mail(worker);
                }
            }
            context.zone.start_leaving(context.me);
        });
    }
    for client in worker.registry.all() {
        driver::dispatch(worker, &client, "the end of a worker", Event::Shutdown);
    }
}

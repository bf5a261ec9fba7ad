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
//! mailbox is such a timer and runs as long as there are subscribers (`start.rs`); the timer of the drain
//! is not: with the last subscriber the worker goes, however much time is left. Each worker has its own time,
//! from the moment it was told, whatever reloads follow; nginx tells a worker only once.
//!
//! **The other ends.** A fast stop (TERM) ends all at once, as ever, out of `exit_process`. What nginx does
//! when `worker_shutdown_timeout` is over, it does before any module hears of it, and without an ending: so
//! the drain is over a little earlier, in time for footers and close frames to leave and for clients to
//! answer them. Slow readers have until then, or until `send_timeout`.

use std::cell::Cell;

use nginx_sys::ngx_event_t;

use crate::ngx_ext::log::notice;
use crate::ngx_ext::process;
use crate::ngx_ext::timer::{Event, now_ms};
use crate::store::EventsTurn;
use crate::worker::context::Worker;
use crate::worker::isolation::{guarded, guarded_timer};
use crate::worker::lifecycle::drain_schedule::Pace;
use crate::worker::subscriber::Subscriber;

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
pub(in crate::worker) fn note_turn(turn: EventsTurn) {
    TURN.set(Some(turn));
}

/// How far a worker is on its way out.
#[derive(Clone, Copy)]
enum Stage {
    Serving,
    /// Subscribers are ended little by little.
    Draining(Pace),
    /// All are ended; who comes is ended at once.
    Leaving,
}

/// What a worker needs for going.
pub(in crate::worker) struct Shutdown {
    stage: Cell<Stage>,
    /// How long a drain lasts, in milliseconds; zero: there is none.
    span: u64,
    timer: Event,
    /// Number of the subscriber from which the next one to be ended is looked for.
    next: Cell<usize>,
    /// Until when somebody served the zone, as far as is known or to be expected; milliseconds of nginx's
    /// clock.
    served: Cell<u64>,
    /// When it was found to be replaced, on the same clock.
    replaced: Cell<Option<u64>>,
}

impl Shutdown {
    /// # Safety
    ///
    /// As [`Event::new`] for `log`.
    pub unsafe fn new(span: u64, log: *mut nginx_sys::ngx_log_t) -> Shutdown {
        Shutdown {
            stage: Cell::new(Stage::Serving),
            span,
            // SAFETY: the caller's promise; the handler needs no data.
            timer: unsafe { Event::new(drain_some, std::ptr::null_mut(), log) },
            next: Cell::new(0),
            served: Cell::new(0),
            replaced: Cell::new(None),
        }
    }
}

impl Worker {
    /// nginx is shutting this worker down.
    pub fn is_leaving(&self) -> bool {
        !matches!(self.departure.stage.get(), Stage::Serving)
    }

    /// It has ended its subscribers, and ends those who come.
    pub fn has_ended_all(&self) -> bool {
        matches!(self.departure.stage.get(), Stage::Leaving)
    }

    /// nginx wants this worker to finish its requests.
    pub(in crate::worker) fn begin_shutdown(&self) {
        let departure = &self.departure;
        if self.is_leaving() {
            return;
        }
        let succeeded = TURN.get() != Some(self.zone.events_turn());
        if departure.span == 0 || !succeeded {
            return self.leave();
        }
        let now = now_ms();
        let pace = Pace::new(now, departure.span);
        departure.stage.set(Stage::Draining(pace));
        departure.timer.set_timer(pace.wait(self.live.get(), now));
        self.zone.start_draining(self.me);
        departure.served.set(now + START);
        self.check_successors();
        notice(format_args!(
            "worker {} ends its {} subscribers over {} ms",
            self.pid(),
            self.live.get(),
            departure.span
        ));
    }

    /// The next step of a drain, whatever became of this one.
    fn drain_later(&self) {
        if let Stage::Draining(pace) = self.departure.stage.get() {
            self.departure.timer.set_timer(pace.wait(self.live.get(), now_ms()));
        }
    }

    /// Ends as many subscribers as are due.
    fn drain_some(&self) {
        let Stage::Draining(mut pace) = self.departure.stage.get() else { return };
        let (now, live) = (now_ms(), self.live.get());
        let due = pace.due(live, now);
        if pace.is_over(now) && due == live {
            return self.leave();
        }
        self.departure.stage.set(Stage::Draining(pace));
        self.departure.timer.set_timer(pace.wait(live - due, now));
        if due > 0 && self.zone.has_mail(self.me) {
            self.drain();
        }
        let mut number = self.departure.next.get();
        for _ in 0..due {
            let Some((found, subscriber)) = self.registry.next(number, Subscriber::is_live) else {
                break;
            };
            number = found + 1;
            self.departure.next.set(number);
            subscriber.guarded(self, "the end of a worker", || subscriber.end(self));
        }
    }

    /// A worker that a newer configuration has replaced is told to go. One whose channel to the master broke,
    /// because it had no descriptor left to take another worker's, is not, ever: it tells itself.
    pub(in crate::worker) fn check_replaced(&self) {
        if self.is_leaving() || TURN.get() == Some(self.zone.events_turn()) {
            return;
        }
        let (replaced, now) = (&self.departure.replaced, now_ms());
        let since = replaced.get().unwrap_or(now);
        replaced.set(Some(since));
        if now.saturating_sub(since) >= UNTOLD {
            notice(format_args!(
                "worker {} was replaced and not told, it finishes by itself",
                self.pid()
            ));
            process::finish();
        }
    }

    /// A drain for which there is no longer a reason is over.
    pub(in crate::worker) fn check_successors(&self) {
        let Stage::Draining(_) = self.departure.stage.get() else { return };
        let (served, now) = (&self.departure.served, now_ms());
        if self.zone.is_served() {
            served.set(now);
        } else if now.saturating_sub(served.get()) >= UNSERVED {
            self.leave();
        }
    }

    /// Ends all subscribers in the normal way (LIFE-89, LIFE-94).
    pub(in crate::worker) fn leave(&self) {
        if !matches!(self.departure.stage.replace(Stage::Leaving), Stage::Leaving) {
            // Whatever becomes of that, subscribers are to be ended.
            guarded("the last delivery of a worker", |_| {
                for _ in 0..LAST_DRAINS {
                    if self.zone.has_mail(self.me) {
                        self.drain();
                    }
                }
                self.zone.start_leaving(self.me);
            });
            for subscriber in self.registry.all() {
                subscriber.guarded(self, "the end of a worker", || subscriber.end(self));
            }
        }
    }
}

unsafe extern "C" fn drain_some(_event: *mut ngx_event_t) {
    guarded_timer("the drain of a worker", Worker::drain_later, Worker::drain_some);
}

//! The worker's life: it takes a slot when the process starts, looks after the zone while it runs, ends
//! its subscribers when the process is told to go, and gives the slot back.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use nginx_sys::{ngx_cycle_t, ngx_event_t};

use super::registry::Registry;
use super::subscriber::{Membership, Subscriber};
use super::{direct, wakeup};
use crate::conf;
use crate::ngx_ext::event::Event;
use crate::ngx_ext::guard::{cycle_log, guard};
use crate::ngx_ext::log::{self, Level};
use crate::ngx_ext::{eventfd, process};
use crate::store::{DropCause, Limits, SlotId, Subscription, Zone};

/// How often a worker sweeps the zone and looks for dead workers, in milliseconds.
const HOUSEKEEPING: u64 = 500;
/// How soon it goes on when there was more to sweep than it does at once.
const MORE_HOUSEKEEPING: u64 = 10;
/// How often a worker with subscribers looks at its mailbox without having been woken.
const LOOK: u64 = 50;

/// Turns of taking mail before a leaving worker ends its subscribers.
const LAST_DRAINS: usize = 100;

thread_local! {
    static CURRENT: Cell<Option<&'static Worker>> = const { Cell::new(None) };
}

/// What this process has in the zone, and its subscribers.
pub struct Worker {
    pub(super) zone: Zone,
    pub(super) me: SlotId,
    pub(super) registry: Registry,
    limits: Limits,
    /// Text for subscribers of a deleted channel, unless the DELETE brings its own (DIR-7).
    pub(super) deleted_text: Vec<u8>,
    /// Text of a ping (DIR-9).
    pub(super) ping_text: Vec<u8>,
    pub(super) all_modules_known: bool,
    leaving: Cell<bool>,
    /// Takes the mail in the next turn of the event loop.
    pub(super) later: Event,
    looking: Event,
    housekeeping: Event,
}

impl Worker {
    /// This process's worker; `None` if it is not one, or the module is not used, or no slot was free.
    pub fn current() -> Option<&'static Worker> {
        CURRENT.get()
    }

    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    pub fn me(&self) -> SlotId {
        self.me
    }

    pub fn pid(&self) -> u32 {
        process::pid()
    }

    /// Unix seconds, fresh from the clock: nginx's cached time may be a while old, and differs between
    /// workers (PUB-73).
    pub fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// nginx is shutting this worker down.
    pub fn is_leaving(&self) -> bool {
        self.leaving.get()
    }

    /// Gives subscriptions back to the store.
    pub fn release(&self, memberships: impl IntoIterator<Item = Membership>) {
        let mut subscriptions: smallvec::SmallVec<[Subscription; 4]> = smallvec::SmallVec::new();
        for membership in memberships {
            self.registry.leave(&membership);
            subscriptions.push(membership.subscription);
        }
        if !subscriptions.is_empty() {
            self.zone.leave(self.me, &subscriptions, &self.limits, self.now());
        }
    }

    pub fn count_out(&self, subscriber: &Subscriber) {
        self.zone.count_out(self.me, subscriber.mode());
    }

    pub fn count_delivered(&self, n: u64) {
        if n > 0 {
            self.zone.count_delivered(self.me, n);
        }
    }

    pub fn count_dropped(&self, cause: DropCause, n: u64) {
        self.zone.count_dropped(self.me, cause, n);
    }

    /// From now on the worker looks at its mailbox by itself, as long as it has subscribers.
    pub fn keep_looking(&self) {
        if !self.looking.is_timer_set() {
            self.looking.set_timer(LOOK);
        }
    }

    fn look(&self) {
        if self.zone.has_mail(self.me) {
            self.drain();
        }
        if !self.registry.is_empty() {
            self.looking.set_timer(LOOK);
        }
    }

    fn keep_house(&self) {
        let more = self.zone.sweep(self.now());
        self.reclaim_dead();
        self.housekeeping.set_timer(if more { MORE_HOUSEKEEPING } else { HOUSEKEEPING });
    }

    fn reclaim_dead(&self) {
        for pid in self.zone.reclaim_dead(Some(self.me), &self.limits, self.now()) {
            notice(format_args!(
                "push stream module: worker {pid} died, what it held is given back"
            ));
        }
    }

    /// Ends all subscribers in the normal way (LIFE-89, LIFE-94).
    fn leave(&self) {
        if !self.leaving.replace(true) {
            for _ in 0..LAST_DRAINS {
                if self.zone.has_mail(self.me) {
                    self.drain();
                }
            }
            self.zone.start_leaving(self.me);
            for subscriber in self.registry.all() {
                subscriber.end(self);
            }
        }
    }
}

fn notice(line: std::fmt::Arguments<'_>) {
    // SAFETY: the log of the running cycle.
    unsafe { log::write(Level::Notice, cycle_log(), line) }
}

/// The master, before it starts workers: what they all inherit.
///
/// # Safety
///
/// `cycle` is the one being started.
pub unsafe fn init_module(cycle: *mut ngx_cycle_t) {
    // SAFETY: the caller vouches for the cycle.
    unsafe {
        let zone = conf::main_conf_of_cycle(cycle).and_then(conf::MainConf::zone);
        let Some(zone) = zone.filter(|_| !process::is_test()) else { return };
        for module in direct::unknown(&process::http_modules(cycle)) {
            log::write(
                Level::Notice,
                (*cycle).log,
                format_args!(
                    "push stream module: \"{module}\" is not one of nginx's own modules, messages go \
                     through the output filters unless push_stream_direct_output is on"
                ),
            );
        }
        let workers = process::worker_processes(cycle);
        if let Err(error) = wakeup::prepare(workers, zone.slot_count()) {
            // Failing here would end the master, with all that runs.
            log::write(
                Level::Error,
                (*cycle).log,
                format_args!(
                    "push stream module: an eventfd for each of {workers} workers: {error}; without, \
                     messages reach other workers up to {LOOK} ms late"
                ),
            );
        }
    }
}

/// A new worker process takes its place in the zone.
///
/// # Safety
///
/// `cycle` is the one this process serves.
pub unsafe fn init_process(cycle: *mut ngx_cycle_t) {
    // SAFETY: the caller vouches for the cycle; its configuration stays until the process ends.
    let conf = unsafe { conf::main_conf_of_cycle(cycle) };
    let main_and_zone = conf.and_then(|conf| Some((conf.main()?, conf.zone()?)));
    let Some((main, zone)) = main_and_zone.filter(|_| process::is_worker()) else { return };

    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let _ = zone.reclaim_dead(None, &main.limits, now);
    let me = match zone.take_slot(process::pid(), process::slot(), now) {
        Ok(me) => me,
        Err(error) => {
            let slots = zone.slot_count();
            // SAFETY: the cycle's log.
            unsafe {
                log::write(
                    Level::Emerg,
                    (*cycle).log,
                    format_args!(
                        "push stream module: {error}: it serves {slots} workers, give \
                         push_stream_shared_memory_size more; this worker answers 500"
                    ),
                );
            }
            return;
        }
    };
    // SAFETY: the cycle and its log last as long as the process.
    unsafe {
        let event = |handler| Event::new(handler, std::ptr::null_mut(), (*cycle).log);
        let worker: &'static Worker = Box::leak(Box::new(Worker {
            zone,
            me,
            registry: Registry::default(),
            limits: main.limits.clone(),
            deleted_text: main.channel_deleted_text.clone(),
            ping_text: main.ping_text.clone(),
            all_modules_known: direct::unknown(&process::http_modules(cycle)).is_empty(),
            leaving: Cell::new(false),
            later: event(drain_later),
            looking: event(look),
            housekeeping: event(keep_house),
        }));
        CURRENT.set(Some(worker));
        worker.housekeeping.set_timer(HOUSEKEEPING);
        // A slot beyond the eventfds is served by looking.
        if wakeup::with(me, |eventfd| eventfd.watch(cycle, woken)) == Some(false) {
            let line = format_args!("push stream module: no connection for wake-ups is to be had");
            log::write(Level::Error, (*cycle).log, line);
        }
    }
}

/// The worker process ends.
pub fn exit_process() {
    if let Some(worker) = Worker::current() {
        worker.leave();
        for subscriber in worker.registry.all() {
            subscriber.gone(worker);
        }
        worker.zone.leave_slot(worker.me, &worker.limits, worker.now());
        CURRENT.set(None);
    }
}

/// Runs `f` with this worker; a panic ends in the log.
pub(super) fn guarded(callback: &str, f: impl FnOnce(&Worker)) {
    if let Some(worker) = Worker::current() {
        // SAFETY: the log of the running cycle.
        unsafe { guard(cycle_log(), callback, (), || f(worker)) }
    }
}

unsafe extern "C" fn woken(event: *mut ngx_event_t) {
    guarded("a wake-up", |worker| {
        // SAFETY: the event nginx called this handler with.
        if unsafe { eventfd::is_shutdown(event) } && !worker.is_leaving() {
            return worker.leave();
        }
        wakeup::with(worker.me, eventfd::EventFd::clear);
        worker.later.post();
    });
}

unsafe extern "C" fn drain_later(_event: *mut ngx_event_t) {
    guarded("delivery", Worker::drain);
}

unsafe extern "C" fn look(_event: *mut ngx_event_t) {
    guarded("the look at the mailbox", Worker::look);
}

unsafe extern "C" fn keep_house(_event: *mut ngx_event_t) {
    guarded("housekeeping", Worker::keep_house);
}

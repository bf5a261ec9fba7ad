//! The worker's life: it takes a slot when the process starts, looks after the zone while it runs, and
//! gives the slot back. How it goes when it is told to is in `lifecycle/shutdown.rs`.

use std::cell::{Cell, RefCell};

use nginx_sys::{ngx_cycle_t, ngx_event_t};

use crate::conf::{self, MemoryFull};
use crate::failpoints;
use crate::ngx_ext::guard::{guard_or, take_panicked};
use crate::ngx_ext::log::{self, Level, cycle_log, notice};
use crate::ngx_ext::timer::Event;
use crate::ngx_ext::{eventfd, process};
use crate::store::NoSlot;
use crate::worker::context::{CURRENT, Worker, now};
use crate::worker::isolation::{guarded, guarded_timer};
use crate::worker::lifecycle::shutdown::Shutdown;
use crate::worker::lifecycle::{binary_upgrade, drain_schedule, events_channel, shutdown};
use crate::worker::log_throttle::LogThrottle;
use crate::worker::mailbox_watch::Watch;
use crate::worker::output::deflate_cache::DeflateCache;
use crate::worker::output::filter_bypass;
use crate::worker::registry::Registry;
use crate::worker::wakeup;

/// How often a worker sweeps the zone and looks for dead workers, in milliseconds.
const HOUSEKEEPING: u64 = 500;
/// How soon it goes on when there was more to sweep than it does at once.
const MORE_HOUSEKEEPING: u64 = 10;
/// How often a worker with subscribers looks at its mailbox without having been woken.
const LOOK: u64 = 50;

/// How often a worker without a place in the zone tries to get one.
const RETRY: u64 = 500;

thread_local! {
    static WAITING: RefCell<Option<Event>> = const { RefCell::new(None) };
}

impl Worker {
    /// From now on the worker looks at its mailbox by itself, as long as it has subscribers. That long it
    /// does not exit: one that is being answered waits for its next turn, for which nginx does not.
    pub fn keep_looking(&self) {
        if !self.looking.is_timer_set() {
            self.looking.set_timer(LOOK);
        }
    }

    fn look_again(&self) {
        if !self.registry.is_empty() {
            self.looking.set_timer(LOOK);
        }
    }

    fn look(&self) {
        self.look_again();
        if process::is_exiting() {
            // Nothing says so to a worker that cannot be woken.
            self.begin_shutdown();
        }
        if self.zone.has_mail(self.me) {
            self.drain();
        }
    }

    fn keep_house(&self) {
        self.housekeeping.set_timer(HOUSEKEEPING);
        if take_panicked() {
            self.reconcile();
        }
        let swept = self.zone.sweep(now());
        self.wake(&swept.wake);
        if swept.more {
            self.housekeeping.set_timer(MORE_HOUSEKEEPING);
        }
        self.retry_events();
        self.reclaim_dead();
        self.watch_mailboxes();
        self.check_successors();
        self.check_replaced();
        self.tell_evictions(b"");
        self.compressed.age();
    }

    fn reclaim_dead(&self) {
        let dead = self.zone.reclaim_dead(Some(self.me), &self.main.limits, now());
        self.wake(&dead.wake);
        dead.pids.iter().for_each(|pid| tell_death(*pid));
    }
}

fn tell_death(pid: u32) {
    notice(format_args!("worker {pid} died, what it held is given back"));
}

/// The master, before it starts workers: what they all inherit.
///
/// # Safety
///
/// `cycle` is the one being started.
pub unsafe fn init_module(cycle: *mut ngx_cycle_t) {
    // SAFETY: the caller vouches for the cycle.
    unsafe {
        let is_upgrade = binary_upgrade::is_upgrade();
        let conf = conf::main_conf_of_cycle(cycle);
        let zone = conf.and_then(conf::MainConf::zone);
        let Some(zone) = zone.filter(|_| !process::is_test()) else { return };
        if cfg!(feature = "provoked-panics") {
            let line = "built to panic where tests ask for it, not to be used";
            log::write(Level::Alert, (*cycle).log, format_args!("{line}"));
        }
        if let Some(main) = conf.and_then(conf::MainConf::main) {
            zone.evict_when_full(main.memory_full == MemoryFull::Evict);
            events_channel::configure(zone, main, cycle);
            shutdown::note_turn(zone.events_turn());
            if is_upgrade {
                binary_upgrade::warn(cycle);
            }
        }
        for module in filter_bypass::unknown(&process::http_modules(cycle)) {
            log::write(
                Level::Notice,
                (*cycle).log,
                format_args!(
                    "\"{module}\" is not one of nginx's own modules, messages go \
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
                    "an eventfd for each of {workers} workers: {error}; without, \
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
    // SAFETY: the caller vouches for the cycle.
    let Err(NoSlot) = (unsafe { take_place(cycle) }) else { return };
    // SAFETY: the cycle and its log last as long as the process; the handler needs no data.
    unsafe {
        log::write(
            Level::Error,
            (*cycle).log,
            format_args!(
                "{NoSlot}, push_stream_shared_memory_size is too small for so many \
                 workers: this one answers 500 until another ends"
            ),
        );
        wait_for_place(cycle);
    }
}

/// Tries again after a while to take a place, which this process has not got.
///
/// # Safety
///
/// As [`init_process`].
pub unsafe fn wait_for_place(cycle: *mut ngx_cycle_t) {
    // SAFETY: the cycle and its log last as long as the process; the handler needs no data.
    let retry = unsafe { Event::new(try_again, std::ptr::null_mut(), (*cycle).log) };
    retry.set_timer(RETRY);
    WAITING.set(Some(retry));
}

/// # Safety
///
/// As [`init_process`].
unsafe fn take_place(cycle: *mut ngx_cycle_t) -> Result<(), NoSlot> {
    // SAFETY: the caller vouches for the cycle; its configuration stays until the process ends.
    let conf = unsafe { conf::main_conf_of_cycle(cycle) };
    let main_and_zone = conf.and_then(|conf| Some((conf.main()?, conf.zone()?)));
    let Some((main, zone)) = main_and_zone.filter(|_| process::is_worker()) else { return Ok(()) };

    // A dead predecessor's slot is free again after this.
    let dead = zone.reclaim_dead(None, &main.limits, zone.now());
    dead.pids.iter().for_each(|pid| tell_death(*pid));
    let me = zone.take_slot(process::pid(), process::slot(), zone.now())?;
    // SAFETY: the cycle and its log last as long as the process.
    unsafe {
        let event = |handler| Event::new(handler, std::ptr::null_mut(), (*cycle).log);
        let span = drain_schedule::span(main.reload_drain, process::shutdown_timeout(cycle));
        let worker: &'static Worker = Box::leak(Box::new(Worker {
            zone,
            me,
            registry: Registry::default(),
            compressed: DeflateCache::default(),
            main: Box::leak(Box::new(main.clone())),
            all_modules_known: filter_bypass::unknown(&process::http_modules(cycle)).is_empty(),
            live: Cell::new(0),
            departure: Shutdown::new(span, (*cycle).log),
            evictions: LogThrottle::default(),
            watch: Watch::default(),
            later: event(drain_later),
            looking: event(look).keeps_worker(),
            housekeeping: event(keep_house),
        }));
        CURRENT.set(Some(worker));
        worker.wake(&dead.wake);
        worker.housekeeping.set_timer(HOUSEKEEPING);
        // A slot beyond the eventfds is served by looking.
        if wakeup::with(me, |eventfd| eventfd.watch(cycle, woken)) == Some(false) {
            let line = format_args!("no connection for wake-ups is to be had");
            log::write(Level::Error, (*cycle).log, line);
        }
    }
    Ok(())
}

/// The worker process ends.
pub fn exit_process() {
    if let Some(worker) = Worker::current() {
        worker.leave();
        for subscriber in worker.registry.all() {
            subscriber.guarded(worker, "the end of a process", || subscriber.hang_up(worker));
            subscriber.gone(worker);
        }
        failpoints::point("the slot is given back");
        worker.wake(&worker.zone.leave_slot(worker.me, &worker.main.limits, now()));
        CURRENT.set(None);
    }
}

unsafe extern "C" fn try_again(_event: *mut ngx_event_t) {
    let later = || {
        WAITING.with_borrow(|waiting| waiting.iter().for_each(|event| event.set_timer(RETRY)));
    };
    // SAFETY: the cycle this process serves; its log.
    unsafe {
        guard_or(cycle_log(), "the wait for a slot", later, || {
            if Worker::current().is_none() && take_place(nginx_sys::ngx_cycle).is_err() {
                later();
            }
        });
    }
}

unsafe extern "C" fn woken(event: *mut ngx_event_t) {
    guarded("a wake-up", |worker| {
        // SAFETY: the event nginx called this handler with.
        if unsafe { eventfd::is_shutdown(event) } && !worker.is_leaving() {
            return worker.begin_shutdown();
        }
        wakeup::with(worker.me, eventfd::EventFd::clear);
        worker.later.post();
    });
}

unsafe extern "C" fn drain_later(_event: *mut ngx_event_t) {
    guarded("delivery", Worker::drain);
}

unsafe extern "C" fn look(_event: *mut ngx_event_t) {
    guarded_timer("the look at the mailbox", Worker::look_again, Worker::look);
}

unsafe extern "C" fn keep_house(_event: *mut ngx_event_t) {
    let again = |worker: &Worker| worker.housekeeping.set_timer(HOUSEKEEPING);
    guarded_timer("housekeeping", again, Worker::keep_house);
}

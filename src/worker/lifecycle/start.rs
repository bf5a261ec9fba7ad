//! The worker's life: it takes a slot when the process starts, looks after the zone while it runs, and
//! gives the slot back. How it goes when it is told to is in `lifecycle/shutdown.rs`.

use std::cell::RefCell;

use nginx_sys::ngx_cycle_t;

use crate::conf::{self, MemoryFull};
use crate::failpoints;
use crate::ngx_ext::log::{self, Level};
use crate::ngx_ext::process;
use crate::ngx_ext::timer::Event;
use crate::store::NoSlot;
use crate::worker::context::Context;
use crate::worker::departure::Departure;
use crate::worker::handlers::Handlers;
use crate::worker::lifecycle::{binary_upgrade, events_channel, housekeeping, shutdown};
use crate::worker::log_throttle::LogThrottle;
use crate::worker::mailbox_watch::Watch;
use crate::worker::output::filter_bypass;
use crate::worker::registry::Registry;
use crate::worker::state::{LOOK, Worker};
use crate::worker::subscriber::event::Event as SubscriberEvent;
use crate::worker::{drain_schedule, driver, wakeup};

/// How often a worker without a place in the zone tries to get one.
const RETRY: u64 = 500;

thread_local! {
    /// Of a process without a place in the zone: its next try to get one.
    static WAITING: RefCell<Option<(Event, &'static Handlers)>> = const { RefCell::new(None) };
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
pub unsafe fn init_process(cycle: *mut ngx_cycle_t, handlers: &'static Handlers) {
    // SAFETY: the caller vouches for the cycle.
    let Err(NoSlot) = (unsafe { take_place(cycle, handlers) }) else { return };
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
        wait_for_place(cycle, handlers);
    }
}

/// Tries again after a while to take a place, which this process has not got.
///
/// # Safety
///
/// As [`init_process`].
pub unsafe fn wait_for_place(cycle: *mut ngx_cycle_t, handlers: &'static Handlers) {
    // SAFETY: the cycle and its log last as long as the process; the handler needs no data.
    let retry = unsafe { Event::new(handlers.take_place, std::ptr::null_mut(), (*cycle).log) };
    WAITING.set(Some((retry, handlers)));
    wait_on();
}

/// Tries again after a while.
pub fn wait_on() {
    WAITING.with_borrow(|waiting| {
        waiting.iter().for_each(|(event, _)| event.set_timer(RETRY));
    });
}

/// The next try of a process without a place.
pub fn try_again() {
    let handlers = WAITING.with_borrow(|waiting| waiting.as_ref().map(|(_, handlers)| *handlers));
    if let (None, Some(handlers)) = (Worker::current(), handlers) {
        // SAFETY: the cycle this process serves.
        if unsafe { take_place(nginx_sys::ngx_cycle, handlers) }.is_err() {
            wait_on();
        }
    }
}

/// # Safety
///
/// As [`init_process`].
unsafe fn take_place(cycle: *mut ngx_cycle_t, handlers: &'static Handlers) -> Result<(), NoSlot> {
    // SAFETY: the caller vouches for the cycle; its configuration stays until the process ends.
    let conf = unsafe { conf::main_conf_of_cycle(cycle) };
    let main_and_zone = conf.and_then(|conf| Some((conf.main()?, conf.zone()?)));
    let Some((main, zone)) = main_and_zone.filter(|_| process::is_worker()) else { return Ok(()) };

    // A dead predecessor's slot is free again after this.
    let dead = zone.reclaim_dead(None, &main.limits, zone.now());
    dead.pids.iter().for_each(|pid| housekeeping::tell_death(*pid));
    let me = zone.take_slot(process::pid(), process::slot(), zone.now())?;
    // SAFETY: the cycle and its log last as long as the process; the handlers need no data.
    unsafe {
        let event = |handler| Event::new(handler, std::ptr::null_mut(), (*cycle).log);
        let span = drain_schedule::span(main.reload_drain, process::shutdown_timeout(cycle));
        let worker: &'static Worker = Box::leak(Box::new(Worker {
            context: Context::new(zone, me, Box::leak(Box::new(main.clone()))),
            registry: Registry::default(),
            all_modules_known: filter_bypass::unknown(&process::http_modules(cycle)).is_empty(),
            departure: Departure::new(span, event(handlers.drain)),
            evictions: LogThrottle::default(),
            watch: Watch::default(),
            later: event(handlers.deliver),
            looking: event(handlers.look).keeps_worker(),
            housekeeping: event(handlers.housekeeping),
            handlers,
        }));
        Worker::set_current(Some(worker));
        worker.wake(&dead.wake);
        housekeeping::again(worker);
        // A slot beyond the eventfds is served by looking.
        if wakeup::with(me, |eventfd| eventfd.watch(cycle, handlers.woken)) == Some(false) {
            let line = format_args!("no connection for wake-ups is to be had");
            log::write(Level::Error, (*cycle).log, line);
        }
    }
    Ok(())
}

/// The worker process ends.
pub fn exit_process() {
    if let Some(worker) = Worker::current() {
        shutdown::leave(worker);
        for client in worker.registry.all() {
            let event = SubscriberEvent::ProcessEnds;
            driver::dispatch(worker, &client, "the end of a process", event);
            driver::gone(worker, &client);
        }
        failpoints::point("the slot is given back");
        let Context { zone, me, main, .. } = &worker.context;
        worker.wake(&zone.leave_slot(*me, &main.limits, worker.context.now()));
        Worker::set_current(None);
    }
}

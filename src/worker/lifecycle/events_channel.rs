//! Which channel is the events channel: the master says so when a configuration takes effect, and the
//! zone remembers it for the workers of all configurations (`store/events.rs`).

use std::cell::Cell;

use nginx_sys::ngx_cycle_t;

use crate::conf::Main;
use crate::ngx_ext::log::{self, Level, Quoted};
use crate::store::{EventsTurn, Zone};
use crate::worker::context::Context;

thread_local! {
    /// The zone had no room for the events channel. One for the process; a worker inherits its master's.
    static WANTED: Cell<Option<EventsTurn>> = const { Cell::new(None) };
}

/// A configuration takes effect (DIR-186, DIR-195). In the master, before the workers start, and not
/// earlier: a configuration that is refused moves nothing.
///
/// # Safety
///
/// `cycle` is the one being started.
pub unsafe fn configure(zone: Zone, main: &Main, cycle: *mut ngx_cycle_t) {
    let id = &main.events_channel_id;
    let wanted = zone.configure_events(id, &main.limits, zone.now()).err();
    if wanted.is_some() {
        // SAFETY: the log of the caller's cycle.
        unsafe {
            log::write(
                Level::Error,
                (*cycle).log,
                format_args!(
                    "not enough shared memory for events channel {}, events are \
                     told once there is",
                    Quoted(id)
                ),
            );
        }
    }
    WANTED.set(wanted);
}

/// Makes the events channel, if there was no room for it before.
pub fn retry(context: &Context) {
    let Context { zone, main, .. } = context;
    if let Some(turn) = WANTED.get() {
        if zone.retry_events(turn, &main.events_channel_id, &main.limits, context.now()) {
            WANTED.set(None);
        }
    }
}

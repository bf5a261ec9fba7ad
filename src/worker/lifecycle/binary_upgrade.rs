//! A binary upgrade (USR2): a new master starts beside the old one, on its listening sockets.
//!
//! nginx's zones are memory that a master shares with its workers; what another master maps is another
//! zone (LIFE-106). While workers of both accept connections, a channel is two: a message reaches the
//! subscribers of one side only (LIFE-107). No module can change that, but it can be said, and
//! `docs/operations.md` says how long it lasts: until the old master is told WINCH.

use std::cell::Cell;

use nginx_sys::ngx_cycle_t;

use crate::ngx_ext::log::{self, Level};
use crate::ngx_ext::process;

thread_local! {
    /// This master has taken up a configuration.
    static STARTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the first configuration of a master that was started on the sockets of another. Later
/// ones are reloads: true once at most.
pub fn is_upgrade() -> bool {
    !STARTED.replace(true) && process::has_inherited_sockets()
}

/// Says that channels are split.
///
/// # Safety
///
/// `cycle` is the one being started.
pub unsafe fn warn(cycle: *mut ngx_cycle_t) {
    // SAFETY: the log of the caller's cycle.
    unsafe {
        log::write(
            Level::Warn,
            (*cycle).log,
            format_args!(
                "binary upgrade: channels are split between the workers of the old \
                 master and these until the old master is told WINCH"
            ),
        );
    }
}

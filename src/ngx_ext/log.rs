//! Lines for nginx's error log.

use std::fmt;
use std::mem::MaybeUninit;

use nginx_sys::{ngx_log_t, ngx_uint_t};

/// nginx's log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Emerg = nginx_sys::NGX_LOG_EMERG as isize,
    Alert = nginx_sys::NGX_LOG_ALERT as isize,
    Crit = nginx_sys::NGX_LOG_CRIT as isize,
    Error = nginx_sys::NGX_LOG_ERR as isize,
    Warn = nginx_sys::NGX_LOG_WARN as isize,
    Notice = nginx_sys::NGX_LOG_NOTICE as isize,
    Info = nginx_sys::NGX_LOG_INFO as isize,
    Debug = nginx_sys::NGX_LOG_DEBUG as isize,
}

/// What a line begins with that the module words itself.
pub const PREFIX: &str = "push stream module: ";

/// Writes one line with the module's name in front, unless the log's level leaves it out.
///
/// # Safety
/// `log` must be null (nothing is written) or a valid nginx log.
pub unsafe fn write(level: Level, log: *mut ngx_log_t, line: fmt::Arguments<'_>) {
    // SAFETY: the caller vouches for `log`.
    unsafe { write_verbatim(level, log, format_args!("{PREFIX}{line}")) }
}

/// As [`write`], for a line that has the name already, or is worded as nginx's own.
///
/// # Safety
/// As [`write`].
pub unsafe fn write_verbatim(level: Level, log: *mut ngx_log_t, line: fmt::Arguments<'_>) {
    let level = level as ngx_uint_t;
    // SAFETY: the caller vouches for `log`.
    unsafe {
        if log.is_null() || level > (*log).log_level {
            return;
        }
        let mut buffer = [const { MaybeUninit::<u8>::uninit() }; ngx::log::LOG_BUFFER_SIZE];
        let line = ngx::log::write_fmt(&mut buffer, line);
        ngx::log::log_error(level, log, 0, line);
    }
}

/// The log of the running cycle, valid as long as the process serves that cycle.
pub fn cycle_log() -> *mut ngx_log_t {
    // SAFETY: nginx sets `ngx_cycle` before it calls any module and never clears it.
    unsafe { (*nginx_sys::ngx_cycle).log }
}

/// Writes one line to the log of the running cycle, at level warn.
pub fn warn(line: fmt::Arguments<'_>) {
    // SAFETY: the log of the running cycle is valid.
    unsafe { write(Level::Warn, cycle_log(), line) }
}

/// Writes one line to the log of the running cycle, at level notice.
pub fn notice(line: fmt::Arguments<'_>) {
    // SAFETY: the log of the running cycle is valid.
    unsafe { write(Level::Notice, cycle_log(), line) }
}

/// Bytes that a client sent, fit for a log line: control bytes, quotes and bytes that are not
/// ASCII are escaped, and a long value is cut.
pub struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 128;
        let (shown, cut) = match self.0.get(..SHOWN) {
            Some(head) if self.0.len() > SHOWN => (head, "..."),
            _ => (self.0, ""),
        };
        write!(f, "\"{}{cut}\"", shown.escape_ascii())
    }
}

//! The one gate between nginx's callbacks and Rust code that might panic.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nginx_sys::ngx_log_t;

use super::log::{Level, Quoted, write};

/// Runs `body`, the whole of a callback nginx makes. A panic does not cross into nginx: it is
/// logged in one line that names `callback`, and `fallback` is returned instead.
///
/// # Safety
/// `log` must be null or a valid nginx log for the whole call, even if `body` ends what it
/// belongs to: pass the cycle's log where that can happen.
pub unsafe fn guard<T>(
    log: *mut ngx_log_t,
    callback: &str,
    fallback: T,
    body: impl FnOnce() -> T,
) -> T {
    // Whatever the panic left half done is the fallback's business: the caller of the callback
    // sees a failed operation, and the store repairs itself as after the death of a process.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => {
            let message = message(payload.as_ref());
            // SAFETY: the caller vouches for `log`.
            unsafe {
                write(
                    Level::Alert,
                    log,
                    format_args!(
                        "push stream module: panic in {callback}: {}",
                        Quoted(message.as_bytes())
                    ),
                );
            }
            // Dropping a foreign payload could panic again.
            std::mem::forget(payload);
            fallback
        }
    }
}

/// The log of the running cycle, valid as long as the process serves that cycle.
pub fn cycle_log() -> *mut ngx_log_t {
    // SAFETY: nginx sets `ngx_cycle` before it calls any module and never clears it.
    unsafe { (*nginx_sys::ngx_cycle).log }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

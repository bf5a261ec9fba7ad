//! The one gate between nginx's callbacks and Rust code that might panic.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

use nginx_sys::ngx_log_t;

use super::log::{Level, Quoted, write};

thread_local! {
    /// How many guards the thread is in.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static PANICKED: Cell<bool> = const { Cell::new(false) };
    /// Where the panic that is under way began.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `body`, the whole of a callback nginx makes. A panic does not cross into nginx: it is
/// logged in one line that names `callback`, and `fallback` is returned instead.
///
/// # Safety
/// As [`guard_or`].
pub unsafe fn guard<T>(
    log: *mut ngx_log_t,
    callback: &'static str,
    fallback: T,
    body: impl FnOnce() -> T,
) -> T {
    // SAFETY: the caller vouches for `log`.
    unsafe { guard_or(log, callback, || fallback, body) }
}

/// [`guard`] where a panic leaves something to be put in order: `fallback` does it. Should it panic
/// too, that ends this process: nothing is known any more of what nginx will use next.
///
/// # Safety
/// `log` must be null or a valid nginx log for the whole call, even if `body` ends what it
/// belongs to: pass the cycle's log where that can happen.
pub unsafe fn guard_or<T>(
    log: *mut ngx_log_t,
    callback: &'static str,
    fallback: impl FnOnce() -> T,
    body: impl FnOnce() -> T,
) -> T {
    #[cfg(feature = "provoked-panics")]
    let body = || crate::failpoints::in_callback(callback, body);

    hush();
    DEPTH.set(DEPTH.get() + 1);
    // Whatever the panic left half done is the fallback's business: the caller of the callback
    // sees a failed operation, and the store repairs itself as after the death of a process.
    let result = catch_unwind(AssertUnwindSafe(body));
    DEPTH.set(DEPTH.get() - 1);
    match result {
        Ok(value) => value,
        Err(payload) => {
            PANICKED.set(true);
            let message = message(payload.as_ref());
            // SAFETY: the caller vouches for `log`.
            unsafe {
                write(
                    Level::Alert,
                    log,
                    format_args!(
                        "panic in {callback}: {}{}",
                        Quoted(message.as_bytes()),
                        PLACE.take()
                    ),
                );
            }
            // Dropping a foreign payload could panic again.
            std::mem::forget(payload);
            fallback()
        }
    }
}

/// Whether a callback has panicked since this was last asked.
pub fn take_panicked() -> bool {
    PANICKED.replace(false)
}

/// Rust's own report of a panic, several lines for standard error, which nginx has made its log, gives
/// way to our line. Outside of callbacks it stays.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |about: &PanicHookInfo<'_>| {
            if DEPTH.get() == 0 {
                return report(about);
            }
            let place = about.location().map(|at| format!(" at {}:{}", at.file(), at.line()));
            PLACE.set(place.unwrap_or_default());
        }));
    });
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

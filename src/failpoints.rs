//! Panics that a test asks for, to see what they leave behind. Compiled in by the feature
//! `provoked-panics` alone, which no module to be used has: with it, every callback looks for files.
//! That module says what it is, at level alert, whenever nginx takes up a configuration, and a release
//! build with it, unless with debug assertions, does not compile.
//!
//! `PUSH_STREAM_PROVOKED` names a directory. A file `CALLBACK: POINT` in it makes the next process that
//! comes to that point within that callback of nginx's take the file away and panic. Callbacks are named
//! as in the log (`ngx_ext/guard.rs`); `begin` is the point before any of them does anything.

#[cfg(all(feature = "provoked-panics", not(debug_assertions)))]
compile_error!(
    "the feature `provoked-panics` is for the module of t/panics/, which scripts/test builds"
);

#[cfg(feature = "provoked-panics")]
pub use asked_for::{in_callback, point};

/// Nothing is ever provoked in the module as it is meant to be.
#[cfg(not(feature = "provoked-panics"))]
#[inline(always)]
pub fn point(_name: &str) {}

#[cfg(feature = "provoked-panics")]
mod asked_for {
    use std::cell::Cell;
    use std::ffi::OsString;
    use std::path::Path;
    use std::sync::OnceLock;

    thread_local! {
        static CALLBACK: Cell<&'static str> = const { Cell::new("") };
    }

    /// The point `begin` of this callback, and then what it does.
    pub fn in_callback<T>(name: &'static str, body: impl FnOnce() -> T) -> T {
        /// Puts back the name of the callback around this one, however this one ends.
        struct Around(&'static str);
        impl Drop for Around {
            fn drop(&mut self) {
                CALLBACK.set(self.0);
            }
        }
        let _around = Around(CALLBACK.replace(name));
        point("begin");
        body()
    }

    /// Panics if a test has asked for it.
    pub fn point(name: &str) {
        // nginx hands no environment on to its workers, so the master reads it.
        static DIRECTORY: OnceLock<Option<OsString>> = OnceLock::new();
        let directory = DIRECTORY.get_or_init(|| std::env::var_os("PUSH_STREAM_PROVOKED"));
        let Some(directory) = directory else { return };
        let callback = CALLBACK.get();
        let file = Path::new(directory).join(format!("{callback}: {name}"));
        // Whoever takes it away is the one.
        if std::fs::remove_file(file).is_ok() {
            panic!("provoked at {name}");
        }
    }
}

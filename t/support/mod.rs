//! What every acceptance test stands on: a real nginx of its own, and real clients.
//!
//! ```ignore
//! let nginx = Nginx::start().await;
//! let mut subscriber = nginx.stream("/sub/a").await;
//! nginx.publish("a", "hello").await;
//! assert_eq!(subscriber.line().await, "1 a hello");
//! ```
//!
//! Nothing here waits for a fixed time: a test waits for a byte, a header or a counter, and
//! [`DEADLINE`] only keeps one that will never see it from hanging.

// Each test binary uses its own part of the harness.
#![allow(dead_code, unused_imports)]

pub mod browser;
pub mod builder;
pub mod client;
pub mod event_source;
pub mod habits;
pub mod hostile;
pub mod http2;
pub mod long_poll;
pub mod nginx;
pub mod process;
pub mod raw;
pub mod scenarios;
pub mod statistics;
pub mod stream;
pub mod tls;
pub mod upgrade;
pub mod websocket;

pub use browser::Page;
pub use builder::{Builder, Checked};
pub use client::{Answer, Call, Client, Way};
pub use event_source::EventSource;
pub use habits::Habits;
pub use long_poll::LongPoll;
pub use nginx::Nginx;
pub use raw::{Raw, RawAnswer};
pub use stream::Stream;
pub use websocket::{Frame, Socket};

use std::future::Future;
use std::time::Duration;

/// How long any single wait may last before the test is declared stuck.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Cache headers of every answer except the subscriber's OPTIONS (PUB-6, STAT-20, HDR-2).
pub const EXPIRES: &str = "Thu, 01 Jan 1970 00:00:01 GMT";
pub const CACHE_CONTROL: &str = "no-cache, no-store, must-revalidate";
/// The explanation header of every refusal.
pub const EXPLAIN: &str = "x-nginx-pushstream-explain";

/// Asks `ready` again and again until it yields a value.
pub async fn wait_for<T, F, Fut>(what: &str, ready: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    wait_within(DEADLINE, what, ready).await
}

/// [`wait_for`] with the deadline that the tested rule itself names.
pub async fn wait_within<T, F, Fut>(limit: Duration, what: &str, mut ready: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let waiting = async {
        loop {
            if let Some(value) = ready().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(limit, waiting).await.unwrap_or_else(|_| panic!("never came: {what}"))
}

/// Runs one step of a client under the deadline.
pub async fn in_time<T>(what: &str, step: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, step).await.unwrap_or_else(|_| panic!("stuck: {what}"))
}

/// Tests that load the machine hold this, because one after another they are quicker and do not
/// starve each other.
pub async fn alone() -> tokio::sync::SemaphorePermit<'static> {
    static ALONE: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);
    ALONE.acquire().await.expect("never closed")
}

/// Lets this process open as many files as it may, for tests with thousands of clients.
pub fn raise_open_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the two calls read and write `limit`, no more.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}

/// Waits until the wall clock shows a later second than it does now, and returns that second.
pub async fn next_second() -> u64 {
    let seconds = || {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("a clock after 1970")
            .as_secs()
    };
    let start = seconds();
    wait_for("the next second", || async move { (seconds() > start).then(seconds) }).await
}

//! How many processes there are, as whom they run, what they run out of, and what they log.

#[path = "../support/mod.rs"]
mod support;
#[path = "../load/watch.rs"]
#[allow(dead_code)]
mod watch;

mod access_log;
mod http2_log;
mod limits;
mod numbers;
mod orphans;
mod stalled_worker;

use support::process::Pid;
use support::{Nginx, Raw};

/// A connection that the given worker has accepted; there is a location `/pid`.
async fn connection_to(nginx: &Nginx, worker: Pid) -> Raw {
    for _ in 0..1000 {
        let mut raw = nginx.raw().await;
        raw.request("GET /pid", &[]).await;
        if String::from_utf8_lossy(&raw.answer().await.body) == worker.to_string() {
            return raw;
        }
    }
    panic!("no connection of a thousand came to worker {worker}");
}

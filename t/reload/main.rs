//! Reloads, stops and binary upgrades, and what becomes of subscribers (docs/spec/lifecycle.md sections 11
//! to 13, docs/operations.md).

#[path = "../support/mod.rs"]
mod support;

mod changes;
mod drain;
mod exactly_once;
mod http2;
mod shutdown_timeout;
mod stops;
mod upgrade;

use support::process::Pid;
use support::{Builder, Nginx, wait_for};

/// A subscriber location of each mode, with texts that show where a message comes from and how a
/// subscription ends.
fn builder() -> Builder {
    let texts =
        r#"push_stream_message_template "~id~ ~text~\n"; push_stream_footer_template FOOT;"#;
    Nginx::builder()
        .subscriber("stream", texts)
        .mode("eventsource", "events", r#"push_stream_footer_template "FOOT";"#)
        .mode("long-polling", "poll", texts)
        .websocket(
            "ws",
            r#"push_stream_message_template "~id~ ~text~"; push_stream_footer_template FOOT;"#,
        )
}

/// The same with a drain that no test waits for.
fn long_drain() -> Builder {
    builder().http("push_stream_reload_drain 10m;")
}

async fn old_workers_gone(nginx: &Nginx) {
    wait_for("old workers to leave", || async { nginx.retiring_pids().is_empty().then_some(()) })
        .await;
}

/// The old workers, when all of them have been told.
async fn old_workers(nginx: &Nginx) -> Vec<Pid> {
    wait_for("old workers", || async {
        let pids = nginx.retiring_pids();
        (!pids.is_empty()).then(|| pids.into_iter().collect())
    })
    .await
}

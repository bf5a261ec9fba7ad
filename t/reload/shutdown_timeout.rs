//! nginx's `worker_shutdown_timeout` cuts without an ending, so subscribers are ended before (LIFE-91, its
//! sane form).

use crate::support::Raw;
use crate::{builder, old_workers, old_workers_gone};

/// LIFE-91: a drain that would take longer is over before; footers and close frames are sent, also to a
/// client that does not answer its close frame, which nginx then cuts.
#[tokio::test]
async fn a_drain_ends_before_it() {
    let nginx = builder()
        .workers(2)
        .main("worker_shutdown_timeout 2s;")
        .http("push_stream_reload_drain 10m;")
        .http("lingering_timeout 10m;")
        .start()
        .await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(nginx.stream("/stream/c").await);
    }
    let mut socket = nginx.socket("/ws/c").await;
    let mut silent = nginx.socket("/ws/c").await;
    let mut poll = nginx.raw().await;
    poll.request("GET /poll/quiet", &[]).await;
    nginx.wait_stat("subscribers", 11).await;
    // Before, since the first of them ends soon.
    nginx.publish("c", "x").await;
    nginx.reload().await;
    old_workers(&nginx).await;
    for stream in &mut streams {
        stream.ends_with("1 x\nFOOT").await;
    }
    for socket in [&mut socket, &mut silent] {
        socket.text("1 x").await;
        socket.text("FOOT").await;
    }
    socket.closes().await;
    silent.expect(0x88, b"").await;
    silent.raw.expect_close().await;
    let answer = poll.answer().await;
    assert_eq!((answer.status(), answer.header("connection")), (304, Some("close")));
    poll.expect_close().await;
    old_workers_gone(&nginx).await;
}

/// LIFE-91, SUB-52: whoever reads too slowly for its ending holds an old worker no longer than this, with a
/// drain and without. (`send_timeout` is longer than a test waits.)
#[tokio::test]
async fn a_slow_reader_is_cut() {
    for drain in ["0", "10m"] {
        let nginx = builder()
            .workers(1)
            .listen("sndbuf=8k")
            .main("worker_shutdown_timeout 1s;")
            .http(&format!("push_stream_reload_drain {drain};"))
            .http("send_timeout 10m;")
            .start()
            .await;
        let mut slow = Vec::new();
        for target in ["/stream/c", "/events/c"] {
            let mut raw = Raw::with_small_window(nginx.port).await;
            raw.request(&format!("GET {target}"), &[]).await;
            slow.push(raw);
        }
        nginx.wait_channel_stat("c", "subscribers", 2).await;
        let mut quick = nginx.stream("/stream/quick").await;
        nginx.publish_live("c", "x".repeat(500_000)).await;
        nginx.reload().await;
        old_workers_gone(&nginx).await;
        quick.ends_with("FOOT").await;
        nginx.wait_stat("subscribers", 0).await;
        for raw in &mut slow {
            let seen = raw.until_close().await;
            assert!(!String::from_utf8_lossy(&seen).contains("FOOT"));
        }
    }
}

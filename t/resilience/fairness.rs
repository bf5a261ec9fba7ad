//! A worker that is flooded with messages still does everything else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::support::process::Pid;
use super::support::{self, Nginx, Raw, wait_for};
use tokio::task::JoinSet;

/// Against never: how long a request to a flooded worker may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that the given worker has accepted.
async fn connection_to(nginx: &Nginx, worker: Pid) -> Raw {
    for _ in 0..1000 {
        let mut raw = nginx.raw().await;
        if pid_behind(&mut raw).await == worker {
            return raw;
        }
    }
    panic!("no connection of a thousand came to worker {worker}");
}

async fn pid_behind(raw: &mut Raw) -> Pid {
    raw.request("GET /pid", &[]).await;
    let answer = raw.answer().await;
    String::from_utf8_lossy(&answer.body).parse().expect("a process id")
}

/// Publishes without a pause until told to stop; counts what was accepted. What does not fit any more is
/// refused (LIFE-58).
async fn flood(mut raw: Raw, stop: Arc<AtomicBool>, published: Arc<AtomicU64>) {
    let text = "x".repeat(50);
    let post = format!("POST /flood HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{text}");
    let burst = post.repeat(50);
    while !stop.load(Ordering::Relaxed) {
        raw.send(&burst).await;
        for _ in 0..50 {
            match raw.answer().await.status() {
                200 => _ = published.fetch_add(1, Ordering::Relaxed),
                status => assert_eq!(status, 500),
            }
        }
    }
}

/// Three connections of worker A publish to a hundred subscribers of worker B, faster than B can
/// write. B still answers requests, and a deletion still reaches its subscribers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooded_worker_answers() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder()
        .workers(2)
        .server("keepalive_requests 1000000000;")
        .location("/pid", "return 200 $pid;")
        .location(
            "/flood",
            "push_stream_publisher; push_stream_channels_path flood;
             push_stream_channel_info_on_publish off;",
        )
        // Reading is not what is tested here, so nobody is to be too slow at it.
        .subscriber(
            "patient",
            r#"push_stream_subscriber_max_pending 1000m;
               push_stream_message_template "~channel~ ~text~\n";"#,
        )
        .expect_log("unable to allocate")
        .start()
        .await;
    let pids = nginx.worker_pids().into_iter().collect::<Vec<_>>();
    let (a, b) = (pids[0], pids[1]);

    let mut readers = JoinSet::new();
    for _ in 0..100 {
        let mut raw = connection_to(&nginx, b).await;
        raw.request("GET /patient/flood", &[]).await;
        assert_eq!(raw.head().await.status(), 200);
        readers.spawn(async move { while raw.some().await.is_some() {} });
    }
    let mut doomed = connection_to(&nginx, b).await;
    doomed.request("GET /patient/doomed", &[]).await;
    assert_eq!(doomed.head().await.status(), 200);
    let mut probe = connection_to(&nginx, b).await;
    let mut admin = connection_to(&nginx, a).await;
    let mut sources = Vec::new();
    for _ in 0..3 {
        sources.push(connection_to(&nginx, a).await);
    }
    nginx.wait_stat("subscribers", 101).await;

    let (stop, published) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut publishers = JoinSet::new();
    for raw in sources {
        publishers.spawn(flood(raw, Arc::clone(&stop), Arc::clone(&published)));
    }
    let more_than = |count: u64| {
        let published = Arc::clone(&published);
        wait_for("the flood to go on", move || {
            let now = published.load(Ordering::Relaxed);
            async move { (now > count).then_some(now) }
        })
    };
    let mut so_far = more_than(5_000).await;

    for n in 0..5 {
        let answered = tokio::time::timeout(PATIENCE, pid_behind(&mut probe)).await;
        assert_eq!(answered, Ok(b), "request {n} to the flooded worker");
        so_far = more_than(so_far + 1_000).await;
    }
    admin.request("DELETE /pub?id=doomed", &[]).await;
    assert_eq!(admin.answer().await.status(), 200);
    let notice = tokio::time::timeout(PATIENCE, doomed.chunk()).await.expect("the notice");
    assert_eq!(notice.as_deref(), Some(b"doomed Channel deleted\n".as_slice()));
    assert_eq!(doomed.chunk().await, None);
    more_than(so_far + 1_000).await;

    stop.store(true, Ordering::Relaxed);
    publishers.join_all().await;
    // Those who were flooded are still there.
    assert_eq!(nginx.channel_stat("flood", "subscribers").await, 100);
}

//! Workers that run out of connections or descriptors, and a zone that cannot serve all workers.

use crate::support::process::send_signal;
use crate::support::{Nginx, Raw, wait_for};
use crate::watch;

/// What an upload of this target and size is answered when its last bytes come.
async fn finish(mut upload: Raw, rest: &[u8]) -> u16 {
    upload.send(rest).await;
    upload.answer().await.status()
}

/// `worker_connections` used up: a new client is closed by nginx, nobody else feels it; with the first
/// connection that is given back the next client is served, and nothing was counted that is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_run_out() {
    const CONNECTIONS: usize = 40;
    let nginx = Nginx::builder()
        .workers(1)
        .listen("")
        .connections(CONNECTIONS)
        .expect_log("worker_connections are not enough")
        .start()
        .await;
    // They hold a connection while it is impossible to make another.
    let mut uploads = Vec::new();
    for _ in 0..4 {
        let mut raw = nginx.raw().await;
        raw.begin_upload("/pub?id=c", 4).await;
        uploads.push(raw);
    }
    let mut subscribers = Vec::new();
    let refused = loop {
        let mut raw = nginx.raw().await;
        raw.request("GET /sub/c", &[]).await;
        match raw.head_or_close().await {
            Some(head) => assert_eq!(head.status(), 200),
            None => break subscribers.len(),
        }
        subscribers.push(raw);
        assert!(subscribers.len() < CONNECTIONS);
    };
    assert!(refused > CONNECTIONS / 2, "{refused} subscribers");
    for n in 1..=3 {
        assert_eq!(finish(uploads.pop().expect("an upload"), b"text").await, 200);
        for subscriber in &mut subscribers {
            subscriber.expect_chunk(format!("{n} c text\n")).await;
        }
    }
    // Refused as long as nothing is given back, counted never.
    drop(uploads);
    let total = subscribers.len() as u64;
    watch::wait_workers(&nginx, total).await;
    drop(subscribers.split_off(5));
    watch::wait_workers(&nginx, 5).await;
    let mut again = nginx.stream("/sub/c.b1").await;
    assert_eq!(again.line().await, "3 c text");
    nginx.publish("c", "more").await;
    assert_eq!(again.line().await, "4 c more");
    for subscriber in &mut subscribers {
        subscriber.expect_chunk("4 c more\n").await;
    }
}

/// No descriptor left (`worker_rlimit_nofile`): who is connected gets messages; an upload that would need
/// a file is refused with 500 and publishes nothing; who comes waits and is served when there are
/// descriptors again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn descriptors_run_out() {
    const OPEN_FILES: usize = 60;
    let nginx = Nginx::builder()
        .workers(1)
        .listen("")
        .main(&format!("worker_rlimit_nofile {OPEN_FILES};"))
        .expect_log("exceed open file resource limit")
        .expect_log("Too many open files")
        .server("client_body_buffer_size 16k;")
        .start()
        .await;
    let mut uploads = Vec::new();
    for size in [100_000, 4, 4, 4] {
        let mut raw = nginx.raw().await;
        raw.begin_upload("/pub?id=f", size).await;
        uploads.push(raw);
    }
    let at_start = watch::descriptors(*nginx.worker_pids().first().expect("a worker")).others;
    let exhausted = || nginx.log().contains("Too many open files");
    let mut subscribers = Vec::new();
    let mut waiting = loop {
        let mut raw = nginx.raw().await;
        raw.request("GET /sub/f", &[]).await;
        let Some(head) = raw.head_unless(exhausted).await else { break raw };
        assert_eq!(head.status(), 200);
        subscribers.push(raw);
    };
    assert!(subscribers.len() > 10, "{} subscribers", subscribers.len());
    let mut kept = Vec::new();
    for n in 1..=3 {
        let mut upload = uploads.pop().expect("an upload");
        upload.send("text").await;
        assert_eq!(upload.answer().await.status(), 200);
        for subscriber in &mut subscribers {
            subscriber.expect_chunk(format!("{n} f text\n")).await;
        }
        kept.push(upload);
    }
    let large = uploads.pop().expect("the large one");
    assert_eq!(finish(large, &[b'x'; 100_000]).await, 500);
    assert_eq!(waiting.head().await.status(), 200);
    drop(kept);
    nginx.publish("f", "at last").await;
    subscribers.push(waiting);
    for subscriber in &mut subscribers {
        subscriber.expect_chunk("4 f at last\n").await;
    }
    watch::wait_workers(&nginx, subscribers.len() as u64).await;
    drop(subscribers);
    watch::wait_workers(&nginx, 0).await;
    let worker = *nginx.worker_pids().first().expect("a worker");
    assert_eq!(watch::descriptors(worker).others, at_start);
}

/// LIFE-94: a reload while a worker has no descriptor left. nginx up to 1.28 gives the channel to its master up
/// and cannot tell it to go, so it tells itself; later ones go on with the channel.
#[tokio::test]
async fn replaced_without_descriptors() {
    let nginx = Nginx::builder()
        .workers(1)
        .listen("")
        .main("worker_rlimit_nofile 60;")
        .expect_log("exceed open file resource limit")
        .expect_log("Too many open files")
        .expect_log("recvmsg() ")
        .start()
        .await;
    let exhausted = || nginx.log().contains("Too many open files");
    let mut subscribers = Vec::new();
    loop {
        let mut raw = nginx.raw().await;
        raw.request("GET /sub/f", &[]).await;
        if raw.head_unless(exhausted).await.is_none() {
            break;
        }
        subscribers.push(raw);
    }
    let old = *nginx.worker_pids().first().expect("a worker");
    send_signal(nginx.master_pid(), libc::SIGHUP);
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.chunk().await, None);
    }
    let log = nginx.log();
    let told = log.find(&format!("{old}#{old}: gracefully shutting down")).expect("it was told");
    let by_itself = log.find(&format!("worker {old} was replaced and not told"));
    assert!(by_itself.is_none_or(|at| at < told), "it tells itself only what nobody told it");
    wait_for("the old worker to exit", || async {
        (!nginx.worker_pids().contains(&old) && nginx.retiring_pids().is_empty()).then_some(())
    })
    .await;
    let mut subscriber = nginx.raw().await;
    subscriber.request("GET /sub/f", &[]).await;
    assert_eq!(subscriber.head().await.status(), 200);
    nginx.publish("f", "to the new one").await;
    assert!(subscriber.chunk().await.is_some_and(|chunk| chunk.ends_with(b"to the new one\n")));
}

/// LIFE-9, LIFE-23: a zone too small for so many workers: those that have a place serve as ever, the others
/// answer 500, say so in the log, and count nothing; a worker that ends makes its place free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_workers_than_places() {
    let nginx = Nginx::builder()
        .workers(36)
        .zone("128k")
        .expect_log("is too small for so many workers")
        .start()
        .await;
    let places = 32;
    let listed = async |without: Option<&str>| {
        wait_for("the workers that have a place", || async {
            let answer = nginx.call("GET", "/stats").try_send().await.ok()?;
            // One without a place may be asked, too.
            let stats = (answer.status == 200).then(|| answer.json())?;
            let pids = stats["by_worker"].as_array()?.iter();
            let pids: Vec<_> = pids.filter_map(|worker| worker["pid"].as_str()).collect();
            let full = pids.len() == places && without.is_none_or(|pid| !pids.contains(&pid));
            full.then(|| pids[0].to_owned())
        })
        .await
    };
    let victim = listed(None).await;
    nginx.kill_worker(victim.parse().expect("a process id"));
    listed(Some(&victim)).await;
    let (mut streams, mut refused) = (Vec::new(), 0);
    while streams.len() < 3 || refused < 3 {
        let stream = nginx.call("GET", "/sub/p").try_stream().await.expect("an answer");
        match stream.status {
            200 => streams.push(stream),
            status => {
                assert_eq!(status, 500);
                refused += 1;
            }
        }
        // As many as wanted, no more: the zone is small.
        streams.truncate(3);
    }
    nginx.wait_stat("subscribers", 3).await;
}

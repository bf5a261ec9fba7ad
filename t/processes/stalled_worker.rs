//! A worker that stands still for a while, as one does that is being traced or swapped out.

use std::time::{Duration, Instant};

use crate::connection_to;
use crate::support::process::{Pid, send_signal};
use crate::support::{self, Builder, Nginx, Raw};

const LARGE: usize = 20_000;

async fn post(publisher: &mut Raw, target: &str, text: &str) -> u16 {
    let length = format!("Content-Length: {}", text.len());
    publisher.request(&format!("POST {target}"), &[&length]).await;
    publisher.send(text).await;
    publisher.answer().await.status()
}

fn text(n: u64) -> String {
    format!("{n:x<LARGE$}")
}

/// A subscriber's location whose clients may fall far behind.
fn builder(zone: &str) -> Builder {
    Nginx::builder()
        .workers(2)
        .zone(zone)
        .location("/pid", "return 200 $pid;")
        .subscriber(
            "all",
            r#"push_stream_subscriber_max_pending 64m;
            push_stream_message_template "~id~ ~text~\n";"#,
        )
        .expect_log("unable to allocate")
}

async fn subscribe(nginx: &Nginx, worker: Pid, channel: &str) -> Raw {
    let mut raw = connection_to(nginx, worker).await;
    raw.request(&format!("GET /all/{channel}"), &[]).await;
    assert_eq!(raw.head().await.status(), 200);
    raw
}

async fn dropped(statistics: &mut Raw) -> u64 {
    metric(statistics, r#"push_stream_messages_dropped_total{cause="memory"} "#).await
}

/// LIFE-58: a worker that stands still for two seconds misses nothing that was answered 200, stored or not:
/// what there is no room for meanwhile is refused, and reaches nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stands_still_for_a_moment() {
    let _alone = support::alone().await;
    for publish in ["/live", "/pub"] {
        let nginx = builder("1m").start().await;
        let pids: Vec<_> = nginx.worker_pids().into_iter().collect();
        let mut publisher = connection_to(&nginx, pids[0]).await;
        let mut beside = subscribe(&nginx, pids[0], "c").await;
        let mut behind = subscribe(&nginx, pids[1], "c").await;
        let target = format!("{publish}?id=c");

        send_signal(pids[1], libc::SIGSTOP);
        let begin = Instant::now();
        let (mut accepted, mut refused) = (0, 0);
        while begin.elapsed() < Duration::from_secs(2) {
            match post(&mut publisher, &target, &text(accepted + 1)).await {
                200 => {
                    accepted += 1;
                    beside.expect_chunk(format!("{accepted} {}\n", text(accepted))).await;
                }
                500 => refused += 1,
                status => panic!("{status}"),
            }
        }
        send_signal(pids[1], libc::SIGCONT);
        assert!(accepted > 20 && refused > 0, "{accepted} accepted, {refused} refused");
        for n in 1..=accepted {
            behind.expect_chunk(format!("{n} {}\n", text(n))).await;
        }
        support::wait_for("room", || async {
            let status = nginx.post(&target, "after").await.status;
            (status == 200).then_some(())
        })
        .await;
        for raw in [&mut beside, &mut behind] {
            raw.expect_chunk(format!("{} after\n", accepted + 1)).await;
        }
        assert_eq!(dropped(&mut publisher).await, 0);
    }
}

/// LIFE-44, LIFE-58, STAT-71: one that stands still for longer than five seconds misses what there is no
/// room for; that is counted and logged, and all others are served. When it goes on, its subscribers get what
/// has waited, in order, and then everything that is published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stands_still_for_long() {
    let _alone = support::alone().await;
    for publish in ["/live", "/pub"] {
        let nginx = builder("1m")
            .http("push_stream_max_messages_stored_per_channel 3;")
            .expect_log("has taken no messages for 5 seconds")
            .start()
            .await;
        let pids: Vec<_> = nginx.worker_pids().into_iter().collect();
        let mut publisher = connection_to(&nginx, pids[0]).await;
        let mut beside = subscribe(&nginx, pids[0], "c").await;
        let mut behind = Vec::new();
        for _ in 0..2 {
            behind.push(subscribe(&nginx, pids[1], "c").await);
        }
        let target = format!("{publish}?id=c");

        send_signal(pids[1], libc::SIGSTOP);
        let begin = Instant::now();
        let (mut accepted, mut refused_at) = (0, Duration::ZERO);
        while begin.elapsed() < Duration::from_secs(10) {
            match post(&mut publisher, &target, &text(accepted + 1)).await {
                200 => {
                    accepted += 1;
                    beside.expect_chunk(format!("{accepted} {}\n", text(accepted))).await;
                }
                500 => refused_at = begin.elapsed(),
                status => panic!("{status}"),
            }
        }
        assert!(refused_at < Duration::from_secs(8), "refused after {refused_at:?}");
        let missed = dropped(&mut publisher).await;
        assert!(missed > 0, "{accepted} accepted");
        assert_eq!(nginx.log_lines("has taken no messages for 5 seconds").len(), 1);
        let line = &nginx.log_lines("has taken no messages for 5 seconds")[0];
        let told = format!("worker {} has taken no messages for 5 seconds", pids[1]);
        assert!(line.contains(&told) && line.ends_with(r#"channel "c""#), "{line}");
        send_signal(pids[1], libc::SIGCONT);

        for raw in &mut behind {
            let mut last = 0;
            for _ in 0..accepted - missed / 2 {
                let chunk = raw.chunk().await.expect("an open stream");
                let chunk = String::from_utf8(chunk).expect("text");
                let n = chunk.split(' ').next().and_then(|n| n.parse().ok()).expect("an id");
                assert!(chunk == format!("{n} {}\n", text(n)), "message {n} is another");
                assert!(n == last + 1 || n > last && last > 10, "{n} after {last}");
                last = n;
            }
        }
        nginx.wait_log(&format!("{missed} deliveries to its subscribers are missing")).await;
        assert_eq!(nginx.post(&target, "after").await.status, 200);
        for raw in behind.iter_mut().chain([&mut beside]) {
            raw.expect_chunk(format!("{} after\n", accepted + 1)).await;
        }
        assert_eq!(dropped(&mut publisher).await, missed);
    }
}

/// LIFE-51, LIFE-58: stored messages that the channel has given up, too, are kept for a worker that stands
/// still, until the zone is full: then publishers are refused, so that nothing acknowledged is missed. When
/// the worker goes on, or is killed, there is room at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_filled_by_a_standstill() {
    let _alone = support::alone().await;
    let nginx = builder("2m").http("push_stream_max_messages_stored_per_channel 3;").start().await;
    let pids: Vec<_> = nginx.worker_pids().into_iter().collect();
    let mut publisher = connection_to(&nginx, pids[0]).await;
    let mut behind = subscribe(&nginx, pids[1], "s").await;

    let mut published = 0;
    for round in 0..3 {
        let victim = *nginx.worker_pids().iter().find(|&&pid| pid != pids[0]).expect("a worker");
        send_signal(victim, libc::SIGSTOP);
        let before = published;
        while post(&mut publisher, "/pub?id=s", &text(published + 1)).await == 200 {
            published += 1;
        }
        let count = published - before;
        assert!(
            (10..=2 * 1024 * 1024 / LARGE as u64).contains(&count),
            "round {round}: {count} messages"
        );
        if round == 2 {
            nginx.kill_worker(victim);
        } else {
            send_signal(victim, libc::SIGCONT);
            for n in before + 1..=published {
                behind.expect_chunk(format!("{n} {}\n", text(n))).await;
            }
        }
        support::wait_for("room", || async {
            let free = nginx.call("GET", "/stats").try_send().await.ok()?.json();
            (free["stored_messages"] == 3).then_some(())
        })
        .await;
    }
    support::wait_for("room for a message", || async {
        let answer = nginx.call("POST", "/pub?id=s").body(text(1)).try_send().await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;
}

/// DEL-5, PUB-92, DIR-147: a DELETE is answered, and the channel gone, while a worker with subscribers of
/// it stands still. The text waits in the zone until they have been told, no longer.
#[tokio::test]
async fn a_deletion_that_a_worker_hears_late() {
    let nginx = Nginx::builder().workers(2).location("/pid", "return 200 $pid;").start().await;
    let pids: Vec<_> = nginx.worker_pids().into_iter().collect();
    let mut client = connection_to(&nginx, pids[0]).await;
    let empty = nginx.zone_used().await;
    let mut behind = connection_to(&nginx, pids[1]).await;
    behind.request("GET /sub/d", &[]).await;
    assert_eq!(behind.head().await.status(), 200);
    let before = zone_used(&mut client).await;

    send_signal(pids[1], libc::SIGSTOP);
    let length = format!("Content-Length: {LARGE}");
    client.request("DELETE /pub?id=d", &[&length]).await;
    client.send(text(1)).await;
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.explanation()), (200, Some("Channel deleted.")));
    client.request("GET /pub?id=d", &[]).await;
    assert_eq!(client.answer().await.status(), 404);
    let held = zone_used(&mut client).await;
    assert!(held >= before + LARGE as u64, "{before} before, {held} while the text waits");
    send_signal(pids[1], libc::SIGCONT);

    behind.expect_chunk(format!("-2 d {}\n", text(1))).await;
    assert_eq!(behind.chunk().await, None);
    support::wait_for("the text to be let go of", || async {
        (nginx.zone_used().await == empty).then_some(())
    })
    .await;
}

async fn zone_used(client: &mut Raw) -> u64 {
    metric(client, "push_stream_zone_used_bytes ").await
}

/// As the worker behind this connection tells it.
async fn metric(client: &mut Raw, name: &str) -> u64 {
    client.request("GET /stats", &["Accept: text/plain; version=0.0.4"]).await;
    let body = String::from_utf8(client.answer().await.body).expect("text");
    let value = body.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.parse().ok()).expect("a number")
}

/// LIFE-82: the death of a worker is told, by the one that takes its place if nobody noticed before.
#[tokio::test]
async fn a_death_is_told() {
    let nginx = Nginx::builder().workers(2).start().await;
    for pid in nginx.worker_pids() {
        nginx.kill_worker(pid);
        nginx.wait_log(&format!("worker {pid} died, what it held is given back")).await;
    }
}

//! A worker that stands still for a while, as one does that is being traced or swapped out.

use crate::connection_to;
use crate::support::process::send_signal;
use crate::support::{self, Nginx, Raw};

const MESSAGES: usize = 200;
const LARGE: usize = 20_000;

async fn post(publisher: &mut Raw, target: &str, text: &str) -> u16 {
    let length = format!("Content-Length: {}", text.len());
    publisher.request(&format!("POST {target}"), &[&length]).await;
    publisher.send(text).await;
    publisher.answer().await.status()
}

fn text(n: usize) -> String {
    format!("{n:x<LARGE$}")
}

/// LIFE-44, LIFE-58, STAT-71: what waits for a worker that stands still is bounded: unstored messages take
/// a quarter of the zone and no more, whoever publishes is answered 200 and subscribers elsewhere get
/// everything. Stored ones are all kept for it, until the zone is full. When it goes on, its
/// subscribers get what waited, in order, and then everything that is published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stands_still() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder()
        .workers(2)
        .zone("8m")
        .location("/pid", "return 200 $pid;")
        .subscriber(
            "all",
            r#"push_stream_subscriber_max_pending 64m;
            push_stream_message_template "~id~ ~text~\n";"#,
        )
        .expect_log("takes its messages too slowly")
        .start()
        .await;
    let pids: Vec<_> = nginx.worker_pids().into_iter().collect();
    let mut publisher = connection_to(&nginx, pids[0]).await;
    let mut statistics = connection_to(&nginx, pids[0]).await;
    let mut beside = connection_to(&nginx, pids[0]).await;
    beside.request("GET /all/stored/live", &[]).await;
    assert_eq!(beside.head().await.status(), 200);
    let mut behind = Vec::new();
    for channel in ["stored", "live", "stored"] {
        let mut raw = connection_to(&nginx, pids[1]).await;
        raw.request(&format!("GET /all/{channel}"), &[]).await;
        assert_eq!(raw.head().await.status(), 200);
        behind.push(raw);
    }

    send_signal(pids[1], libc::SIGSTOP);
    // 4 MB unstored: twice what may wait. Then as much stored as the rest of the zone takes in any case.
    for n in 1..=MESSAGES {
        assert_eq!(post(&mut publisher, "/live?id=live", &text(n)).await, 200, "message {n}");
        beside.expect_chunk(format!("{n} {}\n", text(n))).await;
    }
    for n in 1..=MESSAGES {
        assert_eq!(post(&mut publisher, "/pub?id=stored", &text(n)).await, 200, "message {n}");
        beside.expect_chunk(format!("{n} {}\n", text(n))).await;
    }
    // Whoever does not need that worker is served.
    statistics.request("GET /stats", &[]).await;
    assert_eq!(statistics.answer().await.status(), 200);
    send_signal(pids[1], libc::SIGCONT);

    for raw in [0, 2] {
        for n in 1..=MESSAGES {
            behind[raw].expect_chunk(format!("{n} {}\n", text(n))).await;
        }
    }
    // The unstored ones begin with the first, miss none between two that came, and then go on.
    let mut came = 0;
    assert_eq!(post(&mut publisher, "/live?id=live", "after").await, 200);
    let last = format!("{} after\n", MESSAGES + 1);
    loop {
        let chunk = behind[1].chunk().await.expect("an open stream");
        if chunk == last.as_bytes() {
            break;
        }
        came += 1;
        assert!(chunk == format!("{came} {}\n", text(came)).into_bytes(), "message {came}");
    }
    let quarter = 8 * 1024 * 1024 / 4 / LARGE;
    assert!((quarter / 2..=quarter).contains(&came), "{came} of {MESSAGES}");
    let dropped = r#"push_stream_messages_dropped_total{cause="memory"}"#;
    assert_eq!(nginx.metric(dropped).await, (MESSAGES - came) as u64);
    assert_eq!(nginx.log_lines("takes its messages too slowly").len(), 1);
    drop((behind, beside));
    nginx.wait_stat("subscribers", 0).await;
}

/// LIFE-51, LIFE-58: stored messages that the channel has given up, too, are kept for a worker that stands
/// still, until the zone is full: then publishers are refused, so that nothing acknowledged is missed. When
/// the worker goes on, or is killed, there is room at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_filled_by_a_standstill() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder()
        .workers(2)
        .zone("2m")
        .http("push_stream_max_messages_stored_per_channel 3;")
        .location("/pid", "return 200 $pid;")
        .subscriber(
            "all",
            r#"push_stream_subscriber_max_pending 64m;
               push_stream_message_template "~id~ ~text~\n";"#,
        )
        .expect_log("unable to allocate")
        .start()
        .await;
    let pids: Vec<_> = nginx.worker_pids().into_iter().collect();
    let mut publisher = connection_to(&nginx, pids[0]).await;
    let mut behind = connection_to(&nginx, pids[1]).await;
    behind.request("GET /all/s", &[]).await;
    assert_eq!(behind.head().await.status(), 200);

    let mut published = 0;
    for round in 0..3 {
        let victim = *nginx.worker_pids().iter().find(|&&pid| pid != pids[0]).expect("a worker");
        send_signal(victim, libc::SIGSTOP);
        let before = published;
        while post(&mut publisher, "/pub?id=s", &text(published + 1)).await == 200 {
            published += 1;
        }
        let count = published - before;
        assert!((10..=2 * 1024 * 1024 / LARGE).contains(&count), "round {round}: {count} messages");
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

/// As the worker behind this connection tells it.
async fn zone_used(client: &mut Raw) -> u64 {
    client.request("GET /stats", &["Accept: text/plain; version=0.0.4"]).await;
    let body = String::from_utf8(client.answer().await.body).expect("text");
    let value = body.lines().find_map(|line| line.strip_prefix("push_stream_zone_used_bytes "));
    value.and_then(|value| value.parse().ok()).expect("a number")
}

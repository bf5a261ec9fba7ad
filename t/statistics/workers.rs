//! Workers that come, go and die (STAT-56..62).

use crate::support::process::limit_memory;
use crate::support::{self, Answer, Client, Nginx, next_second, wait_for, wait_within};
use crate::{FORMATS, pids, workers};

/// STAT-56, STAT-57, STAT-58, LIFE-74, LIFE-75, LIFE-95: uptimes, and workers that come and go.
#[tokio::test]
async fn uptime_and_reload() {
    let nginx = Nginx::builder().listen("").workers(3).start().await;
    nginx.publish("u", "x").await;
    for _ in 0..3 {
        next_second().await;
    }
    for count in [1, 5, 2] {
        nginx.reload_with(|builder| builder.workers(count)).await;
        let pids = nginx.worker_pids();
        let stats = wait_for("only the new workers", || async {
            let stats = nginx.stats().await;
            let shown = workers(&stats).iter().filter_map(|worker| worker["pid"].as_str());
            let shown = shown.filter_map(|pid| pid.parse().ok()).collect();
            (pids == shown).then_some(stats)
        })
        .await;
        let uptime = stats["uptime"].as_u64().expect("an uptime");
        assert!(uptime >= 2, "{stats}");
        for worker in workers(&stats) {
            assert!(worker["uptime"].as_u64().is_some_and(|seconds| seconds < uptime), "{stats}");
        }
    }
    assert_eq!(nginx.channel_stat("u", "stored_messages").await, 1);
}

/// STAT-59, STAT-60, LIFE-83: a killed worker's place is taken and its subscribers are subtracted.
#[tokio::test]
async fn a_killed_worker() {
    let nginx = Nginx::start().await;
    let mut streams = Vec::new();
    for _ in 0..40 {
        streams.push(nginx.stream("/sub/k/l").await);
    }
    let stats = nginx.stats().await;
    let victim = workers(&stats).iter().max_by_key(|worker| worker["subscribers"].as_u64());
    let victim = victim.expect("a worker");
    let lost = victim["subscribers"].as_u64().expect("a count");
    assert!(lost > 0);
    let pid = victim["pid"].as_str().and_then(|pid| pid.parse().ok()).expect("a pid");
    nginx.kill_worker(pid);
    nginx.all_workers().await;
    wait_within(std::time::Duration::from_secs(5), "right counts", || async {
        let stats = nginx.stats().await;
        let sum: u64 = workers(&stats).iter().filter_map(|one| one["subscribers"].as_u64()).sum();
        let channel = nginx.channel_stat("k", "subscribers").await;
        let total = stats["subscribers"].as_u64();
        (total == Some(40 - lost) && sum == 40 - lost && channel == 40 - lost).then_some(())
    })
    .await;
}

/// A summary of any format that has a worker, and after the last one what belongs there (STAT-36..40).
fn assert_whole(answer: &Answer) {
    let text = answer.text();
    let (worker, end) = match answer.header("content-type") {
        Some("application/json") => {
            assert!(!workers(&answer.json()).is_empty());
            return;
        }
        Some("text/plain") => ("  pid: ", "\r\n"),
        Some("application/yaml") => ("   -\r\n    pid: ", "\r\n"),
        Some("application/xml") => ("<worker>\r\n", "</worker>\r\n</by_worker>\r\n</infos>\r\n"),
        other => panic!("no format: {other:?}"),
    };
    let count = text.matches(worker).count();
    assert!(count > 0 && text.ends_with(end) && !text.ends_with(",\r\n"), "{text}");
    // A separator stands between two workers, nowhere else (STAT-62).
    if worker == "  pid: " {
        assert_eq!(text.matches(",\r\n").count(), count - 1, "{text}");
    }
}

/// STAT-62: the summary is well-formed while workers start and stop.
#[tokio::test]
async fn a_summary_at_any_moment() {
    let nginx = Nginx::builder().listen("").start().await;
    let port = nginx.port;
    let asking = tokio::spawn(async move {
        let mut seen = 0;
        loop {
            let (accept, _) = FORMATS[seen % FORMATS.len()];
            let call = support::Call::new(port, "GET", "/stats").header("Accept", accept);
            // A connection may fall between two generations; an answer must be whole.
            if let Ok(answer) = call.try_send().await {
                assert_whole(&answer);
                seen += 1;
            }
            if seen >= 300 {
                return;
            }
        }
    });
    for count in [1, 6, 2, 4] {
        nginx.reload_with(|builder| builder.workers(count)).await;
    }
    asking.await.expect("every summary was well-formed");
}

/// STAT-58: by process slot, so that a successor is listed where its predecessor was, whatever its pid.
#[tokio::test]
async fn a_successor_takes_the_place() {
    let nginx = Nginx::start().await;
    let before = pids(&nginx.stats().await);
    nginx.kill_worker(before[1]);
    let new = wait_for("a successor", || async {
        nginx.worker_pids().into_iter().find(|pid| !before.contains(pid))
    })
    .await;
    let expected = [before[0], new, before[2], before[3]];
    wait_within(std::time::Duration::from_secs(5), "the successor in its place", || async {
        (pids(&nginx.stats().await) == expected).then_some(())
    })
    .await;
}

/// STAT-27: a list for which the worker has no memory is answered 500, and the worker goes on.
#[tokio::test]
async fn a_list_larger_than_memory() {
    let nginx = Nginx::builder().workers(1).zone("64m").expect_log("no memory for").start().await;
    let mut client = Client::connect(nginx.port).await.expect("connect");
    for n in 0..20_000 {
        let target = format!("/live?id={n:x>300}");
        assert_eq!(client.post(&target, "x").await.expect("an answer").status, 200);
    }
    let pids = nginx.worker_pids();
    let worker = *pids.first().expect("a worker");
    let len = nginx.get("/stats?id=ALL").await.body.len();
    assert!(len > 6_000_000, "{len}");
    limit_memory(worker, Some(4_000_000));
    for format in ["application/json", "text/plain", "application/yaml", "application/xml"] {
        let answer = nginx.call("GET", "/stats?id=ALL").header("Accept", format).send().await;
        assert_eq!(answer.status, 500, "{format}");
    }
    assert_eq!(nginx.stat("channels").await, 20_000);
    limit_memory(worker, None);
    assert!(nginx.get("/stats?id=ALL").await.body.len() >= len);
    assert_eq!(nginx.worker_pids(), pids);
}

/// STAT-27: of more workers than the zone has places for, those without one cannot list
/// channels, and say so.
#[tokio::test]
async fn a_list_from_a_worker_without_a_place() {
    let nginx = Nginx::builder()
        .workers(40)
        .zone("128k")
        .expect_log("is too small for so many workers")
        .start()
        .await;
    let (mut lists, mut refused) = (0, 0);
    while lists == 0 || refused == 0 {
        let answer = nginx.get("/stats?id=ALL").await;
        match answer.status {
            200 => lists += 1,
            500 => refused += 1,
            other => panic!("{other}"),
        }
        // The summary needs no place.
        assert_eq!(workers(&nginx.stats().await).len(), 32);
    }
}

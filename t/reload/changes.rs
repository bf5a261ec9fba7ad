//! What a reload changes while old workers still drain, and accidents meanwhile.

use std::collections::BTreeSet;

use crate::support::process::Pid;
use crate::support::{Builder, Nginx, wait_for};
use crate::{builder, long_drain, old_workers, old_workers_gone};

const DRAIN: &str = "push_stream_reload_drain 10m;";

/// LIFE-101: from 3 workers to 1 to 5: subscribers of every generation get everything, each in its order.
#[tokio::test]
async fn numbers_of_workers() {
    let nginx = long_drain().listen("").workers(3).start().await;
    let mut streams = Vec::new();
    let mut n = 0;
    for workers in [3, 1, 5] {
        nginx.reload_with(|builder| builder.workers(workers)).await;
        for _ in 0..6 {
            streams.push(nginx.stream(&format!("/stream/c.b{n}")).await);
        }
        for stream in streams.iter_mut().rev().take(6) {
            for old in 1..=n {
                assert_eq!(stream.line().await, format!("{old} m{old}"));
            }
        }
        for _ in 0..10 {
            n += 1;
            let answer = nginx.publish("c", format!("m{n}")).await;
            assert_eq!(answer.json()["subscribers"], streams.len());
            for stream in &mut streams {
                assert_eq!(stream.line().await, format!("{n} m{n}"));
            }
        }
    }
    let stats = nginx.stats().await;
    let listed = stats["by_worker"].as_array().expect("a list");
    let sum: u64 = listed.iter().filter_map(|worker| worker["subscribers"].as_u64()).sum();
    assert_eq!((sum, stats["subscribers"].as_u64()), (18, Some(18)), "{stats}");
    drop(streams);
    old_workers_gone(&nginx).await;
    nginx.wait_stat("subscribers", 0).await;
    assert_eq!(nginx.stats().await["by_worker"].as_array().map(Vec::len), Some(5));
}

/// LIFE-100, DIR-102, PAD-7: each worker has the templates, limits and paddings of its configuration, over
/// the same messages.
#[tokio::test]
async fn templates_limits_and_padding() {
    let with = |builder: Builder, most: u32, location: &str| {
        let limit = format!("{DRAIN} push_stream_max_subscribers_per_channel {most};");
        builder.http(&limit).subscriber("t", location)
    };
    let padded = r#"push_stream_message_template "old ~text~\n";
                    push_stream_padding_by_user_agent ".*,0,40";"#;
    let plain = r#"push_stream_message_template "<~id~>\n";"#;
    let nginx = with(Nginx::builder(), 2, padded).start().await;
    let get = || nginx.call("GET", "/t/c").header("User-Agent", "any");
    let mut old = get().stream().await;
    nginx.reload_with(|builder| with(builder.without_http().without_server(), 3, plain)).await;
    old_workers(&nginx).await;
    let mut new = [get().stream().await, get().stream().await];
    assert_eq!(get().send().await.status, 403);
    nginx.publish("c", "text").await;
    assert_eq!(old.line().await, "old text");
    assert!(old.exactly(31).await.iter().all(|byte| b"\r\n".contains(byte)));
    for stream in &mut new {
        assert_eq!(stream.line().await, "<1>");
    }
}

/// LIFE-93: a configuration that does not load changes nothing for those who are being drained either.
#[tokio::test]
async fn a_refused_reload() {
    let nginx = long_drain().start().await;
    let mut old = nginx.stream("/stream/c").await;
    nginx.reload().await;
    old_workers(&nginx).await;
    let mut new = nginx.stream("/stream/c").await;
    nginx
        .reload_refused(
            |builder| builder.http("push_stream_message_ttl 0;"),
            "push_stream_message_ttl cannot be zero",
        )
        .await;
    nginx.publish("c", "x").await;
    assert_eq!(old.line().await, "1 x");
    assert_eq!(new.line().await, "1 x");
}

/// LIFE-104, EVT-9: old workers tell the events channel of the new configuration when their subscribers go.
#[tokio::test]
async fn another_events_channel() {
    let with = |builder: Builder, id: &str| {
        builder.http(&format!("{DRAIN} push_stream_events_channel_id {id};"))
    };
    let watch = "push_stream_allow_connections_to_events_channel on;
                 push_stream_message_template \"~event-type~ ~text~\\n\";";
    let nginx = with(builder(), "one").subscriber("watch", watch).start().await;
    let old = nginx.stream("/stream/c").await;
    nginx.reload_with(|builder| with(builder.without_http(), "two")).await;
    old_workers(&nginx).await;
    let mut watcher = nginx.stream("/watch/two").await;
    drop(old);
    let told = r#"client_unsubscribed {"type": "client_unsubscribed", "channel": "c"}"#;
    while watcher.line().await != told {}
    old_workers_gone(&nginx).await;
}

/// LIFE-70, LIFE-71, PUB-97: a message that an old worker has half received when the reload comes reaches
/// the subscribers of both, in one order with what new workers publish meanwhile.
#[tokio::test]
async fn a_half_received_message() {
    let nginx = long_drain().start().await;
    let mut streams = vec![nginx.stream("/stream/c").await];
    let mut slow = nginx.raw().await;
    slow.begin_upload("/pub?id=c", 10).await;
    slow.send("01234").await;
    nginx.reload().await;
    old_workers(&nginx).await;
    for _ in 0..8 {
        streams.push(nginx.stream("/stream/c").await);
    }
    nginx.publish("c", "meanwhile").await;
    slow.send("56789").await;
    let answer = slow.answer().await;
    assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
    nginx.publish("c", "later").await;
    for stream in &mut streams {
        assert_eq!(stream.lines(3).await, ["1 meanwhile", "2 0123456789", "3 later"]);
    }
}

/// LIFE-83, LIFE-84: an old worker that is killed while it drains leaves nothing behind.
#[tokio::test]
async fn a_killed_old_worker() {
    let nginx = long_drain().workers(2).start().await;
    let mut streams = Vec::new();
    for _ in 0..6 {
        streams.push(nginx.stream("/stream/c").await);
    }
    nginx.reload().await;
    // Those without subscribers have gone.
    let with_subscribers: BTreeSet<Pid> = listed(&nginx).await;
    let old: Vec<Pid> = old_workers(&nginx).await;
    streams.push(nginx.stream("/stream/c").await);
    for pid in old.into_iter().filter(|pid| with_subscribers.contains(pid)) {
        nginx.kill_worker(pid);
    }
    nginx.wait_stat("subscribers", 1).await;
    nginx.publish("c", "x").await;
    assert_eq!(streams.pop().expect("the last").line().await, "1 x");
    assert_eq!(nginx.worker_pids().len(), 2);
    wait_for("nobody else to be listed", || async {
        (listed(&nginx).await == nginx.worker_pids()).then_some(())
    })
    .await;
}

/// The workers in the statistics.
async fn listed(nginx: &Nginx) -> BTreeSet<Pid> {
    let stats = nginx.stats().await;
    let workers = stats["by_worker"].as_array().expect("a list").iter();
    let pid = |worker: &serde_json::Value| worker["pid"].as_str()?.parse().ok();
    workers.map(|worker| pid(worker).expect("a pid")).collect()
}

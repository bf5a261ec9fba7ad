//! Events and what goes wrong around them.

use crate::support::{Nginx, wait_for};
use crate::{expect, line, with_events};

/// The worker with the most subscribers, and how many it has.
async fn busiest_worker(nginx: &Nginx) -> (i32, u64) {
    let stats = nginx.stats().await;
    let workers = stats["by_worker"].as_array().expect("a list");
    let of = |worker: &serde_json::Value| {
        let pid = worker["pid"].as_str().expect("a pid").parse().expect("a number");
        (pid, worker["subscribers"].as_u64().expect("a number"))
    };
    workers.iter().map(of).max_by_key(|(_, subscribers)| *subscribers).expect("a worker")
}

/// LIFE-82..86: the subscriptions of a killed worker end, each of them is told once, by whoever gives
/// back what it held.
#[tokio::test]
async fn a_killed_worker() {
    const SUBSCRIBERS: u64 = 24;
    let nginx = with_events("events").start().await;
    let mut streams = Vec::new();
    for _ in 0..SUBSCRIBERS {
        streams.push(nginx.stream("/sub/k").await);
    }
    let mut left = SUBSCRIBERS;
    for _ in 0..3 {
        let (victim, had) = busiest_worker(&nginx).await;
        nginx.kill_worker(victim);
        left -= had;
        nginx.wait_channel_stat("k", "subscribers", left).await;
        let told = 1 + SUBSCRIBERS + (SUBSCRIBERS - left);
        nginx.wait_channel_stat("events", "published_messages", told).await;
        nginx.all_workers().await;
    }
    assert!(left < SUBSCRIBERS, "the busiest workers had none of {SUBSCRIBERS}");
    drop(streams);
    nginx.wait_channel_stat("k", "subscribers", 0).await;
    let mut watcher = nginx.stream("/events/events.b1000").await;
    expect(&mut watcher, 1, &[("channel_created", "k")]).await;
    expect(&mut watcher, 2, &[("client_subscribed", "k"); SUBSCRIBERS as usize]).await;
    expect(&mut watcher, 2 + SUBSCRIBERS, &[("client_unsubscribed", "k"); SUBSCRIBERS as usize])
        .await;
}

/// EVT-14, LIFE-56: in a full zone events are dropped, and everything that needs no room goes on.
#[tokio::test]
async fn a_full_zone() {
    let nginx = with_events("events")
        .zone("128k")
        .expect_log("unable to allocate message in shared memory")
        .start()
        .await;
    let mut streams = [nginx.stream("/sub/gone").await, nginx.stream("/sub/gone").await];
    let mut texts = vec!["x".repeat(2000), "x".repeat(200), "x".to_string()];
    while let Some(text) = texts.first() {
        match nginx.post("/pub?id=full", text).await.status {
            200 => {}
            500 => drop(texts.remove(0)),
            other => panic!("{other}"),
        }
    }
    let told = nginx.channel_stat("events", "published_messages").await;
    assert_eq!(nginx.delete("/pub?id=gone").await.status, 200);
    for stream in &mut streams {
        assert!(stream.line().await.contains("Channel deleted"));
    }
    assert_eq!(nginx.delete("/pub?id=full").await.status, 200);
    wait_for("events again", || async {
        nginx.post("/pub?id=new", "x").await;
        nginx.delete("/pub?id=new").await;
        (nginx.channel_stat("events", "published_messages").await > told + 4).then_some(())
    })
    .await;
    let last = nginx.channel_stat("events", "published_messages").await;
    let mut newest = nginx.stream("/events/events.b1").await;
    assert_eq!(newest.line().await, line(last, "channel_destroyed", "new"));
}

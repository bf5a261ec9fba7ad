//! Workers that die, stop or are alone.

use crate::support::stream::End;
use crate::support::{Nginx, wait_for};

/// LIFE-83, LIFE-85, PUB-52: what a killed worker leaves untouched.
#[tokio::test]
async fn a_killed_worker() {
    let nginx = Nginx::start().await;
    for n in 1..=3 {
        nginx.publish("k", format!("m{n}")).await;
    }
    let mut streams = Vec::new();
    for _ in 0..40 {
        streams.push(nginx.stream("/sub/k").await);
    }
    let victim = *nginx.worker_pids().first().expect("a worker");
    nginx.kill_worker(victim);
    nginx.all_workers().await;
    nginx.publish("k", "after").await;
    let mut alive = 0;
    for stream in &mut streams {
        match stream.next_line().await {
            Ok(line) => {
                assert_eq!(line, "4 k after");
                alive += 1;
            }
            Err(end) => assert_eq!(end, End::Cut),
        }
    }
    assert!((1..40).contains(&alive), "{alive} of 40 connections survived");
    nginx.wait_stat("subscribers", alive).await;
    nginx.wait_channel_stat("k", "subscribers", alive).await;
    assert_eq!(nginx.stream("/sub/k.b9").await.lines(4).await[3], "4 k after");
}

/// LIFE-86: however many die at once, the rest and their successors go on.
#[tokio::test]
async fn all_workers_killed_at_once() {
    let nginx = Nginx::start().await;
    nginx.publish("k", "before").await;
    for round in 0..5 {
        let _lost = nginx.stream("/sub/k").await;
        for pid in nginx.worker_pids() {
            nginx.kill_worker(pid);
        }
        wait_for("an answer", || async {
            let answer = nginx.call("POST", "/pub?id=k").body("x").try_send().await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        nginx.all_workers().await;
        nginx.wait_stat("subscribers", 0).await;
        assert!(nginx.channel_stat("k", "stored_messages").await >= round + 2);
    }
}

/// LIFE-88: without a master, in one process.
#[tokio::test]
async fn a_single_process() {
    let nginx = Nginx::builder().single_process().start().await;
    nginx.publish("one", "old").await;
    let mut streams =
        [nginx.stream("/sub/one.b1").await, nginx.stream("/sub/one/two.b3/one.b1").await];
    nginx.publish_live("one", "new").await;
    for stream in &mut streams {
        assert_eq!(stream.lines(2).await, ["1 one old", "2 one new"]);
    }
    let stats = nginx.stats().await;
    assert_eq!(stats["subscribers"], 2);
    assert_eq!(stats["by_worker"].as_array().map(Vec::len), Some(1));
    nginx.delete("/pub?id=one").await;
    assert_eq!(streams[0].line().await, "-2 one Channel deleted");
    assert_eq!(streams[0].rest().await, (Vec::new(), End::Clean));
}

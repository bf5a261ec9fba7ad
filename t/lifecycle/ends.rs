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

/// LIFE-50: with `error_log ... debug` nginx tells of each timer, and reads it for that: of the workers' own, of
/// pings, and of subscribers' ends.
#[tokio::test]
async fn a_log_that_tells_everything() {
    let nginx = Nginx::builder()
        .main("error_log debug.log debug;")
        .http("push_stream_message_ttl 1s; push_stream_ping_message_text ping;")
        .subscriber(
            "timed",
            "push_stream_ping_message_interval 100ms; push_stream_subscriber_connection_ttl 1s;
             push_stream_message_template \"~text~\\n\"; push_stream_footer_template FOOT;",
        )
        .start()
        .await;
    let workers = nginx.worker_pids();
    for _ in 0..3 {
        nginx.publish("d", "x").await;
        let mut streams = Vec::new();
        for _ in 0..8 {
            streams.push(nginx.stream("/timed/d").await);
        }
        for stream in &mut streams {
            assert_eq!(stream.lines(3).await, ["ping"; 3]);
            assert_eq!(stream.rest().await.1, End::Clean);
        }
        nginx.wait_channel_stat("d", "stored_messages", 0).await;
    }
    assert_eq!(nginx.worker_pids(), workers);
    nginx.reload().await;
    nginx.publish("d", "x").await;
}

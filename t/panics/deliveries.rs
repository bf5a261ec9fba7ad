//! Panics on the way of a message to its subscribers, and in what the worker does by itself.

use super::{Scene, builder};
use crate::support::stream::End;
use crate::support::{Builder, Raw, Stream};

fn server() -> Builder {
    builder().mode("long-polling", "lp", "").http("push_stream_message_ttl 1s;")
}

/// Two on a channel; what each of them has got when it is over.
async fn two(scene: &Scene) -> [Stream; 2] {
    let two = [scene.nginx.stream("/sub/x").await, scene.nginx.stream("/sub/x").await];
    scene.nginx.wait_channel_stat("x", "subscribers", 2).await;
    two
}

/// One subscriber is cut; the other gets the message.
#[tokio::test]
async fn one_of_two_is_cut() {
    let mut scene = Scene::start(server()).await;
    for place in ["the delivery to a subscriber: begin", "the delivery to a subscriber: sending"] {
        let mut two = two(&scene).await;
        scene.nginx.provoke(place);
        scene.nginx.publish_live("x", "text").await;
        scene.nginx.wait_channel_stat("x", "subscribers", 1).await;
        scene.nginx.publish_live("x", "more").await;
        let cut = cut_one(&mut two, "x text").await;
        assert!(two[1 - cut].line().await.ends_with("x more"));
        drop(two);
        scene.goes_on(place).await;
    }
}

/// Which of the two was cut; the other's next line ends so.
async fn cut_one(two: &mut [Stream; 2], line: &str) -> usize {
    let [first, second] = two;
    let lines = [first.next_line().await, second.next_line().await];
    let cut = lines.iter().position(|line| *line == Err(End::Cut)).expect("one is cut");
    let got = lines[1 - cut].as_ref().expect("the other is not");
    assert!(got.ends_with(line), "{got}");
    cut
}

/// One that waits for its first byte is answered 500, or cut if the head has left.
#[tokio::test]
async fn a_long_poll() {
    let mut scene = Scene::start(server()).await;
    for (place, status) in [
        ("the delivery to a subscriber: begin", 500),
        ("the delivery to a subscriber: a store section", 500),
        ("the delivery to a subscriber: the head has left", 200),
        ("the delivery to a subscriber: sending", 200),
    ] {
        let mut raw: Raw = scene.nginx.raw().await;
        raw.request("GET /lp/x", &[]).await;
        scene.nginx.wait_channel_stat("x", "subscribers", 1).await;
        scene.nginx.provoke(place);
        scene.nginx.publish_live("x", "text").await;
        assert_eq!(raw.head().await.status(), status, "{place}");
        if status == 200 {
            assert!(raw.until_close().await.is_empty(), "{place}");
        }
        scene.goes_on(place).await;
    }
}

/// The deletion of a channel reaches the others.
#[tokio::test]
async fn the_end_of_a_channel() {
    let mut scene = Scene::start(server()).await;
    for place in ["the end of a channel: begin", "the end of a channel: a store section"] {
        let mut two = two(&scene).await;
        scene.nginx.provoke(place);
        assert_eq!(scene.nginx.delete("/pub?id=x").await.status, 200);
        cut_one(&mut two, "x Channel deleted").await;
        scene.goes_on(place).await;
        scene.nginx.wait_gone("x").await;
    }
}

/// What the worker does for all of them is done the next time.
#[tokio::test]
async fn for_all() {
    let mut scene = Scene::start(server()).await;
    for place in [
        "delivery: begin",
        "delivery: a store section",
        "a wake-up: begin",
        "the look at the mailbox: begin",
        "housekeeping: begin",
        "housekeeping: a store section",
    ] {
        // Something to be delivered, and to be swept.
        scene.nginx.publish("x", "text").await;
        let mut two = two(&scene).await;
        scene.nginx.provoke(place);
        for publisher in 0..2 {
            let call = scene.nginx.call("POST", "/pub?id=x").body("text");
            let call = call.header("X-Publisher", &publisher.to_string());
            scene.publishers[publisher].send(call).await.expect("an answer");
            // A worker that has not taken its mail is not woken once more.
            for stream in &mut two {
                assert!(stream.line().await.ends_with("x text"), "{place}");
            }
        }
        drop(two);
        scene.goes_on(place).await;
        scene.nginx.wait_channel_stat("x", "stored_messages", 0).await;
    }
}

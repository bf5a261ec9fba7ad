//! Panics while requests are answered.

use super::{Scene, builder};
use crate::support::Builder;
use crate::support::stream::End;

fn server() -> Builder {
    builder().mode("long-polling", "lp", "").mode("polling", "poll", "")
}

/// Before anything was said: the client gets 500, and no channel, message or subscriber is left.
#[tokio::test]
async fn answered_500() {
    let mut scene = Scene::start(server()).await;
    for (place, method, target) in [
        ("the content handler: begin", "GET", "/stats"),
        ("the content handler: begin", "POST", "/pub?id=x"),
        ("the content handler: begin", "GET", "/sub/x"),
        ("a publish: begin", "POST", "/pub?id=x"),
        ("a publish: begin", "DELETE", "/pub?id=x"),
        ("a publish: a store section", "POST", "/pub?id=x"),
        ("a subscription: begin", "GET", "/sub/x"),
        ("a subscription: begin", "GET", "/lp/x"),
        ("a subscription: a store section", "GET", "/sub/x"),
        ("a subscription: a store section", "GET", "/lp/x"),
        ("a subscription: a store section", "GET", "/poll/x"),
    ] {
        scene.nginx.provoke(place);
        let answer = scene.nginx.call(method, target).body("text").send().await;
        assert_eq!(answer.status, 500, "{place} at {method} {target}: {answer:?}");
        scene.goes_on(place).await;
        assert!(scene.nginx.channel("x").await.is_none(), "{place} at {method} {target}");
    }
}

/// What the zone has got of a subscriber that never was, or has not got back of one that is no more.
#[tokio::test]
async fn what_was_committed() {
    let mut scene = Scene::start(server()).await;
    scene.nginx.publish("x", "text").await;
    for (place, method, target) in [
        ("a subscription: after a commit", "GET", "/sub/x.b1"),
        ("a subscription: after a commit", "GET", "/lp/x"),
        ("a subscription: after a commit", "GET", "/poll/x.b1"),
        ("a publish: after a commit", "POST", "/pub?id=x"),
    ] {
        scene.nginx.provoke(place);
        let answer = scene.nginx.call(method, target).body("text").send().await;
        assert_eq!(answer.status, 500, "{place} at {method} {target}: {answer:?}");
        scene.goes_on(place).await;
        scene.nginx.wait_channel_stat("x", "subscribers", 0).await;
    }
    for place in
        ["what a subscriber leaves: after a commit", "the end of a channel: after a commit"]
    {
        let other = scene.nginx.stream("/sub/x").await;
        let stream = scene.nginx.stream("/sub/x").await;
        scene.nginx.wait_channel_stat("x", "subscribers", 2).await;
        scene.nginx.provoke(place);
        if place.starts_with("the end of a channel") {
            assert_eq!(scene.nginx.delete("/pub?id=x").await.status, 200);
            // As long as it is told them, they are there.
            scene.goes_on(place).await;
            drop((stream, other));
        } else {
            drop(stream);
            scene.nginx.wait_channel_stat("x", "subscribers", 1).await;
            drop(other);
            scene.goes_on(place).await;
        }
        scene.nginx.wait_channel_stat("x", "subscribers", 0).await;
    }
}

/// A publish that panicked leaves no memory behind.
#[tokio::test]
async fn a_publish_gives_its_memory_back() {
    let mut scene = Scene::start(server().zone("256k")).await;
    let text = "x".repeat(20_000);
    for _ in 0..40 {
        scene.nginx.provoke("a publish: a store section");
        assert_eq!(scene.nginx.post("/pub?id=a/b", &text).await.status, 500);
        scene.goes_on("a publish: a store section").await;
    }
    assert_eq!(scene.nginx.post("/pub?id=a/b", &text).await.status, 200);
}

/// After the head has left: the connection is closed, so that the client sees an end that is none. An
/// error page is not sent into what has begun.
#[tokio::test]
async fn cut_after_the_head() {
    let mut scene = Scene::start(server().server("error_page 500 /sub/witness;")).await;
    scene.nginx.publish("stored", "before").await;
    for target in ["/sub/x", "/poll/stored.b1"] {
        let place = "a subscription: the head has left";
        scene.nginx.provoke(place);
        let mut stream = scene.nginx.stream(target).await;
        assert_eq!(stream.rest().await.1, End::Cut, "{target}");
        scene.goes_on(place).await;
    }
    assert_eq!(scene.nginx.channel_stat("x", "subscribers").await, 0);
}

/// What a request leaves is let go of although its answer is out already.
#[tokio::test]
async fn when_all_is_said() {
    let mut scene = Scene::start(server()).await;
    scene.nginx.provoke("a pool cleanup: begin");
    assert_eq!(scene.nginx.post("/pub?id=x", "text").await.status, 200);
    scene.goes_on("a pool cleanup: begin").await;
    for place in [
        "the end of a subscriber: begin",
        "what a subscriber leaves: begin",
        "what a subscriber leaves: a store section",
    ] {
        for target in ["/sub/x.b1/y", "/lp/y/z"] {
            let mut raw = scene.nginx.raw().await;
            raw.request(&format!("GET {target}"), &[]).await;
            scene.nginx.wait_channel_stat("y", "subscribers", 1).await;
            scene.nginx.provoke(place);
            drop(raw);
            scene.goes_on(place).await;
            scene.nginx.wait_channel_stat("y", "subscribers", 0).await;
        }
    }
}

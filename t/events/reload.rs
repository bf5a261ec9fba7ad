//! What a reload makes of the events channel (DIR-195, its sane form).

use crate::support::{Builder, wait_for};
use crate::{events_channel, expect, with_events};

const CHANGED: &str = "Only internal routines can change events channel.";
const LOGGED: &str = "only internal routines can change events channel";

fn renamed(builder: Builder, id: &str) -> Builder {
    events_channel(builder.without_http(), id)
}

async fn old_workers_gone(nginx: &crate::support::Nginx) {
    wait_for("old workers to leave", || async { nginx.retiring_pids().is_empty().then_some(()) })
        .await;
}

/// DIR-195, DIR-106, LIFE-102: an id in a configuration that had none: the channel is made, and nobody crashes.
#[tokio::test]
async fn added() {
    let nginx = with_events("unused").without_http().expect_log(LOGGED).start().await;
    nginx.publish("before", "x").await;
    assert_eq!(nginx.stat("channels").await, 1);
    nginx.reload_with(|builder| renamed(builder, "events")).await;
    assert_eq!(nginx.stat("channels").await, 2);
    nginx.post("/pub?id=events", "x").await.assert_refused(403, Some(CHANGED));
    for id in ["a", "b", "c"] {
        nginx.publish(id, "x").await;
    }
    let mut watcher = nginx.stream("/events/events.b10").await;
    let created = [("channel_created", "a"), ("channel_created", "b"), ("channel_created", "c")];
    expect(&mut watcher, 1, &created).await;
}

/// LIFE-103: the first event of such a channel may be told by the workers' own clock.
#[tokio::test]
async fn added_while_a_channel_expires() {
    let short = "push_stream_channel_inactivity_time 2s;";
    let nginx = with_events("unused").without_http().http(short).start().await;
    nginx.publish_live("idle", "x").await;
    nginx.reload_with(|builder| renamed(builder, "events").http(short)).await;
    let mut watcher = nginx.stream("/events/events.b10").await;
    nginx.wait_gone("idle").await;
    expect(&mut watcher, 1, &[("channel_destroyed", "idle")]).await;
    assert_eq!(nginx.all_workers().await, nginx.worker_pids());
}

/// DIR-195, LIFE-104: another id: events, protection and life go over to the new channel; the old one is an
/// ordinary one and goes when nobody uses it.
#[tokio::test]
async fn changed() {
    let short = "push_stream_channel_inactivity_time 0s; push_stream_message_ttl 1s;";
    let nginx = with_events("old").http(short).expect_log(LOGGED).start().await;
    nginx.publish_live("a", "x").await;
    assert_eq!(nginx.channel_stat("old", "published_messages").await, 1);
    nginx.reload_with(|builder| renamed(builder, "new").http(short)).await;
    old_workers_gone(&nginx).await;
    nginx.post("/pub?id=new", "x").await.assert_refused(403, Some(CHANGED));
    assert_eq!(nginx.post("/pub?id=old", "x").await.status, 200);
    assert_eq!(nginx.get("/sub/new").await.status, 403);
    let mut watcher = nginx.stream("/events/new").await;
    nginx.wait_gone("old").await;
    let told = r#" channel_destroyed {"type": "channel_destroyed", "channel": "old"}"#;
    while !watcher.line().await.ends_with(told) {}
    assert!(nginx.channel("new").await.is_some());
}

/// DIR-195, LIFE-105: no id any more: no events, nothing protected, and the channel goes.
#[tokio::test]
async fn removed() {
    let short = "push_stream_channel_inactivity_time 0s; push_stream_message_ttl 1s;";
    let nginx = with_events("events").http(short).start().await;
    nginx.publish_live("a", "x").await;
    nginx.reload_with(|builder| builder.without_http().http(short)).await;
    old_workers_gone(&nginx).await;
    assert_eq!(nginx.post("/pub?id=events", "x").await.status, 200);
    nginx.wait_gone("events").await;
    nginx.publish_live("b", "x").await;
    assert!(nginx.channel("events").await.is_none());
}

/// EVT-9: a reload ends subscriptions, and the new workers' subscribers see that. The channel goes on
/// where it was.
#[tokio::test]
async fn kept_and_told_across_a_reload() {
    let nginx = with_events("events").start().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(nginx.stream("/sub/r").await);
    }
    nginx.reload().await;
    old_workers_gone(&nginx).await;
    let mut watcher = nginx.stream("/events/events.b100").await;
    expect(&mut watcher, 1, &[("channel_created", "r")]).await;
    expect(&mut watcher, 2, &[("client_subscribed", "r"); 8]).await;
    expect(&mut watcher, 10, &[("client_unsubscribed", "r"); 8]).await;
    nginx.publish("s", "x").await;
    expect(&mut watcher, 18, &[("channel_created", "s")]).await;
}

/// A configuration that does not load moves nothing.
#[tokio::test]
async fn a_refused_reload() {
    let nginx = with_events("events").expect_log(LOGGED).start().await;
    let wrong = "push_stream_message_ttl 0;";
    nginx
        .reload_refused(
            |builder| renamed(builder, "other").http(wrong),
            "push_stream_message_ttl cannot be zero",
        )
        .await;
    nginx.post("/pub?id=events", "x").await.assert_refused(403, Some(CHANGED));
    nginx.publish("other", "x").await;
    let mut watcher = nginx.stream("/events/events.b1").await;
    expect(&mut watcher, 1, &[("channel_created", "other")]).await;
}

/// An id that users have published to becomes the events channel with what it has.
#[tokio::test]
async fn an_ordinary_channel_becomes_it() {
    let nginx = with_events("unused").without_http().start().await;
    nginx.publish("events", "of a user").await;
    nginx.reload_with(|builder| renamed(builder, "events")).await;
    old_workers_gone(&nginx).await;
    assert_eq!(nginx.stat("stored_messages").await, 0, "its messages are not counted any more");
    nginx.publish("a", "x").await;
    let mut watcher = nginx.stream("/events/events.b10").await;
    assert_eq!(watcher.line().await, "1  of a user");
    expect(&mut watcher, 2, &[("channel_created", "a")]).await;
    assert_eq!(nginx.stat("stored_messages").await, 1);
}

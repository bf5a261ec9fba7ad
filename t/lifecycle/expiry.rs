//! What disappears by itself, and when.

use crate::support::{Nginx, next_second, wait_for};

/// LIFE-29, LIFE-30, LIFE-32, DIR-180, STAT-54: idle channels go through the trash; channels with
/// a subscriber or a stored message stay.
#[tokio::test]
async fn idle_channels_are_dropped() {
    let nginx = Nginx::builder().http("push_stream_channel_inactivity_time 1s;").start().await;
    nginx.publish("stored", "x").await;
    let mut subscriber = nginx.stream("/sub/watched").await;
    drop(nginx.stream("/sub/created-by-a-subscriber").await);
    nginx.publish_live("idle", "x").await;
    for id in ["idle", "created-by-a-subscriber"] {
        nginx.wait_gone(id).await;
    }
    assert_eq!(nginx.stat("channels").await, 2);
    assert_eq!(nginx.stat("channels_in_trash").await, 2);
    nginx.get("/pub?id=idle").await.assert_refused(404, None);
    assert_eq!(nginx.publish("idle", "x").await.json()["published_messages"], 1);
    nginx.publish_live("watched", "still there").await;
    assert_eq!(subscriber.line().await, "1 watched still there");
    nginx.wait_stat("channels_in_trash", 0).await;
}

/// LIFE-31: the period starts again when the last subscriber leaves.
#[tokio::test]
async fn the_last_subscriber_leaves_a_channel_its_time() {
    let nginx = Nginx::builder().http("push_stream_channel_inactivity_time 3s;").start().await;
    let subscriber = nginx.stream("/sub/quiet").await;
    nginx.publish_live("before", "x").await;
    nginx.wait_gone("before").await;
    nginx.publish_live("control", "x").await;
    drop(subscriber);
    nginx.wait_stat("subscribers", 0).await;
    nginx.wait_gone("quiet").await;
    assert!(nginx.channel("control").await.is_none(), "the older deadline came later");
}

/// PUB-77, DIR-180: with each publish the period starts again; others come and go meanwhile.
#[tokio::test]
async fn a_publish_gives_a_channel_its_time() {
    let nginx = Nginx::builder().http("push_stream_channel_inactivity_time 2s;").start().await;
    let published = std::cell::Cell::new(0);
    for control in ["one", "two", "three"] {
        nginx.publish_live(control, "x").await;
        wait_for("a channel without publishes to go", || async {
            published.set(published.get() + 1);
            let busy = nginx.publish_live("busy", "x").await.json();
            assert_eq!(busy["published_messages"], published.get(), "it was gone in between");
            nginx.channel(control).await.is_none().then_some(())
        })
        .await;
    }
    nginx.wait_gone("busy").await;
}

/// DIR-73: an inactivity time of 0 is allowed.
#[tokio::test]
async fn no_inactivity_time_at_all() {
    let nginx = Nginx::builder().http("push_stream_channel_inactivity_time 0;").start().await;
    nginx.publish_live("brief", "x").await;
    nginx.wait_gone("brief").await;
}

/// LIFE-40, LIFE-42, LIFE-48, DIR-179, PUB-76: a message is not replayed once its time is over, and is
/// removed.
#[tokio::test]
async fn messages_expire() {
    let nginx = Nginx::builder()
        .http("push_stream_message_ttl 2s; push_stream_channel_inactivity_time 60s;")
        .start()
        .await;
    nginx.publish("short", "x").await;
    assert_eq!(nginx.stream("/sub/short.b1").await.line().await, "1 short x");
    for _ in 0..4 {
        next_second().await;
    }
    let mut replay = nginx.stream("/sub/short.b1").await;
    nginx.publish_live("short", "y").await;
    assert_eq!(replay.line().await, "2 short y");
    nginx.wait_stat("stored_messages", 0).await;
    nginx.wait_channel_stat("short", "stored_messages", 0).await;
    assert_eq!(nginx.channel_stat("short", "published_messages").await, 2);
    nginx.wait_stat("messages_in_trash", 0).await;
}

/// LIFE-40, LIFE-41: a changed time to live or maximum touches stored messages no earlier than at
/// the next publish.
#[tokio::test]
async fn limits_changed_by_a_reload() {
    let nginx = Nginx::start().await;
    for n in 1..=5 {
        nginx.publish("kept", format!("m{n}")).await;
    }
    nginx
        .reload_with(|builder| {
            builder
                .http("push_stream_message_ttl 1s; push_stream_max_messages_stored_per_channel 3;")
        })
        .await;
    nginx.publish("new", "x").await;
    nginx.wait_channel_stat("new", "stored_messages", 0).await;
    assert_eq!(nginx.channel_stat("kept", "stored_messages").await, 5);
    assert_eq!(nginx.stream("/sub/kept.b9").await.lines(5).await[0], "1 kept m1");
    assert_eq!(nginx.publish("kept", "m6").await.json()["stored_messages"], 3);
}

/// LIFE-36, LIFE-92, STAT-53: a channel deleted while the worker that serves it dies is collected
/// all the same.
#[tokio::test]
async fn deleted_while_a_worker_dies() {
    let nginx = Nginx::builder().workers(2).start().await;
    for round in 0..10 {
        let id = format!("doomed{round}");
        let mut streams = Vec::new();
        for _ in 0..6 {
            streams.push(nginx.stream(&format!("/sub/{id}")).await);
        }
        nginx.publish(&id, "x").await;
        let victim = *nginx.worker_pids().first().expect("a worker");
        let deletion = nginx.call("DELETE", &format!("/pub?id={id}"));
        let deletion = tokio::spawn(deletion.try_send());
        nginx.kill_worker(victim);
        // The killed worker may have been the one to answer.
        let _ = deletion.await;
        nginx.all_workers().await;
        nginx.delete(&format!("/pub?id={id}")).await;
    }
    wait_for("everything to be collected", || async {
        let stats = nginx.stats().await;
        let fields = ["channels", "stored_messages", "subscribers", "channels_in_delete"];
        fields.iter().all(|field| stats[field] == 0).then_some(())
    })
    .await;
    nginx.wait_stat("channels_in_trash", 0).await;
    nginx.wait_stat("messages_in_trash", 0).await;
}

//! What is told, when, in which order, and how it counts.

use crate::support::{Nginx, next_second, wait_for};
use crate::{expect, line, with_events};

/// EVT-2, EVT-3, EVT-18, DIR-186, PUB-34, STAT-17, STAT-45: there from the start, counted, and kept.
#[tokio::test]
async fn there_from_the_start_and_kept() {
    let nginx = with_events("events").http("push_stream_channel_inactivity_time 0s;").start().await;
    assert_eq!(nginx.stat("channels").await, 1);
    for target in ["/stats?id=events", "/pub?id=events"] {
        let info = nginx.get(target).await;
        assert_eq!(info.status, 200);
        assert_eq!(info.json()["stored_messages"], 0);
    }
    nginx.publish_live("other", "x").await;
    nginx.wait_gone("other").await;
    assert!(nginx.channel("events").await.is_some());
}

/// EVT-4, EVT-5, EVT-7..10, DIR-188, DIR-189: the four events of a channel's life, in any worker.
#[tokio::test]
async fn a_channels_life() {
    let nginx = with_events("events").http("push_stream_channel_inactivity_time 1s;").start().await;
    let mut watchers = Vec::new();
    for _ in 0..8 {
        watchers.push(nginx.stream("/events/events").await);
    }
    let stream = nginx.stream("/sub/a").await;
    nginx.publish_live("a", "no event of its own").await;
    nginx.wait_channel_stat("a", "subscribers", 1).await;
    drop(stream);
    let life = [
        ("channel_created", "a"),
        ("client_subscribed", "a"),
        ("client_unsubscribed", "a"),
        ("channel_destroyed", "a"),
    ];
    for watcher in &mut watchers {
        expect(watcher, 1, &life).await;
    }
    nginx.publish("b", "x").await;
    for watcher in &mut watchers {
        expect(watcher, 5, &[("channel_created", "b")]).await;
    }
    let info = nginx.channel("events").await.expect("it stays");
    assert_eq!((&info["published_messages"], &info["stored_messages"]), (&5.into(), &5.into()));
}

/// EVT-20, EVT-21, EVT-11, DIR-190: all created first, then subscribed in path order; a subscriber sees
/// what follows its own subscription to the events channel, which is no event itself.
#[tokio::test]
async fn the_order_of_one_request() {
    let nginx = with_events("events").start().await;
    let mut watcher = nginx.stream("/events/events").await;
    let mut own = nginx.stream("/events/x/events/y/z").await;
    expect(&mut own, 5, &[("client_subscribed", "y"), ("client_subscribed", "z")]).await;
    let all = [
        ("channel_created", "x"),
        ("channel_created", "y"),
        ("channel_created", "z"),
        ("client_subscribed", "x"),
        ("client_subscribed", "y"),
        ("client_subscribed", "z"),
    ];
    expect(&mut watcher, 1, &all).await;
    drop(own);
    let ends =
        [("client_unsubscribed", "x"), ("client_unsubscribed", "y"), ("client_unsubscribed", "z")];
    expect(&mut watcher, 7, &ends).await;
}

/// EVT-9, EVT-10: with a DELETE, the subscribers' ends and then the channel's; PUB-93 sane: at once.
#[tokio::test]
async fn a_deleted_channel() {
    let nginx = with_events("events").start().await;
    let mut streams = Vec::new();
    for _ in 0..6 {
        streams.push(nginx.stream("/sub/d").await);
    }
    assert_eq!(nginx.delete("/pub?id=d").await.status, 200);
    let mut watcher = nginx.stream("/events/events.b100").await;
    expect(&mut watcher, 1, &[("channel_created", "d")]).await;
    expect(&mut watcher, 2, &[("client_subscribed", "d"); 6]).await;
    expect(&mut watcher, 8, &[("client_unsubscribed", "d"); 6]).await;
    expect(&mut watcher, 14, &[("channel_destroyed", "d")]).await;
    for stream in &mut streams {
        assert!(stream.line().await.contains("Channel deleted"));
    }
    nginx.publish_live("unused", "x").await;
    nginx.delete("/pub?id=unused").await;
    expect(&mut watcher, 15, &[("channel_created", "unused"), ("channel_destroyed", "unused")])
        .await;
}

/// EVT-9: a subscriber whose time is up.
#[tokio::test]
async fn an_expired_subscriber() {
    let nginx = with_events("events")
        .subscriber("brief", "push_stream_subscriber_connection_ttl 1s;")
        .start()
        .await;
    let mut watcher = nginx.stream("/events/events").await;
    nginx.stream("/brief/a").await.ends_with("").await;
    let all = [("channel_created", "a"), ("client_subscribed", "a"), ("client_unsubscribed", "a")];
    expect(&mut watcher, 1, &all).await;
}

/// EVT-9: a subscriber that reads too slowly.
#[tokio::test]
async fn a_slow_subscriber() {
    let warning = "reads too slowly";
    let nginx = with_events("events")
        .subscriber("slow", "push_stream_subscriber_max_pending 64k; send_timeout 1s;")
        .expect_log(warning)
        .start()
        .await;
    let mut watcher = nginx.stream("/events/events").await;
    let _unread = nginx.stream("/slow/a").await;
    let text = vec![b'x'; 1 << 20];
    wait_for("the subscriber to be given up", || async {
        nginx.publish_live("a", &text).await;
        (nginx.channel_stat("a", "subscribers").await == 0).then_some(())
    })
    .await;
    let all = [("channel_created", "a"), ("client_subscribed", "a"), ("client_unsubscribed", "a")];
    expect(&mut watcher, 1, &all).await;
}

/// EVT-7, EVT-8, ADM-15: a poll that is answered at once is no subscription; one that waits is, until
/// it is answered.
#[tokio::test]
async fn polls() {
    let polling =
        |mode| format!("push_stream_subscriber {mode}; push_stream_channels_path $arg_id;");
    let nginx = with_events("events")
        .location("/poll", &polling("polling"))
        .location("/wait", &polling("long-polling"))
        .start()
        .await;
    let mut watcher = nginx.stream("/events/events").await;
    assert_eq!(nginx.get("/poll?id=p").await.status, 304);
    expect(&mut watcher, 1, &[("channel_created", "p")]).await;
    nginx.publish("p", "x").await;
    for target in ["/poll?id=p.b1", "/wait?id=p.b1"] {
        assert_eq!(nginx.get(target).await.status, 200);
    }
    let waiting = nginx.call("GET", "/wait?id=q").send();
    let publish = async {
        nginx.wait_channel_stat("q", "subscribers", 1).await;
        nginx.publish_live("q", "news").await;
    };
    let (answer, ()) = tokio::join!(waiting, publish);
    assert_eq!(answer.text(), "news");
    let all = [("channel_created", "q"), ("client_subscribed", "q"), ("client_unsubscribed", "q")];
    expect(&mut watcher, 2, &all).await;
}

/// DIR-192, EVT-6: a quote in an id does not break the JSON.
#[tokio::test]
async fn a_quote_in_an_id() {
    let nginx = with_events("events").start().await;
    nginx.publish_live("q%22x%5C", "x").await;
    let mut watcher = nginx.stream("/events/events.b1").await;
    let told = watcher.line().await;
    assert_eq!(told, line(1, "channel_created", r#"q\"x\\"#));
    let json: serde_json::Value =
        serde_json::from_str(told.splitn(3, ' ').nth(2).expect("a text")).expect("JSON");
    assert_eq!(json["channel"], "q\"x\\");
}

/// EVT-12: events are stored though the publisher's messages are not, and limited like messages.
#[tokio::test]
async fn stored_within_the_limits() {
    let nginx =
        with_events("events").http("push_stream_max_messages_stored_per_channel 3;").start().await;
    for id in ["a", "b", "c", "d", "e"] {
        nginx.publish_live(id, "x").await;
    }
    let mut replayed = nginx.stream("/events/events.b10").await;
    let newest = [("channel_created", "c"), ("channel_created", "d"), ("channel_created", "e")];
    expect(&mut replayed, 3, &newest).await;
    assert_eq!(nginx.channel_stat("events", "stored_messages").await, 3);
    assert_eq!(nginx.stat("stored_messages").await, 0);
}

/// DIR-191: events take their tags from the same sequence as messages.
#[tokio::test]
async fn one_order_with_messages() {
    let nginx = with_events("events")
        .subscriber(
            "stamps",
            "push_stream_allow_connections_to_events_channel on; \
             push_stream_message_template \"~time~;~tag~;~channel~\\n\";",
        )
        .start()
        .await;
    let second = next_second().await;
    let mut stamps = nginx.stream("/stamps/events.b1/m.b1").await;
    nginx.publish("m2/m", "x").await;
    let mut tags = Vec::new();
    for channel in ["events", "events", "events", "m"] {
        let told = stamps.line().await;
        let fields: Vec<&str> = told.split(';').collect();
        assert_eq!(fields[2], channel, "{told}");
        tags.push((fields[0].to_owned(), fields[1].parse::<u32>().expect("a number")));
    }
    assert!(tags.is_sorted_by(|a, b| a < b), "{tags:?} since {second}");
}

/// EVT-13, DIR-194, LIFE-79, STAT-49..51: the totals are those of the user messages, whatever
/// becomes of events.
#[tokio::test]
async fn expired_events_disturb_no_total() {
    let nginx =
        Nginx::builder().subscriber("sub2", "push_stream_message_template ~text~;").start().await;
    for _ in 0..10 {
        nginx.publish("kept", "x").await;
    }
    nginx
        .reload_with(|builder| {
            crate::events_channel(builder, "events").http("push_stream_message_ttl 1s;")
        })
        .await;
    for round in 1..=15 {
        drop(nginx.stream("/sub2/kept").await);
        nginx.wait_channel_stat("events", "published_messages", 2 * round).await;
    }
    nginx.wait_channel_stat("events", "stored_messages", 0).await;
    let stats = nginx.stats().await;
    assert_eq!((&stats["stored_messages"], &stats["published_messages"]), (&10.into(), &10.into()));
    assert_eq!(nginx.channel_stat("kept", "stored_messages").await, 10);
}

/// LIFE-63 sane, EVT-20: subscribers in all workers see the events of all workers in one order,
/// without gaps, and what they tell balances.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_in_all_workers() {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 25;
    let nginx = with_events("events").start().await;
    let mut watchers = Vec::new();
    for _ in 0..4 {
        watchers.push(nginx.stream("/events/events").await);
    }
    let rounds = (0..CLIENTS).map(async |client| {
        for round in 0..ROUNDS {
            let id = format!("c{}", (client + round) % 5);
            let stream = nginx.stream(&format!("/sub/{id}")).await;
            nginx.publish_live(&id, "x").await;
            drop(stream);
            if round % 7 == 0 {
                nginx.delete(&format!("/pub?id={id}")).await;
            }
        }
    });
    futures_join(rounds.collect()).await;
    for i in 0..5 {
        nginx.wait_channel_stat(&format!("c{i}"), "subscribers", 0).await;
    }
    nginx.publish("last", "x").await;

    let mut told = Vec::new();
    let end = "channel_created {\"type\": \"channel_created\", \"channel\": \"last\"}";
    for watcher in &mut watchers {
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.ends_with(end)) {
            lines.push(watcher.line().await);
        }
        told.push(lines);
    }
    assert!(told.iter().all(|lines| *lines == told[0]));
    let count = |kind: &str| told[0].iter().filter(|line| line.contains(kind)).count();
    for (i, line) in told[0].iter().enumerate() {
        assert!(line.starts_with(&format!("{} ", i + 1)), "{line} at {i}");
    }
    assert_eq!(count("\"client_subscribed\""), CLIENTS * ROUNDS);
    assert_eq!(count("\"client_unsubscribed\""), CLIENTS * ROUNDS);
    let living = nginx.stat("channels").await as usize - 1;
    assert_eq!(count("\"channel_created\"") - count("\"channel_destroyed\""), living);
}

/// Drives all of them at once.
async fn futures_join<F: Future<Output = ()>>(futures: Vec<F>) {
    let mut futures: Vec<_> = futures.into_iter().map(|f| Some(Box::pin(f))).collect();
    std::future::poll_fn(|context| {
        for future in &mut futures {
            if future.as_mut().is_some_and(|f| f.as_mut().poll(context).is_ready()) {
                *future = None;
            }
        }
        match futures.iter().all(Option::is_none) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await
}

//! What is published: ids, time and tag, event id and type, storing.

use std::time::UNIX_EPOCH;

use crate::support::{Builder, Client, Nginx, Stream, next_second};

fn with_tokens() -> Builder {
    Nginx::builder().subscriber(
        "tokens",
        "push_stream_message_template
             \"~id~|~tag~|~time~|~channel~|~event-id~|~event-type~|~size~|~text~\\n\";",
    )
}

#[derive(Debug)]
struct Seen {
    id: i64,
    stamp: (u64, u64),
    channel: String,
    event_id: String,
    event_type: String,
}

async fn next(stream: &mut Stream) -> Seen {
    let line = stream.line().await;
    let parts: Vec<&str> = line.splitn(8, '|').collect();
    let time = httpdate::parse_http_date(parts[2]).expect("an HTTP date");
    let seconds = time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    Seen {
        id: parts[0].parse().expect("an id"),
        stamp: (seconds, parts[1].parse().expect("a tag")),
        channel: parts[3].into(),
        event_id: parts[4].into(),
        event_type: parts[5].into(),
    }
}

/// PUB-48, PUB-68: ids count stored and unstored messages alike.
#[tokio::test]
async fn ids_count_every_message() {
    let nginx = with_tokens().start().await;
    let mut live = nginx.stream("/tokens/i").await;
    for id in 1..=6 {
        let answer = match id % 2 {
            0 => nginx.publish("i", "stored").await,
            _ => nginx.publish_live("i", "unstored").await,
        };
        assert_eq!(answer.json()["published_messages"], id);
        assert_eq!(answer.json()["stored_messages"], id / 2);
        assert_eq!(next(&mut live).await.id, id);
    }
    let mut replay = nginx.stream("/tokens/i.b100").await;
    for id in [2, 4, 6] {
        assert_eq!(next(&mut replay).await.id, id);
    }
    assert_eq!(nginx.stat("published_messages").await, 6);
    assert_eq!(nginx.stat("stored_messages").await, 3);
}

/// PUB-69, LIFE-37, LIFE-38: a channel created again starts at 1, the zone's counter goes on.
#[tokio::test]
async fn ids_start_again_after_deletion() {
    let nginx = with_tokens().start().await;
    nginx.publish("r", "x").await;
    nginx.publish("r", "x").await;
    nginx.delete("/pub?id=r").await;
    assert_eq!(nginx.publish("r", "x").await.json()["published_messages"], 1);
    assert_eq!(nginx.stat("published_messages").await, 3);
    let mut replay = nginx.stream("/tokens/r.b9").await;
    assert_eq!(next(&mut replay).await.id, 1);
}

/// PUB-46, PUB-47, PUB-70..73, OLD-7, LIFE-39: one sequence of (second, tag) over all channels and
/// workers, in publishing order, the tag starting at 1 in each second.
#[tokio::test]
async fn stamps_order_all_channels() {
    let nginx = with_tokens().start().await;
    let start = next_second().await;
    let mut all = nginx.stream("/tokens/a/b").await;
    nginx.publish("a/b/a/b/a/b", "x").await;
    let mut stamps = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..6 {
        let seen = next(&mut all).await;
        stamps.push(seen.stamp);
        ids.push(seen.id);
    }
    assert_eq!(ids, [1, 1, 2, 2, 3, 3]);
    for pair in stamps.windows(2) {
        let next_tag = (pair[0].0, pair[0].1 + 1);
        assert!(pair[1] == next_tag || (pair[1].0 > pair[0].0 && pair[1].1 == 1), "{stamps:?}");
    }
    assert!(stamps[0].0 >= start, "{stamps:?}");

    // Any worker may take each of these.
    for round in 0..60 {
        nginx.publish(if round % 3 == 0 { "a" } else { "b" }, "x").await;
        let seen = next(&mut all).await.stamp;
        let last = *stamps.last().expect("a stamp");
        assert!(seen > last, "{seen:?} after {last:?}");
        assert!(seen.0 == last.0 || seen.1 == 1, "{seen:?} begins a second");
        stamps.push(seen);
    }
    next_second().await;
    nginx.publish("a", "x").await;
    assert_eq!(next(&mut all).await.stamp.1, 1);
}

/// PUB-43, PUB-44: header names in any case, the first occurrence counts, absent and empty differ
/// from a value.
#[tokio::test]
async fn event_id_and_type() {
    let nginx = with_tokens().start().await;
    let mut live = nginx.stream("/tokens/e").await;
    let cases: &[(&[&str], &str, &str)] = &[
        (&["Event-Id: 17", "Event-Type: news"], "17", "news"),
        (&["EVENT-ID: x y", "event-type: t"], "x y", "t"),
        (&["Event-Id: one", "Event-Id: two"], "one", ""),
        (&["Event-Id:", "Event-Type:"], "", ""),
        (&[], "", ""),
    ];
    for (headers, event_id, event_type) in cases {
        let mut raw = nginx.raw().await;
        let headers = [*headers, &["Content-Length: 1"]].concat();
        raw.request("POST /pub?id=e", &headers).await;
        raw.send("x").await;
        assert_eq!(raw.answer().await.status(), 200);
        let seen = next(&mut live).await;
        assert_eq!((seen.event_id.as_str(), seen.event_type.as_str()), (*event_id, *event_type));
    }
}

/// PUB-44: any bytes that nginx takes in a header, and as many.
#[tokio::test]
async fn event_ids_of_any_kind() {
    let nginx = with_tokens().server("large_client_header_buffers 4 32k;").start().await;
    let mut live = nginx.stream("/tokens/e").await;
    let long = "x".repeat(20_000);
    for value in
        [long.as_str(), "\u{e9}\u{20ac}", "<&>\"'\\", "a\tb", "~text~", "\u{1}\u{7f}", "0", "-2"]
    {
        let mut raw = nginx.raw().await;
        let headers = [format!("Event-Id: {value}"), format!("Event-Type: {value}")];
        let headers = [headers[0].as_str(), headers[1].as_str(), "Content-Length: 1"];
        raw.request("POST /pub?id=e", &headers).await;
        raw.send("x").await;
        assert_eq!(raw.answer().await.status(), 200, "{value}");
        let seen = next(&mut live).await;
        assert_eq!((seen.event_id.as_str(), seen.event_type.as_str()), (value, value));
    }
}

/// PUB-52, PUB-71..73, PUB-106, LIFE-63: publishers in all workers at once; one order for everybody who
/// reads, ids without gaps, each (second, tag) once and later than the one before.
#[tokio::test]
async fn stamps_of_all_workers() {
    const CHANNELS: [&str; 3] = ["a", "b", "c"];
    let nginx = with_tokens().start().await;
    let mut live = Vec::new();
    for _ in 0..3 {
        live.push(nginx.stream("/tokens/a/b/c").await);
    }
    let port = nginx.port;
    let publishers = (0..12).map(|n| async move {
        let mut client = Client::connect(port).await.expect("connect");
        for round in 0..40 {
            let target = format!("/pub?id={}", CHANNELS[(n + round) % 3]);
            assert_eq!(client.post(&target, "x").await.expect("an answer").status, 200);
        }
    });
    for publisher in publishers.map(tokio::spawn).collect::<Vec<_>>() {
        publisher.await.expect("a publisher");
    }
    let mut orders = Vec::new();
    for stream in &mut live {
        let mut ids = std::collections::BTreeMap::new();
        let mut stamps: Vec<(u64, u64)> = Vec::new();
        for _ in 0..480 {
            let seen = next(stream).await;
            let id: &mut i64 = ids.entry(seen.channel).or_default();
            *id += 1;
            assert_eq!(seen.id, *id);
            if let Some(&last) = stamps.last() {
                let follows = (last.0, last.1 + 1);
                let begins = seen.stamp.0 > last.0 && seen.stamp.1 == 1;
                assert!(seen.stamp == follows || begins, "{:?} after {last:?}", seen.stamp);
            }
            stamps.push(seen.stamp);
        }
        assert_eq!(ids.into_values().collect::<Vec<_>>(), [160; 3]);
        orders.push(stamps);
    }
    assert!(orders.windows(2).all(|pair| pair[0] == pair[1]));
    // What is stored has the same order.
    let mut replay = nginx.stream("/tokens/b.b160").await;
    let mut last = (0, 0);
    for id in 1..=160 {
        let seen = next(&mut replay).await;
        assert!(seen.id == id && seen.stamp > last, "{seen:?}");
        last = seen.stamp;
    }
}

/// PUB-74: a publish that fails takes neither an id nor a tag.
#[tokio::test]
async fn a_failed_publish_has_no_stamp() {
    let nginx = with_tokens().zone("256k").expect_log("unable to allocate").start().await;
    let mut live = nginx.stream("/tokens/f").await;
    let mut last = Default::default();
    for id in 1..=20 {
        nginx.publish("f", "x").await;
        let seen = next(&mut live).await;
        assert_eq!(seen.id, id);
        let (second, tag) = last;
        assert!(seen.stamp == (second, tag + 1) || seen.stamp.1 == 1, "{seen:?} after {last:?}");
        last = seen.stamp;
        assert_eq!(nginx.post("/pub?id=f", vec![b'x'; 400_000]).await.status, 500);
    }
}

/// PUB-49, DIR-177, LIFE-41: the oldest go before the answer is built, also after an unstored one.
#[tokio::test]
async fn stored_messages_are_limited() {
    let nginx = with_tokens().http("push_stream_max_messages_stored_per_channel 2;").start().await;
    for count in 1..=5u64 {
        let answer = nginx.publish("l", "x").await;
        assert_eq!(answer.json()["stored_messages"], count.min(2));
    }
    assert_eq!(nginx.publish_live("l", "x").await.json()["stored_messages"], 2);
    let mut replay = nginx.stream("/tokens/l.b9").await;
    assert_eq!((next(&mut replay).await.id, next(&mut replay).await.id), (4, 5));
    assert_eq!(nginx.stat("stored_messages").await, 2);
}

/// DIR-20, DIR-182: storing is off by default and may be switched by `if`.
#[tokio::test]
async fn storing_in_an_if_block() {
    let nginx = Nginx::builder()
        .location(
            "/choose",
            "push_stream_publisher; push_stream_channels_path $arg_id;
             if ($arg_keep) { push_stream_store_messages on; }",
        )
        .start()
        .await;
    assert_eq!(nginx.post("/choose?id=c", "x").await.json()["stored_messages"], 0);
    assert_eq!(nginx.post("/choose?id=c&keep=1", "x").await.json()["stored_messages"], 1);
}

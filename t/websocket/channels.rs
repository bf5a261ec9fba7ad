//! Which channels a connection is on, and who may be on them (WS-25..39, WS-45, WS-49, WS-102).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::websocket::handshake;
use crate::support::{Call, Client, Nginx, Raw, wait_for};
use crate::{MESSAGES, builder};

/// WS-25, WS-26, WS-27, WS-28, WS-29, WS-31: ids and backtracks of a path, as the messages that come.
#[tokio::test]
async fn paths() {
    let nginx = builder()
        .location(
            "/arg",
            &format!(
                "push_stream_subscriber websocket; push_stream_channels_path $arg_p; {MESSAGES}"
            ),
        )
        .location(
            "/constant",
            &format!(
                "push_stream_subscriber websocket; push_stream_channels_path a%2Eb%31; {MESSAGES}"
            ),
        )
        .start()
        .await;
    for id in ["a", "b", "a.b", "a.b3x", "a.B3", "a.b2.b0", "\u{e4}%20x", "%25"] {
        for n in 1..=3 {
            nginx.publish(&id.replace('\u{e4}', "%C3%A4"), format!("m{n}")).await;
        }
    }
    let last = |id: &str, n: usize| -> Vec<String> {
        (4 - n..=3).map(|n| format!("{n} {id} m{n}")).collect()
    };
    let both = [last("a", 2), last("b", 1)].concat();
    let cases: &[(&str, Vec<String>)] = &[
        ("/arg?p=a.b2", last("a", 2)),
        ("/arg?p=a.b0", vec![]),
        ("/arg?p=a.b", vec![]),
        ("/arg?p=a.b.b3", last("a.b", 3)),
        ("/arg?p=a.b3x.b1", last("a.b3x", 1)),
        ("/arg?p=a.B3.b1", last("a.B3", 1)),
        ("/arg?p=a.b2.b3", last("a.b2", 3)),
        ("/arg?p=a.b002", last("a", 2)),
        ("/arg?p=a.b99999999999999999999999999", last("a", 3)),
        ("/arg?p=a.b2/b.b1", both.clone()),
        ("/arg?p=/a.b2//b.b1/", both.clone()),
        ("/arg?p=.b3/a.b2/b.b1", both.clone()),
        ("/arg?p=a.b2%2fb.b1", both.clone()),
        ("/arg?p=a%2Eb2/%62.b1", both.clone()),
        ("/arg?p=%C3%A4%20x.b1", last("\u{e4} x", 1)),
        ("/arg?p=%2525.b1", vec![]),
        ("/arg?p=%25.b1", last("%", 1)),
        ("/ws/a.b2/b.b1", both),
        ("/ws/%2525.b1", last("%", 1)),
        ("/constant", last("a", 1)),
        // WS-31: the same in every request.
        ("/constant", last("a", 1)),
    ];
    for (target, texts) in cases {
        println!("{target}");
        let mut socket = nginx.socket(target).await;
        for text in texts {
            socket.text(text).await;
        }
        socket.send(0x89, b"no more").await;
        socket.expect(0x8a, b"no more").await;
    }
}

/// WS-30: bytes that are no text end no id; control characters are refused (WS-33).
#[tokio::test]
async fn any_bytes() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/ws/%ff%22%5c%7e").await;
    nginx.publish_live("%ff%22%5c%7e", "x").await;
    socket.expect(0x82, b"1 \xff\"\\~ x").await;
    for id in ["a%2500", "%250a", "a%257f"] {
        let mut socket = nginx.socket(&format!("/ws/{id}")).await;
        let seen = socket.frame().await;
        let reason = String::from_utf8_lossy(&seen.payload[2..]).into_owned();
        assert!(reason.contains("Channel id contains control characters."), "{id}: {reason}");
    }
}

/// WS-35, WS-102: who may subscribe is asked once; a subscriber goes on when nobody else may begin.
#[tokio::test]
async fn rights_of_subscribers() {
    let nginx = Nginx::builder()
        .http("push_stream_message_ttl 2s; push_stream_max_subscribers_per_channel 2;")
        .websocket(
            "known",
            "push_stream_authorized_channels_only on; push_stream_websocket_allow_publish on;",
        )
        .start()
        .await;
    nginx.publish("k", "stored").await;
    let mut early = nginx.socket("/known/k").await;
    nginx.wait_channel_stat("k", "stored_messages", 0).await;
    nginx.socket("/known/k").await.fails_with(1008).await;
    early.send(0x81, b"still on it").await;
    early.text("still on it").await;
}

/// WS-36: however many join at once, in however many workers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_subscribers() {
    let nginx = Nginx::builder()
        .http("push_stream_max_subscribers_per_channel 7;")
        .websocket("ws", "")
        .start()
        .await;
    let mut all: Vec<Raw> = Vec::new();
    for _ in 0..60 {
        all.push(nginx.raw().await);
    }
    let lines = handshake();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for raw in &mut all {
        raw.request("GET /ws/full", &lines).await;
    }
    for raw in &mut all {
        assert_eq!(raw.head().await.status(), 101);
    }
    assert_eq!(nginx.stat("subscribers").await, 7);
    nginx.publish_live("full", "x").await;
    let (mut inside, mut outside) = (0, 0);
    for raw in &mut all {
        match raw.exactly(1).await[0] {
            0x81 => inside += 1,
            first => outside += usize::from(first == 0x88),
        }
    }
    assert_eq!((inside, outside), (7, 53));
}

/// WS-37, WS-49: the events channel tells of created channels first, then of the subscriptions.
#[tokio::test]
async fn events() {
    let nginx = Nginx::builder()
        .http("push_stream_events_channel_id events;")
        .websocket("ws", "push_stream_store_messages on;")
        .websocket("events", "push_stream_allow_connections_to_events_channel on;")
        .start()
        .await;
    nginx.socket("/ws/events").await.fails_with(1008).await;
    let mut watching = nginx.socket("/events/events").await;
    let _socket = nginx.socket("/ws/b/a").await;
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let event = watching.frame().await.payload;
        let event: serde_json::Value = serde_json::from_slice(&event).expect("JSON");
        let (kind, channel) = (&event["type"], &event["channel"]);
        if channel != "events" {
            seen.push(format!(
                "{} {}",
                kind.as_str().expect("a type"),
                channel.as_str().expect("an id")
            ));
        }
    }
    let (created, subscribed) = seen.split_at(2);
    assert_eq!(created, ["channel_created b", "channel_created a"]);
    assert_eq!(subscribed, ["client_subscribed b", "client_subscribed a"]);
}

/// WS-38: wildcard channels, with ordinary ones and not too many. WS-34: the first failure of the path
/// is told.
#[tokio::test]
async fn wildcards() {
    let nginx = Nginx::builder()
        .http("push_stream_wildcard_channel_prefix w_;")
        .websocket("ws", "push_stream_wildcard_channel_max_qtd 2;")
        .start()
        .await;
    nginx.socket("/ws/a/w_1/w_2").await;
    for (path, text) in [
        ("a/w_1/w_2/w_3", "Subscribed too much wildcard channels."),
        ("w_1", "Subscribed too much wildcard channels."),
        ("w_1/w_2/w_3/ALL", "Channel id not authorized for this method."),
    ] {
        let seen = nginx.socket(&format!("/ws/{path}")).await.frame().await;
        assert!(String::from_utf8_lossy(&seen.payload).contains(text), "{path}: {seen:?}");
    }
}

/// WS-45: whoever joins while messages come finds each of them once, in order, history or live.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_meets_live_messages() {
    const JOINS: usize = 60;
    let nginx = builder().start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let (port, stopped) = (nginx.port, stop.clone());
    nginx.publish("h", "first").await;
    let publisher = tokio::spawn(async move {
        let mut client = Client::connect(port).await.expect("a connection");
        let mut n = 1;
        while !stopped.load(Ordering::Relaxed) {
            let call = Call::new(port, "POST", "/pub?id=h").body("next");
            assert_eq!(client.send(call).await.expect("an answer").status, 200);
            n += 1;
        }
        n
    });
    let mut sockets = Vec::new();
    for n in 0..JOINS {
        let target = if n % 2 == 0 { "/ws/h.b5" } else { "/ws/h.b1000000" };
        sockets.push(nginx.socket(target).await);
    }
    wait_for("some more messages", || async {
        (nginx.channel_stat("h", "published_messages").await > 100).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let last: u64 = publisher.await.expect("the publisher");
    for socket in &mut sockets {
        let mut next: Option<u64> = None;
        while next.is_none_or(|next| next <= last) {
            let text = String::from_utf8(socket.frame().await.payload).expect("text");
            let id: u64 = text.split(' ').next().and_then(|id| id.parse().ok()).expect("an id");
            assert!(next.is_none_or(|next| next == id), "{id} instead of {next:?}");
            next = Some(id + 1);
        }
    }
}

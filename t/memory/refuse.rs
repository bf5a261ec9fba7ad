//! The default: what needs room is refused, in every mode, and leaves nothing behind.

use crate::support::{Builder, Client, Nginx, websocket};

const REFUSED: &str = "Not enough shared memory.";

fn full_zone() -> Builder {
    Nginx::builder()
        .zone("256k")
        .expect_log("unable to allocate")
        .mode("eventsource", "ev", "")
        .mode("polling", "poll", "")
        .mode("long-polling", "lp", "push_stream_longpolling_connection_ttl 60s;")
        .mode(
            "websocket",
            "ws",
            "push_stream_websocket_allow_publish on; push_stream_store_messages on;",
        )
        .mode("websocket", "ws-http", "push_stream_websocket_refuse http;")
}

/// Stores messages until not even a channel with the shortest id fits; what is stored then.
async fn fill(nginx: &Nginx) -> u64 {
    let mut client = Client::connect(nginx.port).await.expect("connect");
    for size in [2000, 300, 100, 20, 1] {
        for count in 0.. {
            // A channel is larger than a short message.
            let id = if size == 1 { format!("c{count}") } else { format!("fill{}", count % 20) };
            let target = format!("/pub?id={id}");
            let answer = client.post(&target, vec![b'f'; size]).await.expect("an answer");
            if answer.status != 200 {
                answer.assert_refused(500, Some(REFUSED));
                break;
            }
        }
    }
    nginx.stat("stored_messages").await
}

/// LIFE-53, LIFE-54, LIFE-57, ADM-9, ADM-16, WS-40, DIR-97: whoever would need a new channel, in each
/// mode.
#[tokio::test]
async fn every_mode_is_refused_alike() {
    let nginx = full_zone().start().await;
    let stored = fill(&nginx).await;
    let channels = nginx.stat("channels").await;
    for round in 0..3 {
        for mode in ["sub", "ev", "poll", "lp", "ws-http"] {
            let id = format!("new-{mode}-{round}");
            let mut raw = nginx.raw().await;
            let lines = websocket::handshake();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let headers: &[&str] = if mode == "ws-http" { &lines } else { &[] };
            raw.request(&format!("GET /{mode}/{id}"), headers).await;
            let answer = raw.answer().await;
            assert_eq!(answer.status(), 500, "{mode}: {answer:?}");
            assert_eq!(answer.explanation(), Some(REFUSED), "{mode}");
            assert!(answer.body.is_empty() && nginx.channel(&id).await.is_none(), "{mode}");
        }
        let mut socket = nginx.socket(&format!("/ws/new-ws-{round}")).await;
        let frame = socket.frame().await;
        assert_eq!((frame.start, &frame.payload[..2]), (0x88, &1008u16.to_be_bytes()[..]));
        let reason = String::from_utf8_lossy(&frame.payload[2..]).into_owned();
        assert!(reason.contains("500") && reason.contains(REFUSED), "{reason}");
        let id = format!("new-{round}");
        nginx.post(&format!("/pub?id={id}"), "x").await.assert_refused(500, Some(REFUSED));
        assert!(nginx.channel(&id).await.is_none());
    }
    assert_eq!(
        (nginx.stat("stored_messages").await, nginx.stat("channels").await),
        (stored, channels)
    );
    nginx.wait_stat("subscribers", 0).await;
    // Looking needs no room.
    assert_eq!(nginx.get("/stats?id=ALL").await.status, 200);
    assert_eq!(nginx.call("GET", "/poll/fill1").send().await.status, 304);
}

/// LIFE-55: on channels that exist there is all of a subscription or none, and it is given back.
#[tokio::test]
async fn half_a_subscription_is_none() {
    let nginx = full_zone().start().await;
    let mut early = nginx.stream("/sub/fill1").await;
    fill(&nginx).await;
    let published = nginx.channel_stat("fill1", "published_messages").await;
    for _ in 0..10 {
        for mode in ["sub", "ev", "lp", "poll"] {
            let mut raw = nginx.raw().await;
            raw.request(&format!("GET /{mode}/fill1/fill2/fill3/fill4"), &[]).await;
            let before = nginx.stat("subscribers").await;
            if mode == "poll" {
                let answer = raw.answer().await;
                assert!([304, 500].contains(&answer.status()), "{answer:?}");
            } else if mode != "lp" {
                let head = raw.head().await;
                let refused = head.status() == 500;
                assert!(refused || head.status() == 200, "{head:?}");
                assert_eq!(head.explanation(), refused.then_some(REFUSED));
            }
            drop(raw);
            assert!((1..=3).contains(&before), "{before}");
            nginx.wait_stat("subscribers", 1).await;
        }
    }
    for id in ["fill2", "fill3", "fill4"] {
        nginx.wait_channel_stat(id, "subscribers", 0).await;
    }
    for id in 1..=published {
        assert!(early.line().await.starts_with(&format!("{id} fill1 f")));
    }
}

/// LIFE-56, PUB-81: DELETE always works, with a text too, and everything fits again at once, in all modes.
#[tokio::test]
async fn room_comes_back_with_a_delete() {
    let nginx = full_zone().start().await;
    let mut socket = nginx.socket("/ws/fill1").await;
    let stored = fill(&nginx).await;
    for round in 0..2 {
        let deleted = nginx.call("DELETE", "/pub?id=fill2/fill3").body("gone").send().await;
        deleted.assert_refused(200, Some("Channel deleted."));
        let mut stream = nginx.stream("/sub/fill2").await;
        let mut answer = nginx.raw().await;
        answer.request("GET /lp/fill3", &[]).await;
        nginx.wait_channel_stat("fill3", "subscribers", 1).await;
        for id in ["fill2", "fill3"] {
            assert_eq!(nginx.publish(id, "back").await.json()["published_messages"], 1, "{round}");
        }
        assert_eq!(stream.line().await, "1 fill2 back");
        assert_eq!(answer.answer().await.body, b"back");
        drop(stream);
        assert!(fill(&nginx).await > stored / 2);
    }
    nginx.delete("/pub?id=fill1").await;
    // What was published to it, and then its end.
    let mut count = 0;
    loop {
        let frame = socket.frame().await;
        if frame.payload == b"Channel deleted" {
            break;
        }
        assert!(frame.start == 0x81 && frame.payload.iter().all(|&byte| byte == b'f'), "{frame:?}");
        count += 1;
    }
    assert!(count > 3);
}

/// LIFE-57: a WebSocket that publishes into a full zone is told so, and is no subscriber any more.
#[tokio::test]
async fn a_websocket_that_publishes() {
    let nginx = full_zone().expect_log("memory").start().await;
    let mut socket = nginx.socket("/ws/fill1").await;
    let published = async || nginx.channel_stat("fill1", "published_messages").await;
    fill(&nginx).await;
    let before = published().await;
    for _ in 0..before {
        socket.frame().await;
    }
    socket.send(0x81, vec![b'w'; 60_000]).await;
    let frame = socket.frame().await;
    assert_eq!((frame.start, &frame.payload[..2]), (0x88, &1011u16.to_be_bytes()[..]), "{frame:?}");
    assert_eq!(published().await, before);
    socket.send(0x88, &frame.payload).await;
    nginx.wait_stat("subscribers", 0).await;
}

/// DIR-147, PING-5: pings and timeouts take nothing of the zone, so that they come when it is full.
#[tokio::test]
async fn pings_and_timeouts_need_no_room() {
    let nginx = full_zone()
        .workers(1)
        .http("push_stream_timeout_with_body on;")
        .subscriber("pinged", "push_stream_ping_message_interval 100ms;")
        .mode("long-polling", "brief", "push_stream_longpolling_connection_ttl 100ms;")
        .start()
        .await;
    // The first subscriber of a worker takes room, the others do not.
    let _first = nginx.stream("/sub/quiet").await;
    fill(&nginx).await;
    let used = nginx.zone_used().await;
    let mut pinged = nginx.stream("/pinged/quiet").await;
    for _ in 0..3 {
        pinged.expect(" ").await;
        let answer = nginx.get("/brief/quiet").await;
        assert_eq!((answer.status, answer.text()), (200, "Timed out"));
        assert_eq!(nginx.zone_used().await, used);
    }
}

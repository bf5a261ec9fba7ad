//! Panics while something is read from a connection, or written to it.

use super::{Scene, builder};
use crate::support::stream::End;
use crate::support::{Builder, websocket};

fn server() -> Builder {
    builder()
        .websocket("ws", "push_stream_websocket_allow_publish on;")
        .subscriber("ping", "push_stream_ping_message_interval 1s;")
        .subscriber("short", "push_stream_subscriber_connection_ttl 1s;")
        .mode("long-polling", "lp", "push_stream_longpolling_connection_ttl 1s;")
}

/// A handshake that is not answered yet is answered 500.
#[tokio::test]
async fn while_opening() {
    let mut scene = Scene::start(server()).await;
    for place in ["a WebSocket: begin", "a WebSocket: a store section"] {
        scene.nginx.provoke(place);
        let mut raw = scene.nginx.raw().await;
        let lines = websocket::handshake();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        raw.request("GET /ws/x", &lines).await;
        assert_eq!(raw.head().await.status(), 500, "{place}");
        scene.goes_on(place).await;
        assert!(scene.nginx.channel("x").await.is_none(), "{place}");
    }
}

/// What a client sends is the matter of its own connection.
#[tokio::test]
async fn while_reading() {
    let mut scene = Scene::start(server()).await;
    for place in ["a readable subscriber: begin", "a readable subscriber: a store section"] {
        let mut other = scene.nginx.socket("/ws/x").await;
        let mut socket = scene.nginx.socket("/ws/x").await;
        scene.nginx.wait_channel_stat("x", "subscribers", 2).await;
        scene.nginx.provoke(place);
        socket.send(0x81, "text").await;
        socket.raw.expect_close().await;
        scene.has_panicked(place).await;
        scene.nginx.wait_channel_stat("x", "subscribers", 1).await;
        scene.nginx.publish_live("x", "to the other").await;
        other.text("to the other").await;
        drop(other);
        scene.serves().await;
    }
}

/// So is what it is sent.
#[tokio::test]
async fn while_writing() {
    let mut scene = Scene::start(server()).await;
    for place in ["a writable subscriber: begin", "a writable subscriber: sending"] {
        scene.nginx.publish("x", "before").await;
        scene.nginx.provoke(place);
        let mut stream = scene.nginx.stream("/sub/x.b1").await;
        assert_eq!(stream.rest().await.1, End::Cut, "{place}");
        scene.goes_on(place).await;
    }
}

/// Whatever a timer is for.
#[tokio::test]
async fn when_time_is_up() {
    let mut scene = Scene::start(server()).await;
    for (place, target) in [
        ("a subscriber's timer: begin", "/ping/x"),
        ("a subscriber's timer: sending", "/ping/x"),
        ("a subscriber's timer: begin", "/short/x"),
        ("a subscriber's timer: a store section", "/short/x"),
    ] {
        scene.nginx.provoke(place);
        let mut stream = scene.nginx.stream(target).await;
        assert_eq!(stream.rest().await.1, End::Cut, "{place} for {target}");
        scene.goes_on(place).await;
    }
    for place in ["a subscriber's timer: begin", "a subscriber's timer: a store section"] {
        scene.nginx.provoke(place);
        assert_eq!(scene.nginx.get("/lp/x").await.status, 500, "{place}");
        scene.goes_on(place).await;
    }
}

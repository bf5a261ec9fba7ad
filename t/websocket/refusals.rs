//! Who is not let in, and how that is told (WS-22, WS-33..43).

use crate::MESSAGES;
use crate::support::websocket::{handshake, request};
use crate::support::{Builder, Nginx};

fn limited() -> Builder {
    Nginx::builder()
        .http(
            "push_stream_max_channel_id_length 10; push_stream_max_subscribers_per_channel 1;
             push_stream_wildcard_channel_prefix w_; push_stream_max_number_of_channels 3;
             push_stream_events_channel_id events;",
        )
        .websocket("ws", MESSAGES)
        .websocket("few", "push_stream_wildcard_channel_max_qtd 1;")
        .websocket("known", "push_stream_authorized_channels_only on;")
        .websocket("plain", "push_stream_websocket_refuse http;")
}

async fn refused(nginx: &Nginx, target: &str, status: u16, text: &str) {
    let mut socket = nginx.socket(target).await;
    let reason = format!("{{\"http_status\": {status}, \"explain\":\"{text}\"}}");
    // WS-40: 03 F0 is 1008.
    socket.expect(0x88, [b"\x03\xf0", reason.as_bytes()].concat()).await;
    socket.raw.expect_close().await;
}

const CASES: [(&str, u16, &str); 5] = [
    ("ALL", 403, "Channel id not authorized for this method."),
    ("x*", 403, "Channel id not authorized for this method."),
    ("elevenbytes", 400, "Channel id is too large."),
    ("", 400, "No channel id provided."),
    ("a%01b", 400, "Channel id contains control characters."),
];

/// WS-33, WS-34, WS-40, WS-41: a close frame with the reason, by default.
#[tokio::test]
async fn by_close_frame() {
    let nginx = limited().start().await;
    for (id, status, text) in CASES {
        refused(&nginx, &format!("/ws/{id}"), status, text).await;
    }
    let unauthorized = "Subscriber could not create channels.";
    refused(&nginx, "/known/new", 403, unauthorized).await;
    refused(&nginx, "/few/w_1/w_2/a", 403, "Subscribed too much wildcard channels.").await;
    refused(&nginx, "/few/w_1", 403, "Subscribed too much wildcard channels.").await;
    refused(&nginx, "/ws/events", 403, "Subscription to events channel is not allowed.").await;
    let _one = nginx.socket("/ws/one").await;
    refused(&nginx, "/ws/one", 403, "Subscribers limit per channel has been exceeded.").await;
    refused(&nginx, "/ws/a/b/c", 403, "Number of channels were exceeded.").await;
    // WS-39: nothing of a refused path is left; the first failure of the path wins.
    assert!(nginx.channel("a").await.is_none());
    refused(&nginx, "/known/new/ALL", 403, unauthorized).await;
    assert_eq!(nginx.stat("subscribers").await, 1);
}

/// WS-22: or in HTTP, before anything is agreed on.
#[tokio::test]
async fn by_http() {
    let nginx = limited().start().await;
    for (id, status, text) in CASES {
        let mut raw = nginx.raw().await;
        let lines = handshake();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        raw.request(&format!("GET /plain/{id}"), &lines).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.explanation()), (status, Some(text)));
        raw.expect_close().await;
    }
    nginx.socket("/plain/fine").await;
}

/// WS-18, WS-22, WS-40, WS-GAP-1: in either way, by HTTP/1.0 too.
#[tokio::test]
async fn by_http_1_0() {
    let nginx = limited().start().await;
    for (id, status, text) in CASES {
        let mut socket = nginx.old_socket(&format!("/ws/{id}")).await;
        let reason = format!("{{\"http_status\": {status}, \"explain\":\"{text}\"}}");
        socket.expect(0x88, [b"\x03\xf0", reason.as_bytes()].concat()).await;
        socket.raw.expect_close().await;

        let mut raw = nginx.raw().await;
        raw.send(request("HTTP/1.0", &format!("/plain/{id}"), &[])).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.explanation()), (status, Some(text)));
        assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
        raw.expect_close().await;
    }
    nginx.old_socket("/plain/fine").await;
    nginx.wait_stat("subscribers", 0).await;
}

/// WS-43, LIFE-54: a full zone refuses, and nothing stays behind.
#[tokio::test]
async fn a_full_zone() {
    let nginx = Nginx::builder()
        .zone("128k")
        .workers(1)
        .websocket("ws", "")
        .expect_log("subscription refused")
        .expect_log("unable to allocate message")
        .start()
        .await;
    let long = "x".repeat(4000);
    while nginx.post("/pub?id=full", &long).await.status == 200 {}
    while nginx.post("/pub?id=full", "x").await.status == 200 {}
    let before = nginx.stat("subscribers").await;
    let path: Vec<String> = (0..50).map(|n| format!("{n:0100}")).collect();
    let target = format!("/ws/{}", path.join("/"));
    refused(&nginx, &target, 500, "Not enough shared memory.").await;
    assert_eq!(nginx.stat("subscribers").await, before);
}

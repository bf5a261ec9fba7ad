//! An open connection: its start, its messages, its pings, its counters (WS-44..49, WS-58..61, WS-103).

use crate::builder;
use crate::support::Nginx;

/// WS-9, WS-10, WS-44, WS-46, DIR-141: header, then history channel by channel, then live messages; the
/// header is framed once, whatever the nesting.
#[tokio::test]
async fn the_start() {
    let nginx = builder()
        .location(
            "~ ^/if/(.*)$",
            "push_stream_subscriber websocket; push_stream_channels_path $1;
             push_stream_header_template HEAD; push_stream_footer_template FOOT;
             push_stream_message_template \"~id~ ~channel~ ~text~\";
             if ($arg_x) { push_stream_store_messages on; }",
        )
        .start()
        .await;
    for text in ["one", "two", "three"] {
        nginx.publish("a", text).await;
        nginx.publish("b", text).await;
    }
    for target in ["/if/b.b1/a.b2", "/if/b.b1/a.b2?x=1"] {
        let mut socket = nginx.socket(target).await;
        for text in ["HEAD", "3 b three", "2 a two", "3 a three"] {
            socket.text(text).await;
        }
        let answer = nginx.publish_live("c", "nobody's").await;
        assert_eq!(answer.status, 200);
        socket.send(0x88, b"").await;
        socket.expect(0x88, b"").await;
    }
}

/// WS-47, WS-48: positions from headers.
#[tokio::test]
async fn positions() {
    let nginx = builder().start().await;
    for n in 1..=3 {
        nginx
            .call("POST", "/pub?id=p")
            .header("Event-Id", &format!("e{n}"))
            .body(format!("m{n}"))
            .send()
            .await;
    }
    let mut socket = nginx.socket_with("/ws/p", &["Last-Event-Id: e1"]).await;
    socket.text("2 p m2").await;
    socket.text("3 p m3").await;
    let since = "If-Modified-Since: Thu, 01 Jan 1970 00:00:01 GMT";
    let mut all = nginx.socket_with("/ws/p", &[since]).await;
    all.text("1 p m1").await;
    let mut unknown = nginx.socket_with("/ws/p", &["Last-Event-Id: other"]).await;
    nginx.publish_live("p", "live").await;
    unknown.text("4 p live").await;
}

/// WS-32 (a channel named twice counts once), WS-103: counters.
#[tokio::test]
async fn counters() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/ws/a/b/a").await;
    assert_eq!(nginx.stat("subscribers").await, 1);
    assert_eq!(nginx.channel_stat("a", "subscribers").await, 1);
    assert_eq!(nginx.channel_stat("b", "subscribers").await, 1);
    nginx.publish_live("a", "once").await;
    nginx.publish_live("b", "then").await;
    socket.text("1 a once").await;
    socket.text("1 b then").await;
    socket.send(0x88, b"").await;
    socket.expect(0x88, b"").await;
    nginx.wait_stat("subscribers", 0).await;
}

/// WS-58, WS-59, WS-62, DIR-142: empty pings, whatever the ping text is, also while the client talks.
#[tokio::test]
async fn pings() {
    let nginx = Nginx::builder()
        .http("push_stream_ping_message_text PING;")
        .websocket(
            "pinged",
            "push_stream_ping_message_interval 200ms; push_stream_websocket_allow_publish on;",
        )
        .start()
        .await;
    let mut socket = nginx.socket("/pinged/p").await;
    socket.expect(0x89, b"").await;
    socket.send(0x8a, b"").await;
    socket.expect(0x89, b"").await;
    // WS-60: nobody has to answer.
    socket.expect(0x89, b"").await;
    socket.send(0x81, b"mine").await;
    let mut seen = socket.frame().await;
    while seen.start == 0x89 {
        seen = socket.frame().await;
    }
    assert_eq!((seen.start, seen.payload.as_slice()), (0x81, &b"mine"[..]));
    assert_eq!(nginx.channel_stat("p", "published_messages").await, 1);
}

/// WS-60, WS-GAP-16: a client that does not answer pings is ended, if so configured.
#[tokio::test]
async fn missing_pongs() {
    let nginx = Nginx::builder()
        .websocket(
            "strict",
            "push_stream_ping_message_interval 100ms; push_stream_websocket_pong_timeout 1s;",
        )
        .start()
        .await;
    let mut silent = nginx.socket("/strict/p").await;
    let mut polite = nginx.socket("/strict/p").await;
    let mut ended = None;
    for _ in 0..15 {
        polite.expect(0x89, b"").await;
        polite.send(0x8a, b"").await;
    }
    while ended.is_none() {
        let seen = silent.frame().await;
        match seen.start {
            0x89 => assert!(seen.payload.is_empty()),
            0x88 => ended = Some(seen.payload),
            other => panic!("{other:#x}"),
        }
    }
    assert_eq!(ended.expect("the close frame")[..2], 1008_u16.to_be_bytes());
    silent.raw.expect_close().await;
    polite.expect(0x89, b"").await;
    nginx.wait_stat("subscribers", 1).await;
}

/// WS-5: another mode cannot be asked for.
#[tokio::test]
async fn the_mode_is_fixed() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket_with("/ws/m", &["X-Nginx-PushStream-Mode: polling"]).await;
    nginx.publish_live("m", "x").await;
    socket.text("1 m x").await;
}

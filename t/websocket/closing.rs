//! How connections end (WS-63..66, WS-78, WS-79, WS-89, WS-GAP-11, WS-GAP-15, WS-GAP-16, RFC 6455
//! section 7).

use crate::support::websocket::closing;
use crate::support::{Builder, Nginx, Socket};
use crate::{MESSAGES, builder};

fn with_footer() -> Builder {
    builder()
        .websocket("foot", "push_stream_footer_template FOOT;")
        .websocket(
            "coded",
            "push_stream_footer_template FOOT; push_stream_websocket_close_codes on;",
        )
        .websocket(
            "brief",
            "push_stream_footer_template FOOT; push_stream_subscriber_connection_ttl 300ms;",
        )
        .websocket(
            "timed",
            "push_stream_subscriber_connection_ttl 300ms; push_stream_websocket_close_codes on;",
        )
}

/// The server's close frame with this code, answered.
async fn coded(socket: &mut Socket, code: u16) {
    socket.expect(0x88, code.to_be_bytes()).await;
    socket.send(0x88, code.to_be_bytes()).await;
    socket.raw.expect_close().await;
}

/// WS-78, WS-79, WS-GAP-11: a close frame is answered with its code, without footer.
#[tokio::test]
async fn closed_by_the_client() {
    let nginx = with_footer().start().await;
    for payload in [
        vec![],
        closing(1000, ""),
        closing(1001, "going"),
        closing(3000, "own"),
        closing(4999, &"r".repeat(123)),
    ] {
        let mut socket = nginx.socket("/foot/c").await;
        socket.send(0x88, &payload).await;
        socket.expect(0x88, &payload[..payload.len().min(2)]).await;
        socket.raw.expect_close().await;
    }
    nginx.wait_stat("subscribers", 0).await;
}

/// Frames behind a close frame are not looked at (RFC 6455 section 5.5.1).
#[tokio::test]
async fn nothing_after_the_close() {
    let nginx = with_footer().start().await;
    let mut socket = nginx.socket("/say/c").await;
    let frames = [
        crate::support::websocket::frame(0x88, closing(1000, "")),
        crate::support::websocket::frame(0x81, "late"),
    ];
    socket.raw.send(frames.concat()).await;
    socket.expect(0x88, 1000_u16.to_be_bytes()).await;
    socket.raw.expect_close().await;
    assert_eq!(nginx.channel_stat("c", "published_messages").await, 0);
}

/// WS-63, WS-64, WS-65, WS-GAP-15, PUB-91, DIR-141: footer and close frame after ttl and deletion.
#[tokio::test]
async fn normal_endings() {
    let nginx = with_footer().start().await;
    let mut brief = nginx.socket("/brief/t").await;
    brief.text("FOOT").await;
    brief.closes().await;
    let mut timed = nginx.socket("/timed/t").await;
    coded(&mut timed, 1000).await;

    let mut both = nginx.socket("/foot/x/y").await;
    let mut with_code = nginx.socket("/coded/x").await;
    nginx.delete("/pub?id=x").await;
    both.text("Channel deleted").await;
    with_code.text("Channel deleted").await;
    with_code.text("FOOT").await;
    coded(&mut with_code, 1000).await;
    nginx.publish_live("y", "still").await;
    both.text("still").await;
    nginx.call("DELETE", "/pub?id=y").body("bye").send().await;
    both.text("bye").await;
    both.text("FOOT").await;
    both.closes().await;
    nginx.wait_stat("subscribers", 0).await;
}

/// WS-65: what a deletion looks like in the template.
#[tokio::test]
async fn the_deleted_message() {
    let nginx = builder()
        .websocket(
            "full",
            "push_stream_message_template \"~id~|~channel~|~event-id~|~event-type~|~text~\";",
        )
        .start()
        .await;
    let mut socket = nginx.socket("/full/d").await;
    nginx.channel("d").await.expect("the channel");
    nginx.delete("/pub?id=d").await;
    socket.text("-2|d|||Channel deleted").await;
    socket.closes().await;
}

/// WS-63, WS-GAP-15: reload and stop.
#[tokio::test]
async fn reload_and_stop() {
    let nginx = with_footer().start().await;
    let mut plain = nginx.socket("/foot/r").await;
    let mut with_code = nginx.socket("/coded/r").await;
    nginx.reload().await;
    plain.text("FOOT").await;
    plain.closes().await;
    with_code.text("FOOT").await;
    coded(&mut with_code, 1001).await;
    nginx.wait_stat("subscribers", 0).await;

    let mut last = nginx.socket("/coded/r").await;
    drop(nginx);
    last.text("FOOT").await;
    last.expect(0x88, 1001_u16.to_be_bytes()).await;
    last.raw.expect_close().await;
}

/// WS-GAP-16: what comes before the client's close frame is thrown away; without one, the connection
/// ends after `lingering_timeout`.
#[tokio::test]
async fn waiting_for_the_goodbye() {
    let nginx = Nginx::builder()
        .websocket("ws", &format!("{MESSAGES} push_stream_websocket_allow_publish on;"))
        .websocket("short", "lingering_timeout 300ms;")
        .start()
        .await;
    let mut talkative = nginx.socket("/ws/g").await;
    let mut silent = nginx.socket("/short/g").await;
    nginx.delete("/pub?id=g").await;
    talkative.text("-2 g Channel deleted").await;
    talkative.expect(0x88, b"").await;
    for _ in 0..100 {
        talkative.send(0x81, [b'x'; 1000]).await;
    }
    talkative.send(0x89, b"no answer").await;
    talkative.send(0x88, closing(1000, "")).await;
    talkative.raw.expect_close().await;
    silent.text("Channel deleted").await;
    silent.expect(0x88, b"").await;
    silent.raw.expect_close().await;
    assert!(nginx.channel("g").await.is_none());
}

/// WS-89: a client that goes without a word.
#[tokio::test]
async fn clients_that_vanish() {
    let nginx = with_footer().start().await;
    let closing = nginx.socket("/foot/v").await;
    let mut half = nginx.socket("/foot/v").await;
    let staying = nginx.socket("/foot/v").await;
    nginx.wait_stat("subscribers", 3).await;
    drop(closing);
    half.raw.half_close().await;
    half.raw.expect_close().await;
    nginx.wait_stat("subscribers", 1).await;
    nginx.wait_channel_stat("v", "subscribers", 1).await;
    nginx.wait_log("client closed prematurely connection").await;
    drop(staying);
}

/// WS-105: a client that does not read gets the footer and 1013 when too much waits.
#[tokio::test]
async fn slow_readers() {
    let nginx = builder()
        .workers(1)
        .websocket("slow", "push_stream_subscriber_max_pending 64k; push_stream_footer_template F;")
        .expect_log("reads too slowly")
        .start()
        .await;
    let raw = crate::support::Raw::with_small_window(nginx.port).await;
    let mut socket = Socket::open(raw, "/slow/s", &[]).await;
    let text = "x".repeat(60_000);
    while nginx.stat("subscribers").await > 0 {
        nginx.publish_live("s", &text).await;
    }
    let mut seen = socket.frame().await;
    while seen.payload == text.as_bytes() {
        seen = socket.frame().await;
    }
    assert_eq!((seen.start, seen.payload.as_slice()), (0x81, &b"F"[..]));
    coded(&mut socket, 1013).await;
}

/// WS-GAP-16, RFC 6455 section 7.1.3: both sides close at the same time; there is one close frame from
/// each, and the connection ends at once.
#[tokio::test]
async fn both_say_goodbye() {
    let nginx = builder().workers(1).start().await;
    for n in 0..30 {
        let mut socket = nginx.socket(&format!("/ws/x{n}")).await;
        let target = format!("/pub?id=x{n}");
        let goodbye = crate::support::websocket::frame(0x88, closing(1000, "bye"));
        let (_, answer) = tokio::join!(socket.raw.send(goodbye), nginx.delete(&target));
        assert_eq!(answer.status, 200);
        let mut seen = socket.frame().await;
        if seen.start == 0x81 {
            assert_eq!(seen.payload, format!("-2 x{n} Channel deleted").as_bytes());
            seen = socket.frame().await;
        }
        assert_eq!(seen.start, 0x88);
        assert!(seen.payload.is_empty() || seen.payload == 1000_u16.to_be_bytes(), "{seen:?}");
        socket.raw.expect_close().await;
    }
    nginx.wait_stat("subscribers", 0).await;
}

/// WS-63: a worker that is killed, and a client that takes nothing for `send_timeout`: no last word.
#[tokio::test]
async fn without_a_word() {
    let nginx = builder()
        .workers(1)
        .websocket(
            "stuck",
            "send_timeout 300ms; push_stream_subscriber_max_pending 64m;
             push_stream_footer_template FOOT;",
        )
        .start()
        .await;
    let raw = crate::support::Raw::with_small_window(nginx.port).await;
    let mut stuck = Socket::open(raw, "/stuck/s", &[]).await;
    let text = "x".repeat(1_000_000);
    for _ in 0..8 {
        nginx.publish_live("s", &text).await;
    }
    nginx.wait_stat("subscribers", 0).await;
    let rest = stuck.raw.until_close().await;
    assert!(rest.len() < 8_000_000 && rest.ends_with(b"xxxx"), "{} bytes", rest.len());

    let mut socket = nginx.socket("/ws/k").await;
    nginx.kill_worker(*nginx.worker_pids().first().expect("a worker"));
    socket.raw.expect_close().await;
    nginx.all_workers().await;
    nginx.wait_stat("subscribers", 0).await;
}

/// WS-89, WS-91: what a client said before it half-closed its connection counts.
#[tokio::test]
async fn last_words() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/say/l").await;
    let mut other = nginx.socket("/ws/l").await;
    socket.send(0x81, "my last word").await;
    socket.raw.half_close().await;
    other.text("1 l my last word").await;
    nginx.wait_channel_stat("l", "subscribers", 1).await;
}

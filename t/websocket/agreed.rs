//! What both sides may agree on beyond the original: binary messages, compression, origins (RFC 7692,
//! WS-GAP-19). Each rule of these by itself is in [`crate::conformance`].

use crate::support::Nginx;
use crate::support::websocket::{handshake, inflated};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";

/// Binary in, binary out, past the template; others see it in the template.
#[tokio::test]
async fn binary_messages() {
    let nginx = Nginx::builder()
        .websocket(
            "bin",
            "push_stream_websocket_binary on; push_stream_websocket_allow_publish on;
             push_stream_message_template \"<~text~>\";",
        )
        .websocket("text", "push_stream_message_template \"<~text~>\";")
        .start()
        .await;
    let mut bin = nginx.socket("/bin/b").await;
    let mut text = nginx.socket("/text/b").await;
    bin.send(0x82, b"a\xff\x00").await;
    bin.expect(0x82, b"a\xff\x00").await;
    text.expect(0x82, b"<a\xff\x00>").await;
    bin.send(0x02, b"two ").await;
    bin.send(0x80, b"pieces").await;
    bin.expect(0x82, b"two pieces").await;
    text.expect(0x81, b"<two pieces>").await;
    for (kind, start, wanted) in [
        ("application/octet-stream", 0x82, "body"),
        ("image/png", 0x82, "body"),
        ("text/plain; charset=utf-8", 0x81, "<body>"),
        ("application/json", 0x81, "<body>"),
        ("application/x-www-form-urlencoded", 0x81, "<body>"),
    ] {
        nginx.call("POST", "/pub?id=b").header("Content-Type", kind).body("body").send().await;
        bin.expect(start, wanted).await;
        text.text("<body>").await;
    }
    let mut replay = nginx.socket("/bin/b.b5").await;
    replay.expect(0x82, b"body").await;
}

/// One compressed form for all that agreed to it, and plain frames for the others.
#[tokio::test]
async fn compression() {
    let nginx = Nginx::builder()
        .websocket("zip", "push_stream_websocket_deflate on;")
        .websocket("off", "")
        .start()
        .await;
    let mut zipped = nginx.socket_with("/zip/z", &[OFFER]).await;
    assert_eq!(
        zipped.head.header("sec-websocket-extensions"),
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    );
    let mut plain = nginx.socket("/zip/z").await;
    let mut off = nginx.socket_with("/off/z", &[OFFER]).await;
    assert_eq!(plain.head.header("sec-websocket-extensions"), None);
    assert_eq!(off.head.header("sec-websocket-extensions"), None);
    let text = "compressible ".repeat(1000);
    for _ in 0..2 {
        nginx.publish_live("z", &text).await;
        let seen = zipped.frame().await;
        assert_eq!(seen.start, 0xc1);
        assert!(seen.payload.len() < 500 && inflated(&seen) == text.as_bytes());
        plain.text(&text).await;
        off.text(&text).await;
    }
    nginx.publish_live("z", "short").await;
    zipped.text("short").await;
    // An offer that cannot be met is left, and another in the same header taken.
    let narrow = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9";
    let left = nginx.socket_with("/zip/z", &[narrow]).await;
    assert_eq!(left.head.header("sec-websocket-extensions"), None);
}

/// WS-GAP-19: pages of other origins are kept out with 403.
#[tokio::test]
async fn origins() {
    let nginx = Nginx::builder()
        .websocket(
            "own",
            "push_stream_websocket_allowed_origins https://a.example https://*.b.example;",
        )
        .expect_log("is not among push_stream_websocket_allowed_origins")
        .start()
        .await;
    for origin in ["https://a.example", "https://x.b.example"] {
        nginx.socket_with("/own/o", &[&format!("Origin: {origin}")]).await;
    }
    nginx.socket("/own/o").await;
    for origin in ["http://a.example", "https://b.example.evil", "null"] {
        let mut raw = nginx.raw().await;
        let mut lines = handshake();
        lines.push(format!("Origin: {origin}"));
        raw.request("GET /own/o", &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let answer = raw.answer().await;
        let seen = (answer.status(), answer.explanation());
        assert_eq!(seen, (403, Some("Origin not allowed.")), "{origin}");
        raw.expect_close().await;
    }
}

/// WS-44, RFC 7692: history is compressed once, and every client that takes it so gets the same bytes,
/// those of its channel and template.
#[tokio::test]
async fn compressed_history() {
    let zip = "push_stream_websocket_deflate on;";
    let nginx = Nginx::builder()
        .workers(1)
        .websocket("zip", zip)
        .websocket("ids", &format!("{zip} push_stream_message_template \"~id~ ~channel~ ~text~\";"))
        .start()
        .await;
    let text = |n: usize| format!("message {n} ").repeat(100 + n);
    for n in 1..=20 {
        nginx.publish("h", text(n)).await;
        nginx.publish("i", text(n)).await;
    }
    let mut sockets = Vec::new();
    for round in 0..3 {
        for (place, channel) in [("zip", "h"), ("ids", "h"), ("ids", "i"), ("zip", "i")] {
            let mut socket = nginx.socket_with(&format!("/{place}/{channel}.b20"), &[OFFER]).await;
            let mut frames = Vec::new();
            for n in 1..=20 {
                let frame = socket.frame().await;
                let wanted = match place {
                    "zip" => text(n),
                    _ => format!("{n} {channel} {}", text(n)),
                };
                assert_eq!(frame.start, 0xc1);
                assert_eq!(inflated(&frame), wanted.as_bytes(), "{place} {channel} {round}");
                frames.push(frame);
            }
            sockets.push((place, channel, frames));
            let mut plain = nginx.socket(&format!("/{place}/{channel}.b1")).await;
            assert_eq!(plain.frame().await.start, 0x81);
        }
    }
    for (place, channel, frames) in &sockets {
        let first = sockets.iter().find(|(p, c, _)| (p, c) == (place, channel)).expect("itself");
        assert_eq!(frames, &first.2, "{place} {channel}");
    }
}

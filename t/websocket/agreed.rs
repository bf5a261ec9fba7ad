//! What both sides may agree on beyond the original: binary messages, compression, subprotocols,
//! origins (RFC 7692, WS-GAP-18, WS-GAP-19).

use std::io::Read;

use flate2::read::DeflateDecoder;

use crate::support::websocket::{frame, handshake};
use crate::support::{Frame, Nginx};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";

fn inflated(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    let compressed = [&frame.payload[..], &[0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]].concat();
    DeflateDecoder::new(&compressed[..]).read_to_end(&mut out).expect("a compressed payload");
    out
}

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

/// Compressed messages from the client: counted, checked and published decompressed; a bomb is 1009.
#[tokio::test]
async fn compressed_messages_from_clients() {
    let nginx = Nginx::builder()
        .websocket(
            "zip",
            "push_stream_websocket_deflate on; push_stream_websocket_allow_publish on;
             push_stream_websocket_max_message_size 1000;",
        )
        .start()
        .await;
    let mut socket = nginx.socket_with("/zip/c", &[OFFER]).await;
    // RFC 7692 section 7.2.3.1, whole and in fragments with a ping in between.
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    socket.send(0xc1, hello).await;
    socket.text("Hello").await;
    socket.send(0x41, &hello[..3]).await;
    socket.send(0x89, b"p").await;
    socket.expect(0x8a, b"p").await;
    socket.send(0x80, &hello[3..]).await;
    socket.text("Hello").await;
    socket.send(0x81, b"plain").await;
    socket.text("plain").await;

    let mut zeroes = Vec::new();
    flate2::read::DeflateEncoder::new(&[b'0'; 500_000][..], flate2::Compression::best())
        .read_to_end(&mut zeroes)
        .expect("compression");
    assert!(zeroes.len() < 1000);
    for (payload, code) in [(&zeroes[..], 1009), (b"\xff\xff\xff", 1007)] {
        let mut socket = nginx.socket_with("/zip/c", &[OFFER]).await;
        socket.send(0xc1, payload).await;
        socket.fails_with(code).await;
    }
    // RSV1 in a continuation or a control frame is no compression.
    for bytes in [[frame(0x41, b""), frame(0xc0, b"")].concat(), frame(0xc9, b"")] {
        let mut socket = nginx.socket_with("/zip/c", &[OFFER]).await;
        socket.raw.send(bytes).await;
        socket.fails_with(1002).await;
    }
}

/// WS-GAP-18: exactly one offered subprotocol is echoed, or none.
#[tokio::test]
async fn subprotocols() {
    let nginx = Nginx::builder()
        .websocket("chat", "push_stream_websocket_subprotocol v1 v2;")
        .websocket("none", "")
        .start()
        .await;
    for (target, offer, chosen) in [
        ("/chat/s", "v3, v2, v1", Some("v2")),
        ("/chat/s", "V1", None),
        ("/chat/s", "v3", None),
        ("/none/s", "v1", None),
    ] {
        let offer = format!("Sec-WebSocket-Protocol: {offer}");
        let socket = nginx.socket_with(target, &[&offer]).await;
        assert_eq!(socket.head.header("sec-websocket-protocol"), chosen, "{offer}");
    }
    let two = ["Sec-WebSocket-Protocol: v3", "Sec-WebSocket-Protocol: v1"];
    let socket = nginx.socket_with("/chat/s", &two).await;
    assert_eq!(socket.head.header("sec-websocket-protocol"), Some("v1"));
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

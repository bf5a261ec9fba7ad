//! Frames from clients that take time, room or patience (WS-84..88, WS-101, WS-105, WS-GAP-13,
//! WS-GAP-21). Each frame by itself is in [`crate::conformance`].

use crate::builder;
use crate::support::Nginx;
use crate::support::websocket::{frame, unmasked};

/// WS-67, WS-86, WS-88, WS-GAP-21: however the bytes are cut or joined.
#[tokio::test]
async fn cuts() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/say/f").await;
    let texts = ["a".to_owned(), "b".repeat(126), "c".repeat(70_000)];
    let masked: Vec<u8> = texts.iter().flat_map(|text| frame(0x81, text)).collect();
    let plain: Vec<u8> = texts.iter().flat_map(|text| unmasked(0x81, text)).collect();
    for frames in [masked, plain] {
        for size in [frames.len(), 1000, 7] {
            for piece in frames.chunks(size) {
                socket.raw.send(piece).await;
            }
            for text in &texts {
                socket.text(text).await;
            }
        }
    }
    for bytes in [frame(0x81, "by byte"), unmasked(0x81, "by byte")] {
        for byte in bytes {
            socket.raw.send([byte]).await;
        }
        socket.text("by byte").await;
    }
}

/// WS-101, WS-GAP-13: the largest message, in one frame or several, counts in bytes.
#[tokio::test]
async fn sizes() {
    let nginx = builder()
        .websocket("body", "push_stream_websocket_allow_publish on; client_max_body_size 10;")
        .websocket(
            "own",
            "push_stream_websocket_allow_publish on; client_max_body_size 10;
             push_stream_websocket_max_message_size 20;",
        )
        .websocket("any", "push_stream_websocket_allow_publish on; client_max_body_size 0;")
        .start()
        .await;
    for (location, most) in [("body", 10), ("own", 20)] {
        let mut socket = nginx.socket(&format!("/{location}/s")).await;
        let text = "x".repeat(most);
        socket.send(0x81, &text).await;
        socket.text(&text).await;
        socket.send(0x01, &text).await;
        socket.send(0x80, b"y").await;
        socket.fails_with(1009).await;
    }
    let mut socket = nginx.socket("/any/s").await;
    let text = "x".repeat(100_000);
    socket.send(0x81, &text).await;
    socket.text(&text).await;
}

/// WS-84: an announced length takes no memory.
#[tokio::test]
async fn announced_lengths_are_free() {
    let nginx = Nginx::builder()
        .workers(1)
        .websocket("huge", "client_max_body_size 0; push_stream_websocket_allow_publish on;")
        .start()
        .await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        let mut socket = nginx.socket("/huge/m").await;
        socket.raw.send(b"\x81\xff\x10\0\0\0\0\0\0\0MASKbegun").await;
        sockets.push(socket);
    }
    let mut last = nginx.socket("/huge/m").await;
    last.send(0x81, b"alive").await;
    last.text("alive").await;
    let worker = *nginx.worker_pids().first().expect("a worker");
    let status = std::fs::read_to_string(format!("/proc/{worker}/status")).expect("status");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("VmRSS");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    assert!(kib < 100_000, "{line}");
}

/// WS-85: half a frame, or half a message, is waited for as long as for a body.
#[tokio::test]
async fn half_messages_time_out() {
    let nginx = builder().websocket("quick", "client_body_timeout 300ms;").start().await;
    let mut idle = nginx.socket("/quick/t").await;
    for bytes in [&b"\x81"[..], b"\x81\x85MASK", b"\x81\x05half", &frame(0x01, "begun")] {
        let mut socket = nginx.socket("/quick/t").await;
        socket.raw.send(bytes).await;
        socket.fails_with(1008).await;
    }
    // Between messages there is no such time.
    idle.send(0x89, b"x").await;
    idle.expect(0x8a, b"x").await;
}

/// WS-85: pings and pongs are no piece of a message.
#[tokio::test]
async fn half_messages_time_out_between_pings() {
    let nginx = builder()
        .websocket("half", "client_body_timeout 600ms; push_stream_ping_message_interval 100ms;")
        .start()
        .await;
    let mut socket = nginx.socket("/half/t").await;
    socket.send(0x01, b"begun").await;
    let mut answered = 0;
    let end = loop {
        let seen = socket.frame().await;
        if seen.start != 0x89 {
            break seen;
        }
        answered += 1;
        assert!(answered < 60, "it is still open");
        socket.send(0x8a, &seen.payload).await;
    };
    assert!(answered > 0);
    assert_eq!((end.start, &end.payload[..2]), (0x88, &1008_u16.to_be_bytes()[..]));
    socket.raw.expect_close().await;
}

/// WS-105: a client that pings and never reads costs nothing and harms nobody.
#[tokio::test]
async fn floods_of_pings() {
    let nginx = builder().workers(1).start().await;
    let mut flood = nginx.socket("/ws/f").await;
    let mut other = nginx.socket("/ws/f").await;
    let pings = frame(0x89, [b'p'; 125]).repeat(8000);
    flood.raw.send(&pings).await;
    nginx.publish_live("f", "x").await;
    other.text("1 f x").await;
    flood.send(0x89, b"last").await;
    let mut pongs = 0;
    loop {
        let seen = flood.frame().await;
        match seen.start {
            0x8a if seen.payload == b"last" => break,
            0x8a => pongs += 1,
            _ => assert_eq!(seen.payload, b"1 f x"),
        }
    }
    assert!(pongs <= 8000);
}

//! What a client may send, frame by frame (WS-67..90, WS-GAP-5..14, RFC 6455 sections 5 and 8).

use crate::builder;
use crate::support::websocket::{closing, frame};
use crate::support::{Nginx, Socket};

/// Sends bytes to a new connection, and returns it.
async fn sent(nginx: &Nginx, bytes: &[u8]) -> Socket {
    let mut socket = nginx.socket("/say/f").await;
    socket.raw.send(bytes).await;
    socket
}

/// Every wrong frame is answered with its code, as soon as its head shows it, and the connection ends.
#[tokio::test]
async fn violations() {
    let nginx = builder().workers(1).start().await;
    let cases: &[(&str, u16, Vec<u8>)] = &[
        ("WS-67, WS-GAP-5: no mask", 1002, b"\x81\x01".to_vec()),
        ("WS-67: a ping without mask", 1002, b"\x89\x00".to_vec()),
        ("WS-68, WS-GAP-6: RSV1", 1002, frame(0xc1, "x")),
        ("WS-GAP-6: RSV2", 1002, frame(0xa1, "x")),
        ("WS-GAP-6: RSV3 on a ping", 1002, frame(0x99, "x")),
        ("WS-69, WS-GAP-7: opcode 3", 1002, frame(0x83, "x")),
        ("WS-GAP-7: opcode 7", 1002, frame(0x87, "x")),
        ("WS-GAP-7: opcode B", 1002, frame(0x8b, "x")),
        ("WS-GAP-7: opcode F", 1002, frame(0x8f, "x")),
        ("WS-69, WS-GAP-7: binary", 1003, frame(0x82, "x")),
        ("WS-70, WS-GAP-14: 5 in 16 bits", 1002, b"\x81\xfe\x00\x05MASKhello".to_vec()),
        ("WS-GAP-14: 126 in 64 bits", 1002, b"\x81\xff\0\0\0\0\0\0\0\x7eMASK".to_vec()),
        ("WS-GAP-14: top bit", 1002, b"\x81\xff\x80\0\0\0\0\0\0\x01MASK".to_vec()),
        ("WS-71, WS-GAP-8: a stray continuation", 1002, frame(0x80, "x")),
        ("WS-72, WS-GAP-8: text in text", 1002, [frame(0x01, "a"), frame(0x81, "b")].concat()),
        ("WS-73, WS-GAP-8: fragment in text", 1002, [frame(0x01, "a"), frame(0x01, "b")].concat()),
        ("WS-74, WS-GAP-10: half a ping", 1002, frame(0x09, "x")),
        ("WS-GAP-10: half a close", 1002, frame(0x08, b"")),
        ("WS-75, WS-GAP-10: a long ping", 1002, frame(0x89, [b'x'; 126])),
        ("WS-80, WS-GAP-12: not UTF-8", 1007, frame(0x81, b"\xff")),
        ("WS-81: overlong", 1007, frame(0x81, b"\xc0\x80")),
        ("WS-81, WS-GAP-12: a surrogate", 1007, frame(0x81, b"\xed\xa0\x80")),
        ("WS-81: above U+10FFFF", 1007, frame(0x81, b"\xf4\x90\x80\x80")),
        ("WS-81: half a character", 1007, frame(0x81, b"\xe2\x82")),
        ("8.1: as soon as it is wrong", 1007, frame(0x01, b"\xff")),
        ("WS-84, WS-GAP-13: 2^40 bytes", 1009, b"\x81\xff\0\0\x01\0\0\0\0\0MASK".to_vec()),
        ("WS-GAP-13: 2^62 bytes", 1009, b"\x81\xff\x40\0\0\0\0\0\0\0MASK".to_vec()),
        ("WS-GAP-11: a close of one byte", 1002, frame(0x88, b"\x03")),
        ("WS-GAP-11: code 999", 1002, frame(0x88, closing(999, ""))),
        ("WS-GAP-11: code 1005", 1002, frame(0x88, closing(1005, ""))),
        ("WS-GAP-11: code 1006", 1002, frame(0x88, closing(1006, ""))),
        ("WS-GAP-11: code 1015", 1002, frame(0x88, closing(1015, ""))),
        ("WS-GAP-11: code 2999", 1002, frame(0x88, closing(2999, ""))),
        ("WS-GAP-11: code 5000", 1002, frame(0x88, closing(5000, ""))),
        ("WS-GAP-11: no UTF-8", 1007, frame(0x88, [b"\x03\xe8", &b"\xff"[..]].concat())),
    ];
    for (rule, code, bytes) in cases {
        println!("{rule}");
        let mut socket = sent(&nginx, bytes).await;
        // What follows is not looked at, and does not cost the client our close frame.
        socket.raw.send(frame(0x81, vec![b'y'; 20_000])).await;
        socket.fails_with(*code).await;
    }
    nginx.wait_stat("subscribers", 0).await;
    assert_eq!(nginx.channel_stat("f", "published_messages").await, 0);
}

/// WS-76, WS-80, WS-GAP-9, WS-GAP-12: a pong has the ping's payload, whatever bytes these are.
#[tokio::test]
async fn pings_are_answered() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/ws/f").await;
    for payload in [&b""[..], b"x", b"\xff\x00\xed\xa0\x80", &[b'p'; 125]] {
        socket.send(0x89, payload).await;
        socket.expect(0x8a, payload).await;
    }
    // WS-77: pongs nobody asked for.
    socket.send(0x8a, b"").await;
    socket.send(0x8a, b"\xff").await;
    socket.send(0x89, b"still here").await;
    socket.expect(0x8a, b"still here").await;
}

/// WS-72, WS-74, WS-82, WS-90, WS-98, WS-GAP-8, WS-GAP-12: fragments with control frames in between,
/// characters split over them, empty ones anywhere.
#[tokio::test]
async fn fragments() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/say/f").await;
    let (begin, end) = "\u{20ac}".as_bytes().split_at(1);
    socket.send(0x01, begin).await;
    socket.send(0x89, b"between").await;
    socket.expect(0x8a, b"between").await;
    socket.send(0x00, b"").await;
    socket.send(0x8a, b"").await;
    socket.send(0x00, end).await;
    socket.send(0x80, b"").await;
    socket.text("\u{20ac}").await;
    socket.send(0x01, b"").await;
    socket.send(0x80, b"empty first").await;
    socket.text("empty first").await;
}

/// WS-86, WS-88, WS-GAP-21: however the bytes are cut or joined.
#[tokio::test]
async fn cuts() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/say/f").await;
    let texts = ["a".to_owned(), "b".repeat(126), "c".repeat(70_000)];
    let frames: Vec<u8> = texts.iter().flat_map(|text| frame(0x81, text)).collect();
    for size in [frames.len(), 1000, 7] {
        for piece in frames.chunks(size) {
            socket.raw.send(piece).await;
        }
        for text in &texts {
            socket.text(text).await;
        }
    }
    for byte in frame(0x81, "by byte") {
        socket.raw.send([byte]).await;
    }
    socket.text("by byte").await;
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
    for bytes in [&b"\x81"[..], b"\x81\x85MASK", &frame(0x01, "begun")] {
        let mut socket = nginx.socket("/quick/t").await;
        socket.raw.send(bytes).await;
        socket.fails_with(1008).await;
    }
    // Between messages there is no such time.
    idle.send(0x89, b"x").await;
    idle.expect(0x8a, b"x").await;
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

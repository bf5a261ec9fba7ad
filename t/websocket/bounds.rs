//! What one client can cost the others: memory, turns of the event loop, room of the zone.

use crate::builder;
use crate::support::Nginx;
use crate::support::websocket::{frame, unmasked};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate";

/// WS-91, WS-100, WS-GAP-15: a message that does not fit all channels is in none of them, and the
/// connection is closed with 1011; with room again, it works again.
#[tokio::test]
async fn a_full_zone_takes_all_or_nothing() {
    let nginx = Nginx::builder()
        .zone("128k")
        .workers(1)
        .websocket("keep", "push_stream_websocket_allow_publish on; push_stream_store_messages on;")
        .expect_log("is not published to 8 channels")
        .start()
        .await;
    let path = "/keep/a/b/c/d/e/f/g/h";
    // Of what is free, 8 copies of any message of this size take more than all.
    let text = vec![b'x'; 12_000];
    for round in 1..=3 {
        let mut socket = nginx.socket(path).await;
        socket.send(0x81, &text).await;
        socket.fails_with(1011).await;
        nginx.wait_stat("subscribers", 0).await;
        let mut small = nginx.socket(path).await;
        for channel in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            assert_eq!(nginx.channel_stat(channel, "published_messages").await, round - 1);
        }
        small.send(0x81, b"small").await;
        for _ in 0..8 {
            small.text("small").await;
        }
        small.send(0x88, b"").await;
        small.expect(0x88, b"").await;
        small.raw.expect_close().await;
        nginx.wait_stat("subscribers", 0).await;
    }
}

/// WS-86, WS-91: what one client sends at once is heard in several turns, and nothing of it is lost or
/// changes places, with control frames in between.
#[tokio::test]
async fn a_burst_is_heard_in_turns() {
    let nginx = builder().workers(1).start().await;
    let mut socket = nginx.socket("/say/a/b/c/d/e/f/g/h/i/j").await;
    let mut other = nginx.socket("/ws/a").await;
    let mut burst = Vec::new();
    for n in 0..300 {
        burst.extend(frame(0x81, format!("{n}")));
    }
    burst.extend(frame(0x89, "behind them"));
    socket.raw.send(burst).await;
    for n in 0..300 {
        other.text(&format!("{} a {n}", n + 1)).await;
    }
    let mut seen = Vec::new();
    let mut ponged = false;
    while seen.len() < 3000 || !ponged {
        let frame = socket.frame().await;
        match frame.start {
            0x8a => {
                assert_eq!(frame.payload, b"behind them");
                ponged = true;
            }
            _ => seen.push(String::from_utf8(frame.payload).expect("text")),
        }
    }
    for (n, ten) in seen.chunks(10).enumerate() {
        assert!(ten.iter().all(|text| *text == n.to_string()), "{n}: {ten:?}");
    }
}

/// RFC 7692: decompressing counts too. Messages that are small on the wire and large behind it, one
/// after the other, wanted or not, while another client is served.
#[tokio::test]
async fn bombs_in_a_row() {
    let nginx = Nginx::builder()
        .workers(1)
        .websocket("deaf", "push_stream_websocket_deflate on;")
        .websocket("ws", "")
        .start()
        .await;
    let bomb = {
        use std::io::Write;
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(&vec![b'0'; 1_000_000]).expect("in memory");
        out.flush().expect("in memory");
        let mut bytes = out.get_ref().clone();
        bytes.truncate(bytes.len() - 4);
        bytes
    };
    assert!(bomb.len() < 2000);
    let mut bomber = nginx.socket_with("/deaf/b", &[OFFER]).await;
    let mut other = nginx.socket("/ws/b").await;
    bomber.raw.send(frame(0xc1, &bomb).repeat(200)).await;
    nginx.publish_live("b", "through").await;
    other.text("through").await;
    bomber.send(0x89, b"all heard").await;
    bomber.text("through").await;
    bomber.expect(0x8a, b"all heard").await;
}

/// WS-86: messages of which nothing comes count too, and so do those that are slow to decompress for
/// what they hold.
#[tokio::test]
async fn nothing_in_a_row() {
    let deflate = "push_stream_websocket_deflate on;";
    let nginx = Nginx::builder()
        .workers(1)
        .websocket("deaf", deflate)
        .websocket("say", &format!("{deflate} push_stream_websocket_allow_publish on;"))
        .websocket("ws", "")
        .start()
        .await;
    let mut other = nginx.socket("/ws/b").await;
    let empty_blocks = [&b"\x02\x08\x20\x80\x00".repeat(100_000)[..], b"\x00"].concat();
    let final_blocks = [&b"\x03\x00".repeat(254)[..], b"\x00"].concat();
    for at in ["/deaf/b", "/say/b"] {
        for flood in [
            frame(0xc1, b"\x00").repeat(50_000),
            frame(0x81, b"").repeat(50_000),
            unmasked(0x81, b"").repeat(50_000),
            [unmasked(0x01, b""), unmasked(0x00, b"").repeat(200_000), unmasked(0x80, b"")]
                .concat(),
            frame(0xc1, &final_blocks).repeat(1000),
            frame(0xc1, &empty_blocks),
        ] {
            let mut socket = nginx.socket_with(at, &[OFFER]).await;
            socket.raw.send(flood).await;
            nginx.publish_live("b", "through").await;
            other.text("through").await;
            socket.send(0x89, b"all heard").await;
            socket.text("through").await;
            socket.expect(0x8a, b"all heard").await;
        }
    }
}

/// All of a message that is slow to decompress, but for its last block.
fn slow() -> Vec<u8> {
    // Two blocks with codes of their own, and no text.
    const BLOCKS: &[u8] = b"\x04\xc0\x81\x08\x00\x00\x00\x00\x20\x7f\xeb\x43\
                            \x00\x1c\x88\x00\x00\x00\x00\x00\xf2\xb7\x3e";
    BLOCKS.repeat((48 << 20) / BLOCKS.len())
}

/// That block, with its only text: "slow".
const SLOW: &[u8] = b"\x2a\xce\xc9\x2f\x07\x00";

/// WS-60, WS-86: the time for a pong does not run while the client has said more than was heard.
#[tokio::test]
async fn a_pong_behind_a_slow_message() {
    let nginx = Nginx::builder()
        .workers(1)
        .websocket(
            "say",
            "push_stream_websocket_deflate on; push_stream_websocket_allow_publish on;
             push_stream_websocket_max_message_size 48m; push_stream_ping_message_interval 100ms;
             push_stream_websocket_pong_timeout 800ms;",
        )
        .start()
        .await;
    let message = frame(0xc1, [&slow()[..], SLOW].concat());
    let bytes = [message, frame(0x8a, b"")].concat();
    let mut socket = nginx.socket_with("/say/b", &[OFFER]).await;
    socket.expect(0x89, b"").await;
    socket.raw.send(bytes).await;
    loop {
        let frame = socket.frame().await;
        match frame.start {
            0x89 => {}
            _ => break assert_eq!((frame.start, &frame.payload[..]), (0x81, &b"slow"[..])),
        }
    }
}

/// WS-86: a single message that is slow to decompress is no exception. What is published after its last
/// byte was read goes before it.
#[tokio::test]
async fn one_slow_message_is_decompressed_in_turns() {
    let nginx = Nginx::builder()
        .workers(1)
        .websocket(
            "say",
            "push_stream_websocket_deflate on; push_stream_websocket_allow_publish on;
             push_stream_websocket_max_message_size 48m;",
        )
        .websocket("ws", "")
        .start()
        .await;
    let mut other = nginx.socket("/ws/b").await;
    let mut socket = nginx.socket_with("/say/b", &[OFFER]).await;
    socket.send(0x41, slow()).await;
    socket.send(0x89, b"all read").await;
    socket.expect(0x8a, b"all read").await;
    socket.send(0x80, SLOW).await;
    nginx.publish_live("b", "meanwhile").await;
    other.text("meanwhile").await;
    other.text("slow").await;
}

/// WS-84: the limit is on the message, not on its compressed form, which may be longer.
#[tokio::test]
async fn short_messages_compressed() {
    let nginx = Nginx::builder()
        .websocket(
            "zip",
            "push_stream_websocket_deflate on; push_stream_websocket_allow_publish on;
             push_stream_websocket_max_message_size 5;",
        )
        .start()
        .await;
    let mut socket = nginx.socket_with("/zip/s", &[OFFER]).await;
    socket.send(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00").await;
    socket.text("Hello").await;
    // RFC 7692 section 7.2.3.4: with a final block.
    socket.send(0xc1, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00").await;
    socket.text("Hello").await;
    socket.send(0xc1, b"\x00\x06\x00\xf9\xffHello!\x00").await;
    socket.fails_with(1009).await;
    let mut half = nginx.socket_with("/zip/s", &[OFFER]).await;
    half.send(0xc1, b"\x00\x05\x00\xfa\xffHel").await;
    half.fails_with(1007).await;
}

/// RFC 7692 section 7.1: which offers are taken, and how that is said.
#[tokio::test]
async fn offers() {
    let nginx =
        Nginx::builder().websocket("zip", "push_stream_websocket_deflate on;").start().await;
    let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let wide = format!("{plain}; server_max_window_bits=15");
    for (offer, taken) in [
        ("permessage-deflate", Some(plain)),
        ("permessage-deflate; client_max_window_bits=\"10\"", Some(plain)),
        ("permessage-deflate; server_max_window_bits=15", Some(&wide[..])),
        ("permessage-deflate; server_max_window_bits=9, permessage-deflate", Some(plain)),
        ("permessage-deflate; server_max_window_bits=9", None),
        ("permessage-deflate; client_max_window_bits=08", None),
        ("permessage-deflate; client_no_context_takeover=1", None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits", None),
        ("permessage-deflate; new", None),
        ("permessage-deflate;", None),
    ] {
        let offer = format!("Sec-WebSocket-Extensions: {offer}");
        let socket = nginx.socket_with("/zip/o", &[&offer]).await;
        assert_eq!(socket.head.header("sec-websocket-extensions"), taken, "{offer}");
    }
}

/// WS-GAP-16: who has left a message unfinished has no more time for its goodbye than others.
#[tokio::test]
async fn half_a_message_at_the_end() {
    let nginx = builder()
        .websocket("slow", "client_body_timeout 1h; lingering_timeout 300ms;")
        .start()
        .await;
    let mut socket = nginx.socket("/slow/h").await;
    socket.send(0x01, b"begun").await;
    // It was heard.
    socket.send(0x89, b"x").await;
    socket.expect(0x8a, b"x").await;
    nginx.delete("/pub?id=h").await;
    socket.text("Channel deleted").await;
    socket.expect(0x88, b"").await;
    socket.raw.expect_close().await;
}

/// WS-84, WS-GAP-16: a message takes memory while it comes, and no longer: not when it fails, and not while
/// the server waits for a goodbye.
#[tokio::test]
async fn memory_is_given_back() {
    for fails in [true, false] {
        let nginx = Nginx::builder()
            .workers(1)
            .websocket(
                "zip",
                "push_stream_websocket_deflate on; push_stream_websocket_max_message_size 32m;
                 lingering_timeout 1h;",
            )
            .start()
            .await;
        let worker = *nginx.worker_pids().first().expect("a worker");
        let resident = || {
            let status = std::fs::read_to_string(format!("/proc/{worker}/status")).expect("status");
            let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("VmRSS");
            line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number")
        };
        let mut sockets = Vec::new();
        for _ in 0..20 {
            let mut socket = nginx.socket_with("/zip/m", &[OFFER]).await;
            // A compressed message in progress is what is kept where nobody may publish.
            socket.send(0x41, vec![0; 4_000_000]).await;
            socket.send(0x89, b"heard").await;
            socket.expect(0x8a, b"heard").await;
            sockets.push(socket);
        }
        let while_coming = resident();
        assert!(while_coming > 80_000, "{while_coming} KiB");
        if !fails {
            nginx.delete("/pub?id=m").await;
        }
        for socket in &mut sockets {
            if fails {
                // It was no deflate.
                socket.send(0x80, b"").await;
                socket.fails_with(1007).await;
            } else {
                socket.text("Channel deleted").await;
                socket.expect(0x88, b"").await;
            }
        }
        let after = resident();
        assert!(after < while_coming / 2, "{after} KiB after {while_coming}, {fails}");
    }
}

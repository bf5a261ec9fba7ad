//! RFC 7692: permessage-deflate.

use std::io::Read;

use flate2::Compression;
use flate2::read::DeflateEncoder;

use super::{Case, case, play};
use crate::support::Nginx;
use crate::support::websocket::handshake;

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate";
const ACCEPTED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
/// "Hello" in one block, the RFC's example (7.2.3.1).
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

fn zip(name: &'static str) -> Case {
    case(name).at("zip").offers(OFFER)
}

/// What ends in a final block (7.2.3.4).
fn final_block(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    DeflateEncoder::new(text, Compression::best()).read_to_end(&mut out).expect("compression");
    out
}

fn good() -> Vec<Case> {
    vec![
        zip("7.2.3.1: one block").sends(0xc1, HELLO).publishes("Hello"),
        zip("7.2.3.2: a window of the message before is not needed")
            .sends(0xc1, HELLO)
            .sends(0xc1, HELLO)
            .publishes("Hello")
            .publishes("Hello"),
        zip("7.2.3.3: a block without compression")
            .sends(0xc1, b"\x00\x05\x00\xfa\xffHello\x00")
            .publishes("Hello"),
        zip("7.2.3.4: a final block")
            .sends(0xc1, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00")
            .publishes("Hello"),
        zip("7.2.3.5: two blocks")
            .sends(0xc1, b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")
            .publishes("Hello"),
        zip("7.2.1: blocks behind a final one")
            .sends(0xc1, [&final_block(b"one "), HELLO].concat())
            .publishes("one Hello"),
        zip("7.2.1: two final blocks")
            .sends(0xc1, [final_block(b"one "), final_block(b"two"), vec![0]].concat())
            .publishes("one two"),
        zip("7.2.3.6: an empty message").sends(0xc1, b"\x00").sends(0xc1, b"\x02\x00"),
        zip("6, 7.2.3.1: in fragments, the first alone with RSV1")
            .sends(0x41, &HELLO[..3])
            .sends(0x80, &HELLO[3..])
            .publishes("Hello"),
        zip("6: in fragments with a ping in between, empty ones too")
            .sends(0x41, b"")
            .sends(0x00, &HELLO[..1])
            .sends(0x89, "p")
            .sends(0x00, b"")
            .sends(0x80, &HELLO[1..])
            .gets(0x8a, "p")
            .publishes("Hello"),
        zip("6: messages without compression, in between")
            .sends(0x81, "plain")
            .sends(0xc1, HELLO)
            .sends(0x01, "pla")
            .sends(0x80, "in")
            .publishes("plain")
            .publishes("Hello")
            .publishes("plain"),
        Case { published: 1, ..case("6: binary") }
            .at("zipbin")
            .offers(OFFER)
            .sends(0xc2, HELLO)
            .gets(0x82, "Hello"),
        zip("WS-108, WS-92: as long as is allowed")
            .at("small")
            .sends(0xc1, final_block("1".repeat(1000).as_bytes()))
            .publishes("1".repeat(1000)),
    ]
}

fn bad() -> Vec<Case> {
    let ones = "1".repeat(100_000);
    vec![
        zip("6, WS-GAP-6: RSV1 on a continuation").sends(0x41, b"").sends(0xc0, HELLO).fails(1002),
        zip("6, WS-GAP-6: RSV1 on a ping").sends(0xc9, "").fails(1002),
        zip("6: RSV1 on a pong").sends(0xca, "").fails(1002),
        zip("6, WS-GAP-6: RSV1 on a close frame").sends(0xc8, b"\x03\xe8").fails(1002),
        zip("6: RSV1 in the middle of a message that is not compressed")
            .sends(0x01, "a")
            .sends(0xc0, HELLO)
            .fails(1002),
        zip("6: RSV2 beside it").sends(0xe1, HELLO).fails(1002),
        case("5, WS-68: RSV1 of a client that did not offer")
            .at("zip")
            .sends(0xc1, HELLO)
            .fails(1002),
        case("5, WS-68: RSV1 where nothing is agreed on")
            .offers(OFFER)
            .sends(0xc1, HELLO)
            .fails(1002),
        zip("7.2.2, WS-108: no such block").sends(0xc1, b"\xff\xff\xff").fails(1007),
        zip("7.2.2, WS-108: a repetition of what was before the message")
            .sends(0xc1, b"\x02\x02\x00\x00")
            .fails(1007),
        zip("7.2.2: a length that does not agree")
            .sends(0xc1, b"\x00\x05\x00\x00\x00Hello")
            .fails(1007),
        zip("7.2.2: cut in a block without compression")
            .sends(0xc1, b"\x00\x50\x00\xaf\xffHello")
            .fails(1007),
        zip("8.1, WS-80: no UTF-8 inside").sends(0xc1, b"\x00\x01\x00\xfe\xff\xff\x00").fails(1007),
        zip("8, WS-84, WS-108: above the limit when it is decompressed")
            .at("small")
            .sends(0xc1, final_block(ones.as_bytes()))
            .fails(1009),
        zip("WS-GAP-13: above the limit before it is decompressed")
            .at("small")
            .sends(0xc1, [0; 1000 + 1000 / 16 + 65])
            .fails(1009),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_messages() {
    play([good(), bad()].concat()).await;
}

/// 5, 5.1, 7.1: offers that are taken, with nothing in the answer that the client must not see, and
/// offers that are left.
#[tokio::test]
async fn offers() {
    let nginx =
        Nginx::builder().websocket("zip", "push_stream_websocket_deflate on;").start().await;
    let taken: &[&[&str]] = &[
        &["permessage-deflate"],
        &["PerMessage-Deflate"],
        &["permessage-deflate; client_max_window_bits"],
        &["permessage-deflate; client_max_window_bits=8"],
        &["permessage-deflate; client_max_window_bits=15"],
        &["permessage-deflate;client_max_window_bits=\"10\""],
        &["permessage-deflate; server_no_context_takeover; client_no_context_takeover"],
        &["permessage-deflate; server_max_window_bits=10, permessage-deflate"],
        &["x-webkit-deflate-frame, permessage-deflate"],
        &["x-webkit-deflate-frame", "permessage-deflate"],
    ];
    let left: &[&[&str]] = &[
        &["deflate-frame"],
        &["permessage-deflate; unknown"],
        &["permessage-deflate; server_no_context_takeover=1"],
        &["permessage-deflate; client_no_context_takeover=yes"],
        &["permessage-deflate; server_max_window_bits"],
        &["permessage-deflate; server_max_window_bits=7"],
        &["permessage-deflate; server_max_window_bits=16"],
        &["permessage-deflate; client_max_window_bits=7"],
        &["permessage-deflate; client_max_window_bits=16"],
        &["permessage-deflate; client_max_window_bits=08"],
        &["permessage-deflate; client_max_window_bits=+9"],
        &["permessage-deflate; client_max_window_bits; client_max_window_bits"],
        &["permessage-deflate; client_no_context_takeover; client_no_context_takeover"],
        &["permessage-deflate; server_max_window_bits=9"],
    ];
    let mut failed = Vec::new();
    let taken = taken.iter().map(|offer| (offer, Some(ACCEPTED)));
    // 7.1.2.1: taking it is saying it too.
    let wide = format!("{ACCEPTED}; server_max_window_bits=15");
    let with_window: &[&str] = &["permessage-deflate; server_max_window_bits=15"];
    let taken = taken.chain([(&with_window, Some(&wide[..]))]);
    for (offer, wanted) in taken.chain(left.iter().map(|offer| (offer, None))) {
        let mut lines = handshake();
        lines.extend(offer.iter().map(|line| format!("Sec-WebSocket-Extensions: {line}")));
        let mut raw = nginx.raw().await;
        raw.request("GET /zip/o", &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let answer = raw.head().await;
        if (answer.status(), answer.header("sec-websocket-extensions")) != (101, wanted) {
            failed.push(format!("{offer:?}: {answer:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

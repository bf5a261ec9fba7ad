//! What RFC 6455 section 5.1 does not allow and devices in the field send: frames without mask, which
//! `push_stream_websocket_masking optional` reads as they are. That all else is as with masks, the other
//! tables show.

use super::{Case, Masks, OPTIONAL, case, play_where};
use crate::support::websocket::{closing, frame, unmasked};

fn frames() -> Vec<Case> {
    vec![
        case("WS-67, WS-GAP-5: text without mask, its bytes told").raw(b"\x81\x01x").publishes("x"),
        case("WS-67: an empty text without mask").raw(b"\x81\x00"),
        case("WS-67: a ping without mask").raw(b"\x89\x03abc").gets(0x8a, "abc"),
        case("WS-67: a pong without mask").raw(b"\x8a\x00"),
        case("WS-67: a close frame without mask").raw(b"\x88\x02\x03\xe8").closes(b"\x03\xe8"),
        case("WS-67, WS-78: one with a reason")
            .raw(unmasked(0x88, closing(3000, "bye")))
            .closes(b"\x0b\xb8"),
        case("WS-67: a length of 16 bits")
            .raw([b"\x81\x7e\x00\x7e", &[b'l'; 126][..]].concat())
            .publishes("l".repeat(126)),
        case("WS-67: a length of 64 bits")
            .raw([b"\x81\x7f\0\0\0\0\0\x01\0\0", &[b'l'; 65_536][..]].concat())
            .publishes("l".repeat(65_536)),
    ]
}

fn mixed() -> Vec<Case> {
    vec![
        case("WS-67: with and without, in turns")
            .raw(unmasked(0x81, "one"))
            .raw(frame(0x81, "two"))
            .raw(unmasked(0x81, "three"))
            .publishes("one")
            .publishes("two")
            .publishes("three"),
        case("WS-67: fragments of one message, with control frames in between")
            .raw(unmasked(0x01, "a"))
            .raw(frame(0x8a, "masked"))
            .raw(frame(0x00, "b"))
            .raw(unmasked(0x89, "not"))
            .raw(unmasked(0x80, "c"))
            .gets(0x8a, "not")
            .publishes("abc"),
        case("WS-67, WS-82: a character over two of them")
            .raw(frame(0x01, b"\xe2\x82"))
            .raw(unmasked(0x80, b"\xac"))
            .publishes("€"),
        Case { published: 1, ..case("WS-67, WS-107: binary") }
            .at("bin")
            .raw(unmasked(0x02, b"\xff\x00"))
            .raw(frame(0x80, b"\xfe"))
            .gets(0x82, b"\xff\x00\xfe"),
    ]
}

/// What is wrong stays wrong, masked or not.
fn wrong() -> Vec<Case> {
    vec![
        case("WS-70, WS-GAP-14: 125 in 16 bits").raw(b"\x81\x7e\x00\x7d").fails(1002),
        case("WS-70, WS-GAP-14: 65535 in 64 bits").raw(b"\x81\x7f\0\0\0\0\0\0\xff\xff").fails(1002),
        case("WS-70, WS-GAP-14: the top bit")
            .at("any")
            .raw(b"\x81\x7f\x80\0\0\0\0\0\0\x01")
            .fails(1002),
        case("WS-75, WS-GAP-10: a ping of 126 bytes").raw(b"\x89\x7e").fails(1002),
        case("WS-84, WS-GAP-13: 2^40 bytes").raw(b"\x81\x7f\0\0\x01\0\0\0\0\0").fails(1009),
        case("WS-80, WS-GAP-12: no UTF-8, before the frame ends")
            .raw(b"\x81\x05ab\xff")
            .fails(1007),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_without_mask() {
    play_where(OPTIONAL, &[Masks::None], &[frames(), mixed(), wrong()].concat()).await;
}

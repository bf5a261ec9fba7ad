//! RFC 6455 section 8.1: text is UTF-8, all of it, however it is cut.

use super::{Case, case, play};

/// One of each length, the first and last of each range, and what stands around the surrogates.
const BORDERS: &str = "\u{0}\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}\u{fdd0}\u{fffe}\u{1ffff}";

fn good() -> Vec<Case> {
    vec![
        case("8.1: characters of every length").sends(0x81, BORDERS).publishes(BORDERS),
        case("8.1, WS-82, WS-GAP-12: a character over two fragments")
            .sends(0x01, b"\xe2")
            .sends(0x80, b"\x82\xac")
            .publishes("\u{20ac}"),
        case("8.1, WS-82: a character over four fragments, empty ones between")
            .sends(0x01, b"\xf0")
            .sends(0x00, b"\x9f")
            .sends(0x00, b"")
            .sends(0x00, b"\x98")
            .sends(0x80, b"\x80")
            .publishes("\u{1f600}"),
        case("8.1: a ping in the middle of a character")
            .sends(0x01, b"\xe2\x82")
            .sends(0x89, b"\xff")
            .sends(0x80, b"\xac")
            .gets(0x8a, b"\xff")
            .publishes("\u{20ac}"),
        case("8.1: long text")
            .sends(0x81, "\u{20ac}ab".repeat(2_000))
            .publishes("\u{20ac}ab".repeat(2_000)),
        Case { published: 1, ..case("5.6, WS-80, WS-GAP-12: binary may be anything") }
            .at("bin")
            .sends(0x82, b"\xc0\x80\xed\xa0\x80")
            .gets(0x82, b"\xc0\x80\xed\xa0\x80"),
    ]
}

fn bad() -> Vec<Case> {
    let texts: [(&str, &[u8]); 15] = [
        ("8.1, WS-80, WS-GAP-12: no first byte", b"\xff"),
        ("8.1: FE", b"\xfe"),
        ("8.1: a stray continuation byte", b"a\x80"),
        ("8.1, WS-81: overlong in two bytes", b"\xc0\x80"),
        ("8.1, WS-81: overlong, C1", b"\xc1\xbf"),
        ("8.1, WS-81: overlong in three bytes", b"\xe0\x9f\xbf"),
        ("8.1, WS-81: overlong in four bytes", b"\xf0\x8f\xbf\xbf"),
        ("8.1, WS-81, WS-GAP-12: the first surrogate", b"\xed\xa0\x80"),
        ("8.1, WS-GAP-12: the last surrogate", b"\xed\xbf\xbf"),
        ("8.1, WS-GAP-12: a pair of surrogates", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("8.1, WS-81: above U+10FFFF", b"\xf4\x90\x80\x80"),
        ("8.1, WS-81: five bytes", b"\xf8\x88\x80\x80\x80"),
        ("8.1, WS-81, WS-83: cut after two bytes of three", b"\xe2\x82"),
        ("8.1, WS-83: cut after the first byte of four", b"ends with \xf0"),
        ("8.1: a first byte instead of a continuation", b"\xe2\xe2\x82\xac"),
    ];
    let mut cases: Vec<Case> =
        texts.into_iter().map(|(name, text)| case(name).sends(0x81, text).fails(1007)).collect();
    let long = ["\u{20ac}".repeat(1000).as_bytes(), b"\xc3("].concat();
    cases.extend([
        case("8.1: behind much that is right").sends(0x81, long).fails(1007),
        case("8.1: as soon as it is wrong, in a frame that is not complete")
            .raw(b"\x81\x85\0\0\0\0ab\xff")
            .fails(1007),
        case("8.1: as soon as it is wrong, in a message that is not complete")
            .sends(0x01, b"\xff")
            .fails(1007),
        case("8.1: wrong across fragments").sends(0x01, b"\xe2\x82").sends(0x00, "a").fails(1007),
        case("8.1, WS-98: a character that is never completed")
            .sends(0x01, b"\xe2")
            .sends(0x80, "")
            .fails(1007),
        case("8.1, WS-92: also where nobody may publish")
            .at("listen")
            .sends(0x81, b"\xff")
            .fails(1007),
        case("8.1, WS-GAP-12: what was whole before counts")
            .sends(0x81, "good")
            .sends(0x81, b"\xff")
            .publishes("good")
            .fails(1007),
    ]);
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text() {
    play([good(), bad()].concat()).await;
}

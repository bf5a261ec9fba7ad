//! RFC 6455 sections 5.5.1 and 7: close frames from the client. What the server begins is in
//! [`crate::closing`].

use super::{Case, case, play};
use crate::support::websocket::closing;

fn with_code(name: &'static str, code: u16) -> Case {
    case(name).sends(0x88, closing(code, "why")).closes(code.to_be_bytes())
}

fn answered() -> Vec<Case> {
    vec![
        case("5.5.1, 7.1.5, WS-78: no code").sends(0x88, "").closes(""),
        case("5.5.1, WS-79, WS-GAP-11: a code alone").sends(0x88, b"\x03\xe8").closes(b"\x03\xe8"),
        case("5.5.1, 7.1.6: the longest reason")
            .sends(0x88, closing(1000, &"r".repeat(123)))
            .closes(b"\x03\xe8"),
        case("7.1.6: a reason with characters of every length")
            .sends(0x88, closing(1000, "a\u{e4}\u{20ac}\u{1f600}\0"))
            .closes(b"\x03\xe8"),
        case("5.5.1: messages before it count")
            .sends(0x81, "first")
            .sends(0x88, b"\x03\xe9")
            .publishes("first")
            .closes(b"\x03\xe9"),
        case("5.5.1, 7.1.4: what follows it is not looked at")
            .sends(0x88, b"\x03\xe8")
            .sends(0x81, "late")
            .sends(0x89, "late")
            .sends(0x83, "not even wrong")
            .closes(b"\x03\xe8"),
        case("5.5.1: a second close frame").sends(0x88, "").sends(0x88, b"\x03\xe8").closes(""),
        case("7.4.1: where nobody may publish").at("listen").sends(0x88, "").closes(""),
    ]
}

fn good_codes() -> Vec<Case> {
    vec![
        with_code("7.4.1, WS-79: 1000", 1000),
        with_code("7.4.1, WS-79: 1001", 1001),
        with_code("7.4.1: 1002", 1002),
        with_code("7.4.1: 1003", 1003),
        with_code("7.4.1: 1007", 1007),
        with_code("7.4.1: 1008", 1008),
        with_code("7.4.1: 1009", 1009),
        with_code("7.4.1: 1010", 1010),
        with_code("7.4.1: 1011", 1011),
        with_code("11.7, WS-GAP-11: 1012, registered since", 1012),
        with_code("11.7, WS-GAP-11: 1013, registered since", 1013),
        with_code("11.7, WS-GAP-11: 1014, registered since", 1014),
        with_code("7.4.2: 3000", 3000),
        with_code("7.4.2: 3999", 3999),
        with_code("7.4.2, WS-79: 4000", 4000),
        with_code("7.4.2: 4999", 4999),
    ]
}

fn bad_codes() -> Vec<Case> {
    let codes: [(&str, u16); 14] = [
        ("7.4.2, WS-GAP-11: 0", 0),
        ("7.4.2: 999", 999),
        ("7.4.1, WS-GAP-11: 1004", 1004),
        ("7.4.1, WS-GAP-11: 1005", 1005),
        ("7.4.1, WS-GAP-11: 1006", 1006),
        ("7.4.1, WS-GAP-11: 1015", 1015),
        ("7.4.2, WS-GAP-11: 1016", 1016),
        ("7.4.2: 1100", 1100),
        ("7.4.2: 2000", 2000),
        ("7.4.2, WS-GAP-11: 2999", 2999),
        ("7.4.2, WS-GAP-11: 5000", 5000),
        ("7.4.2: 9999", 9999),
        ("7.4.2: 32768", 32_768),
        ("7.4.2: 65535", 65_535),
    ];
    let mut cases: Vec<Case> = codes
        .into_iter()
        .map(|(name, code)| case(name).sends(0x88, closing(code, "")).fails(1002))
        .collect();
    cases.extend([
        case("5.5.1, WS-GAP-11: half a code").sends(0x88, b"\x03").fails(1002),
        case("5.5.1, 8.1, WS-GAP-11: a reason that is not UTF-8")
            .sends(0x88, b"\x03\xe8\xff")
            .fails(1007),
        case("5.5.1, 8.1: a reason with a surrogate")
            .sends(0x88, b"\x03\xe8\xed\xa0\x80")
            .fails(1007),
        case("5.5.1, 8.1: a reason that ends in a character")
            .sends(0x88, [&closing(1000, &"r".repeat(122))[..], b"\xe2"].concat())
            .fails(1007),
    ]);
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_handshakes() {
    play([answered(), good_codes(), bad_codes()].concat()).await;
}

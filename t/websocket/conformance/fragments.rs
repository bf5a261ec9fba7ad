//! RFC 6455 section 5.4: messages in fragments.

use super::{Case, case, play};

fn whole() -> Vec<Case> {
    vec![
        case("5.4: in two frames").sends(0x01, "one ").sends(0x80, "two").publishes("one two"),
        case("5.4: in many")
            .sends(0x01, "a")
            .sends(0x00, "b")
            .sends(0x00, "c")
            .sends(0x80, "d")
            .publishes("abcd"),
        case("5.4: one after another")
            .sends(0x01, "a")
            .sends(0x80, "b")
            .sends(0x81, "c")
            .sends(0x01, "d")
            .sends(0x80, "e")
            .publishes("ab")
            .publishes("c")
            .publishes("de"),
        case("5.4, WS-98, WS-GAP-22: an empty last fragment")
            .sends(0x01, "whole")
            .sends(0x80, "")
            .publishes("whole"),
        case("5.4, WS-90: an empty first fragment")
            .sends(0x01, "")
            .sends(0x80, "rest")
            .publishes("rest"),
        case("5.4: empty fragments in between")
            .sends(0x01, "a")
            .sends(0x00, "")
            .sends(0x00, "")
            .sends(0x80, "b")
            .publishes("ab"),
        case("5.4, WS-99, WS-GAP-22: nothing but empty fragments")
            .sends(0x01, "")
            .sends(0x00, "")
            .sends(0x80, ""),
        case("5.4: fragments of very different lengths")
            .sends(0x01, "a".repeat(70_000))
            .sends(0x00, "b")
            .sends(0x80, "c".repeat(300))
            .publishes(["a".repeat(70_000), "b".into(), "c".repeat(300)].concat()),
        Case { published: 1, ..case("5.4: the first fragment says what it is") }
            .at("bin")
            .sends(0x02, b"\xff")
            .sends(0x80, "text")
            .gets(0x82, b"\xfftext"),
        case("5.4, WS-92: where nobody may publish").at("listen").sends(0x01, "a").sends(0x80, "b"),
    ]
}

fn control_frames_in_between() -> Vec<Case> {
    vec![
        case("5.4, WS-72, WS-GAP-8: a ping between fragments")
            .sends(0x01, "a")
            .sends(0x89, "now")
            .sends(0x80, "b")
            .gets(0x8a, "now")
            .publishes("ab"),
        case("5.4, WS-GAP-8: a pong between fragments")
            .sends(0x01, "a")
            .sends(0x8a, "unasked")
            .sends(0x80, "b")
            .publishes("ab"),
        case("5.4, 5.5.1, WS-GAP-8: a close frame between fragments")
            .sends(0x01, "never completed")
            .sends(0x88, b"\x03\xe8")
            .closes(b"\x03\xe8"),
        case("5.5, WS-GAP-10: a control frame is not continued")
            .sends(0x01, "a")
            .sends(0x09, "x")
            .fails(1002),
    ]
}

fn wrong() -> Vec<Case> {
    vec![
        case("5.4, WS-71, WS-GAP-8: a last fragment of nothing").sends(0x80, "x").fails(1002),
        case("5.4, WS-GAP-8: a fragment of nothing").sends(0x00, "x").fails(1002),
        case("5.4, WS-71: behind a whole message")
            .sends(0x81, "whole")
            .sends(0x80, "x")
            .publishes("whole")
            .fails(1002),
        case("5.4, WS-GAP-8: behind a message's last fragment")
            .sends(0x01, "a")
            .sends(0x80, "b")
            .sends(0x80, "c")
            .publishes("ab")
            .fails(1002),
        case("5.4, WS-72, WS-GAP-8: text in text").sends(0x01, "a").sends(0x81, "b").fails(1002),
        case("5.4, WS-73: a fragment in text").sends(0x01, "a").sends(0x01, "b").fails(1002),
        case("5.4, WS-73: binary in text").at("bin").sends(0x01, "a").sends(0x82, "b").fails(1002),
        case("5.4, WS-GAP-8: text in binary")
            .at("bin")
            .sends(0x02, "a")
            .sends(0x81, "b")
            .fails(1002),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments() {
    play([whole(), control_frames_in_between(), wrong()].concat()).await;
}

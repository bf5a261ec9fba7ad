//! RFC 6455 sections 5.1 to 5.3, 5.5.2, 5.5.3, 5.6 and 5.8: single frames.

use super::{Case, Masks, REQUIRED, case, play, play_where};

/// A frame with a key of its own.
fn keyed(key: [u8; 4], text: &[u8]) -> Vec<u8> {
    let masked = text.iter().enumerate().map(|(n, byte)| byte ^ key[n % 4]);
    [&[0x81, 0x80 | text.len() as u8][..], &key, &masked.collect::<Vec<_>>()].concat()
}

/// A client must mask its frames.
fn without_masks() -> Vec<Case> {
    vec![
        case("5.1, WS-67, WS-GAP-5: text without mask").raw(b"\x81\x01x").fails(1002),
        case("5.1, WS-67: an empty text without mask").raw(b"\x81\x00").fails(1002),
        case("5.1, WS-GAP-5: a ping without mask").raw(b"\x89\x00").fails(1002),
        case("5.1, WS-GAP-5: a close frame without mask").raw(b"\x88\x02\x03\xe8").fails(1002),
        case("5.1, WS-GAP-5: a continuation without mask")
            .sends(0x01, "a")
            .raw(b"\x80\x01b")
            .fails(1002),
        case("5.1, WS-67: behind a frame with one")
            .sends(0x89, "masked")
            .raw(b"\x89\x00")
            .gets(0x8a, "masked")
            .fails(1002),
        case("5.1, WS-67: by its first two bytes alone").raw(b"\x81\x7f").fails(1002),
    ]
}

fn keys() -> Vec<Case> {
    vec![
        case("5.3: any key, one of zeroes too")
            .raw(keyed([0; 4], b"a key of zeroes"))
            .publishes("a key of zeroes"),
        case("5.3: a key for each frame")
            .raw(keyed([1, 2, 3, 4], b"one"))
            .raw(keyed([0xff, 0, 0x80, 0x7f], b"two and more"))
            .publishes("one")
            .publishes("two and more"),
        case("5.3: a long payload")
            .sends(0x81, "0123456".repeat(500))
            .publishes("0123456".repeat(500)),
    ]
}

fn reserved() -> Vec<Case> {
    let mut cases = vec![
        case("5.2, WS-68, WS-GAP-6: RSV1 not agreed on").sends(0xc1, "x").fails(1002),
        case("5.2, WS-GAP-6: RSV2").sends(0xa1, "x").fails(1002),
        case("5.2, WS-GAP-6: RSV3").sends(0x91, "x").fails(1002),
        case("5.8, WS-GAP-6: all reserved bits").sends(0xf1, "x").fails(1002),
        case("5.2, WS-GAP-6: RSV1 on a ping").sends(0xc9, "x").fails(1002),
        case("5.2, WS-GAP-6: RSV3 on a close frame").sends(0x98, "").fails(1002),
        case("5.2, WS-GAP-6: RSV2 on a continuation").sends(0x01, "a").sends(0xa0, "b").fails(1002),
        case("5.2, WS-69: by its first two bytes alone").raw(b"\x83\xfe").fails(1002),
    ];
    let opcodes: [(&str, u8); 10] = [
        ("5.2, WS-69, WS-GAP-7: opcode 3", 3),
        ("5.2, WS-GAP-7: opcode 4", 4),
        ("5.2, WS-GAP-7: opcode 5", 5),
        ("5.2, WS-GAP-7: opcode 6", 6),
        ("5.2, WS-GAP-7: opcode 7", 7),
        ("5.2, WS-GAP-7: opcode B", 0xb),
        ("5.2, WS-GAP-7: opcode C", 0xc),
        ("5.2, WS-GAP-7: opcode D", 0xd),
        ("5.2, WS-GAP-7: opcode E", 0xe),
        ("5.2, WS-GAP-7: opcode F", 0xf),
    ];
    cases.extend(opcodes.map(|(name, opcode)| case(name).sends(0x80 | opcode, "x").fails(1002)));
    cases
}

fn lengths() -> Vec<Case> {
    let mut cases = vec![
        case("5.2, WS-70, WS-GAP-14: 5 in 16 bits").raw(b"\x81\xfe\x00\x05MASKhello").fails(1002),
        case("5.2, WS-GAP-14: 125 in 16 bits").raw(b"\x81\xfe\x00\x7dMASK").fails(1002),
        case("5.2, WS-GAP-14: 126 in 64 bits").raw(b"\x81\xff\0\0\0\0\0\0\0\x7eMASK").fails(1002),
        case("5.2, WS-GAP-14: 65535 in 64 bits")
            .raw(b"\x81\xff\0\0\0\0\0\0\xff\xffMASK")
            .fails(1002),
        case("5.2, WS-GAP-14: 0 in 64 bits").raw(b"\x81\xff\0\0\0\0\0\0\0\0MASK").fails(1002),
        case("5.2, WS-GAP-14: the top bit")
            .at("any")
            .raw(b"\x81\xff\x80\0\0\0\0\0\0\x01MASK")
            .fails(1002),
        case("7.4.1, WS-84, WS-GAP-13: 2^40 bytes")
            .raw(b"\x81\xff\0\0\x01\0\0\0\0\0MASK")
            .fails(1009),
        case("7.4.1, WS-GAP-13: 2^62 bytes").raw(b"\x81\xff\x40\0\0\0\0\0\0\0MASK").fails(1009),
        case("7.4.1, WS-84: one byte too many").at("small").sends(0x81, [b'x'; 1001]).fails(1009),
        case("7.4.1, WS-GAP-13: too many in fragments")
            .at("small")
            .sends(0x01, [b'x'; 600])
            .sends(0x00, [b'x'; 400])
            .sends(0x80, [b'x'; 1])
            .fails(1009),
        case("WS-101: as many as are allowed")
            .at("small")
            .sends(0x81, "x".repeat(1000))
            .publishes("x".repeat(1000)),
    ];
    let good: [(&str, usize); 6] = [
        ("5.2, WS-52: 1 byte", 1),
        ("5.2: 125 bytes", 125),
        ("5.2, WS-52: 126 bytes", 126),
        ("5.2: 127 bytes", 127),
        ("5.2: 65535 bytes", 65_535),
        ("5.2, WS-52: 65536 bytes", 65_536),
    ];
    cases.extend(good.map(|(name, len)| {
        let text = "l".repeat(len);
        case(name).sends(0x81, &text).publishes(&text)
    }));
    cases
}

fn control() -> Vec<Case> {
    vec![
        case("5.5, WS-75, WS-GAP-10: a ping of 126 bytes").sends(0x89, [b'x'; 126]).fails(1002),
        case("5.5, WS-GAP-10: its length alone").raw(b"\x89\xfe").fails(1002),
        case("5.5, WS-GAP-10: a pong of 64 bits").raw(b"\x8a\xff").fails(1002),
        case("5.5, WS-GAP-10: a close frame of 126 bytes").sends(0x88, [3; 126]).fails(1002),
        case("5.5, WS-74, WS-GAP-10: half a ping").sends(0x09, "x").fails(1002),
        case("5.5, WS-GAP-10: half a pong").sends(0x0a, "x").fails(1002),
        case("5.5, WS-GAP-10: half a close frame").sends(0x08, "").fails(1002),
        case("5.5.2, WS-76, WS-GAP-9: an empty ping").sends(0x89, "").gets(0x8a, ""),
        case("5.5.2, WS-GAP-9: a ping of 125 bytes")
            .sends(0x89, [b'p'; 125])
            .gets(0x8a, [b'p'; 125]),
        case("5.5.3, WS-80, WS-GAP-12: a ping of any bytes")
            .sends(0x89, b"\xff\x00\xed\xa0\x80")
            .gets(0x8a, b"\xff\x00\xed\xa0\x80"),
        case("5.5.3, WS-77: pongs that nobody asked for")
            .sends(0x8a, "")
            .sends(0x8a, b"\xff")
            .sends(0x8a, [0; 125]),
        case("5.5.2: a ping between messages")
            .sends(0x81, "before")
            .sends(0x89, "now")
            .sends(0x81, "after")
            .publishes("before")
            .gets(0x8a, "now")
            .publishes("after"),
    ]
}

fn data() -> Vec<Case> {
    vec![
        case("5.6, WS-91, WS-96: text").sends(0x81, "text").publishes("text"),
        case("5.6, WS-92: text where nobody may publish").at("listen").sends(0x81, "unheard"),
        case("5.6, WS-69, WS-GAP-7: binary where none is accepted").sends(0x82, "x").fails(1003),
        case("5.6, WS-GAP-7: a binary fragment").sends(0x02, "x").fails(1003),
        case("7.4.1, WS-69: binary, by its first two bytes").raw(b"\x82\xff").fails(1003),
        Case { published: 1, ..case("5.6, WS-107: binary") }
            .at("bin")
            .sends(0x82, b"\xff\x00")
            .gets(0x82, b"\xff\x00"),
        case("5.6, WS-90, WS-99, WS-GAP-22: empty text").sends(0x81, ""),
        case("5.6, WS-GAP-22: empty binary").at("bin").sends(0x82, ""),
        case("5.6: text with every ASCII character")
            .sends(0x81, (0..128).map(char::from).collect::<String>())
            .publishes((0..128).map(char::from).collect::<String>()),
        case("WS-86, WS-88, WS-GAP-21: many frames, however they are cut")
            .sends_each((0..40).map(|n| format!("m{n}")))
            .publishes_each((0..40).map(|n| format!("m{n}"))),
    ]
}

impl Case {
    fn sends_each(self, texts: impl Iterator<Item = String>) -> Self {
        texts.fold(self, |case, text| case.sends(0x81, text))
    }

    fn publishes_each(self, texts: impl Iterator<Item = String>) -> Self {
        texts.fold(self, Self::publishes)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames() {
    play_where(REQUIRED, &[Masks::All], &without_masks()).await;
    play([keys(), reserved(), lengths(), control(), data()].concat()).await;
}

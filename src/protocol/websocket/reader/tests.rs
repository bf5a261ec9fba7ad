use proptest::prelude::*;

use super::super::close::{Close, Status};
use super::super::deflate;
use super::*;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const RULES: ReaderLimits = ReaderLimits {
    max_message: 1000,
    keep: true,
    masking: Masking::Optional,
    binary: true,
    deflate: false,
};
const REQUIRED: ReaderLimits = ReaderLimits { masking: Masking::Required, ..RULES };

/// A frame as most clients send it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = unmasked(first, payload);
    out.truncate(out.len() - payload.len());
    out[1] |= 0x80;
    out.extend(KEY);
    out.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

/// A frame whose payload stands as it is.
fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        len @ 0..=125 => out.push(len as u8),
        len @ 126..=0xffff => {
            out.push(126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(payload);
    out
}

/// All that is done with an input until something is whole.
fn next(reader: &mut Reader, input: &mut &mut [u8]) -> Result<Read, Violation> {
    loop {
        match reader.read(input) {
            Ok(Read::Working) => {}
            read => return read,
        }
    }
}

/// Everything read from bytes that come in pieces of this size.
fn read_in(rules: ReaderLimits, bytes: &[u8], size: usize) -> (Vec<Incoming>, Option<Violation>) {
    let mut reader = Reader::new(rules);
    let mut seen = Vec::new();
    for piece in bytes.chunks(size) {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            match next(&mut reader, &mut input) {
                Ok(Read::Whole(incoming)) => seen.push(incoming),
                Ok(Read::Starved) => break,
                Ok(Read::Working) => unreachable!(),
                Err(violation) => return (seen, Some(violation)),
            }
        }
        assert!(input.is_empty());
    }
    (seen, None)
}

fn read(rules: ReaderLimits, frames: &[Vec<u8>]) -> (Vec<Incoming>, Option<Violation>) {
    read_in(rules, &frames.concat(), usize::MAX)
}

fn violation(rules: ReaderLimits, bytes: &[u8]) -> Option<Violation> {
    let (seen, violation) = read_in(rules, bytes, usize::MAX);
    assert_eq!(seen, []);
    violation
}

#[test]
fn messages_and_control_frames_of_one_read() {
    // WS-86, WS-GAP-21
    let frames = [frame(0x81, b"a"), frame(0x89, b"p"), frame(0x82, b"\xff"), frame(0x88, b"")];
    let expected = vec![
        Incoming::Text(b"a".to_vec()),
        Incoming::Ping(b"p".to_vec()),
        Incoming::Binary(b"\xff".to_vec()),
        Incoming::Close(Close { code: None }),
    ];
    assert_eq!(read(RULES, &frames), (expected, None));
}

#[test]
fn fragments_with_control_frames_between() {
    // WS-72, WS-82, WS-98, WS-GAP-8
    let frames = [
        frame(0x01, b"a\xe2\x82"),
        frame(0x89, b"\xff"),
        frame(0x00, b"\xac"),
        frame(0x8a, b""),
        frame(0x80, b""),
    ];
    let expected = vec![
        Incoming::Ping(b"\xff".to_vec()),
        Incoming::Pong(vec![]),
        Incoming::Text("a€".as_bytes().to_vec()),
    ];
    assert_eq!(read(RULES, &frames), (expected, None));
}

#[test]
fn control_frames_are_no_progress_of_a_message() {
    // WS-85
    let mut reader = Reader::new(RULES);
    let mut progress = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        while next(&mut reader, &mut input) != Ok(Read::Starved) {}
        (reader.take_progress(), reader.is_inside())
    };
    let (text, ping) = (frame(0x01, b"ab"), frame(0x89, b"x"));
    assert_eq!(progress(b""), (false, false));
    // Where nothing else is waited for, a control frame is.
    assert_eq!(progress(&ping[..1]), (true, true));
    assert_eq!(progress(&ping[1..]), (true, false));
    assert_eq!(progress(&text[..7]), (true, true));
    assert_eq!(progress(b""), (false, true));
    assert_eq!(progress(&text[7..]), (true, true));
    assert_eq!(progress(&ping), (false, true));
    assert_eq!(progress(&ping[..3]), (false, true));
    assert_eq!(progress(&ping[3..]), (false, true));
    assert_eq!(progress(&frame(0x00, b"")), (true, true));
    assert_eq!(progress(&frame(0x80, b"c")), (true, false));
}

#[test]
fn what_the_first_bytes_tell() {
    // WS-GAP-6..8, WS-GAP-10: told before the rest of the frame came, masked or not
    for (bytes, expected) in [
        ([0x83, 0x00], Violation::ReservedOpcode(3)),
        ([0x09, 0x00], Violation::FragmentedControl),
        ([0x89, 0x7e], Violation::LongControl),
        ([0x80, 0x00], Violation::NothingToContinue),
        ([0xc1, 0x81], Violation::ReservedBits),
        ([0xa1, 0x81], Violation::ReservedBits),
        ([0x91, 0x81], Violation::ReservedBits),
        ([0x83, 0x80], Violation::ReservedOpcode(3)),
        ([0x8b, 0x80], Violation::ReservedOpcode(11)),
        ([0x09, 0x80], Violation::FragmentedControl),
        ([0x89, 0xfe], Violation::LongControl),
        ([0x80, 0x80], Violation::NothingToContinue),
    ] {
        assert_eq!(violation(RULES, &bytes), Some(expected));
        assert_eq!(expected.status(), Status::ProtocolError);
    }
    let text = [frame(0x01, b"a"), frame(0x81, b"b")];
    assert_eq!(read(RULES, &text), (vec![], Some(Violation::Interrupted)));
    let refused = violation(ReaderLimits { binary: false, ..RULES }, &[0x82, 0x81]);
    assert_eq!(refused, Some(Violation::Binary));
    assert_eq!(Violation::Binary.status(), Status::Unsupported);
}

#[test]
fn frames_are_read_as_their_own_mask_bit_says() {
    // WS-67, WS-GAP-5: any of one message and between them, of every length of a length
    let rules = ReaderLimits { max_message: 100_000, ..RULES };
    let frames = [
        unmasked(0x81, b"plain"),
        frame(0x81, b"masked"),
        unmasked(0x02, &[0xff; 126]),
        unmasked(0x89, b"p"),
        frame(0x00, &[0x80; 300]),
        unmasked(0x80, b""),
        unmasked(0x81, &[b'x'; 65_536]),
        unmasked(0x8a, b""),
        unmasked(0x81, b""),
        unmasked(0x88, b"\x03\xe8"),
    ];
    let expected = vec![
        Incoming::Text(b"plain".to_vec()),
        Incoming::Text(b"masked".to_vec()),
        Incoming::Ping(b"p".to_vec()),
        Incoming::Binary([&[0xff; 126][..], &[0x80; 300]].concat()),
        Incoming::Text(vec![b'x'; 65_536]),
        Incoming::Pong(vec![]),
        Incoming::Text(vec![]),
        Incoming::Close(Close { code: Some(1000) }),
    ];
    for size in [1, 2, 3, 7, usize::MAX] {
        assert_eq!(read_in(rules, &frames.concat(), size), (expected.clone(), None), "{size}");
    }
}

#[test]
fn where_a_mask_is_required() {
    // WS-67, WS-GAP-5: told by the first two bytes, after any frame that was masked
    for begun in [[0x81, 0x01], [0x01, 0x00], [0x82, 0x7f], [0x89, 0x00], [0x88, 0x02]] {
        let bytes = [&frame(0x8a, b"")[..], &begun].concat();
        let seen = (vec![Incoming::Pong(vec![])], Some(Violation::Unmasked));
        assert_eq!(read_in(REQUIRED, &bytes, usize::MAX), seen);
    }
    let continued = [frame(0x01, b"a"), unmasked(0x80, b"b")];
    assert_eq!(read(REQUIRED, &continued), (vec![], Some(Violation::Unmasked)));
    assert_eq!(Violation::Unmasked.status(), Status::ProtocolError);
    let messages = [frame(0x01, b"a"), frame(0x80, b"b")];
    assert_eq!(read(REQUIRED, &messages), (vec![Incoming::Text(b"ab".to_vec())], None));
}

#[test]
fn lengths_have_one_form() {
    // WS-70, WS-GAP-14
    assert_eq!(violation(RULES, &[0x81, 0x7e, 0, 125]), Some(Violation::Length));
    let top_bit = [0x81, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(violation(RULES, &top_bit), Some(Violation::Length));
    let head = |start: &[u8]| [start, &KEY].concat();
    let short = head(&[0x81, 0xfe, 0, 125]);
    assert_eq!(violation(RULES, &short), Some(Violation::Length));
    let long = head(&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    assert_eq!(violation(RULES, &long), Some(Violation::Length));
    let negative = head(&[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(violation(RULES, &negative), Some(Violation::Length));
}

#[test]
fn a_message_is_bounded_before_it_comes() {
    // WS-84, WS-GAP-13
    let huge = [&[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], &KEY].concat();
    assert_eq!(violation(RULES, &huge), Some(Violation::TooBig(1000)));
    let frames = [frame(0x01, &[b'a'; 600]), frame(0x80, &[b'a'; 401])];
    assert_eq!(read(RULES, &frames), (vec![], Some(Violation::TooBig(1000))));
    let frames = [frame(0x01, &[b'a'; 600]), frame(0x80, &[b'a'; 400])];
    assert_eq!(read(RULES, &frames).1, None);
    assert_eq!(Violation::TooBig(1000).status(), Status::MessageTooBig);
}

#[test]
fn an_announced_length_takes_no_memory() {
    // WS-84
    let rules = ReaderLimits { max_message: 1 << 40, ..RULES };
    let mut reader = Reader::new(rules);
    let mut bytes = [&[0x82, 0xff, 0, 0, 0, 0xff, 0, 0, 0, 0][..], &KEY, b"abc"].concat();
    assert_eq!(next(&mut reader, &mut &mut bytes[..]), Ok(Read::Starved));
    assert!(reader.is_inside());
    assert!(reader.data.capacity() < 64);
}

#[test]
fn a_message_takes_no_more_room_than_the_largest() {
    // WS-84: neither in one frame nor in many, compressed or not
    let rules = ReaderLimits { deflate: true, ..RULES };
    for (first, len, most) in [(0x02, 1000, 1000), (0x42, 1126, 1126)] {
        let mut reader = Reader::new(rules);
        for n in 0..len {
            let mut bytes = frame(if n == 0 { first } else { 0 }, b"x");
            assert_eq!(next(&mut reader, &mut &mut bytes[..]), Ok(Read::Starved));
            assert!(reader.buffered() <= most, "{} for {n}", reader.buffered());
        }
        let mut more = frame(0, b"x");
        assert_eq!(next(&mut reader, &mut &mut more[..]), Err(Violation::TooBig(1000)));
    }
}

#[test]
fn text_is_utf_8() {
    // WS-80..82, WS-GAP-12
    assert_eq!(violation(RULES, &frame(0x81, b"\xed\xa0\x80")), Some(Violation::NotUtf8));
    assert_eq!(violation(RULES, &frame(0x81, b"a\xe2\x82")), Some(Violation::NotUtf8));
    // Told with the fragment that has the wrong byte.
    assert_eq!(violation(RULES, &frame(0x01, b"\xff")), Some(Violation::NotUtf8));
    assert_eq!(Violation::NotUtf8.status(), Status::InvalidPayload);
}

#[test]
fn messages_that_nobody_wants_are_checked_and_forgotten() {
    // WS-92
    let rules = ReaderLimits { keep: false, ..RULES };
    let frames = [frame(0x81, b"abc"), frame(0x89, b"")];
    assert_eq!(read(rules, &frames), (vec![Incoming::Ping(vec![])], None));
    assert_eq!(violation(rules, &frame(0x81, b"\xff")), Some(Violation::NotUtf8));
}

#[test]
fn what_compression_makes_longer_is_not_too_big() {
    // WS-84: the limit is on the message
    let rules = ReaderLimits { deflate: true, max_message: 5, ..RULES };
    let stored = b"\x00\x05\x00\xfa\xffHello\x00";
    let expected = vec![Incoming::Text(b"Hello".to_vec())];
    assert_eq!(read(rules, &[frame(0xc1, stored)]), (expected, None));
    let longer = frame(0xc1, b"\x00\x06\x00\xf9\xffHello!\x00");
    assert_eq!(violation(rules, &longer), Some(Violation::TooBig(5)));
    assert_eq!(violation(rules, &frame(0xc1, &[0; 70])), Some(Violation::TooBig(5)));
}

#[test]
fn messages_are_forgotten_when_the_connection_closes() {
    // WS-GAP-16: control frames still count, and so does the order of frames
    let rules = ReaderLimits { deflate: true, ..RULES };
    for first in [0x01, 0x02, 0x41] {
        let mut reader = Reader::new(rules);
        let mut begun = frame(first, &[b'x'; 500]);
        assert_eq!(next(&mut reader, &mut &mut begun[..]), Ok(Read::Starved));
        reader.forget_messages();
        assert_eq!(reader.buffered(), 0);
        let frames = [
            frame(0x89, b"p"),
            frame(0x80, b"\xff"),
            frame(0xc1, b"\xff\xff"),
            frame(0x01, b"\xff"),
            frame(0x88, b"\x03\xe8"),
        ];
        let mut bytes = frames.concat();
        let mut input = &mut bytes[..];
        assert_eq!(next(&mut reader, &mut input), Ok(Read::Whole(Incoming::Ping(b"p".to_vec()))));
        let close = Incoming::Close(Close { code: Some(1000) });
        assert_eq!(next(&mut reader, &mut input), Ok(Read::Whole(close)));
        assert_eq!(reader.buffered(), 0);
        let mut wrong = frame(0x81, b"in the other");
        assert_eq!(next(&mut reader, &mut &mut wrong[..]), Err(Violation::Interrupted));
    }
}

#[test]
fn nothing_of_a_forgotten_message_is_wrong() {
    // WS-GAP-16: half a character before, a length above the limit, binary where none is wanted
    let rules = ReaderLimits { binary: false, ..RULES };
    let mut reader = Reader::new(rules);
    let mut begun = frame(0x01, b"\xe2\x82");
    assert_eq!(next(&mut reader, &mut &mut begun[..]), Ok(Read::Starved));
    reader.forget_messages();
    let frames = [
        frame(0x80, b"\xac"),
        frame(0x01, b"\xe2\x82"),
        frame(0x80, b""),
        frame(0x81, &[b'x'; 1001]),
        frame(0x82, &[b'x'; 70_000]),
        frame(0x88, b""),
    ];
    let mut bytes = frames.concat();
    let close = Incoming::Close(Close { code: None });
    assert_eq!(next(&mut reader, &mut &mut bytes[..]), Ok(Read::Whole(close)));
    assert_eq!(reader.buffered(), 0);
}

#[test]
fn every_message_counts() {
    // WS-86: empty ones, those that nobody wants, and what decompressing costs
    for (keep, first, payload, work) in [
        (true, 0x81, &b""[..], 64),
        (false, 0x81, b"abc", 64),
        (true, 0xc1, b"\x00", 64 + 128 + 8),
        (false, 0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00", 64 + 128 + 7 * 8 + 5),
        (false, 0x89, b"", 0),
    ] {
        let mut reader = Reader::new(ReaderLimits { keep, deflate: true, ..RULES });
        let mut bytes = frame(first, payload).repeat(10);
        let mut input = &mut bytes[..];
        while let Ok(Read::Whole(_)) = next(&mut reader, &mut input) {}
        assert_eq!(reader.take_work(), 10 * work, "{first:#x}");
        assert_eq!(reader.take_work(), 0);
    }
}

#[test]
fn compressed_messages() {
    let rules = ReaderLimits { deflate: true, ..RULES };
    let mut payload = Vec::new();
    deflate::compress("héllo".as_bytes(), &mut payload);
    let (begin, end) = payload.split_at(3);
    let frames = [frame(0x41, begin), frame(0x80, end), frame(0x81, b"plain")];
    let expected = [Incoming::Text("héllo".into()), Incoming::Text(b"plain".to_vec())];
    assert_eq!(read(rules, &frames), (expected.to_vec(), None));

    let unmasked = [unmasked(0x41, begin), unmasked(0x80, end), unmasked(0x81, b"plain")];
    assert_eq!(read(rules, &unmasked), (expected.to_vec(), None));

    let continued = [frame(0x41, begin), frame(0xc0, end)];
    assert_eq!(read(rules, &continued), (vec![], Some(Violation::ReservedBits)));
    assert_eq!(violation(rules, &frame(0xc9, b"")), Some(Violation::ReservedBits));
    assert_eq!(violation(rules, &frame(0xc1, b"\xff\xff")), Some(Violation::Compression));

    let mut bomb = Vec::new();
    deflate::compress(&[b'a'; 1001], &mut bomb);
    assert_eq!(violation(rules, &frame(0xc1, &bomb)), Some(Violation::TooBig(1000)));
    let mut wrong = Vec::new();
    deflate::compress(b"\xff", &mut wrong);
    assert_eq!(violation(rules, &frame(0xc1, &wrong)), Some(Violation::NotUtf8));
}

#[derive(Clone, Debug)]
struct Sent {
    first: u8,
    masked: bool,
    payload: Vec<u8>,
}

impl Sent {
    fn bytes(&self) -> Vec<u8> {
        let write = if self.masked { frame } else { unmasked };
        write(self.first, &self.payload)
    }
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let first = prop_oneof![
        4 => prop::sample::select(vec![0x81u8, 0x01, 0x00, 0x80, 0x82, 0x02]),
        2 => prop::sample::select(vec![0x88u8, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        any::<String>().prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..200),
    ];
    let masked = prop::bool::weighted(0.7);
    (first, masked, payload).prop_map(|(first, masked, payload)| Sent { first, masked, payload })
}

/// The rules said once more, for whole frames.
fn reference(rules: ReaderLimits, frames: &[Sent]) -> (Vec<Incoming>, bool) {
    let mut seen = Vec::new();
    let mut message: Option<(u8, Vec<u8>)> = None;
    for Sent { first, masked, payload } in frames {
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        let known = matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10);
        let control = opcode >= 8;
        if first & 0x70 != 0 || !known || control && (!fin || payload.len() > 125) {
            return (seen, true);
        }
        if !masked && rules.masking == Masking::Required {
            return (seen, true);
        }
        if control {
            seen.push(match opcode {
                9 => Incoming::Ping(payload.clone()),
                10 => Incoming::Pong(payload.clone()),
                _ => match Close::parse(payload) {
                    Ok(close) => Incoming::Close(close),
                    Err(_) => return (seen, true),
                },
            });
            continue;
        }
        let (kind, mut data) = match (opcode, message.take()) {
            (0, Some(message)) => message,
            (1 | 2, None) => (opcode, Vec::new()),
            _ => return (seen, true),
        };
        data.extend(payload);
        if data.len() > 1000 {
            return (seen, true);
        }
        if fin {
            if kind == 1 && std::str::from_utf8(&data).is_err() {
                return (seen, true);
            }
            seen.push(if kind == 1 { Incoming::Text(data) } else { Incoming::Binary(data) });
        } else {
            // A character may be left half, but not wrong.
            let wrong = std::str::from_utf8(&data).is_err_and(|error| error.error_len().is_some());
            if kind == 1 && wrong {
                return (seen, true);
            }
            message = Some((kind, data));
        }
    }
    (seen, false)
}

proptest! {
    #[test]
    fn any_frames_in_any_pieces(
        frames in prop::collection::vec(any_sent(), 0..12),
        size in 1usize..40,
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(Sent::bytes).collect();
        for rules in [RULES, REQUIRED] {
            let (seen, violation) = read_in(rules, &bytes, size);
            prop_assert_eq!((seen, violation.is_some()), reference(rules, &frames));
        }
    }

    #[test]
    fn any_bytes_in_any_pieces(bytes: Vec<u8>, size in 1usize..40) {
        for rules in [RULES, REQUIRED] {
            let whole = read_in(rules, &bytes, usize::MAX);
            prop_assert_eq!(read_in(rules, &bytes, size), whole);
        }
    }
}

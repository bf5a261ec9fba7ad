//! Frames from a client (RFC 6455 sections 5, 7.4, 8.1; WS-67..90, WS-GAP-5..14), masked or not: however
//! the bytes are cut they mean the same, what a simple decoder of whole connections says they mean, and no
//! more is held than has come or the limit allows. Where masks are required, they mean the same up to the
//! first frame without one.
//!
//! An input is one byte of settings, one that chooses the limit, one for the cuts, and the bytes of the
//! connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::websocket::deflate::compressed_limit;
use ngx_http_push_stream_module::protocol::websocket::reader::{Incoming, Read, Reader};
use ngx_http_push_stream_module::protocol::websocket::rules::{Masking, ReaderLimits, Violation};
use ngx_push_stream_fuzz::inflate::{self, Inflated};

const LIMITS: [u64; 8] = [0, 1, 5, 125, 126, 300, 2000, u64::MAX];

/// The longest payload of a control frame.
const CONTROL: usize = 125;

fuzz_target!(|input: &[u8]| {
    let [settings, limit, cuts, bytes @ ..] = input else { return };
    let rules = ReaderLimits {
        max_message: LIMITS[usize::from(limit % 8)],
        keep: settings & 1 == 0,
        binary: settings & 2 == 0,
        deflate: settings & 4 != 0,
        masking: if settings & 8 == 0 { Masking::Optional } else { Masking::Required },
    };
    let whole = read(rules, bytes, |_| usize::MAX);
    assert_eq!(read(rules, bytes, |_| 1), whole);
    let mut state = usize::from(*cuts);
    let cut = |_| {
        state = (state * 1_103_515_245 + 12_345) & 0xffff;
        1 + state % 23
    };
    assert_eq!(read(rules, bytes, cut), whole);

    let (seen, violation) = whole;
    let seen: Vec<Event> = seen.into_iter().map(Event::from).collect();
    let mut expected = Decoder { rules, bytes, at: 0, seen: Vec::new(), message: None };
    let (codes, unclear) = expected.decode();
    if unclear {
        // All before it must still be the same.
        assert!(seen.starts_with(&expected.seen), "{seen:?} {:?}", expected.seen);
        return;
    }
    assert_eq!(seen, expected.seen, "{violation:?}, expected {codes:?}");
    let code = violation.map(|violation| violation.status() as u16);
    assert!(codes.contains(&code), "{violation:?}, expected {codes:?}");
});

/// What is read of bytes that come in pieces of these sizes.
fn read(
    rules: ReaderLimits,
    bytes: &[u8],
    mut size: impl FnMut(usize) -> usize,
) -> (Vec<Incoming>, Option<Violation>) {
    let mut reader = Reader::new(rules);
    let mut seen = Vec::new();
    let mut fed = 0;
    while fed < bytes.len() {
        let mut piece = bytes[fed..].iter().copied().take(size(fed)).collect::<Vec<_>>();
        fed += piece.len();
        // A compressed message is there in both forms while it is decompressed.
        let (most, more) = match rules.deflate {
            true => (compressed_limit(rules.max_message), rules.max_message.saturating_add(1)),
            false => (rules.max_message, 0),
        };
        let most = usize::try_from(most.min(2 * fed as u64).saturating_add(more));
        let most = most.unwrap_or(usize::MAX);
        let mut piece = &mut piece[..];
        loop {
            let read = reader.read(&mut piece);
            assert!(reader.buffered() <= most.saturating_add(CONTROL), "{}", reader.buffered());
            match read {
                Ok(Read::Whole(Incoming::Text(data) | Incoming::Binary(data)))
                    if data.len() as u64 > rules.max_message || !rules.keep =>
                {
                    panic!("{} bytes were kept", data.len());
                }
                Ok(Read::Whole(incoming)) => seen.push(incoming),
                Ok(Read::Working) => {}
                Ok(Read::Starved) => break,
                Err(violation) => return (seen, Some(violation)),
            }
        }
        assert!(piece.is_empty());
    }
    (seen, None)
}

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

impl From<Incoming> for Event {
    fn from(incoming: Incoming) -> Self {
        match incoming {
            Incoming::Text(data) => Event::Text(data),
            Incoming::Binary(data) => Event::Binary(data),
            Incoming::Ping(data) => Event::Ping(data),
            Incoming::Pong(data) => Event::Pong(data),
            Incoming::Close(close) => Event::Close(close.code),
        }
    }
}

/// The decoder that has all bytes at once.
struct Decoder<'b> {
    rules: ReaderLimits,
    bytes: &'b [u8],
    at: usize,
    seen: Vec<Event>,
    /// Opcode, whether it is compressed, what has come of it, and how long its frames say it is.
    message: Option<(u8, bool, Vec<u8>, u64)>,
}

enum Stop {
    /// There are no more bytes.
    Starved,
    Code(u16),
    /// Decoders may see it this way or that way.
    Either(u16, u16),
    Unclear,
}

impl Decoder<'_> {
    /// The codes to close with, one of them, and whether what comes next is unclear.
    fn decode(&mut self) -> (Vec<Option<u16>>, bool) {
        loop {
            match self.frame() {
                Ok(()) => {}
                Err(Stop::Starved) => return (vec![None], false),
                Err(Stop::Code(code)) => return (vec![Some(code)], false),
                Err(Stop::Either(one, other)) => return (vec![Some(one), Some(other)], false),
                Err(Stop::Unclear) => return (Vec::new(), true),
            }
        }
    }

    fn take(&mut self, n: usize) -> Result<&[u8], Stop> {
        let taken = self.bytes.get(self.at..self.at + n).ok_or(Stop::Starved)?;
        self.at += n;
        Ok(taken)
    }

    fn frame(&mut self) -> Result<(), Stop> {
        let start = self.take(2)?;
        let (first, second) = (start[0], start[1]);
        let (fin, opcode, short) = (first & 0x80 != 0, first & 0x0f, second & 0x7f);
        let compressed = first & 0x70 == 0x40 && self.rules.deflate && matches!(opcode, 1 | 2);
        let wrong = match opcode {
            0 => self.message.is_none(),
            1 | 2 => self.message.is_some(),
            8..=10 => !fin || short > 125,
            _ => true,
        };
        let is_masked = second & 0x80 != 0;
        let lacks_mask = !is_masked && self.rules.masking == Masking::Required;
        if wrong || lacks_mask || first & 0x70 != 0 && !compressed {
            return Err(Stop::Code(1002));
        }
        if opcode == 2 && !self.rules.binary {
            return Err(Stop::Code(1003));
        }
        let bytes_of_len = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let head = self.take(bytes_of_len + if is_masked { 4 } else { 0 })?;
        let (len, key) = head.split_at(bytes_of_len);
        // What is not masked is masked with zeroes.
        let key: [u8; 4] = key.try_into().unwrap_or_default();
        let len = match len.is_empty() {
            true => short.into(),
            false => len.iter().fold(0u64, |len, byte| len << 8 | u64::from(*byte)),
        };
        let least = match short {
            126 => 126,
            127 => 0x1_0000,
            _ => 0,
        };
        if len < least || len > i64::MAX as u64 {
            return Err(Stop::Code(1002));
        }
        if opcode >= 8 {
            let payload = self.take(len as usize)?;
            let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
            let payload = payload.collect();
            return self.control(opcode, payload);
        }

        let (kind, compressed, mut data, told) =
            self.message.take().unwrap_or((opcode, compressed, Vec::new(), 0));
        let told = told.saturating_add(len);
        let limit = match compressed {
            true => compressed_limit(self.rules.max_message),
            false => self.rules.max_message,
        };
        if told > limit {
            return Err(Stop::Code(1009));
        }
        let there = &self.bytes[self.at..];
        let there = &there[..there.len().min(usize::try_from(len).unwrap_or(usize::MAX))];
        self.at += there.len();
        data.extend(there.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        let complete = there.len() as u64 == len;
        if kind == 1 && !compressed && !is_text(&data, complete && fin) {
            return Err(Stop::Code(1007));
        }
        if !complete {
            return Err(Stop::Starved);
        }
        if !fin {
            self.message = Some((kind, compressed, data, told));
            return Ok(());
        }
        let data = if compressed { self.inflated(&data)? } else { data };
        if kind == 1 && !is_text(&data, true) {
            return Err(Stop::Code(1007));
        }
        if self.rules.keep {
            self.seen.push(if kind == 1 { Event::Text(data) } else { Event::Binary(data) });
        }
        Ok(())
    }

    fn inflated(&self, data: &[u8]) -> Result<Vec<u8>, Stop> {
        let is_too_big = |data: &Vec<u8>| data.len() as u64 > self.rules.max_message;
        match inflate::message(data) {
            // What is no text may show before what is too much.
            Inflated::Whole(data) if is_too_big(&data) => Err(Stop::Either(1009, 1007)),
            Inflated::Whole(data) => Ok(data),
            Inflated::Broken(begun) if is_too_big(&begun) => Err(Stop::Either(1009, 1007)),
            Inflated::Broken(_) => Err(Stop::Code(1007)),
            Inflated::Unclear => Err(Stop::Unclear),
        }
    }

    fn control(&mut self, opcode: u8, payload: Vec<u8>) -> Result<(), Stop> {
        self.seen.push(match (opcode, &payload[..]) {
            (9, _) => Event::Ping(payload),
            (10, _) => Event::Pong(payload),
            (_, []) => Event::Close(None),
            (_, [high, low, reason @ ..]) => {
                let code = u16::from(*high) << 8 | u16::from(*low);
                match code {
                    1000..=1003 | 1007..=1014 | 3000..=4999 => {}
                    _ => return Err(Stop::Code(1002)),
                }
                if !is_text(reason, true) {
                    return Err(Stop::Code(1007));
                }
                Event::Close(Some(code))
            }
            _ => return Err(Stop::Code(1002)),
        });
        Ok(())
    }
}

/// The grammar of RFC 3629 section 4; the last character may be half unless the text is `complete`.
fn is_text(mut bytes: &[u8], complete: bool) -> bool {
    while let [first, rest @ ..] = bytes {
        let (second, more) = match first {
            0..=0x7f => {
                bytes = rest;
                continue;
            }
            0xc2..=0xdf => (0x80..=0xbf, 0),
            0xe0 => (0xa0..=0xbf, 1),
            0xe1..=0xec | 0xee | 0xef => (0x80..=0xbf, 1),
            0xed => (0x80..=0x9f, 1),
            0xf0 => (0x90..=0xbf, 2),
            0xf1..=0xf3 => (0x80..=0xbf, 2),
            0xf4 => (0x80..=0x8f, 2),
            _ => return false,
        };
        let Some((after, rest)) = rest.split_first() else { return !complete };
        if !second.contains(after) {
            return false;
        }
        let there = &rest[..rest.len().min(more)];
        if !there.iter().all(|byte| (0x80..=0xbf).contains(byte)) {
            return false;
        }
        if there.len() < more {
            return !complete;
        }
        bytes = &rest[more..];
    }
    true
}

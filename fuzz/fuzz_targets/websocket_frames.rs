//! Frames from the server (WS-50..57, WS-63, RFC 7692): what is written is one whole frame with the
//! shortest length, and a decoder that shares nothing with the writer gets out what went in.
//!
//! An input is one byte of settings, a template, and a text or reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::template::{MessageView, Template};
use ngx_http_push_stream_module::protocol::websocket::inflate::{InflateError, inflate};
use ngx_http_push_stream_module::protocol::websocket::reader::{Incoming, Read, Reader};
use ngx_http_push_stream_module::protocol::websocket::rules::{Masking, ReaderLimits};
use ngx_http_push_stream_module::protocol::websocket::{close, deflate, frame};
use ngx_http_push_stream_module::worker::output::frames::Frames;
use ngx_push_stream_fuzz::fields;
use ngx_push_stream_fuzz::inflate::{self as simple, Inflated};

fuzz_target!(|input: &[u8]| {
    let Some((&settings, input)) = input.split_first() else { return };
    let [source, text] = fields(input);
    // A few bytes stand for many, so that all lengths of a length occur.
    let text = &text.repeat([1, 1, 3, 200][usize::from(settings >> 4 & 3)]);
    let frames = Frames { binary: settings & 1 != 0, deflate: settings & 2 != 0 };
    let view = MessageView {
        text,
        id: 7,
        channel: b"channel",
        binary: settings & 4 != 0,
        ..MessageView::ping(b"")
    };

    let template = Template::parse(source);
    let mut rendered = Vec::new();
    template.render(&view, &mut rendered);
    let past = frames.binary && view.binary;
    let payload = if past { text } else { &rendered };
    goes_through(frames, &frames.message(&template, &view), payload, past);
    goes_through(frames, &frames.text(text), text, false);
    compresses(text);
    closes(settings, text);

    let mut pong = Vec::new();
    let payload = &text[..text.len().min(frame::MAX_CONTROL_PAYLOAD)];
    frame::append(frame::Opcode::Pong, payload, &mut pong);
    assert_eq!(one_frame(&pong), (0x8a, payload));
    assert_eq!(read_back(&pong, false), Some(Incoming::Pong(payload.to_vec())));
});

/// First byte and payload of bytes that are exactly one frame without mask.
fn one_frame(bytes: &[u8]) -> (u8, &[u8]) {
    let (at, least) = match bytes[1] {
        126 => (4, 126),
        127 => (10, 0x1_0000),
        _ => (2, 0),
    };
    let len = match at {
        2 => bytes[1].into(),
        _ => bytes[2..at].iter().fold(0, |len, byte| len << 8 | usize::from(*byte)),
    };
    assert!(len >= least && bytes[1] < 128);
    assert_eq!(bytes.len() - at, len);
    (bytes[0], &bytes[at..])
}

fn goes_through(frames: Frames, bytes: &[u8], payload: &[u8], is_binary: bool) {
    if payload.is_empty() {
        return assert!(bytes.is_empty());
    }
    let (first, sent) = one_frame(bytes);
    let text = !is_binary && std::str::from_utf8(payload).is_ok();
    assert_eq!(first & 0xbf, if text { 0x81 } else { 0x82 });
    match first & 0x40 != 0 {
        true => {
            assert!(frames.deflate && sent.len() < payload.len());
            assert_eq!(simple::message(sent), Inflated::Whole(payload.to_vec()));
        }
        false => assert_eq!(sent, payload),
    }
    let payload = payload.to_vec();
    let expected = if text { Incoming::Text(payload) } else { Incoming::Binary(payload) };
    assert_eq!(read_back(bytes, frames.deflate), Some(expected));
}

/// What our own reader makes of a frame, as it is and once it is masked.
fn read_back(bytes: &[u8], deflate: bool) -> Option<Incoming> {
    const KEY: [u8; 4] = [1, 0x80, 0xff, 0x55];
    let (_, payload) = one_frame(bytes);
    let mut masked = bytes[..bytes.len() - payload.len()].to_vec();
    masked[1] |= 0x80;
    masked.extend(KEY);
    masked.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    let as_it_is = read(bytes.to_vec(), deflate, Masking::Optional);
    assert_eq!(as_it_is, read(masked, deflate, Masking::Required));
    as_it_is
}

fn read(mut bytes: Vec<u8>, deflate: bool, masking: Masking) -> Option<Incoming> {
    let rules = ReaderLimits { max_message: 1 << 20, keep: true, masking, binary: true, deflate };
    let (mut reader, mut input) = (Reader::new(rules), &mut bytes[..]);
    loop {
        match reader.read(&mut input).expect("a frame of ours") {
            Read::Working => {}
            Read::Starved => return None,
            Read::Whole(incoming) => return Some(incoming),
        }
    }
}

fn compresses(text: &[u8]) {
    let mut out = b"before".to_vec();
    deflate::compress(text, &mut out);
    let compressed = out.strip_prefix(b"before").expect("what was there");
    assert_eq!(simple::message(compressed), Inflated::Whole(text.to_vec()));
    let len = text.len() as u64;
    assert_eq!(inflate(compressed, len).as_deref(), Ok(text));
    assert!(compressed.len() as u64 <= deflate::compressed_limit(len));
    if let Some(less) = len.checked_sub(1) {
        assert_eq!(inflate(compressed, less), Err(InflateError::TooBig));
    }
}

fn closes(settings: u8, text: &[u8]) {
    let reason = String::from_utf8_lossy(text);
    let code = [None, Some(1000), Some(1008), Some(4999)][usize::from(settings >> 6)];
    let mut bytes = Vec::new();
    close::append(code, &reason, &mut bytes);
    let (first, payload) = one_frame(&bytes);
    assert!(first == 0x88 && payload.len() <= frame::MAX_CONTROL_PAYLOAD);
    if let Some(told) = payload.get(2..) {
        let told = std::str::from_utf8(told).expect("a reason is text");
        assert!(reason.starts_with(told));
        // Nothing is cut that would have fitted.
        let next = reason[told.len()..].chars().next();
        assert!(next.is_none_or(|next| told.len() + next.len_utf8() > 123));
    }
    assert_eq!(read_back(&bytes, false), Some(Incoming::Close(close::Close { code })));
}

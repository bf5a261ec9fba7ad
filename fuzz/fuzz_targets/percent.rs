//! Percent-decoding of paths and query arguments (PATH-3..6, DIR-162) against a byte-wise reader.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::percent::decode;

fuzz_target!(|value: &[u8]| {
    let decoded = decode(value);
    assert_eq!(decoded, read(value));
    assert!(decoded.len() <= value.len());

    // Whatever a client escapes of a value, all or only what it must, the value comes back.
    let (mut all, mut some, mut least) = (Vec::new(), Vec::new(), Vec::new());
    for &byte in value {
        write!(all, "%{byte:02X}").expect("writing to a vector cannot fail");
        match byte {
            b'%' => least.extend_from_slice(b"%25"),
            _ => least.push(byte),
        }
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => some.push(byte),
            _ => write!(some, "%{byte:02x}").expect("writing to a vector cannot fail"),
        }
    }
    for encoded in [all, some, least] {
        assert_eq!(decode(&encoded), value);
    }
});

/// What of an escape has been read.
enum State {
    Plain,
    Percent,
    High(u32),
}

fn read(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut state = State::Plain;
    for &byte in value {
        let digit = char::from(byte).to_digit(16);
        state = match (state, digit) {
            (State::Plain, _) if byte == b'%' => State::Percent,
            (State::Plain, _) | (State::Percent, None) => {
                out.push(byte);
                State::Plain
            }
            (State::Percent, Some(high)) => State::High(high),
            (State::High(high), Some(low)) => {
                out.push(u8::try_from(16 * high + low).expect("two digits are a byte"));
                State::Plain
            }
            (State::High(_), None) => State::Plain,
        };
    }
    out
}

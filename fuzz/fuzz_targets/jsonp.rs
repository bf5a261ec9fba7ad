//! The callback of a JSONP request (JP-2, JP-7, JP-8) against a search in the whole query.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::jsonp::callback;
use ngx_http_push_stream_module::protocol::percent;

fuzz_target!(|query: &[u8]| {
    let name = value(query).map(percent::decode).unwrap_or_default();
    let is_name = name.iter().all(|&byte| {
        matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$' | b'.' | b'[' | b']')
    });
    match callback(query) {
        Ok(None) => assert!(name.is_empty()),
        Ok(Some(found)) => assert!(is_name && !found.is_empty() && found == name),
        Err(_) => assert!(!is_name),
    }
});

fn value(query: &[u8]) -> Option<&[u8]> {
    const ARGUMENT: &[u8] = b"&callback=";
    let framed = [b"&", query, b"&"].concat();
    let at = framed.windows(ARGUMENT.len()).position(|part| part.eq_ignore_ascii_case(ARGUMENT))?;
    // The added byte in front makes up for the one of the argument's own.
    let value = &query[at + ARGUMENT.len() - 1..];
    value.split(|&byte| byte == b'&').next()
}

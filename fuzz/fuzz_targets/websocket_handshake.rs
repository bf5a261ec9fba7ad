//! Handshakes (WS-13..20, WS-GAP-2..4, WS-GAP-18, RFC 7692 section 7.1): one is answered exactly if it
//! says what RFC 6455 wants, and nothing of the client's gets into the answer but what we chose.
//!
//! An input is the values of Upgrade, Connection, Sec-WebSocket-Key, -Version, -Protocol and -Extensions,
//! each of them lines with line feeds between.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::websocket::deflate;
use ngx_http_push_stream_module::protocol::websocket::handshake::{
    HandshakeError, Request, accept, head, subprotocol,
};
use ngx_push_stream_fuzz::fields;

fuzz_target!(|input: &[u8]| {
    let [upgrade, connection, key, version, protocol, extensions] = fields(input).map(lines);
    let request =
        Request { upgrade: &upgrade, connection: &connection, key: &key, version: &version };
    let accepted = accept(&request);
    let one = |lines: &[&[u8]], is: fn(&[u8]) -> bool| lines.len() == 1 && is(lines[0]);
    let expected = if [&upgrade, &connection, &key, &version].iter().any(|lines| lines.is_empty()) {
        Some(HandshakeError::Missing)
    } else if !one(&version, is_version) {
        Some(HandshakeError::Version)
    } else if !lists(&upgrade, "websocket") {
        Some(HandshakeError::Upgrade)
    } else if !lists(&connection, "upgrade") {
        Some(HandshakeError::Connection)
    } else if !one(&key, is_key) {
        Some(HandshakeError::Key)
    } else {
        None
    };
    assert_eq!(accepted.as_ref().err(), expected.as_ref());

    let ours = [b"chat".to_vec(), b"v2".to_vec()];
    let chosen = subprotocol(&protocol, &ours);
    let offered: Vec<String> = protocol.iter().flat_map(|line| items(line)).collect();
    let first = offered.iter().find(|name| ["chat", "v2"].contains(&name.as_str()));
    assert_eq!(chosen, first.map(|name| name.as_bytes()));

    let extension = extensions.iter().find_map(|line| deflate::answer(line));
    if let Some(answer) = extension {
        let offers = extensions.join(&b","[..]).to_ascii_lowercase();
        assert!(offers.windows(18).any(|part| part == b"permessage-deflate"));
        // It names no window that was not asked for (RFC 7692 section 7.1.2).
        let asked = offers.windows(22).any(|part| part == b"server_max_window_bits");
        assert!(asked || !answer.contains("window"), "{answer}");
        assert!(!answer.contains("client_max_window_bits"), "{answer}");
    }
    if let Ok(accept) = accepted {
        let head = head(&accept, chosen, extension);
        let head = String::from_utf8(head).expect("ASCII");
        let lines = 7 + usize::from(chosen.is_some()) + usize::from(extension.is_some());
        let ends: Vec<&str> = head.split("\r\n").collect();
        assert_eq!((ends.len(), ends[lines], ends[0]), (lines + 1, "", START));
        assert!(ends[..lines - 1].iter().all(|line| !line.is_empty() && !line.contains('\n')));
    }
});

const START: &str = "HTTP/1.1 101 Switching Protocols";

fn lines(field: &[u8]) -> Vec<&[u8]> {
    if field.is_empty() { Vec::new() } else { field.split(|byte| *byte == b'\n').collect() }
}

fn items(line: &[u8]) -> Vec<String> {
    let items = line.split(|byte| *byte == b',');
    let text = |item: &[u8]| item.trim_ascii().iter().map(|byte| char::from(*byte)).collect();
    items.map(text).collect()
}

fn lists(lines: &[&[u8]], token: &str) -> bool {
    lines.iter().flat_map(|line| items(line)).any(|item| item.to_ascii_lowercase() == token)
}

fn is_version(line: &[u8]) -> bool {
    let digits = line.iter().all(u8::is_ascii_digit);
    digits
        && matches!(
            line.trim_ascii_start().iter().fold(0u32, |number, byte| {
                number.saturating_mul(10).saturating_add(u32::from(byte.saturating_sub(b'0')))
            }),
            8 | 13
        )
}

/// 22 letters, of whose last the first two bits count, and two equals signs: 16 bytes.
fn is_key(line: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    line.len() == 24 && line[..22].iter().all(is_letter) && &line[22..] == b"=="
}

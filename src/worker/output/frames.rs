//! What a WebSocket client gets, as frames.

use crate::protocol::reserve;
use crate::protocol::template::{MessageView, Template};
use crate::protocol::websocket::deflate;
use crate::protocol::websocket::frame::{self, Opcode};

/// What the client of a connection takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Frames {
    /// Binary messages come as they were published, not through the template.
    pub binary: bool,
    /// permessage-deflate was agreed on (RFC 7692).
    pub deflate: bool,
}

/// Shorter payloads hardly ever become shorter.
const WORTH_COMPRESSING: usize = 64;

/// An empty ping (WS-58).
pub const PING: &[u8] = &[0x89, 0];

impl Frames {
    /// A message as one frame (WS-50..57); nothing if it renders to nothing (TPL-13).
    pub fn message(self, template: &Template, view: &MessageView<'_>) -> Vec<u8> {
        if self.binary && view.binary {
            return self.frame(view.text.len(), |bytes| {
                bytes.extend_from_slice(view.text);
                Opcode::Binary
            });
        }
        self.frame(template.rendered_len(view), |bytes| {
            let begin = bytes.len();
            template.render(view, bytes);
            opcode_of(&bytes[begin..])
        })
    }

    /// Text that is sent as it stands, header or footer; nothing if it is empty. Never compressed: that is
    /// not shared, and a reload would do it for every connection.
    pub fn text(self, text: &[u8]) -> Vec<u8> {
        Frames { deflate: false, ..self }.frame(text.len(), |bytes| {
            bytes.extend_from_slice(text);
            opcode_of(text)
        })
    }

    fn frame(self, len: usize, payload: impl FnOnce(&mut Vec<u8>) -> Opcode) -> Vec<u8> {
        if len == 0 {
            return Vec::new();
        }
        let head_len = frame::header_len(len);
        let mut bytes = reserve::with_capacity(head_len + len);
        // The opcode is known when the payload is there.
        frame::append_header(Opcode::Binary, false, len, &mut bytes);
        let opcode = payload(&mut bytes);
        debug_assert_eq!(bytes.len(), head_len + len);
        if self.deflate && len >= WORTH_COMPRESSING {
            let mut compressed = Vec::new();
            deflate::compress(&bytes[head_len..], &mut compressed);
            if compressed.len() < len {
                bytes.clear();
                frame::append_header(opcode, true, compressed.len(), &mut bytes);
                bytes.extend_from_slice(&compressed);
                bytes.shrink_to_fit();
                return bytes;
            }
        }
        bytes[0] = 0x80 | opcode as u8;
        bytes
    }
}

/// Text frames hold UTF-8 (WS-56, WS-GAP-20).
fn opcode_of(payload: &[u8]) -> Opcode {
    match std::str::from_utf8(payload) {
        Ok(_) => Opcode::Text,
        Err(_) => Opcode::Binary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::websocket::inflate::inflate;

    fn said(text: &[u8]) -> MessageView<'_> {
        MessageView { id: 7, text, ..MessageView::ping(b"") }
    }

    fn framed(frames: Frames, view: &MessageView<'_>) -> Vec<u8> {
        frames.message(&Template::parse(b"~id~:~text~"), view)
    }

    #[test]
    fn a_message_is_one_text_frame() {
        // WS-50..53
        let plain = Frames::default();
        assert_eq!(framed(plain, &said(b"hi")), b"\x81\x047:hi");
        let long = vec![b'x'; 200];
        let frame = framed(plain, &said(&long));
        assert_eq!(frame[..6], *b"\x81\x7e\x00\xca7:");
        assert_eq!(frame.len(), frame.capacity());
        assert!(Frames::default().message(&Template::parse(b"~event-id~"), &said(b"x")).is_empty());
    }

    #[test]
    fn what_is_no_text_is_binary() {
        // WS-56, WS-GAP-20
        assert_eq!(framed(Frames::default(), &said(b"\xff")), b"\x82\x037:\xff");
        assert_eq!(Frames::default().text(b"\xed\xa0\x80"), b"\x82\x03\xed\xa0\x80");
        assert_eq!(Frames::default().text(b"HEAD"), b"\x81\x04HEAD");
        assert!(Frames::default().text(b"").is_empty());
    }

    #[test]
    fn a_binary_message_passes_the_template_by() {
        let view = MessageView { binary: true, ..said(b"hi") };
        assert_eq!(framed(Frames::default(), &view), b"\x81\x047:hi");
        let binary = Frames { binary: true, deflate: false };
        assert_eq!(framed(binary, &view), b"\x82\x02hi");
        assert_eq!(framed(binary, &said(b"hi")), b"\x81\x047:hi");
    }

    #[test]
    fn what_becomes_shorter_is_compressed() {
        let deflate = Frames { binary: false, deflate: true };
        assert_eq!(framed(deflate, &said(b"hi")), b"\x81\x047:hi");
        let frame = framed(deflate, &said(&[b'x'; 1000]));
        assert_eq!((frame[0], usize::from(frame[1])), (0xc1, frame.len() - 2));
        let payload = inflate(&frame[2..], 1002).unwrap();
        assert_eq!(payload, [&b"7:"[..], &[b'x'; 1000]].concat());
        assert_eq!(deflate.text(&[b'x'; 1000])[0], 0x81, "header and footer are not");
        let noise: Vec<u8> =
            (0..200u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
        assert_eq!(framed(deflate, &said(&noise))[0], 0x82);
    }
}

//! A message as it goes on the wire, made once for all subscribers that get the same bytes.

use std::rc::Rc;

use smallvec::SmallVec;

use crate::conf::{TemplateKind, TemplateRef};
use crate::protocol::template::MessageView;
use crate::protocol::{chunk, cursor, padding, reserve, sse};
use crate::store::MessageRef;
use crate::worker::output::frames::{self, Frames};

/// How a subscriber's bytes are cut for its transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// As they are: HTTP/1.0, or a filter below does the framing.
    Plain,
    /// HTTP/1.1 chunks, one for each piece (SUB-41).
    Chunked,
    /// WebSocket frames, one for each message (WS-50).
    Frames(Frames),
}

/// How long a message is to be at least, for clients that need that (PAD-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Padding {
    /// Bytes; 0: no padding.
    pub minimum: usize,
    /// The largest minimum of the configuration (PAD-7).
    pub largest: usize,
}

impl Padding {
    /// Bytes that fill up something of this length.
    pub fn of(&self, len: usize) -> usize {
        padding::amount(self.minimum.saturating_sub(len), self.largest)
    }
}

/// Where the ids of events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventIds {
    /// From the publisher alone (ES-10).
    Published,
    /// A message without one gets its place among all messages.
    Auto,
}

/// All that decides how a message looks on a subscriber's wire.
#[derive(Clone, Copy)]
pub struct Encoding<'l> {
    pub template: &'l TemplateRef,
    pub framing: Framing,
    pub padding: Padding,
    pub event_ids: EventIds,
}

/// What tells shapes apart.
pub type Key = (usize, Framing, usize, EventIds);

impl Encoding<'_> {
    /// Two with the same key make the same bytes of a message.
    pub fn key(&self) -> Key {
        (self.template.index, self.framing, self.padding.minimum, self.event_ids)
    }

    fn is_event_stream(&self) -> bool {
        self.template.kind == TemplateKind::EventStream
    }
}

/// Bytes ready to be sent, never changed, shared by reference.
#[derive(Debug)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    /// Whether it is a published message; not a ping, a notice or a footer.
    pub is_message: bool,
}

impl Encoded {
    /// Renders a message with its padding, or as a frame. `None`: nothing to send (TPL-13).
    pub fn message(
        shape: &Encoding<'_>,
        view: &MessageView<'_>,
        is_message: bool,
    ) -> Option<Rc<Encoded>> {
        let mut place = Vec::new();
        let mut view = *view;
        if is_message && shape.event_ids == EventIds::Auto && view.event_id.is_none() {
            cursor::append_id(view.time, view.tag, &mut place);
            view.event_id = Some(&place);
        }
        let bytes = match (shape.framing, shape.template.kind) {
            (Framing::Frames(frames), _) => frames.message(&shape.template.template, &view),
            (_, TemplateKind::Plain) => plain(shape, &view),
            (_, TemplateKind::EventStream) => event(shape, &view),
        };
        (!bytes.is_empty()).then(|| Rc::new(Encoded { bytes, is_message }))
    }

    /// A ping: the text through the template, or a comment (PING-2, ES-12).
    pub fn ping(shape: &Encoding<'_>, text: &[u8]) -> Option<Rc<Encoded>> {
        match shape.framing {
            Framing::Frames(_) => Self::raw(frames::PING.to_vec()),
            _ if shape.is_event_stream() => Self::text(shape.framing, sse::PING),
            _ => Self::message(shape, &MessageView::ping(text), false),
        }
    }

    /// Bytes that are framed already. `None`: nothing to send.
    pub fn raw(bytes: Vec<u8>) -> Option<Rc<Encoded>> {
        (!bytes.is_empty()).then(|| Rc::new(Encoded { bytes, is_message: false }))
    }

    /// Frames text that is sent as it stands. `None`: nothing to send.
    pub fn text(framing: Framing, text: &[u8]) -> Option<Rc<Encoded>> {
        if let Framing::Frames(frames) = framing {
            return Self::raw(frames.text(text));
        }
        let mut pieces = Pieces::new(framing, &[text.len()]);
        pieces.add(text.len(), |bytes| bytes.extend_from_slice(text));
        Self::raw(pieces.bytes)
    }
}

fn plain(shape: &Encoding<'_>, view: &MessageView<'_>) -> Vec<u8> {
    let template = &shape.template.template;
    let len = template.rendered_len(view);
    if len == 0 {
        return Vec::new();
    }
    let fill = shape.padding.of(len);
    let mut pieces = Pieces::new(shape.framing, &[len, fill]);
    pieces.add(len, |bytes| template.render(view, bytes));
    pieces.add(fill, |bytes| padding::append_crlf(fill, bytes));
    pieces.bytes
}

/// Its id and type are no part of the length that counts for the padding (PAD-6).
fn event(shape: &Encoding<'_>, view: &MessageView<'_>) -> Vec<u8> {
    let template = &shape.template.template;
    let fields = [("id", view.event_id), ("event", view.event_type)];
    let field_len =
        |(name, value): (&str, Option<&[u8]>)| value.map_or(0, |value| sse::field_len(name, value));
    let len = sse::message_len(template, view);
    let fill = shape.padding.of(len);
    let [id_len, type_len] = fields.map(field_len);
    let mut pieces = Pieces::new(shape.framing, &[id_len, type_len, len, fill]);
    for (name, value) in fields {
        if let Some(value) = value {
            let len = sse::field_len(name, value);
            pieces.add(len, |bytes| sse::append_field(name, value, bytes));
        }
    }
    pieces.add(len, |bytes| sse::append_message(template, view, bytes));
    pieces.add(fill, |bytes| padding::append_comment(fill, bytes));
    pieces.bytes
}

/// Pieces of an answer behind one another, each framed for itself.
struct Pieces {
    framing: Framing,
    bytes: Vec<u8>,
}

impl Pieces {
    /// With room for pieces of these lengths.
    fn new(framing: Framing, lens: &[usize]) -> Pieces {
        let framed_len = |&len: &usize| match (len, framing) {
            (0, _) | (_, Framing::Plain | Framing::Frames(_)) => len,
            (len, Framing::Chunked) => chunk::framed_len(len),
        };
        Pieces { framing, bytes: reserve::with_capacity(lens.iter().map(framed_len).sum()) }
    }

    /// Adds a piece of exactly `len` bytes, unless that is none.
    fn add(&mut self, len: usize, fill: impl FnOnce(&mut Vec<u8>)) {
        let bytes = &mut self.bytes;
        match self.framing {
            _ if len == 0 => {}
            Framing::Plain | Framing::Frames(_) => fill(bytes),
            Framing::Chunked => {
                chunk::begin(len, bytes);
                let begin = bytes.len();
                fill(bytes);
                debug_assert_eq!(bytes.len() - begin, len);
                chunk::end(bytes);
            }
        }
    }
}

type Form = (Key, Option<Rc<Encoded>>);

/// One message in every form that this worker's subscribers of its channel want.
pub struct EncodingCache<'m> {
    pub view: MessageView<'m>,
    is_message: bool,
    made: SmallVec<[Form; 2]>,
}

impl<'m> EncodingCache<'m> {
    pub fn new(view: MessageView<'m>, is_message: bool) -> Self {
        Self { view, is_message, made: SmallVec::new() }
    }

    /// The form for subscribers of this shape. `None`: nothing to send.
    pub fn get(&mut self, shape: &Encoding<'_>) -> Option<&Rc<Encoded>> {
        let key = shape.key();
        let i = self.made.iter().position(|made| made.0 == key).unwrap_or_else(|| {
            let formatted = Encoded::message(shape, &self.view, self.is_message);
            self.made.push((key, formatted));
            self.made.len() - 1
        });
        self.made[i].1.as_ref()
    }
}

/// A message of the store as templates see it.
pub fn view<'m>(message: &MessageRef<'m>) -> MessageView<'m> {
    MessageView {
        id: i64::try_from(message.id).unwrap_or(i64::MAX),
        channel: message.channel_id,
        text: message.text,
        time: message.stamp.second,
        tag: message.stamp.tag,
        event_id: message.event_id,
        event_type: message.event_type,
        binary: message.binary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::template::Template;

    fn said(text: &[u8]) -> MessageView<'_> {
        MessageView { id: 7, text, ..MessageView::ping(b"") }
    }

    fn template(index: usize, kind: TemplateKind, source: &str) -> TemplateRef {
        TemplateRef { index, kind, template: Rc::new(Template::parse(source.as_bytes())) }
    }

    fn shape(template: &TemplateRef, framing: Framing, minimum: usize) -> Encoding<'_> {
        let padding = Padding { minimum, largest: 500 };
        Encoding { template, framing, padding, event_ids: EventIds::Published }
    }

    fn bytes(shape: &Encoding<'_>, view: &MessageView<'_>) -> String {
        let formatted = Encoded::message(shape, view, true).unwrap();
        assert_eq!(formatted.bytes.len(), formatted.bytes.capacity());
        String::from_utf8(formatted.bytes.clone()).unwrap()
    }

    #[test]
    fn a_form_is_made_once() {
        // TPL-10, DIR-120, DIR-121.
        let a = template(0, TemplateKind::Plain, "~text~");
        let b = template(1, TemplateKind::Plain, "~id~");
        let mut forms = EncodingCache::new(said(b"hi"), true);
        let chunked = shape(&a, Framing::Chunked, 0);
        let first = Rc::clone(forms.get(&chunked).unwrap());
        assert_eq!(first.bytes, b"2\r\nhi\r\n");
        assert!(Rc::ptr_eq(&first, forms.get(&chunked).unwrap()));
        assert_eq!(forms.get(&shape(&a, Framing::Plain, 0)).unwrap().bytes, b"hi");
        assert_eq!(forms.get(&shape(&a, Framing::Plain, 5)).unwrap().bytes.len(), 102);
        assert_eq!(forms.get(&shape(&b, Framing::Plain, 0)).unwrap().bytes, b"7");
        assert_eq!(forms.made.len(), 4);
    }

    #[test]
    fn nothing_to_send_is_no_form() {
        // TPL-13, DIR-146.
        let template = template(0, TemplateKind::Plain, "~event-id~");
        let padded = shape(&template, Framing::Chunked, 500);
        assert!(EncodingCache::new(said(b"hi"), true).get(&padded).is_none());
        assert!(Encoded::text(Framing::Chunked, b"").is_none());
    }

    #[test]
    fn each_piece_of_an_event_is_a_chunk() {
        // SUB-41, ES-10, PAD-6, PAD-8.
        let template = template(0, TemplateKind::EventStream, "data: ~text~");
        let view = MessageView { event_id: Some(b"e1"), event_type: Some(b"t"), ..said(b"a\nb") };
        let chunked = shape(&template, Framing::Chunked, 0);
        let event = "7\r\nid: e1\n\r\n9\r\nevent: t\n\r\n11\r\ndata: a\ndata: b\n\n\r\n";
        assert_eq!(bytes(&chunked, &view), event);
        let plain = shape(&template, Framing::Plain, 0);
        assert_eq!(bytes(&plain, &view), "id: e1\nevent: t\ndata: a\ndata: b\n\n");
        let padded = shape(&template, Framing::Chunked, 18);
        let filler = format!("64\r\n{}\n\r\n", ":".repeat(99));
        assert_eq!(bytes(&padded, &view), format!("{event}{filler}"));
        assert_eq!(bytes(&shape(&template, Framing::Chunked, 17), &view), event);
    }

    #[test]
    fn a_message_without_an_id_gets_its_place() {
        let template = template(0, TemplateKind::EventStream, "data: ~text~");
        let published = shape(&template, Framing::Plain, 0);
        let auto = Encoding { event_ids: EventIds::Auto, ..published };
        let view = said(b"x").at(1_800_000_000, 3);
        assert_eq!(bytes(&auto, &view), "id: 1800000000:3\ndata: x\n\n");
        let own = MessageView { event_id: Some(b"e1"), ..view };
        assert_eq!(bytes(&auto, &own), "id: e1\ndata: x\n\n");
        let notice = Encoded::message(&auto, &view, false).unwrap();
        assert_eq!(notice.bytes, b"data: x\n\n");
        let mut forms = EncodingCache::new(view, true);
        assert_eq!(forms.get(&published).unwrap().bytes, b"data: x\n\n");
        assert_eq!(forms.get(&auto).unwrap().bytes, b"id: 1800000000:3\ndata: x\n\n");
        let plain = TemplateRef { kind: TemplateKind::Plain, index: 1, ..template.clone() };
        assert_eq!(bytes(&Encoding { template: &plain, ..auto }, &view), "data: x");
        let token = Rc::new(Template::parse(b"~event-id~ ~text~"));
        let token = TemplateRef { kind: TemplateKind::Plain, index: 2, template: token };
        let in_frames = Framing::Frames(Frames::default());
        assert_eq!(bytes(&Encoding { template: &token, ..auto }, &view), "1800000000:3 x");
        let framed = Encoding { template: &token, framing: in_frames, ..auto };
        let frame = Encoded::message(&framed, &view, true).unwrap();
        assert_eq!(frame.bytes, b"\x81\x0e1800000000:3 x");
    }

    #[test]
    fn padding_of_a_plain_stream() {
        // PAD-6..8, PING-2.
        let template = template(0, TemplateKind::Plain, "~text~");
        let padded = shape(&template, Framing::Chunked, 3);
        let filler = "\r\n".repeat(50);
        assert_eq!(bytes(&padded, &said(b"hi")), format!("2\r\nhi\r\n64\r\n{filler}\r\n"));
        let ping = Encoded::ping(&padded, b" ").unwrap();
        assert_eq!(ping.bytes, format!("1\r\n \r\n64\r\n{filler}\r\n").as_bytes());
    }

    #[test]
    fn the_ping_of_an_event_stream_is_a_comment() {
        // ES-12.
        let template = template(0, TemplateKind::EventStream, "data: ~text~");
        let ping = Encoded::ping(&shape(&template, Framing::Chunked, 500), b"text").unwrap();
        assert_eq!(ping.bytes, b"5\r\n: -1\n\r\n");
    }
}

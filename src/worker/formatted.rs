//! A message as it goes on the wire, made once for all subscribers that get the same bytes.

use std::rc::Rc;

use smallvec::SmallVec;

use crate::protocol::chunk;
use crate::protocol::template::{MessageView, Template};
use crate::store::MessageRef;

/// How a subscriber's bytes are cut for its transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// As they are: HTTP/1.0, or a filter below does the framing.
    Plain,
    /// One HTTP/1.1 chunk each.
    Chunked,
}

/// Bytes ready to be sent, never changed, shared by reference.
#[derive(Debug)]
pub struct Formatted {
    pub bytes: Vec<u8>,
    /// Whether it is a published message; not a ping, a notice or a footer.
    pub is_message: bool,
}

impl Formatted {
    /// Renders a message. `None`: nothing to send (TPL-13).
    pub fn message(
        template: &Template,
        framing: Framing,
        view: &MessageView<'_>,
        is_message: bool,
    ) -> Option<Rc<Formatted>> {
        let len = template.rendered_len(view);
        Self::framed(framing, len, is_message, |bytes| template.render(view, bytes))
    }

    /// Frames text that is sent as it stands. `None`: nothing to send.
    pub fn text(framing: Framing, text: &[u8]) -> Option<Rc<Formatted>> {
        Self::framed(framing, text.len(), false, |bytes| bytes.extend_from_slice(text))
    }

    fn framed(
        framing: Framing,
        len: usize,
        is_message: bool,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Rc<Formatted>> {
        if len == 0 {
            return None;
        }
        let mut bytes = Vec::new();
        match framing {
            Framing::Plain => {
                bytes.reserve_exact(len);
                fill(&mut bytes);
            }
            Framing::Chunked => {
                bytes.reserve_exact(chunk::framed_len(len));
                chunk::begin(len, &mut bytes);
                fill(&mut bytes);
                chunk::end(&mut bytes);
            }
        }
        Some(Rc::new(Formatted { bytes, is_message }))
    }
}

type Form = (Rc<Template>, Framing, Option<Rc<Formatted>>);

/// One message in every form that this worker's subscribers of its channel want.
pub struct Forms<'m> {
    view: MessageView<'m>,
    is_message: bool,
    made: SmallVec<[Form; 2]>,
}

impl<'m> Forms<'m> {
    pub fn new(view: MessageView<'m>, is_message: bool) -> Self {
        Self { view, is_message, made: SmallVec::new() }
    }

    /// The form for this template and framing. `None`: nothing to send.
    pub fn get(&mut self, template: &Rc<Template>, framing: Framing) -> Option<&Rc<Formatted>> {
        let known = |made: &Form| Rc::ptr_eq(&made.0, template) && made.1 == framing;
        let i = self.made.iter().position(known).unwrap_or_else(|| {
            let formatted = Formatted::message(template, framing, &self.view, self.is_message);
            self.made.push((Rc::clone(template), framing, formatted));
            self.made.len() - 1
        });
        self.made[i].2.as_ref()
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &[u8]) -> MessageView<'_> {
        MessageView { id: 7, text, ..MessageView::ping(b"") }
    }

    #[test]
    fn a_form_is_made_once() {
        let (a, b) = (Rc::new(Template::parse(b"~text~")), Rc::new(Template::parse(b"~id~")));
        let mut forms = Forms::new(said(b"hi"), true);
        let first = Rc::clone(forms.get(&a, Framing::Chunked).unwrap());
        assert_eq!(first.bytes, b"2\r\nhi\r\n");
        assert!(Rc::ptr_eq(&first, forms.get(&a, Framing::Chunked).unwrap()));
        assert_eq!(forms.get(&a, Framing::Plain).unwrap().bytes, b"hi");
        assert_eq!(forms.get(&b, Framing::Plain).unwrap().bytes, b"7");
        assert_eq!(forms.made.len(), 3);
    }

    #[test]
    fn nothing_to_send_is_no_form() {
        // TPL-13, DIR-146.
        let template = Rc::new(Template::parse(b"~event-id~"));
        assert!(Forms::new(said(b"hi"), true).get(&template, Framing::Chunked).is_none());
        assert!(Formatted::text(Framing::Chunked, b"").is_none());
    }
}

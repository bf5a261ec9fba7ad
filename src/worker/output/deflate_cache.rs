//! Messages as this worker compressed them last, so that clients that come back together, and read the same
//! history, cost one compression of each message instead of one for each client.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use crate::protocol::template::MessageView;
use crate::worker::output::encoded::{Encoded, Encoding, Framing, Key};

/// Bytes that are kept at most.
const MOST: usize = 1 << 20;
/// What an entry takes beside its bytes, roughly.
const ENTRY: usize = 256;
/// Rounds of housekeeping after which nothing is kept for clients that are no more: a minute.
const IDLE_ROUNDS: u32 = 120;

/// Second and tag, which no other message of the zone has, and how it looks.
type Name = (u64, u32, Key);

/// The compressed messages of a worker; those that were compressed first go first.
#[derive(Default)]
pub struct DeflateCache {
    kept: RefCell<Kept>,
    /// Rounds of housekeeping since it was last asked.
    idle: Cell<u32>,
}

#[derive(Default)]
struct Kept {
    forms: HashMap<Name, Rc<Encoded>>,
    /// Oldest first.
    order: VecDeque<Name>,
    /// With what the entries take themselves.
    bytes: usize,
}

impl DeflateCache {
    /// A stored message as [`Encoded::message`] makes it: what is compressed is looked up first, and kept.
    pub fn message(&self, shape: &Encoding<'_>, view: &MessageView<'_>) -> Option<Rc<Encoded>> {
        let make = || Encoded::message(shape, view, true);
        match shape.framing {
            Framing::Frames(frames) if frames.deflate => {}
            _ => return make(),
        }
        self.idle.set(0);
        let name = (view.time, view.tag, shape.key());
        if let Some(form) = self.kept.borrow().forms.get(&name) {
            return Some(Rc::clone(form));
        }
        let form = make()?;
        self.kept.borrow_mut().keep(name, &form);
        Some(form)
    }

    /// A round of housekeeping: what nobody asks for goes.
    pub fn age(&self) {
        match self.idle.get() {
            IDLE_ROUNDS => drop(self.kept.take()),
            idle => self.idle.set(idle + 1),
        }
    }
}

impl Kept {
    fn keep(&mut self, name: Name, form: &Rc<Encoded>) {
        let cost = cost(form);
        if cost > MOST {
            return;
        }
        while self.bytes + cost > MOST {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.forms.remove(&oldest).map_or(0, |form| self::cost(&form));
        }
        if self.forms.insert(name, Rc::clone(form)).is_none() {
            self.order.push_back(name);
            self.bytes += cost;
        }
    }
}

fn cost(form: &Encoded) -> usize {
    ENTRY + form.bytes.capacity()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{TemplateKind, TemplateRef};
    use crate::protocol::template::Template;
    use crate::worker::output::encoded::{EventIds, Padding};
    use crate::worker::output::frames::Frames;

    fn template(index: usize, source: &str) -> TemplateRef {
        let template = Rc::new(Template::parse(source.as_bytes()));
        TemplateRef { index, kind: TemplateKind::Plain, template }
    }

    fn shape(template: &TemplateRef, deflate: bool) -> Encoding<'_> {
        let framing = Framing::Frames(Frames { binary: false, deflate });
        Encoding { template, framing, padding: Padding::default(), event_ids: EventIds::Published }
    }

    fn said(text: &[u8], tag: u32) -> MessageView<'_> {
        MessageView { text, ..MessageView::ping(b"") }.at(1_800_000_000, tag)
    }

    /// Bytes that do not get shorter.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn a_message_is_compressed_once_per_shape() {
        let (one, other) = (template(0, "~text~"), template(1, "<~text~>"));
        let compressed = DeflateCache::default();
        let text = [b'x'; 1000];
        let get = |shape: &Encoding<'_>, tag| compressed.message(shape, &said(&text, tag)).unwrap();
        let first = get(&shape(&one, true), 1);
        assert_eq!(first.bytes[0], 0xc1);
        assert!(Rc::ptr_eq(&first, &get(&shape(&one, true), 1)));
        assert!(!Rc::ptr_eq(&first, &get(&shape(&one, true), 2)));
        let bracketed = get(&shape(&other, true), 1);
        assert_ne!(bracketed.bytes, first.bytes);
        assert!(Rc::ptr_eq(&bracketed, &get(&shape(&other, true), 1)));
        assert_eq!(compressed.kept.borrow().order.len(), 3);
    }

    #[test]
    fn nothing_is_kept_for_those_who_take_it_plain() {
        let template = template(0, "~text~");
        let compressed = DeflateCache::default();
        for framing in [Framing::Plain, Framing::Chunked, shape(&template, false).framing] {
            let shape = Encoding { framing, ..shape(&template, false) };
            assert!(compressed.message(&shape, &said(&[b'x'; 1000], 1)).is_some());
        }
        // TPL-13
        assert!(compressed.message(&shape(&template, true), &said(b"", 1)).is_none());
        assert_eq!(compressed.kept.borrow().bytes, 0);
    }

    #[test]
    fn the_oldest_makes_room() {
        let template = template(0, "~text~");
        let compressed = DeflateCache::default();
        let text = noise(100_000);
        let get = |tag| compressed.message(&shape(&template, true), &said(&text, tag)).unwrap();
        let first = get(1);
        for tag in 2..=10 {
            get(tag);
        }
        assert!(Rc::ptr_eq(&first, &get(1)));
        get(11);
        assert!(!Rc::ptr_eq(&first, &get(1)));
        let kept = compressed.kept.borrow();
        assert_eq!((kept.order.len(), kept.forms.len()), (10, 10));
        let sum: usize = kept.forms.values().map(|form| cost(form)).sum();
        assert_eq!(kept.bytes, sum);
        assert!(sum <= MOST);
        drop(kept);
        let huge = noise(MOST);
        assert!(compressed.message(&shape(&template, true), &said(&huge, 99)).is_some());
        assert_eq!(compressed.kept.borrow().bytes, sum);
    }

    #[test]
    fn what_nobody_asks_for_goes() {
        let template = template(0, "~text~");
        let compressed = DeflateCache::default();
        let get = || compressed.message(&shape(&template, true), &said(&[b'x'; 1000], 1)).unwrap();
        let first = get();
        for _ in 0..IDLE_ROUNDS {
            compressed.age();
        }
        assert!(Rc::ptr_eq(&first, &get()));
        for _ in 0..=IDLE_ROUNDS {
            compressed.age();
        }
        assert_eq!(Rc::strong_count(&first), 1);
        assert_eq!(compressed.kept.borrow().bytes, 0);
    }
}

//! What waits for one subscriber's socket: references to shared bytes, and how far the first has gone.

use std::collections::VecDeque;
use std::rc::Rc;

use super::formatted::Formatted;

/// A queue of bytes to send. The first item is the one being sent.
#[derive(Default)]
pub struct Outbox {
    queue: VecDeque<Rc<Formatted>>,
    /// Bytes of the first item that are sent.
    offset: usize,
    /// Bytes of all items.
    bytes: usize,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The item being sent, and how much of it is.
    pub fn front(&self) -> Option<(&Rc<Formatted>, usize)> {
        self.queue.front().map(|item| (item, self.offset))
    }

    /// `n` more bytes of the first item are sent.
    pub fn advance(&mut self, n: usize) {
        self.offset += n;
        if let Some(item) = self.queue.front().filter(|item| item.bytes.len() <= self.offset) {
            self.bytes -= item.bytes.len();
            self.offset = 0;
            self.queue.pop_front();
        }
        if self.queue.is_empty() {
            // An idle subscriber keeps no memory for a burst that is over.
            self.queue = VecDeque::new();
        }
    }

    pub fn push(&mut self, item: Rc<Formatted>) {
        self.bytes += item.bytes.len();
        self.queue.push_back(item);
    }

    /// Bytes that wait behind the item being sent.
    pub fn behind(&self) -> usize {
        self.bytes - self.queue.front().map_or(0, |item| item.bytes.len())
    }

    /// Bytes of all that waits, sent parts included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops what has not begun; how many messages that were. `begun`: the first item has, whatever
    /// the offset says.
    pub fn drop_unbegun(&mut self, begun: bool) -> u64 {
        let keep = usize::from(begun || self.offset > 0).min(self.queue.len());
        let dropped = self.queue.iter().skip(keep).filter(|item| item.is_message).count();
        self.queue.truncate(keep);
        self.bytes = self.queue.front().map_or(0, |item| item.bytes.len());
        dropped as u64
    }

    /// Takes over all of another queue.
    pub fn append(&mut self, mut other: Outbox) {
        debug_assert_eq!(other.offset, 0);
        self.bytes += other.bytes;
        self.queue.append(&mut other.queue);
    }

    /// Messages that wait.
    pub fn messages(&self) -> u64 {
        self.queue.iter().filter(|item| item.is_message).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::formatted::Framing;
    use super::*;

    fn item(len: usize) -> Rc<Formatted> {
        let text = vec![b'x'; len];
        let text = Formatted::text(Framing::Plain, &text).unwrap();
        Rc::new(Formatted { bytes: text.bytes.clone(), is_message: true })
    }

    #[test]
    fn only_what_is_behind_the_first_counts() {
        let mut outbox = Outbox::default();
        outbox.push(item(1_000_000));
        assert_eq!(outbox.behind(), 0);
        outbox.push(item(10));
        outbox.push(item(20));
        assert_eq!(outbox.behind(), 30);
        outbox.advance(1_000_000);
        assert_eq!(outbox.behind(), 20);
        outbox.advance(4);
        assert_eq!(outbox.front().unwrap().1, 4);
        outbox.advance(6);
        outbox.advance(20);
        assert!(outbox.is_empty());
        assert_eq!(outbox.behind(), 0);
    }

    #[test]
    fn what_has_begun_is_kept() {
        let mut outbox = Outbox::default();
        (0..3).for_each(|_| outbox.push(item(10)));
        outbox.advance(1);
        assert_eq!(outbox.drop_unbegun(false), 2);
        assert_eq!(outbox.front().unwrap().1, 1);
        outbox.push(item(5));
        outbox.advance(9);
        assert_eq!(outbox.drop_unbegun(false), 1);
        assert!(outbox.is_empty());
        outbox.push(item(5));
        outbox.push(item(5));
        assert_eq!(outbox.drop_unbegun(true), 1);
        assert_eq!(outbox.messages(), 1);
    }
}

//! What waits for one subscriber's socket: references to shared bytes, and how far the first has gone.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::worker::output::encoded::Encoded;

/// A queue of bytes to send. The first item is the one being sent. History comes before anything live
/// and is bounded by the size of a page, so only what is live counts as waiting.
#[derive(Default)]
pub struct SendQueue {
    queue: VecDeque<Rc<Encoded>>,
    /// How many of the first items are history.
    history: usize,
    /// Bytes of the first item that are sent.
    offset: usize,
    /// The first item cannot be taken back, whatever the offset says.
    begun: bool,
    /// Bytes of the items that are not history.
    live_bytes: usize,
}

impl SendQueue {
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The item being sent, and how much of it is.
    pub fn front(&self) -> Option<(&Rc<Encoded>, usize)> {
        self.queue.front().map(|item| (item, self.offset))
    }

    /// `n` more bytes of the first item are sent. True if that was a whole message.
    pub fn advance(&mut self, n: usize) -> bool {
        self.offset += n;
        if self.queue.front().is_none_or(|item| self.offset < item.bytes.len()) {
            return false;
        }
        let done = self.queue.pop_front();
        (self.offset, self.begun) = (0, false);
        if let (Some(item), 0) = (&done, self.history) {
            self.live_bytes -= item.bytes.len();
        }
        self.history = self.history.saturating_sub(1);
        if self.queue.is_empty() {
            // An idle subscriber keeps no memory for a burst that is over.
            self.queue = VecDeque::new();
        }
        done.is_some_and(|item| item.is_message)
    }

    pub fn push(&mut self, item: Rc<Encoded>) {
        self.live_bytes += item.bytes.len();
        self.queue.push_back(item);
    }

    /// Adds an item of a page of history. Nothing live may wait before it.
    pub fn push_history(&mut self, item: Rc<Encoded>) {
        debug_assert_eq!(self.history, self.queue.len());
        self.history += 1;
        self.queue.push_back(item);
    }

    /// Bytes that wait behind the item being sent.
    pub fn behind(&self) -> usize {
        let sending = self.queue.front().filter(|_| self.history == 0);
        self.live_bytes - sending.map_or(0, |item| item.bytes.len())
    }

    /// Bytes of all that is live.
    pub fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// The first item cannot be taken back, although it may be that no byte of it has left.
    pub fn note_begun(&mut self) {
        self.begun = true;
    }

    /// Drops what has not begun; how many messages that were.
    pub fn drop_unbegun(&mut self) -> u64 {
        let keep = usize::from(self.begun || self.offset > 0).min(self.queue.len());
        let dropped = self.queue.iter().skip(keep).filter(|item| item.is_message).count();
        self.queue.truncate(keep);
        self.history = self.history.min(keep);
        let sending = self.queue.front().filter(|_| self.history == 0);
        self.live_bytes = sending.map_or(0, |item| item.bytes.len());
        dropped as u64
    }

    /// Takes over all of another queue of live items.
    pub fn append(&mut self, mut other: SendQueue) {
        debug_assert_eq!((other.offset, other.history), (0, 0));
        self.live_bytes += other.live_bytes;
        self.queue.append(&mut other.queue);
    }

    /// Messages that wait.
    pub fn messages(&self) -> u64 {
        self.queue.iter().filter(|item| item.is_message).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(len: usize) -> Rc<Encoded> {
        Rc::new(Encoded { bytes: vec![b'x'; len], is_message: true })
    }

    #[test]
    fn only_what_is_behind_the_first_counts() {
        let mut queue = SendQueue::default();
        queue.push(item(1_000_000));
        assert_eq!(queue.behind(), 0);
        queue.push(item(10));
        queue.push(item(20));
        assert_eq!(queue.behind(), 30);
        assert!(queue.advance(1_000_000));
        assert_eq!(queue.behind(), 20);
        assert!(!queue.advance(4));
        assert_eq!(queue.front().unwrap().1, 4);
        assert!(queue.advance(6));
        assert!(queue.advance(20));
        assert!(queue.is_empty());
        assert_eq!(queue.behind(), 0);
    }

    #[test]
    fn history_does_not_count() {
        let mut queue = SendQueue::default();
        queue.push_history(item(1000));
        queue.push_history(item(1000));
        let mut live = SendQueue::default();
        live.push(item(7));
        assert_eq!((queue.behind(), live.live_bytes()), (0, 7));
        queue.append(live);
        queue.push(item(5));
        assert_eq!(queue.behind(), 12);
        queue.advance(1000);
        queue.advance(1000);
        assert_eq!(queue.behind(), 5, "the live one is being sent");
        queue.advance(7);
        queue.advance(5);
        assert_eq!((queue.behind(), queue.live_bytes()), (0, 0));
    }

    #[test]
    fn what_has_begun_is_kept() {
        let mut queue = SendQueue::default();
        (0..3).for_each(|_| queue.push(item(10)));
        queue.advance(1);
        assert_eq!(queue.drop_unbegun(), 2);
        assert_eq!(queue.front().unwrap().1, 1);
        queue.push(item(5));
        queue.advance(9);
        assert_eq!(queue.drop_unbegun(), 1);
        assert!(queue.is_empty());
        queue.push_history(item(5));
        queue.push(item(5));
        queue.note_begun();
        assert_eq!(queue.drop_unbegun(), 1);
        assert_eq!((queue.messages(), queue.live_bytes()), (1, 0));
        assert!(queue.advance(5));
    }
}

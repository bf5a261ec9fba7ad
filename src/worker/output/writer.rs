//! Sending what waits for a subscriber, as far as its socket takes it.

use std::rc::Rc;

use crate::ngx_ext::connection::Failed;
use crate::worker::output::encoded::Encoded;
use crate::worker::output::send_queue::SendQueue;
use crate::worker::output::sent::Sent;
use crate::worker::output::sink::Sink;

/// Where sending has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Everything has left.
    Idle,
    /// The socket is full; the write handler will be called.
    Blocked,
}

/// A queue and the sink that it is for.
pub struct Writer<'w> {
    pub queue: &'w mut SendQueue,
    pub sink: &'w mut Sink,
    /// Messages that left as a whole.
    pub sent: u64,
}

impl Writer<'_> {
    /// Sends an item before which nothing waits; queues what the socket does not take.
    pub fn send_now(&mut self, item: &Rc<Encoded>) -> Result<Flow, Failed> {
        debug_assert!(self.queue.is_empty());
        match self.sink.send(item, 0)? {
            Sent::Whole => {
                self.sent += u64::from(item.is_message);
                Ok(Flow::Idle)
            }
            sent => {
                self.queue.push(Rc::clone(item));
                self.stopped_after(sent, true)
            }
        }
    }

    /// Sends what waits. `progress`: the peer has just taken something, so its time begins anew.
    pub fn send_waiting(&mut self, mut progress: bool) -> Result<Flow, Failed> {
        while let Some((item, offset)) = self.queue.front() {
            let (item, rest) = (Rc::clone(item), item.bytes.len() - offset);
            match self.sink.send(&item, offset)? {
                Sent::Whole => {
                    self.sent += u64::from(self.queue.advance(rest));
                    progress = true;
                }
                sent => return self.stopped_after(sent, progress),
            }
        }
        if !self.sink.drain()? {
            self.sink.await_writable(progress)?;
            return Ok(Flow::Blocked);
        }
        self.sink.rest();
        Ok(Flow::Idle)
    }

    /// The first item has not left as a whole.
    fn stopped_after(&mut self, sent: Sent, progress: bool) -> Result<Flow, Failed> {
        let n = match sent {
            Sent::Part(n) => n,
            Sent::Whole | Sent::InFilters => 0,
        };
        self.queue.advance(n);
        if self.sink.has_begun() {
            self.queue.note_begun();
        }
        self.sink.await_writable(progress || n > 0)?;
        Ok(Flow::Blocked)
    }
}

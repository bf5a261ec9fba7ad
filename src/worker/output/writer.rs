//! Sending what waits for a subscriber, as far as its socket takes it.

use std::rc::Rc;

use crate::ngx_ext::connection::Failed;
use crate::protocol::{percent, sse};
use crate::store::Gap;
use crate::worker::output::encoded::{Encoded, Framing};
use crate::worker::output::send_queue::SendQueue;
use crate::worker::output::sink::{RequestSink, Sent};

/// A sink and what waits for it.
pub struct Writer {
    pub sink: RequestSink,
    pub queue: SendQueue,
    /// Messages that left as a whole since this was last asked.
    sent: u64,
}

/// Where sending has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Everything has left.
    Idle,
    /// The socket is full; the write handler will be called.
    Blocked,
}

impl Writer {
    pub fn new(sink: RequestSink) -> Writer {
        Writer { sink, queue: SendQueue::default(), sent: 0 }
    }

    /// Messages that left as a whole since the last call.
    pub fn take_sent(&mut self) -> u64 {
        std::mem::take(&mut self.sent)
    }

    /// Tells an event stream that messages of its history went before it came to them.
    pub fn tell_gap(&mut self, framing: Framing, gap: &Gap) {
        let mut id = Vec::new();
        percent::append_component(&gap.channel_id, &mut id);
        let item = Encoded::text(framing, &sse::gap(&id));
        item.into_iter().for_each(|item| self.queue.push_history(item));
    }

    /// Sends an item before which nothing waits; queues what the socket does not take.
    pub fn send_now(&mut self, item: &Rc<Encoded>) -> Result<Flow, Failed> {
        debug_assert!(self.queue.is_empty());
        let n = match self.sink.send(item, 0)? {
            Sent::Whole => {
                self.sent += u64::from(item.is_message);
                return Ok(Flow::Idle);
            }
            Sent::Part(n) => n,
            Sent::InFilters => 0,
        };
        self.queue.push(Rc::clone(item));
        self.queue.advance(n);
        self.sink.await_writable(true)?;
        Ok(Flow::Blocked)
    }

    /// Sends what waits. `progress`: the peer has just taken something, so its time begins anew.
    pub fn send_waiting(&mut self, mut progress: bool) -> Result<Flow, Failed> {
        while let Some((item, offset)) = self.queue.front() {
            let (item, rest) = (Rc::clone(item), item.bytes.len() - offset);
            let n = match self.sink.send(&item, offset)? {
                Sent::Whole => {
                    self.sent += u64::from(self.queue.advance(rest));
                    progress = true;
                    continue;
                }
                Sent::Part(n) => n,
                Sent::InFilters => 0,
            };
            self.queue.advance(n);
            self.sink.await_writable(progress || n > 0)?;
            return Ok(Flow::Blocked);
        }
        if !self.sink.drain()? {
            self.sink.await_writable(progress)?;
            return Ok(Flow::Blocked);
        }
        self.sink.rest();
        Ok(Flow::Idle)
    }
}

//! Sending what waits for a subscriber, as far as its socket takes it.

use std::rc::Rc;

use super::formatted::{Formatted, Framing};
use super::outbox::Outbox;
use super::sink::{Attached, Sent};
use crate::ngx_ext::connection::Failed;
use crate::protocol::{event, percent};
use crate::store::Gap;

/// A sink and what waits for it.
pub struct Transmission {
    pub sink: Attached,
    pub outbox: Outbox,
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

impl Transmission {
    pub fn new(sink: Attached) -> Transmission {
        Transmission { sink, outbox: Outbox::default(), sent: 0 }
    }

    /// Messages that left as a whole since the last call.
    pub fn take_sent(&mut self) -> u64 {
        std::mem::take(&mut self.sent)
    }

    /// Tells an event stream that messages of its history went before it came to them.
    pub fn tell_gap(&mut self, framing: Framing, gap: &Gap) {
        let mut id = Vec::new();
        percent::append_component(&gap.channel_id, &mut id);
        let item = Formatted::text(framing, &event::gap(&id));
        item.into_iter().for_each(|item| self.outbox.push_history(item));
    }

    /// Sends an item before which nothing waits; queues what the socket does not take.
    pub fn send_now(&mut self, item: &Rc<Formatted>) -> Result<Flow, Failed> {
        debug_assert!(self.outbox.is_empty());
        let n = match self.sink.send(item, 0)? {
            Sent::Whole => {
                self.sent += u64::from(item.is_message);
                return Ok(Flow::Idle);
            }
            Sent::Part(n) => n,
            Sent::InFilters => 0,
        };
        self.outbox.push(Rc::clone(item));
        self.outbox.advance(n);
        self.sink.await_writable(true)?;
        Ok(Flow::Blocked)
    }

    /// Sends what waits. `progress`: the peer has just taken something, so its time begins anew.
    pub fn send_waiting(&mut self, mut progress: bool) -> Result<Flow, Failed> {
        while let Some((item, offset)) = self.outbox.front() {
            let (item, rest) = (Rc::clone(item), item.bytes.len() - offset);
            let n = match self.sink.send(&item, offset)? {
                Sent::Whole => {
                    self.sent += u64::from(self.outbox.advance(rest));
                    progress = true;
                    continue;
                }
                Sent::Part(n) => n,
                Sent::InFilters => 0,
            };
            self.outbox.advance(n);
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

//! Where a subscriber's bytes go.
//!
//! The *attached* sink: nginx's request lives as long as the subscriber. It writes straight to the
//! connection when nothing stands in between, else through the request's filters. The subscriber knows
//! only what is public here, so that a sink that keeps the connection alone can stand beside it.

use std::rc::Rc;

use super::formatted::{Formatted, Framing};
use crate::ngx_ext::connection::Failed;
use crate::ngx_ext::output::Descriptor;
use crate::ngx_ext::request::Request;

/// What became of bytes that were to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// All of them left.
    All,
    /// So many left; the rest is to be offered again when the sink can be written.
    Some(usize),
    /// The sink keeps them and sends them on; to be offered again until they have left.
    Taken,
}

/// A sink on a request.
pub struct Attached {
    request: Request<'static>,
    direct: bool,
    /// Shows the filters the bytes they are working on, which are kept until they are done.
    descriptor: Option<Descriptor>,
    in_filters: Option<Rc<Formatted>>,
    send_timeout: u64,
}

impl Attached {
    /// A sink for a request whose head was sent. `direct`: the configuration lets bytes go past the
    /// filters if this request's state does.
    pub fn new(request: Request<'static>, direct: bool) -> Attached {
        Attached {
            request,
            direct: direct && request.has_plain_output(),
            descriptor: None,
            in_filters: None,
            send_timeout: request.send_timeout(),
        }
    }

    pub fn request(&self) -> Request<'static> {
        self.request
    }

    /// How bytes for this sink are framed.
    pub fn framing(&self) -> Framing {
        match self.direct && self.request.bits().chunked() {
            true => Framing::Chunked,
            false => Framing::Plain,
        }
    }

    /// Whether the sink works on bytes that cannot be taken back.
    pub fn has_begun(&self) -> bool {
        self.in_filters.is_some()
    }

    /// Sends an item from `offset` on.
    pub fn send(&mut self, item: &Rc<Formatted>, offset: usize) -> Result<Sent, Failed> {
        if self.request.has_output_pending() {
            self.request.output_rest()?;
        }
        match self.in_filters.take() {
            Some(item) if !self.is_consumed() => {
                self.in_filters = Some(item);
                return Ok(Sent::Taken);
            }
            Some(_) => return Ok(Sent::All),
            None if self.request.has_output_pending() => return Ok(Sent::Some(0)),
            None => {}
        }
        if self.direct {
            let bytes = &item.bytes[offset..];
            return match self.request.connection().send(bytes)? {
                n if n == bytes.len() => Ok(Sent::All),
                n => Ok(Sent::Some(n)),
            };
        }
        self.send_filtered(item)
    }

    fn send_filtered(&mut self, item: &Rc<Formatted>) -> Result<Sent, Failed> {
        let descriptor = match self.descriptor.take() {
            Some(descriptor) => descriptor,
            None => self.request.descriptor().map_err(|_| Failed)?,
        };
        // SAFETY: `in_filters` keeps the bytes until the descriptor is consumed; if the subscriber ends
        // before, so has the request.
        let output = unsafe { self.request.output(&descriptor, &item.bytes) };
        self.descriptor = Some(descriptor);
        if self.is_consumed() {
            output?;
            return Ok(Sent::All);
        }
        self.in_filters = Some(Rc::clone(item));
        output?;
        Ok(Sent::Taken)
    }

    fn is_consumed(&self) -> bool {
        self.descriptor.as_ref().is_none_or(Descriptor::is_consumed)
    }

    /// Goes on with what nginx holds of this request; true when it holds nothing any more.
    pub fn drain(&mut self) -> Result<bool, Failed> {
        if self.request.has_output_pending() {
            self.request.output_rest()?;
        }
        Ok(!self.request.has_output_pending())
    }

    /// Asks to be told when it can be written again, within `send_timeout` of the last progress.
    pub fn await_writable(&self, progress: bool) -> Result<(), Failed> {
        self.request.connection().await_writable(self.send_timeout, progress)
    }

    /// Nothing waits to be written.
    pub fn rest(&self) {
        self.request.connection().stop_write_timer();
    }
}

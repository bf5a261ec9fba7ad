//! Where a subscriber's bytes go.
//!
//! The *attached* sink: nginx's request lives as long as the subscriber. It writes straight to the
//! connection when nothing stands in between, else through the request's filters. The subscriber knows
//! only what is public here, so that a sink that keeps the connection alone can stand beside it.

use std::cell::RefCell;
use std::rc::Rc;

use crate::failpoints;
use crate::ngx_ext::connection::Failed;
use crate::ngx_ext::output::Descriptor;
use crate::ngx_ext::request::Request;
use crate::ngx_ext::substitution::Substitution;
use crate::worker::output::encoded::{Encoded, Framing};

/// What became of the item that is being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// All of it left.
    Whole,
    /// So many more bytes left; the rest is to be offered again when the sink can be written.
    Part(usize),
    /// The filters have it; to be offered again until it has left.
    InFilters,
}

/// A sink on a request.
pub struct RequestSink {
    request: Request<'static>,
    direct: bool,
    filters: Option<Filters>,
    substitution: Option<Substitution>,
    /// What filters keep back by themselves is taken for sent.
    client_alone: bool,
    /// The item cannot be taken back although no byte of it has left.
    begun: bool,
    send_timeout: u64,
}

/// What shows the filters an item.
struct Filters {
    descriptor: Descriptor,
    /// The item they work on. The request's pool holds it too: a request may end for us while nginx still
    /// sends what its filters have (HTTP/2), and only the end of the pool is the end of that.
    item: Rc<RefCell<Option<Rc<Encoded>>>>,
}

impl RequestSink {
    /// A sink for a request whose head was sent. `direct`: the configuration lets bytes go past the
    /// filters if this request's state does.
    pub fn new(
        request: Request<'static>,
        direct: bool,
        substitution: Option<Substitution>,
    ) -> RequestSink {
        RequestSink {
            request,
            direct: direct && request.has_plain_output(),
            filters: None,
            substitution,
            client_alone: false,
            begun: false,
            send_timeout: request.send_timeout(),
        }
    }

    /// A sink for a request whose head is the first item, and which no filter is to see. That item is
    /// never taken back.
    pub fn past_filters(request: Request<'static>) -> RequestSink {
        let send_timeout = request.send_timeout();
        RequestSink {
            request,
            direct: true,
            filters: None,
            substitution: None,
            client_alone: false,
            begun: true,
            send_timeout,
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

    /// Whether the filters work on an item that cannot be taken back.
    pub fn has_begun(&self) -> bool {
        self.begun || self.filters.as_ref().is_some_and(|filters| filters.item.borrow().is_some())
    }

    /// Sends an item from `offset` on; the same item again and again until it is sent as a whole.
    pub fn send(&mut self, item: &Rc<Encoded>, offset: usize) -> Result<Sent, Failed> {
        failpoints::point("sending");
        if self.request.has_output_pending() {
            self.request.output_rest()?;
        }
        if let Some(filters) =
            self.filters.as_ref().filter(|filters| filters.item.borrow().is_some())
        {
            if filters.descriptor.is_consumed() {
                filters.item.replace(None);
                return Ok(Sent::Whole);
            }
            return Ok(self.kept_back());
        }
        if self.request.waits_for_client() {
            return Ok(Sent::Part(0));
        }
        if self.direct {
            let bytes = &item.bytes[offset..];
            let connection = self.request.connection();
            return match connection.send(bytes)? {
                n if n == bytes.len() => {
                    self.begun = false;
                    Ok(Sent::Whole)
                }
                n => {
                    // TLS wants to see the same bytes again.
                    self.begun |= connection.is_tls();
                    Ok(Sent::Part(n))
                }
            };
        }
        self.send_filtered(item)
    }

    fn send_filtered(&mut self, item: &Rc<Encoded>) -> Result<Sent, Failed> {
        if self.filters.is_none() {
            self.filters = Some(Filters::new(self.request)?);
        }
        let Some(filters) = &self.filters else { return Err(Failed) };
        filters.item.replace(Some(Rc::clone(item)));
        // SAFETY: the request's pool holds the bytes, unless the descriptor is consumed before.
        let output =
            unsafe { self.request.output(&filters.descriptor, &item.bytes, self.substitution) };
        let consumed = filters.descriptor.is_consumed();
        if consumed {
            filters.item.replace(None);
        }
        output?;
        Ok(if consumed { Sent::Whole } else { self.kept_back() })
    }

    /// A filter has not let go of the item: because the client takes nothing, or for reasons of its own,
    /// in which case it may wait for what follows.
    fn kept_back(&mut self) -> Sent {
        if !self.client_alone || self.request.waits_for_client() {
            return Sent::InFilters;
        }
        // What shows the filter this item stays with the request.
        self.filters = None;
        Sent::Whole
    }

    /// From now on only what the client does not take is waited for: the end follows, and has a filter let go.
    pub fn waits_for_client_alone(&mut self) {
        self.client_alone = true;
    }

    /// Goes on with what nginx holds of this request; true when it holds nothing any more.
    pub fn drain(&mut self) -> Result<bool, Failed> {
        if self.request.has_output_pending() {
            self.request.output_rest()?;
        }
        Ok(!self.request.waits_for_client())
    }

    /// Asks to be told when it can be written again, within `send_timeout` of the last progress.
    pub fn await_writable(&self, progress: bool) -> Result<(), Failed> {
        if self.request.waits_for_part() {
            // No time of the client's; nginx says when the part is there. A time that runs without
            // progress may be that of the part's own request.
            if progress {
                self.rest();
            }
            return Ok(());
        }
        self.request.connection().await_writable(self.send_timeout, progress)
    }

    /// Nothing waits to be written.
    pub fn rest(&self) {
        self.request.connection().stop_write_timer();
    }
}

impl Filters {
    fn new(request: Request<'static>) -> Result<Filters, Failed> {
        let item = Rc::new(RefCell::new(None));
        request.keep(Rc::clone(&item)).map_err(|_| Failed)?;
        Ok(Filters { descriptor: request.descriptor().map_err(|_| Failed)?, item })
    }
}

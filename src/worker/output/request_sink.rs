//! A sink on a request: nginx's request lives as long as the subscriber.
//!
//! It writes straight to the connection when nothing stands in between, else through the request's filters.

use std::cell::RefCell;
use std::fmt::Arguments;
use std::rc::Rc;

use nginx_sys::ngx_int_t;
use ngx::core::Status;

use crate::failpoints;
use crate::ngx_ext::connection::Failed;
use crate::ngx_ext::log::Level;
use crate::ngx_ext::output::Descriptor;
use crate::ngx_ext::raw_connection::Received;
use crate::ngx_ext::request::Request;
use crate::ngx_ext::substitution::Substitution;
use crate::store::Position;
use crate::worker::output::body_wrapper::Media;
use crate::worker::output::encoded::{Encoded, Framing};
use crate::worker::output::filter_bypass;
use crate::worker::output::response_head::{self, Head, INTERNAL_ERROR, Unsent};
use crate::worker::output::sent::Sent;

pub struct RequestSink {
    request: Request<'static>,
    direct: bool,
    filters: Option<Filters>,
    substitution: Option<Substitution>,
    /// What filters keep back by themselves is taken for sent.
    client_alone: bool,
    /// The item cannot be taken back although no byte of it has left.
    begun: bool,
    /// Filters have run since this was last asked.
    filtered: bool,
    send_timeout: u64,
}

/// What shows the filters an item.
struct Filters {
    descriptor: Descriptor,
    /// The item they work on. The request's pool holds it too: a request may end for us while nginx still
    /// sends what its filters have (HTTP/2), and only the end of the pool is the end of that.
    item: Rc<RefCell<Option<Rc<Encoded>>>>,
}

/// What the filters of a request may have had nginx post: `add_before_body` starts a subrequest.
pub struct Posted(Request<'static>);

impl Posted {
    pub fn run(self) {
        self.0.run_posted();
    }
}

impl RequestSink {
    /// For a request that nothing was sent of.
    pub fn new(request: Request<'static>) -> RequestSink {
        RequestSink {
            request,
            direct: false,
            filters: None,
            substitution: None,
            client_alone: false,
            begun: false,
            filtered: false,
            send_timeout: request.send_timeout(),
        }
    }

    /// For a request whose head of so many bytes is the first item, and which no filter is to see.
    pub fn past_filters(request: Request<'static>, status: u32, head_len: usize) -> RequestSink {
        if request.wants_nodelay() {
            request.connection().set_nodelay();
        }
        request.set_head_written(status, head_len);
        RequestSink { direct: true, ..RequestSink::new(request) }
    }

    /// Sends the head. From then on bytes go past the filters if the configuration lets them and this
    /// request's state does.
    pub fn send_head(&mut self, head: &Head<'static>) -> Result<Framing, Unsent> {
        let request = self.request;
        self.substitution = response_head::send(request, head)?;
        if request.is_http1() && request.wants_nodelay() {
            request.connection().set_nodelay();
        }
        let allowed = filter_bypass::allowed(head.location.direct_output, head.all_modules_known);
        self.direct = allowed && request.has_plain_output();
        self.filtered = true;
        Ok(match self.direct && request.bits().chunked() {
            true => Framing::Chunked,
            false => Framing::Plain,
        })
    }

    pub fn send_nothing_new(&self, position: Position, media: Media) -> ngx_int_t {
        response_head::nothing_new(self.request, position, media)
    }

    /// Whether the filters work on an item that cannot be taken back.
    pub fn has_begun(&self) -> bool {
        self.begun || self.filters.as_ref().is_some_and(|filters| filters.item.borrow().is_some())
    }

    pub fn send(&mut self, item: &Rc<Encoded>, offset: usize) -> Result<Sent, Failed> {
        failpoints::point("sending");
        self.output_rest()?;
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
        self.filtered = true;
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

    pub fn wait_for_client_alone(&mut self) {
        self.client_alone = true;
    }

    pub fn drain(&mut self) -> Result<bool, Failed> {
        self.output_rest()?;
        Ok(!self.request.waits_for_client())
    }

    /// Has the filters go on with what they hold.
    fn output_rest(&mut self) -> Result<(), Failed> {
        if self.request.has_output_pending() {
            self.filtered = true;
            self.request.output_rest()?;
        }
        Ok(())
    }

    pub fn take_posted(&mut self) -> Option<Posted> {
        std::mem::take(&mut self.filtered).then_some(Posted(self.request))
    }

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

    pub fn rest(&self) {
        self.request.connection().stop_write_timer();
    }

    pub fn write_later(&self) {
        self.request.connection().post_writable_next();
    }

    pub fn write_timed_out(&self) -> bool {
        self.request.connection().write_timed_out()
    }
}

impl RequestSink {
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Received, Failed> {
        self.request.connection().receive(buffer)
    }

    pub fn read_later(&self) {
        self.request.connection().post_readable();
    }

    pub fn take_read_timeout(&self) -> bool {
        self.request.connection().take_read_timeout()
    }

    pub fn set_read_timer(&self, ms: u64) {
        self.request.connection().set_read_timer(ms);
    }

    pub fn stop_read_timer(&self) {
        self.request.connection().stop_read_timer();
    }

    pub fn body_timeout(&self) -> u64 {
        self.request.client_body_timeout()
    }

    pub fn lingering_timeout(&self) -> u64 {
        self.request.lingering_timeout()
    }

    pub fn stop_keepalive(&self) {
        self.request.bits().set_keepalive(false);
    }

    pub fn reset_on_close(&self) {
        self.request.reset_on_close();
    }

    pub fn log(&self, level: Level, line: Arguments<'_>) {
        self.request.log(level, line);
    }
}

impl RequestSink {
    pub fn finish(self) {
        self.request.finish();
    }

    pub fn abort(self) {
        self.request.abort();
    }

    pub fn end(self, linger: bool) {
        self.request.end(linger);
    }

    pub fn finalize(self, rc: ngx_int_t) {
        self.request.finalize(rc);
    }

    pub fn fail(self) {
        self.request.finalize(failure(self.request));
    }
}

/// With what a request is finalized after a fault of ours: 500, or the end of the connection if the head has
/// left.
pub fn failure(request: Request<'_>) -> ngx_int_t {
    match request.bits().header_sent() {
        true => Status::NGX_ERROR.0,
        false => INTERNAL_ERROR,
    }
}

impl Filters {
    fn new(request: Request<'static>) -> Result<Filters, Failed> {
        let item = Rc::new(RefCell::new(None));
        request.keep(Rc::clone(&item)).map_err(|_| Failed)?;
        Ok(Filters { descriptor: request.descriptor().map_err(|_| Failed)?, item })
    }
}

//! A request, and what all handlers need of it.

use nginx_sys::{NGX_HTTP_INTERNAL_SERVER_ERROR, ngx_http_request_t, ngx_int_t};

use crate::conf::{self, Location, Main};
use crate::ngx_ext::complex_value::ComplexValue;
use crate::ngx_ext::log::{Level, Quoted};
use crate::ngx_ext::request::{OutOfMemory, Request};
use crate::protocol::percent;
use crate::store::Zone;

/// What a handler returns when it cannot even answer; nginx sends its own page.
pub const INTERNAL_ERROR: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;

/// A request to a location with a role, and all that decides how it is served.
#[derive(Clone, Copy)]
pub struct RequestContext<'r> {
    pub request: Request<'r>,
    pub location: &'r Location,
    pub main: &'r Main,
    pub zone: Zone,
}

impl<'r> RequestContext<'r> {
    /// # Safety
    /// As [`Request::from_raw`].
    pub unsafe fn of(r: *mut ngx_http_request_t) -> Option<Self> {
        // SAFETY: the caller vouches for the request.
        let (request, location, main_conf) =
            unsafe { (Request::from_raw(r), conf::location_conf(r)?, conf::main_conf(r)?) };
        Some(Self { request, location, main: main_conf.main()?, zone: main_conf.zone()? })
    }

    /// The value of a setting with variables, percent-decoded once, into a copy (DIR-161..163).
    pub fn decoded(&self, value: &ComplexValue) -> Result<Vec<u8>, OutOfMemory> {
        Ok(percent::decode(self.request.evaluate(value)?))
    }

    /// The value of a directive for this request, if it is set; else the request header that it stands for.
    pub fn value_or_header(
        &self,
        directive: &Option<ComplexValue>,
        header: &str,
    ) -> Result<Option<Vec<u8>>, OutOfMemory> {
        match directive {
            Some(directive) => self.decoded(directive).map(Some),
            None => Ok(self.request.header(header).map(<[u8]>::to_vec)),
        }
    }

    /// What `push_stream_allowed_origins` allows this request, if anything (DIR-165). A value with
    /// control bytes would end the header line, so it allows nothing (DIR-167).
    pub fn allowed_origin(&self) -> Result<Option<Vec<u8>>, OutOfMemory> {
        let Some(value) = &self.location.allowed_origins else { return Ok(None) };
        let origin = self.decoded(value)?;
        if origin.iter().any(u8::is_ascii_control) {
            self.request.log(
                Level::Warn,
                format_args!(
                    "push_stream_allowed_origins has control characters, \
                     no origin is allowed: {}",
                    Quoted(&origin)
                ),
            );
            return Ok(None);
        }
        Ok((!origin.is_empty()).then_some(origin))
    }
}

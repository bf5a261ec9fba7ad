//! Values with nginx variables.

use std::ptr::NonNull;

use nginx_sys::{
    ngx_conf_t, ngx_http_compile_complex_value, ngx_http_compile_complex_value_t,
    ngx_http_complex_value, ngx_http_complex_value_t, ngx_http_request_t, ngx_pcalloc, ngx_str_t,
};
use ngx::core::Status;

/// A compiled value; it lives in the pool of the configuration that it was compiled for.
#[derive(Clone, Copy, Debug)]
pub struct ComplexValue(NonNull<ngx_http_complex_value_t>);

impl ComplexValue {
    /// Compiles `source`. On failure nginx has logged the reason (DIR-42).
    ///
    /// # Safety
    /// `cf` must be the configuration being read, `source` one of its arguments.
    pub unsafe fn compile(cf: *mut ngx_conf_t, source: ngx_str_t) -> Option<Self> {
        // SAFETY: both structures are valid for the call, the compiled value lives in cf's pool;
        // nginx's script compiler copies what it keeps of `source` or keeps it in that same pool.
        unsafe {
            let value: *mut ngx_http_complex_value_t =
                ngx_pcalloc((*cf).pool, size_of::<ngx_http_complex_value_t>()).cast();
            let value = NonNull::new(value)?;
            let mut source = source;
            let mut compile: ngx_http_compile_complex_value_t = std::mem::zeroed();
            compile.cf = cf;
            compile.value = &mut source;
            compile.complex_value = value.as_ptr();
            Status(ngx_http_compile_complex_value(&mut compile)).is_ok().then_some(Self(value))
        }
    }

    /// The value for this request; `None` when memory ran out. What is returned is shared with the
    /// configuration or lives in the request's pool, so it must only be read (DIR-163).
    ///
    /// # Safety
    /// `r` must be a live request of the configuration that the value was compiled for.
    pub unsafe fn evaluate<'r>(&self, r: *mut ngx_http_request_t) -> Option<&'r [u8]> {
        let mut value = ngx_str_t::empty();
        // SAFETY: the value is compiled, the caller vouches for the request; the bytes live in the
        // configuration or in the request's pool, and nobody writes to them.
        unsafe {
            if !Status(ngx_http_complex_value(r, self.0.as_ptr(), &mut value)).is_ok() {
                return None;
            }
            if value.len == 0 {
                return Some(&[]);
            }
            Some(std::slice::from_raw_parts(value.data, value.len))
        }
    }
}

//! A use of freed memory, for `scripts/sanitize` to find: only if it does, no report means no fault.
//! Compiled in by `--cfg planted_fault` alone.

use std::hint::black_box;

use nginx_sys::{ngx_palloc, ngx_pfree};

use super::request::Request;

/// The one channel whose publisher meets the fault.
pub const CHANNEL: &[u8] = b"planted-fault";

/// Reads a byte of a large block of the request's pool that was given back.
#[inline(never)]
pub fn read_freed_memory(request: Request<'_>) {
    // SAFETY: none, and that is the purpose: `block` is read after it was freed.
    unsafe {
        let pool = (*request.as_ptr()).pool;
        let block: *mut u8 = ngx_palloc(pool, 1 << 16).cast();
        block.write(1);
        ngx_pfree(pool, block.cast());
        black_box(block.read_volatile());
    }
}

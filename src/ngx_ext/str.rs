//! Strings between Rust and nginx.

use nginx_sys::{ngx_pool_t, ngx_str_t};

/// A string for nginx that lives as long as the program.
pub const fn constant(text: &'static str) -> ngx_str_t {
    ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() }
}

/// A copy of `bytes` in `pool`; `None` when memory ran out.
///
/// # Safety
/// `pool` must be a valid pool.
pub unsafe fn copy(pool: *mut ngx_pool_t, bytes: &[u8]) -> Option<ngx_str_t> {
    // SAFETY: the caller vouches for `pool`; the copy is written within the allocation.
    unsafe {
        let data: *mut u8 = nginx_sys::ngx_pnalloc(pool, bytes.len().max(1)).cast();
        if data.is_null() {
            return None;
        }
        data.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        Some(ngx_str_t { len: bytes.len(), data })
    }
}

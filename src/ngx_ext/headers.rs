//! Request headers that were sent, response headers to send.

use nginx_sys::{ngx_http_request_t, ngx_list_push, ngx_list_t, ngx_table_elt_t};

use super::str;

/// The value of the first request header of this name, in any letter case.
///
/// The list is walked as nginx 1.22 and later have it: only newer ones link repeated headers.
///
/// # Safety
/// `r` must be a live request; the value lives as long as it does.
pub unsafe fn first<'r>(r: *const ngx_http_request_t, name: &str) -> Option<&'r [u8]> {
    // SAFETY: the caller vouches for the request; parts and elements are those of a list of
    // headers, which does not change once the head was read.
    unsafe {
        let headers: &ngx_list_t = &(*r).headers_in.headers;
        let mut part = &raw const headers.part;
        while let Some(elements) = part.as_ref() {
            for i in 0..elements.nelts {
                let header = &*elements.elts.cast::<ngx_table_elt_t>().add(i);
                // A hash of 0 marks a header that a module has removed.
                if header.hash != 0 && header.key.as_bytes().eq_ignore_ascii_case(name.as_bytes()) {
                    let value = header.value;
                    return Some(match value.len {
                        0 => &[],
                        len => std::slice::from_raw_parts(value.data, len),
                    });
                }
            }
            part = elements.next;
        }
        None
    }
}

/// Appends a response header; the value is copied. `None` when memory ran out.
///
/// # Safety
/// `r` must be a live request whose response head was not sent yet.
pub unsafe fn push(r: *mut ngx_http_request_t, name: &'static str, value: &[u8]) -> Option<()> {
    // SAFETY: the caller vouches for the request; a pushed element is ours to fill.
    unsafe {
        let value = str::copy((*r).pool, value)?;
        let header: *mut ngx_table_elt_t = ngx_list_push(&mut (*r).headers_out.headers).cast();
        let header = header.as_mut()?;
        // All zero first: nginx 1.23 and later have a further field, `next`.
        *header = std::mem::zeroed();
        header.hash = 1;
        header.key = str::constant(name);
        header.value = value;
        Some(())
    }
}

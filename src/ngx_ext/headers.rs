//! Request headers that were sent, response headers to send.

use std::iter::successors;

use nginx_sys::{ngx_http_request_t, ngx_list_push, ngx_list_t, ngx_table_elt_t};

use super::str;

/// The values of the request headers of this name, in any letter case, in their order.
///
/// The list is walked as nginx 1.22 and later have it: only newer ones link repeated headers.
///
/// # Safety
/// `r` must be a live request; the value lives as long as it does.
pub unsafe fn named<'r>(
    r: *const ngx_http_request_t,
    name: &str,
) -> impl Iterator<Item = &'r [u8]> {
    // SAFETY: the caller vouches for the request; parts and elements are those of a list of
    // headers, which does not change once the head was read.
    let headers = unsafe { in_list(&raw const (*r).headers_in.headers, name) };
    headers.map(|header| {
        // SAFETY: as above.
        let header = unsafe { &*header };
        match header.value.len {
            0 => &[],
            // SAFETY: the value lies in the request's memory.
            len => unsafe { std::slice::from_raw_parts(header.value.data, len) },
        }
    })
}

/// The headers of this name in a list of nginx.
///
/// # Safety
/// `list` must be a list of headers that stays and does not grow as long as the result is used.
unsafe fn in_list(
    list: *const ngx_list_t,
    name: &str,
) -> impl Iterator<Item = *mut ngx_table_elt_t> {
    // SAFETY: the caller vouches for the list, whose parts are linked.
    let parts = unsafe { successors(Some(&(*list).part), |part| part.next.as_ref()) };
    let elements = parts.flat_map(|part| {
        let first = part.elts.cast::<ngx_table_elt_t>();
        // SAFETY: so many elements are in this part.
        (0..part.nelts).map(move |i| unsafe { first.add(i) })
    });
    elements.filter(move |&header| {
        // SAFETY: an element of the list.
        let header = unsafe { &*header };
        // A hash of 0 marks a header that a module has removed.
        header.hash != 0 && header.key.as_bytes().eq_ignore_ascii_case(name.as_bytes())
    })
}

/// Appends a response header, in place of any of this name that are there: what is redirected to us may
/// have left some. The value is copied. `None` when memory ran out.
///
/// # Safety
/// `r` must be a live request whose response head was not sent yet.
pub unsafe fn push(r: *mut ngx_http_request_t, name: &'static str, value: &[u8]) -> Option<()> {
    // SAFETY: the caller vouches for the request; a pushed element is ours to fill.
    unsafe {
        let value = str::copy((*r).pool, value)?;
        for old in in_list(&raw const (*r).headers_out.headers, name) {
            (*old).hash = 0;
        }
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

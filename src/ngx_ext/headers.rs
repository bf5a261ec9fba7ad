//! Request headers that were sent, response headers to send.

use std::iter::successors;

use nginx_sys::{
    ngx_array_create, ngx_array_push, ngx_array_t, ngx_http_request_t, ngx_list_push, ngx_list_t,
    ngx_pcalloc, ngx_pool_t, ngx_table_elt_t,
};

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

/// `Expires` and `Cache-Control` stay what [`push`] made them, whatever `expires` says: what that directive
/// finds and changes is no line of the response. `None` when memory ran out.
///
/// # Safety
/// `r` must be a live request whose response head was not sent yet.
pub unsafe fn fix_caching(r: *mut ngx_http_request_t) -> Option<()> {
    // SAFETY: the caller vouches for the request. Lines that nginx keeps apart are in its pool, and are
    // sent only if they are in the list as well.
    unsafe {
        let out = &mut (*r).headers_out;
        out.expires.stand_for((*r).pool, line_of(&out.headers, "Expires")?)?;
        out.cache_control.stand_for((*r).pool, line_of(&out.headers, "Cache-Control")?)
    }
}

/// # Safety
/// As [`in_list`].
unsafe fn line_of(list: *const ngx_list_t, name: &str) -> Option<*const ngx_table_elt_t> {
    // SAFETY: the caller's promise.
    unsafe { in_list(list, name) }.next().map(<*mut ngx_table_elt_t>::cast_const)
}

/// A header that nginx keeps apart: since 1.23 all are the first line of that name, before that those which
/// may come more than once were an array.
trait KeptApart {
    /// Holds a copy of this line alone.
    ///
    /// # Safety
    /// `pool` is the request's, `line` one of its lines.
    unsafe fn stand_for(
        &mut self,
        pool: *mut ngx_pool_t,
        line: *const ngx_table_elt_t,
    ) -> Option<()>;
}

impl KeptApart for *mut ngx_table_elt_t {
    unsafe fn stand_for(
        &mut self,
        pool: *mut ngx_pool_t,
        line: *const ngx_table_elt_t,
    ) -> Option<()> {
        // SAFETY: the caller's promise; what is allocated is large enough for a line.
        unsafe {
            let copy: *mut ngx_table_elt_t = ngx_pcalloc(pool, size_of::<ngx_table_elt_t>()).cast();
            *copy.as_mut()? = *line;
            *self = copy;
        }
        Some(())
    }
}

impl KeptApart for ngx_array_t {
    unsafe fn stand_for(
        &mut self,
        pool: *mut ngx_pool_t,
        line: *const ngx_table_elt_t,
    ) -> Option<()> {
        let mut copy: *mut ngx_table_elt_t = std::ptr::null_mut();
        // SAFETY: the caller's promise; the array is of pointers to lines.
        unsafe {
            copy.stand_for(pool, line)?;
            *self = *ngx_array_create(pool, 1, size_of_val(&copy)).as_ref()?;
            *ngx_array_push(self).cast::<*mut ngx_table_elt_t>().as_mut()? = copy;
        }
        Some(())
    }
}

/// Takes back what an application said of ranges before it passed the request on.
///
/// # Safety
/// As [`push`].
pub unsafe fn drop_ranges(r: *mut ngx_http_request_t) {
    // SAFETY: the caller vouches for the request; the line is null or in the request's list.
    unsafe {
        if let Some(line) = (*r).headers_out.accept_ranges.as_mut() {
            line.hash = 0;
        }
        (*r).headers_out.accept_ranges = std::ptr::null_mut();
    }
}

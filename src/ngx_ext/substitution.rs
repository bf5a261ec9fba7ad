//! What nginx's `sub_filter` keeps back at the end of a message.
//!
//! Text that may be the beginning of a match waits in that filter for what follows, whatever is to leave at
//! once: only the end of the body lets it go, or the mark of a body's last part, after which nginx gives
//! it nothing more. A message is such a part and others follow, so after each the filter has to be told that
//! it begins anew. Nothing in nginx does that, so it is done to the filter's own record of the request.
//! Which nginx lays that out as is written here is not asked by version: a record is touched only if it
//! looks, before anything went through it, like one that the filter has just filled.

use nginx_sys::{
    ngx_array_t, ngx_buf_t, ngx_chain_t, ngx_cycle, ngx_int_t, ngx_str_t, ngx_uint_t, u_char,
};

use super::modules;
use super::request::Request;

const MODULE: &str = "ngx_http_sub_filter_module";

/// `ngx_http_sub_ctx_t` of nginx 1.9.4 and later.
#[repr(C)]
struct Record {
    saved: ngx_str_t,
    looked: ngx_str_t,
    once: ngx_uint_t,
    buf: *mut ngx_buf_t,
    pos: *mut u_char,
    copy_start: *mut u_char,
    copy_end: *mut u_char,
    input: *mut ngx_chain_t,
    output: *mut ngx_chain_t,
    last_output: *mut *mut ngx_chain_t,
    busy: *mut ngx_chain_t,
    free: *mut ngx_chain_t,
    replacements: *mut ngx_str_t,
    applied: ngx_uint_t,
    offset: ngx_int_t,
    index: ngx_uint_t,
    tables: *const Tables,
    matches: *mut ngx_array_t,
}

/// The beginning of `ngx_http_sub_tables_t`.
#[repr(C)]
struct Tables {
    min_match_len: ngx_uint_t,
    max_match_len: ngx_uint_t,
}

/// The filter's record of a request whose messages it looks through.
#[derive(Clone, Copy)]
pub struct Substitution(*mut Record);

impl Request<'_> {
    /// The record of `sub_filter`, if it applies to this request. To be asked when the head was sent and
    /// nothing of the body.
    pub fn substitution(self) -> Option<Substitution> {
        if !self.bits().filter_need_in_memory() {
            return None;
        }
        // SAFETY: the cycle that serves a live request; a module's place in the request's contexts is null
        // or what the filter made for it, which never was shorter than it is now.
        let (record, is_new) = unsafe {
            let module = modules::find(ngx_cycle.cast_const(), MODULE)?;
            let record = (*(*self.as_ptr()).ctx.add((*module).ctx_index)).cast::<Record>();
            (record, record.as_ref().is_some_and(Record::is_new))
        };
        is_new.then_some(Substitution(record))
    }
}

impl Record {
    /// It looks as the filter leaves it when it has sent the head.
    fn is_new(&self) -> bool {
        let nothing_yet = [self.buf.is_null(), self.input.is_null(), self.output.is_null()]
            .into_iter()
            .chain([self.busy.is_null(), self.free.is_null(), self.replacements.is_null()])
            .chain([self.pos.is_null(), self.copy_start.is_null(), self.copy_end.is_null()])
            .all(|empty| empty);
        let numbers = [self.saved.len, self.looked.len, self.once, self.applied, self.index];
        let fits = std::ptr::eq(self.last_output, &raw const self.output)
            && numbers == [0; 5]
            && !self.looked.data.is_null()
            && !self.matches.is_null();
        // SAFETY: where all of the above is so, this is the filter's pointer to its tables, or null.
        let tables = || unsafe { self.tables.as_ref() };
        nothing_yet
            && fits
            && tables().is_some_and(|tables| {
                tables.min_match_len > 0
                    && tables.min_match_len <= tables.max_match_len
                    && self.offset == tables.first_offset()
            })
    }
}

impl Tables {
    fn first_offset(&self) -> ngx_int_t {
        self.min_match_len as ngx_int_t - 1
    }
}

impl Substitution {
    /// What comes next is looked through for itself, unless something of before waits for it.
    ///
    /// # Safety
    /// The request is live.
    pub unsafe fn begin_anew(self) {
        // SAFETY: the caller's promise; `substitution` has looked at the record. With nothing kept back the
        // filter has no other place to go on from than the one with which it began.
        unsafe {
            let record = &mut *self.0;
            if record.looked.len == 0 {
                record.offset = (*record.tables).first_offset();
                record.index = 0;
            }
        }
    }
}

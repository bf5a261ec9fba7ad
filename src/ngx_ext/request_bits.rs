//! The bit-fields of nginx's request.
//!
//! nginx 1.29.3 put a field of 16 bits directly before the bit-fields of `ngx_http_request_t`, and
//! the bindings of `nginx-sys` then place most of them two bits off. So they are touched here and
//! nowhere else, through accessors that the build script generates with a bindgen that places them
//! right. This file holds the one cast from the type of `nginx-sys` to the generated one; a test
//! sets each of the bits from C and reads it from Rust, and the other way round.

use core::marker::PhantomData;
use core::ptr::NonNull;

use nginx_sys::ngx_http_request_t;

#[rustfmt::skip]
#[allow(unknown_lints, non_camel_case_types, non_snake_case, dead_code, unused_imports)]
#[allow(clippy::all, clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]
mod bindings {
    use nginx_sys::*;
    include!(concat!(env!("OUT_DIR"), "/request_bits.rs"));
}

const _: () = assert!(
    size_of::<bindings::ngx_http_request_s>() == size_of::<ngx_http_request_t>(),
    "both bindings describe the same request"
);

/// A request, seen as its bit-fields.
#[derive(Clone, Copy)]
pub struct RequestBits<'a> {
    request: NonNull<bindings::ngx_http_request_s>,
    life: PhantomData<&'a ngx_http_request_t>,
}

impl<'a> RequestBits<'a> {
    /// The bit-fields of `request`.
    ///
    /// # Safety
    ///
    /// `request` is not null and points to a request that nginx keeps allocated for the whole of
    /// `'a`; only the thread of nginx's event loop uses the returned value. Other pointers to the
    /// request may exist, references to it may not be used while an accessor runs.
    pub unsafe fn of(request: *mut ngx_http_request_t) -> RequestBits<'a> {
        // SAFETY: not null by the contract above. Both types are bindings of the same C struct.
        let request = unsafe { NonNull::new_unchecked(request.cast()) };
        RequestBits { request, life: PhantomData }
    }
}

/// What a bit-field is in Rust: a `bool` where it has one bit, else a `u32`.
pub trait Bits {
    /// The value for the bits of a field.
    fn from_bits(bits: u32) -> Self;
    /// The bits for a value; nginx's field keeps as many of the low ones as it is wide.
    fn bits(self) -> u32;
}

impl Bits for bool {
    fn from_bits(bits: u32) -> bool {
        bits != 0
    }

    fn bits(self) -> u32 {
        u32::from(self)
    }
}

impl Bits for u32 {
    fn from_bits(bits: u32) -> u32 {
        bits
    }

    fn bits(self) -> u32 {
        self
    }
}

/// Hands the list of bit-fields that the module uses to another macro: what it means, type, getter,
/// setter, and the names of the generated functions below them.
macro_rules! each_request_bit {
    ($then:ident) => {
        $then! {
            /// How many things hold the request; on the main request only.
            u32: count set_count count_raw set_count_raw;
            /// The body is wanted in one buffer.
            bool: request_body_in_single_buf set_request_body_in_single_buf
                request_body_in_single_buf_raw set_request_body_in_single_buf_raw;
            /// The body is wanted in a file, however short.
            bool: request_body_in_file_only set_request_body_in_file_only
                request_body_in_file_only_raw set_request_body_in_file_only_raw;
            /// The file of the body outlives the request.
            bool: request_body_in_persistent_file set_request_body_in_persistent_file
                request_body_in_persistent_file_raw set_request_body_in_persistent_file_raw;
            /// The file of the body is removed with the request even if persistent.
            bool: request_body_in_clean_file set_request_body_in_clean_file
                request_body_in_clean_file_raw set_request_body_in_clean_file_raw;
            /// The body is handed over as it arrives.
            bool: request_body_no_buffering set_request_body_no_buffering
                request_body_no_buffering_raw set_request_body_no_buffering_raw;
            /// Somebody has set `limit_rate` for this request.
            bool: limit_rate_set set_limit_rate_set limit_rate_set_raw set_limit_rate_set_raw;
            /// The answer is sent in HTTP/1.1 chunks.
            bool: chunked set_chunked chunked_raw set_chunked_raw;
            /// The answer has no body (HEAD, 204, 304).
            bool: header_only set_header_only header_only_raw set_header_only_raw;
            /// The answer may end with trailers.
            bool: expect_trailers set_expect_trailers expect_trailers_raw set_expect_trailers_raw;
            /// The connection is kept for another request.
            bool: keepalive set_keepalive keepalive_raw set_keepalive_raw;
            /// The connection is read for a while before it is closed.
            bool: lingering_close set_lingering_close lingering_close_raw set_lingering_close_raw;
            /// The body is being thrown away.
            bool: discard_body set_discard_body discard_body_raw set_discard_body_raw;
            /// The body is being read.
            bool: reading_body set_reading_body reading_body_raw set_reading_body_raw;
            /// The request came by an internal redirect or is a subrequest.
            bool: internal set_internal internal_raw set_internal_raw;
            /// Body bytes have been passed to the output filters.
            bool: request_output set_request_output request_output_raw set_request_output_raw;
            /// The response head has been passed to the output filters.
            bool: header_sent set_header_sent header_sent_raw set_header_sent_raw;
            /// The request has been answered; what is left is to free it.
            bool: done set_done done_raw set_done_raw;
            /// Filters that hold back output, one bit each; the connection has such bits of its own.
            u32: buffered set_buffered buffered_raw set_buffered_raw;
            /// A filter of the main request needs the body in memory.
            bool: main_filter_need_in_memory set_main_filter_need_in_memory
                main_filter_need_in_memory_raw set_main_filter_need_in_memory_raw;
            /// A filter needs the body in memory.
            bool: filter_need_in_memory set_filter_need_in_memory
                filter_need_in_memory_raw set_filter_need_in_memory_raw;
            /// A filter changes the body in place.
            bool: filter_need_temporary set_filter_need_temporary
                filter_need_temporary_raw set_filter_need_temporary_raw;
            /// `Range` is honoured.
            bool: allow_ranges set_allow_ranges allow_ranges_raw set_allow_ranges_raw;
            /// The not-modified filter leaves the answer alone.
            bool: disable_not_modified set_disable_not_modified
                disable_not_modified_raw set_disable_not_modified_raw;
        }
    };
}

macro_rules! accessors {
    ($($(#[$meaning:meta])* $type:ty: $get:ident $set:ident $get_raw:ident $set_raw:ident;)*) => {
        impl RequestBits<'_> {
            $(
                $(#[$meaning])*
                #[inline]
                pub fn $get(self) -> $type {
                    // SAFETY: `of` was promised a live request, and its reads take single bytes.
                    let bits = unsafe {
                        bindings::ngx_http_request_s::$get_raw(self.request.as_ptr())
                    };
                    Bits::from_bits(bits)
                }

                #[doc = concat!("Sets [`", stringify!($get), "`](Self::", stringify!($get), ").")]
                #[inline]
                pub fn $set(self, value: $type) {
                    // SAFETY: as in the getter; only nginx's own thread writes.
                    unsafe {
                        bindings::ngx_http_request_s::$set_raw(
                            self.request.as_ptr(),
                            Bits::bits(value),
                        )
                    }
                }
            )*
        }
    };
}

each_request_bit!(accessors);

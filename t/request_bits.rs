//! The accessors of the request's bit-fields agree with the C compiler.
//!
//! The C side is compiled by this test with the headers of the nginx being built for, loaded as a
//! shared object, and never becomes part of the module.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_uint, c_void};
use std::fmt::Write as _;
use std::process::Command;
use std::{env, fs, ptr};

// The accessors alone: linking the module's library would need nginx's symbols.
#[macro_use]
#[path = "../src/ngx_ext/request_bits.rs"]
mod request_bits;

#[rustfmt::skip]
#[allow(unknown_lints, non_camel_case_types, dead_code)]
#[allow(clippy::all, clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]
mod request_with_port {
    include!(concat!(env!("OUT_DIR"), "/request_with_port.rs"));
}

use request_bits::{Bits, RequestBits};

type Getter = Box<dyn Fn(&mut [u64]) -> u32>;
type Setter = Box<dyn Fn(&mut [u64], u32)>;

/// One bit-field as Rust sees it, in the memory of a request.
struct Accessor {
    name: &'static str,
    get: Getter,
    set: Setter,
}

macro_rules! accessors_of_the_module {
    ($($(#[$meaning:meta])* $type:ty: $get:ident $set:ident $get_raw:ident $set_raw:ident;)*) => {
        vec![$(Accessor {
            name: stringify!($get),
            get: Box::new(|request| {
                // SAFETY: the memory is large enough for a request and aligned for one.
                let bits = unsafe { RequestBits::of(request.as_mut_ptr().cast()) };
                bits.$get().bits()
            }),
            set: Box::new(|request, value| {
                // SAFETY: as above.
                let bits = unsafe { RequestBits::of(request.as_mut_ptr().cast()) };
                bits.$set(<$type>::from_bits(value));
            }),
        }),*]
    };
}

macro_rules! accessors_of_the_fixture {
    ($($(#[$meaning:meta])* $type:ty: $get:ident $set:ident $get_raw:ident $set_raw:ident;)*) => {
        vec![$(Accessor {
            name: stringify!($get),
            get: Box::new(|request| {
                let request = request.as_mut_ptr().cast();
                // SAFETY: the memory is large enough for the fixture's request.
                unsafe { request_with_port::ngx_http_request_s::$get_raw(request) }
            }),
            set: Box::new(|request, value| {
                let request = request.as_mut_ptr().cast();
                // SAFETY: as above.
                unsafe { request_with_port::ngx_http_request_s::$set_raw(request, value) }
            }),
        }),*]
    };
}

/// Where bindgen 0.72.1 puts the bit-fields of the fixture: the first bit, counted from the byte
/// after `port`, and the width. `count` is right; of those used here all others are two bits off.
const MISPLACED: &[(&str, usize, usize)] = &[
    ("count", 0, 16),
    ("request_body_in_single_buf", 50, 1),
    ("request_body_in_file_only", 51, 1),
    ("request_body_in_persistent_file", 52, 1),
    ("request_body_in_clean_file", 53, 1),
    ("request_body_no_buffering", 58, 1),
    ("limit_rate_set", 74, 1),
    ("chunked", 77, 1),
    ("header_only", 78, 1),
    ("expect_trailers", 79, 1),
    ("keepalive", 80, 1),
    ("lingering_close", 81, 1),
    ("discard_body", 82, 1),
    ("reading_body", 83, 1),
    ("internal", 84, 1),
    ("request_output", 89, 1),
    ("header_sent", 90, 1),
    ("done", 94, 1),
    ("buffered", 97, 4),
    ("main_filter_need_in_memory", 101, 1),
    ("filter_need_in_memory", 102, 1),
    ("filter_need_temporary", 103, 1),
    ("allow_ranges", 105, 1),
    ("disable_not_modified", 108, 1),
];

/// Accessors that use the positions of `MISPLACED`, moved on by `shift` bits.
fn misplaced_accessors(shift: usize) -> Vec<Accessor> {
    let first = (std::mem::offset_of!(request_with_port::ngx_http_request_s, port) + 2) * 8;
    let bit = |at: usize| (at / 64, 1u64 << (at % 64));
    MISPLACED
        .iter()
        .map(|&(name, from, width)| {
            let positions = move || (0..width).map(move |i| (i, bit(first + from + shift + i)));
            Accessor {
                name,
                get: Box::new(move |request| {
                    positions()
                        .map(|(i, (word, mask))| u32::from(request[word] & mask != 0) << i)
                        .sum()
                }),
                set: Box::new(move |request, value| {
                    for (i, (word, mask)) in positions() {
                        request[word] &= !mask;
                        if value >> i & 1 == 1 {
                            request[word] |= mask;
                        }
                    }
                }),
            }
        })
        .collect()
}

/// Getters and setters compiled by the C compiler.
struct CompiledFields {
    library: *mut c_void,
    words: usize,
}

impl CompiledFields {
    /// Compiles accessors of the fields `names` of `ngx_http_request_t` as `headers` declare it.
    fn compile(label: &str, headers: &str, flags: &[&str], names: &[&str]) -> CompiledFields {
        let mut source = format!(
            "{headers}\nunsigned size_of_request(void) {{ return sizeof(ngx_http_request_t); }}\n"
        );
        for name in names {
            writeln!(
                source,
                "unsigned get_{name}(ngx_http_request_t *r) {{ return r->{name}; }}\n\
                 void set_{name}(ngx_http_request_t *r, unsigned v) {{ r->{name} = v; }}"
            )
            .expect("writing to a string");
        }

        let dir = tempfile::tempdir().expect("a directory for the C side");
        let file = dir.path().join(format!("{label}.c"));
        let object = dir.path().join(format!("{label}.so"));
        fs::write(&file, source).expect("writing the C side");
        let output = Command::new(env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
            .args(["-w", "-O1", "-shared", "-fPIC"])
            .args(flags)
            .arg("-o")
            .args([&object, &file])
            .output()
            .expect("running the C compiler");
        assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));

        let path = CString::new(object.to_str().expect("path is UTF-8")).expect("path has no NUL");
        // SAFETY: the object was made by us and has no constructors.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY) };
        assert!(!library.is_null(), "dlopen: {}", last_error());

        let mut fields = CompiledFields { library, words: 0 };
        // SAFETY: defined with this type in the source above.
        let size: extern "C" fn() -> c_uint =
            unsafe { std::mem::transmute(fields.symbol("size_of_request")) };
        fields.words = (size() as usize).div_ceil(8);
        fields
    }

    fn get(&self, name: &str, request: &mut [u64]) -> u32 {
        assert_eq!(request.len(), self.words);
        // SAFETY: defined with this type in the source, the memory has the size of a request.
        let get: extern "C" fn(*mut u64) -> c_uint =
            unsafe { std::mem::transmute(self.symbol(&format!("get_{name}"))) };
        get(request.as_mut_ptr())
    }

    fn set(&self, name: &str, request: &mut [u64], value: u32) {
        assert_eq!(request.len(), self.words);
        // SAFETY: as in `get`.
        let set: extern "C" fn(*mut u64, c_uint) =
            unsafe { std::mem::transmute(self.symbol(&format!("set_{name}"))) };
        set(request.as_mut_ptr(), value)
    }

    fn symbol(&self, name: &str) -> *mut c_void {
        let name = CString::new(name).expect("a C identifier");
        // SAFETY: the library stays loaded as long as `self` lives.
        let symbol = unsafe { libc::dlsym(self.library, name.as_ptr()) };
        assert_ne!(symbol, ptr::null_mut(), "dlsym: {}", last_error());
        symbol
    }
}

impl Drop for CompiledFields {
    fn drop(&mut self) {
        // SAFETY: opened in `compile`; no function taken from it outlives a call.
        unsafe { libc::dlclose(self.library) };
    }
}

fn last_error() -> String {
    // SAFETY: dlerror gives a string that lives until the next call of a dl function, or null.
    unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            return "no error".to_owned();
        }
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// The accessors that do not agree with C.
fn disagreeing(c: &CompiledFields, accessors: &[Accessor]) -> BTreeSet<&'static str> {
    let mut wrong = BTreeSet::new();
    for Accessor { name, get, set } in accessors {
        for (background, value) in [(0, u32::MAX), (u64::MAX, 0), (0, 1), (u64::MAX, 1)] {
            let mut by_c = vec![background; c.words];
            c.set(name, &mut by_c, value);
            let seen_by_c = c.get(name, &mut by_c);

            let mut by_rust = vec![background; c.words];
            set(&mut by_rust, value);

            // each reads what the other wrote, and no neighbour was touched
            let read = get(&mut by_c) == seen_by_c && c.get(name, &mut by_rust) == seen_by_c;
            if !read || by_c != by_rust {
                wrong.insert(*name);
            }
        }
    }
    wrong
}

fn names(accessors: &[Accessor]) -> Vec<&'static str> {
    accessors.iter().map(|accessor| accessor.name).collect()
}

#[test]
fn accessors_agree_with_the_nginx_being_built_for() {
    let accessors = each_request_bit!(accessors_of_the_module);
    let flags: Vec<&str> = env!("PUSH_STREAM_NGINX_CFLAGS").split('\x1f').collect();
    let headers = "#include <ngx_config.h>\n#include <ngx_core.h>\n#include <ngx_http.h>\n";
    let c = CompiledFields::compile("nginx", headers, &flags, &names(&accessors));

    assert_eq!(c.words * 8, size_of::<nginx_sys::ngx_http_request_t>(), "size of the request");
    assert_eq!(disagreeing(&c, &accessors), BTreeSet::new());
}

fn fixture(names: &[&str]) -> CompiledFields {
    let header = concat!(env!("CARGO_MANIFEST_DIR"), "/t/fixtures/request_with_port.h");
    CompiledFields::compile("fixture", &format!("#include \"{header}\""), &[], names)
}

#[test]
fn accessors_agree_where_a_field_of_16_bits_stands_before_the_bit_fields() {
    let accessors = each_request_bit!(accessors_of_the_fixture);
    let c = fixture(&names(&accessors));

    assert_eq!(c.words * 8, size_of::<request_with_port::ngx_http_request_s>());
    assert_eq!(disagreeing(&c, &accessors), BTreeSet::new());
}

#[test]
fn misplaced_accessors_are_found() {
    // given: the places an older bindgen takes, for every bit-field that the module uses
    let accessors = misplaced_accessors(0);
    assert_eq!(names(&accessors), names(&each_request_bit!(accessors_of_the_module)));
    let c = fixture(&names(&accessors));

    // then: exactly the misplaced ones are named
    let mut misplaced: BTreeSet<_> = names(&accessors).into_iter().collect();
    misplaced.remove("count");
    assert_eq!(disagreeing(&c, &accessors), misplaced);

    // and: two bits further they are right, except `count` that already was
    assert_eq!(disagreeing(&c, &misplaced_accessors(2)), BTreeSet::from(["count"]));

    // and: one bit off is as wrong as two
    let all: BTreeSet<_> = names(&accessors).into_iter().collect();
    assert_eq!(disagreeing(&c, &misplaced_accessors(1)), all);
}

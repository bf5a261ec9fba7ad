//! How a target reads the bytes of the fuzzer as the values that it needs.

pub mod inflate;

use std::str::FromStr;

/// What separates the values of an input. No id, template or header of a request holds it, and a
/// seed written by hand stays readable.
pub const SEPARATOR: u8 = 0x1f;

/// The first values of an input; the last one is all that is left, separators included. What is
/// missing is empty.
pub fn fields<const N: usize>(mut input: &[u8]) -> [&[u8]; N] {
    let mut found = [&input[input.len()..]; N];
    let (last, firsts) = found.split_last_mut().expect("at least one field");
    for field in firsts {
        let end = input.iter().position(|&byte| byte == SEPARATOR).unwrap_or(input.len());
        (*field, input) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    }
    *last = input;
    #[cfg(planted_fault)]
    if found[0] == b"planted fault" {
        read_freed_memory();
    }
    found
}

/// For `scripts/fuzz --sanitize` to find: only if it does, no report means no fault.
#[cfg(planted_fault)]
#[inline(never)]
fn read_freed_memory() {
    let block = Box::into_raw(Box::new(1_u64));
    // SAFETY: none, and that is the purpose: `block` is read after it was freed.
    unsafe {
        drop(Box::from_raw(std::hint::black_box(block)));
        std::hint::black_box(block.read_volatile());
    }
}

/// A decimal number; what is none counts as 0.
pub fn number<T: FromStr + Default>(field: &[u8]) -> T {
    std::str::from_utf8(field).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

//! A read past the end of a zone, for `scripts/sanitize` to find: only if it does, no report means no
//! fault. Compiled in by `--cfg planted_fault` alone.

use std::hint::black_box;

use super::Bench;

#[test]
fn reads_past_the_end_of_the_zone() {
    const LEN: usize = 1 << 20;
    let bench = Bench::new(LEN);
    // SAFETY: none, and that is the purpose: this is the first byte behind the zone.
    black_box(unsafe { bench.memory.as_ptr().add(LEN).read_volatile() });
}

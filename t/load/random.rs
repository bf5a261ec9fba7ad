//! Randomness that can be repeated.

use std::time::Duration;

/// SplitMix64.
pub struct Random(u64);

impl Random {
    /// Seeded by `PUSH_STREAM_SEED`, else by the clock; the seed is printed.
    pub fn new(test: &str) -> Self {
        let seed =
            std::env::var("PUSH_STREAM_SEED").ok().map(|text| text.parse().expect("a number"));
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = seed.unwrap_or_else(|| now().expect("a clock after 1970").as_nanos() as u64);
        eprintln!("{test}: PUSH_STREAM_SEED={seed} repeats what was chosen here");
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A source for a task of its own.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// Lets up to so many milliseconds pass: not to wait for something, but to come at any moment.
    pub async fn pause(&mut self, most: usize) {
        tokio::time::sleep(Duration::from_micros(self.below(most * 1000) as u64)).await;
    }
}

//! How the endings of a drain are spread over its time.
//!
//! The rate is taken anew at every step from who is still there and how much time is left, so it stays
//! even when subscribers come and go meanwhile, or when a step comes late.

use std::time::Duration;

/// Most endings in one turn of the event loop: a few milliseconds.
const MAX_PER_TICK: u64 = 256;
/// Milliseconds between steps, at least: as many endings as are due in them are one step.
const MIN_INTERVAL_MS: u64 = 20;
/// Milliseconds between steps, at most: so soon is one that comes late in a slow drain reckoned with.
const MAX_INTERVAL_MS: u64 = 250;

/// What is kept of `worker_shutdown_timeout` for the endings: a quarter, at most so many milliseconds.
const MARGIN: u64 = 1000;

/// How long a drain lasts: `push_stream_reload_drain`, but not as long as `worker_shutdown_timeout`.
/// Milliseconds.
pub fn span(drain: Duration, shutdown_timeout: Option<u64>) -> u64 {
    let drain = u64::try_from(drain.as_millis()).unwrap_or(u64::MAX);
    let most = shutdown_timeout.map(|timeout| timeout - MARGIN.min(timeout / 4));
    drain.min(most.unwrap_or(u64::MAX))
}

/// A drain that runs. Times are milliseconds of one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// When the last endings were due.
    last: u64,
    end: u64,
}

impl Pace {
    pub fn new(now: u64, span: u64) -> Pace {
        Pace { last: now, end: now.saturating_add(span) }
    }

    /// The time is up: all that are left are due, as fast as they can be ended.
    pub fn is_over(&self, now: u64) -> bool {
        now >= self.end
    }

    /// How many of `live` subscribers are to be ended now.
    pub fn due(&mut self, live: usize, now: u64) -> usize {
        let live = live as u64;
        let due = match self.is_over(now) {
            true => live,
            false => {
                let (passed, whole) = (now.saturating_sub(self.last), self.end - self.last);
                (u128::from(live) * u128::from(passed) / u128::from(whole)) as u64
            }
        };
        if due > 0 {
            self.last = now.min(self.end);
        }
        due.min(MAX_PER_TICK) as usize
    }

    /// How long to wait for the next step, when `live` subscribers are left.
    pub fn wait(&self, live: usize, now: u64) -> u64 {
        if self.is_over(now) {
            return 1;
        }
        let (live, span) = ((live as u64).max(1), self.end - self.last);
        let one = span.div_ceil(live).saturating_sub(now.saturating_sub(self.last));
        let most = MAX_PER_TICK.saturating_mul(span) / live;
        one.max(MIN_INTERVAL_MS).min(most).min(MAX_INTERVAL_MS).min(self.end - now).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// When each of `live` subscribers is ended, if steps come up to `late` milliseconds late.
    fn run(mut live: usize, span: u64, late: &mut dyn FnMut() -> u64) -> Vec<u64> {
        let start = 1_000_000;
        let mut pace = Pace::new(start, span);
        let (mut now, mut ends) = (start, Vec::new());
        while live > 0 {
            now += pace.wait(live, now) + late();
            let due = pace.due(live, now);
            assert!(due <= MAX_PER_TICK as usize && due <= live);
            ends.extend(std::iter::repeat_n(now - start, due));
            live -= due;
        }
        ends
    }

    #[test]
    fn a_few_are_far_apart() {
        assert_eq!(run(3, 30_000, &mut || 0), [10_000, 20_000, 30_000]);
        assert_eq!(run(1, 250, &mut || 0), [250]);
        let late = run(4, 1_000, &mut || 1);
        assert!(late.windows(2).all(|pair| pair[1] - pair[0] > 200), "{late:?}");
    }

    #[test]
    fn a_shutdown_timeout_comes_later() {
        let minute = Duration::from_secs(60);
        assert_eq!(span(minute, None), 60_000);
        assert_eq!(span(minute, Some(61_000)), 60_000);
        assert_eq!(span(minute, Some(60_500)), 59_500);
        assert_eq!(span(minute, Some(1_000)), 750);
        assert_eq!(span(minute, Some(1)), 1);
        assert_eq!(span(Duration::ZERO, Some(1_000)), 0);
        assert_eq!(span(Duration::MAX, None), u64::MAX);
    }

    #[test]
    fn very_many_end_as_fast_as_turns_allow() {
        let ends = run(100_000, 10, &mut || 0);
        assert!(ends[99_999] <= 10 + 100_000 / MAX_PER_TICK + 1, "{}", ends[99_999]);
    }

    #[test]
    fn those_who_come_late_are_reckoned_with() {
        let mut pace = Pace::new(0, 60_000);
        assert_eq!((pace.due(0, 100), pace.wait(0, 100)), (0, MAX_INTERVAL_MS));
        assert_eq!(pace.due(10, 30_000), 5);
        assert_eq!(pace.wait(5, 30_000), MAX_INTERVAL_MS);
        assert_eq!(pace.due(6, 35_000), 1);
        assert_eq!(pace.due(0, 60_000), 0);
        assert_eq!(pace.due(7, 60_001), 7);
    }

    proptest! {
        #[test]
        fn endings_are_even(
            live in 1usize..3_000, span in 500u64..100_000, late in prop::collection::vec(0u64..9, 1..9)
        ) {
            let mut turn = 0;
            let ends = run(live, span, &mut || { turn += 1; late[turn % late.len()] });
            prop_assert_eq!(ends.len(), live);
            prop_assert!(ends[live - 1] <= span + 1 + 9 * (live as u64 / MAX_PER_TICK + 1));
            // At any moment as many have ended as the time that is over says, but for what is due in a
            // step and what rounding keeps back until the rest makes up for it.
            for (n, at) in ends.iter().enumerate() {
                let fair = (live as u64 * at / span) as usize;
                let step = live * (MAX_INTERVAL_MS as usize + 9) / span as usize + 1;
                prop_assert!(n <= fair + step, "{n} after {at} of {span} ms");
                prop_assert!(n + step + live / 4 >= fair.min(live), "{n} after {at} of {span} ms");
            }
        }
    }
}

//! Several threads at once, each as good as a process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

/// Ends the others too, instead of leaving them waiting for a thread that is gone.
struct EndOnPanic<'d>(&'d AtomicBool);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Release);
        }
    }
}

#[test]
fn delivery_order_is_id_order_with_many_publishers() {
    // LIFE-63: 4 publishers, 3 readers, one channel and one of its own per publisher.
    const EACH: u64 = 2000;
    let bench = Bench::new(8 << 20);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let worker = bench.worker();
                    let subscription = worker.join("shared", 0).unwrap();
                    let mut seen = Vec::new();
                    while !done.load(Ordering::Acquire) || bench.zone.has_mail(worker.me) {
                        seen.extend(worker.mail().into_iter().map(|m| m.0));
                    }
                    worker.leave(subscription);
                    bench.zone.leave_slot(worker.me, &bench.limits, START);
                    seen
                })
            })
            .collect();
        while bench.zone.channel_info(b"shared").is_none_or(|info| info.subscribers < 3) {
            thread::yield_now();
        }
        let publishers: Vec<_> = (0..4)
            .map(|p| {
                let bench = &bench;
                scope.spawn(move || {
                    let worker = bench.worker();
                    for i in 0..EACH {
                        worker.publish("shared", &i.to_string(), true).unwrap();
                        worker.publish(&format!("own-{p}"), "x", false).unwrap();
                    }
                    bench.zone.leave_slot(worker.me, &bench.limits, START);
                })
            })
            .collect();
        publishers.into_iter().for_each(|p| p.join().unwrap());
        done.store(true, Ordering::Release);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), (1..=4 * EACH).collect::<Vec<_>>());
        }
    });
    bench.check();
}

#[test]
fn joins_under_continuous_publishing_have_no_gap_and_no_double() {
    // LIFE-65..68.
    /// Bytes in use, fixed part included: the zone holds several times as much.
    const MANY: u64 = 1 << 20;
    let mut bench = Bench::new(8 << 20);
    bench.limits.max_stored = Some(50);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _end = EndOnPanic(&done);
            let worker = bench.worker();
            let mut i = 0u64;
            while !done.load(Ordering::Acquire) {
                // A joiner that gets no processor time does not read: before the zone is full of its
                // mail, the publisher waits.
                if i % 64 == 0 && bench.zone.totals(START).used > MANY {
                    thread::yield_now();
                    continue;
                }
                i += 1;
                let store = i % 3 != 0;
                let channel = ["a", "b"][i as usize % 2];
                worker.publish(channel, "text", store).unwrap();
            }
        });
        let joiners: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let _end = EndOnPanic(&done);
                    let worker = bench.worker();
                    for _ in 0..500 {
                        let mut s = worker.join("a", 5).unwrap();
                        let mut next = worker.replay(&mut s).last().map_or(0, |m| m.0 + 1);
                        assert!(next == 0 || next <= s.live_from);
                        next = s.live_from;
                        let mut live = 0;
                        while live < 3 {
                            assert!(!done.load(Ordering::Acquire), "another thread failed");
                            for (id, _) in worker.mail() {
                                if id >= s.live_from {
                                    assert_eq!(id, next);
                                    next += 1;
                                    live += 1;
                                }
                            }
                        }
                        worker.leave(s);
                    }
                    worker.mail();
                })
            })
            .collect();
        joiners.into_iter().for_each(|j| j.join().unwrap());
        done.store(true, Ordering::Release);
    });
    bench.check();
}

//! The wall clock is set, both ways, while everything goes on.

use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3600;

impl Bench {
    fn wall(&self, now: u64) -> u64 {
        self.zone.wall(now)
    }
}

/// All that a reader that comes with a position would get.
fn after(bench: &Bench, worker: Worker<'_>, id: &str, at: Stamp, now: u64) -> Vec<u64> {
    let items = [JoinItem { id: id.as_bytes(), backtrack: 0 }];
    let since = ResumePoint { time: Some(at.second), tag: Some(at.tag), event_id: None };
    let (rules, limits) = (JoinRules::default(), &bench.limits);
    let joined = bench.zone.join(worker.me, &items, &since, &rules, limits, now).unwrap();
    let mut subscription = joined.subscriptions[0];
    let mut ids = Vec::new();
    while let Some(bookmark) = subscription.history.take() {
        let step = bench.zone.read_history(worker.me, bookmark, usize::MAX, now);
        subscription.history = step.next;
        ids.extend(step.page.messages().map(|m| m.id));
    }
    _ = bench.zone.leave(worker.me, &[subscription], limits, now);
    ids
}

#[test]
fn stamps_follow_the_wall_clock_but_never_back() {
    // PUB-71, PUB-73, OLD-19.
    let bench = Bench::new(1 << 20);
    let tx = bench.zone.begin();
    let mut last = Stamp::default();
    for (ahead, second) in [
        (0, START),
        (3 * HOUR, START + 10_800),
        (-HOUR, START + 10_800),
        (0, START + 10_800),
        (4 * HOUR, START + 14_400),
    ] {
        bench.zone.set_wall_clock(ahead);
        for _ in 0..3 {
            let stamp = tx.next_stamp(START);
            assert!(stamp > last && stamp.second == second, "{stamp:?} after {last:?}");
            last = stamp;
        }
    }
    tx.commit();
}

#[test]
fn stamps_of_a_zone_that_takes_the_place_of_another() {
    // OLD-15: a position of the zone before, in the second of the change.
    let bench = Bench::new(1 << 20);
    bench.zone.come_after_another(START);
    let worker = bench.worker();
    worker.publish("a", "one", true).unwrap();
    let before = Stamp { second: START, tag: 1000 };
    assert_eq!(after(&bench, worker, "a", before, START), [1]);
    let tx = bench.zone.begin();
    assert_eq!(tx.next_stamp(START + 1), Stamp { second: START + 1, tag: 1 });
    tx.commit();
}

#[test]
fn stamps_go_on_when_no_tag_is_left() {
    let bench = Bench::new(1 << 20);
    let tx = bench.zone.begin();
    tx.next_stamp(START);
    tx.set(&tx.root().stamp_tag, u32::MAX - 1);
    let stamps = [(); 3].map(|()| tx.next_stamp(START));
    let expected = [(START, u32::MAX), (START + 1, 1), (START + 1, 2)];
    assert_eq!(stamps, expected.map(|(second, tag)| Stamp { second, tag }));
    tx.commit();
}

#[test]
fn messages_live_as_long_as_they_are_to() {
    // LIFE-40, LIFE-42: neither early and all at once, nor for hours more.
    for ahead in [24 * HOUR, -24 * HOUR] {
        let bench = Bench::new(1 << 20);
        let a = bench.worker();
        a.publish("c", "before", true).unwrap();
        bench.zone.set_wall_clock(ahead);
        a.publish_at("c", "after", true, START + 10).unwrap();
        bench.zone.sweep(START + 1799);
        assert_eq!(bench.zone.channel_info(b"c").unwrap().stored, 2, "{ahead}");
        bench.zone.sweep(START + 1800);
        assert_eq!(bench.zone.channel_info(b"c").unwrap().stored, 1, "{ahead}");
        // The last one takes its channel along (LIFE-30).
        bench.zone.sweep(START + 1810);
        assert!(bench.zone.channel_info(b"c").is_none(), "{ahead}");
        bench.check();
    }
}

#[test]
fn channels_last_their_period() {
    // LIFE-29..31.
    for ahead in [24 * HOUR, -24 * HOUR] {
        let bench = Bench::new(1 << 20);
        let a = bench.worker();
        a.publish("c", "x", false).unwrap();
        bench.zone.set_wall_clock(ahead);
        bench.zone.sweep(START + 30);
        assert!(bench.zone.channel_info(b"c").is_some());
        bench.zone.sweep(START + 31);
        assert!(bench.zone.channel_info(b"c").is_none());
    }
}

#[test]
fn trash_is_told_as_long_as_it_is_to() {
    // LIFE-32..36, LIFE-43, LIFE-47, LIFE-49, LIFE-74: the pass of four seconds, and ten seconds.
    for ahead in [24 * HOUR, -24 * HOUR] {
        let bench = Bench::new(1 << 20);
        let a = bench.worker();
        a.publish("c", "x", true).unwrap();
        a.publish("c", "x", false).unwrap();
        bench.zone.set_wall_clock(ahead);
        bench.zone.delete(a.me, b"c", None, START + 1).unwrap();
        let told = |now| {
            let totals = bench.zone.totals(now);
            (totals.channels_in_delete, totals.channels_in_trash, totals.messages_in_trash)
        };
        assert_eq!(told(START + 1), (1, 0, 1));
        assert_eq!(told(START + 4), (0, 1, 2));
        assert_eq!(told(START + 12), (0, 1, 1));
        assert_eq!(told(START + 16), (0, 0, 0));
        assert_eq!(bench.zone.totals(START + 100).uptime, 100);
    }
}

#[test]
fn a_client_that_was_told_a_second_misses_nothing_of_it() {
    let bench = Bench::new(1 << 20);
    let (a, b) = (bench.worker(), bench.worker());
    let joined = b.join("c", 0).unwrap();
    bench.zone.set_wall_clock(HOUR);
    let Progress::Clear { newest } = bench.zone.standing(b.me, &[joined], START) else { panic!() };
    assert_eq!(newest.second, START + 3600);
    bench.zone.set_wall_clock(-HOUR);
    a.publish("c", "later", true).unwrap();
    assert_eq!(after(&bench, b, "c", newest, START), [1]);
    b.mail();
    b.leave(joined);
    bench.check();
}

#[test]
fn both_clocks_of_a_machine() {
    let bench = Bench::new(1 << 20);
    let root = bench.zone.geometry.root(&bench.zone.memory);
    let (before, wall) = (bench.zone.now(), |now| bench.zone.wall(now));
    assert!((START..START + 60).contains(&before), "began with the zone");
    let unix = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let (earlier, told, later) = (unix(), wall(bench.zone.now()), unix());
    assert!((earlier..=later).contains(&told), "{earlier} {told} {later}");
    root.wall_shift.store(0);
    let again = bench.zone.now();
    assert!(again >= before && wall(again) >= told, "noted anew");
}

#[derive(Debug, Clone)]
enum Op {
    Publish { channel: usize },
    Set { ahead: i64 },
    Pass { seconds: u64 },
    ComeBack { reader: usize },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..2usize).prop_map(|channel| Op::Publish { channel }),
        2 => (-30 * HOUR..30 * HOUR).prop_map(|ahead| Op::Set { ahead }),
        2 => (0..3u64).prop_map(|seconds| Op::Pass { seconds }),
        4 => (0..4usize).prop_map(|reader| Op::ComeBack { reader }),
    ]
}

/// A reader that comes back with what it was told: the channel, the position, and the last id it had.
#[derive(Clone, Copy)]
struct Reader {
    channel: usize,
    at: Position,
    had: u64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Stamps rise, nothing expires, and each client that comes back has every message once.
    #[test]
    fn positions_hold_whatever_the_clock_does(ops in prop::collection::vec(op(), 1..100)) {
        let bench = Bench::new(1 << 20);
        let a = bench.worker();
        let mut now = START;
        let mut readers = [0, 1, 0, 1].map(|channel| {
            let at = Position { time: Some(START - 1), tag: Some(0) };
            Reader { channel, at, had: 0 }
        });
        // They are told that they have nothing yet.
        bench.zone.begin().accept_second(Some(START - 1), now);
        let mut published = [0; 2];
        let mut last = Stamp::default();
        for op in &ops {
            match *op {
                Op::Publish { channel } => {
                    a.publish_at(&format!("c{channel}"), "x", true, now).unwrap();
                    published[channel] += 1;
                    let stamp = bench.zone.begin().newest_stamp();
                    assert!(stamp > last && stamp.second >= bench.wall(now));
                    last = stamp;
                }
                Op::Set { ahead } => bench.zone.set_wall_clock(ahead),
                Op::Pass { seconds } => {
                    now += seconds;
                    bench.zone.sweep(now);
                }
                Op::ComeBack { reader } => {
                    let reader = &mut readers[reader];
                    let id = format!("c{}", reader.channel);
                    let items = [JoinItem { id: id.as_bytes(), backtrack: 0 }];
                    let Position { time, tag } = reader.at;
                    let since = ResumePoint { time, tag, event_id: None };
                    let (rules, limits) = (JoinRules::default(), &bench.limits);
                    let patience = WaitPolicy::None;
                    let ask =
                        PollRequest { items: &items, since: &since, patience, rules: &rules, limits, now };
                    let polled = bench.zone.poll(a.me, &ask).unwrap();
                    reader.at = match polled.poll {
                        Poll::Found { history, position } => {
                            let mut next = Some(history[0]);
                            while let Some(bookmark) = next {
                                let step = bench.zone.read_history(a.me, bookmark, usize::MAX, now);
                                for message in step.page.messages() {
                                    assert_eq!(message.id, reader.had + 1, "each once, in order");
                                    reader.had = message.id;
                                }
                                next = step.next;
                            }
                            position
                        }
                        Poll::Nothing { position } => position,
                        Poll::Waiting { .. } => unreachable!("it does not wait"),
                    };
                    assert_eq!(reader.had, published[reader.channel]);
                }
            }
        }
        bench.check();
        assert_eq!(bench.zone.totals(now).stored, published.iter().sum::<u64>());
    }
}

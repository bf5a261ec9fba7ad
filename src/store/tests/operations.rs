use super::*;

const MIB: usize = 1 << 20;

fn ids(messages: &[(u64, String)]) -> Vec<u64> {
    messages.iter().map(|m| m.0).collect()
}

#[test]
fn live_messages_arrive_in_order_and_leave_nothing() {
    let bench = Bench::new(MIB);
    let (a, b) = (bench.worker(), bench.worker());
    let subscription = b.join("news", 0).unwrap();
    for i in 1..=100 {
        let published = a.publish("news", &format!("text {i}"), false).unwrap();
        assert_eq!(published.wake.is_empty(), i != 1, "woken once until the mail is read");
        bench.check();
    }
    let got = b.mail();
    assert_eq!(ids(&got), (1..=100).collect::<Vec<_>>());
    assert_eq!(got[41].1, "text 42");
    b.leave(subscription);
    bench.check();
}

#[test]
fn history_then_live_has_no_gap_and_no_double() {
    let bench = Bench::new(MIB);
    let (a, b) = (bench.worker(), bench.worker());
    // Another subscriber of the same worker: its mailbox holds messages that the history holds too.
    let _other = b.join("c", 0).unwrap();
    for i in 1..=50 {
        a.publish("c", &i.to_string(), true).unwrap();
    }
    let mut late = b.join("c", 5).unwrap();
    a.publish("c", "51", true).unwrap();
    assert_eq!(late.live_from, 51);
    assert_eq!(ids(&b.replay(&mut late)), [46, 47, 48, 49, 50]);
    assert_eq!(ids(&b.mail()).last(), Some(&51));
    bench.check();
}

#[test]
fn the_oldest_go_beyond_the_maximum() {
    let mut bench = Bench::new(MIB);
    bench.limits.max_stored = Some(3);
    let a = bench.worker();
    for i in 1..=10 {
        let published = a.publish("c", &i.to_string(), true).unwrap();
        assert_eq!(published.channels[0].stored, i.min(3));
    }
    let mut all = a.join("c", u64::MAX).unwrap();
    assert_eq!(ids(&a.replay(&mut all)), [8, 9, 10]);
    bench.check();
}

#[test]
fn deletion_tells_every_worker_and_frees_at_once() {
    let bench = Bench::new(MIB);
    let (a, b) = (bench.worker(), bench.worker());
    let free = bench.zone.totals(START).used;
    let subscription = b.join("c", 0).unwrap();
    for i in 0..200 {
        a.publish("c", &i.to_string(), true).unwrap();
    }
    let text: &[&[u8]] = &[b"good", b"bye"];
    let wake = bench.zone.delete(a.me, b"c", Some(text), START).unwrap();
    assert_eq!(wake.as_slice(), [b.me]);
    assert!(a.delete("c").is_none(), "LIFE-33");
    bench.check();
    assert!(bench.zone.notice(b.me, 0).is_none(), "not before what was published before it");
    assert_eq!(b.mail().len(), 200);
    let notice = bench.zone.notice(b.me, 0).unwrap();
    assert_eq!(notice.text, Some(&b"goodbye"[..]));
    assert_eq!((notice.channel, notice.channel_id), (subscription.channel, &b"c"[..]));
    b.leave(subscription);
    assert!(bench.zone.notice(b.me, 0).is_none());
    bench.zone.leave_slot(b.me, &bench.limits, START);
    bench.check();
    assert_eq!(bench.zone.totals(START).used, free);
}

#[test]
fn trash_is_shown_as_clients_know_it() {
    // LIFE-32..36, 43, STAT-52..54, DIR-181: passes every 4 s, kept for more than 10 s.
    let bench = Bench::new(MIB);
    let a = bench.worker();
    for i in 0..3 {
        a.publish("c", &i.to_string(), true).unwrap();
    }
    a.publish("other", "x", false).unwrap();
    a.delete("c");
    let at = |second| {
        let t = bench.zone.totals(START + second);
        (t.stored, t.messages_in_trash, t.channels_in_delete, t.channels_in_trash)
    };
    assert_eq!(at(0), (3, 1, 1, 0));
    assert_eq!(at(3), (3, 1, 1, 0));
    assert_eq!(at(4), (0, 4, 0, 1));
    assert_eq!(at(11), (0, 4, 0, 1));
    assert_eq!(at(12), (0, 3, 0, 1));
    assert_eq!(at(15), (0, 3, 0, 1));
    assert_eq!(at(16), (0, 0, 0, 0));
}

#[test]
fn messages_expire_and_channels_follow() {
    let mut bench = Bench::new(MIB);
    bench.limits.message_ttl = 10;
    bench.limits.inactivity = 5;
    let a = bench.worker();
    a.publish("c", "x", true).unwrap();
    bench.zone.sweep(START + 9);
    assert_eq!(bench.zone.channel_info(b"c").unwrap().stored, 1);
    bench.zone.sweep(START + 10);
    bench.check();
    assert!(bench.zone.channel_info(b"c").is_none(), "unused since the message went (LIFE-30)");
    assert_eq!(bench.zone.totals(START + 10).stored, 0);
}

#[test]
fn a_subscriber_keeps_its_channel_and_leaving_starts_the_period() {
    let mut bench = Bench::new(MIB);
    bench.limits.inactivity = 5;
    let a = bench.worker();
    let subscription = a.join("c", 0).unwrap();
    bench.zone.sweep(START + 100);
    assert!(bench.zone.channel_info(b"c").is_some());
    _ = bench.zone.leave(a.me, &[subscription], &bench.limits, START + 100);
    bench.zone.sweep(START + 105);
    assert!(bench.zone.channel_info(b"c").is_some(), "LIFE-31: the period begins anew");
    bench.check();
    bench.zone.sweep(START + 106);
    assert!(bench.zone.channel_info(b"c").is_none());
    bench.check();
}

#[test]
fn a_shortened_ttl_is_kept_exactly() {
    let mut bench = Bench::new(MIB);
    let a = bench.worker();
    a.publish_at("long", "x", true, START).unwrap();
    let me = a.me;
    bench.limits.message_ttl = 5;
    let a = Worker { bench: &bench, me };
    a.publish_at("short", "x", true, START).unwrap();
    a.publish_at("long", "behind a longer one", true, START).unwrap();
    bench.zone.sweep(START + 5);
    bench.check();
    assert_eq!(bench.zone.channel_info(b"short").unwrap().stored, 0);
    assert_eq!(bench.zone.channel_info(b"long").unwrap().stored, 2, "from the oldest on (LIFE-42)");
    bench.zone.sweep(START + 1800);
    assert_eq!(bench.zone.totals(START + 1800).stored, 0);
    bench.check();
}

#[test]
fn the_stamp_never_goes_back() {
    let bench = Bench::new(MIB);
    let a = bench.worker();
    let _subscription = a.join("c", 0).unwrap();
    for now in [START + 5, START + 5, START, START + 4, START + 6] {
        a.publish_at("c", "x", false, now).unwrap();
    }
    let mail = bench.zone.mail(a.me);
    let stamps: Vec<_> = mail.messages().map(|m| (m.stamp.second - START, m.stamp.tag)).collect();
    assert_eq!(stamps, [(5, 1), (5, 2), (5, 3), (5, 4), (6, 1)]);
}

#[test]
fn long_histories_are_read_in_pages_while_they_shrink() {
    let mut bench = Bench::new(4 * MIB);
    bench.limits.max_stored = Some(100);
    let a = bench.worker();
    for i in 1..=100 {
        a.publish("c", &i.to_string(), true).unwrap();
    }
    let mut subscription = a.join("c", 1000).unwrap();
    let step = bench.zone.read_history(a.me, subscription.history.unwrap(), usize::MAX, START);
    let first: Vec<u64> = step.page.messages().map(|m| m.id).collect();
    assert_eq!(first, (1..=32).collect::<Vec<_>>());
    subscription.history = step.next;
    drop(step.page);
    // 33 is bookmarked; it and more are dropped from the history.
    for i in 101..=150 {
        a.publish("c", &i.to_string(), true).unwrap();
    }
    let rest = ids(&a.replay(&mut subscription));
    assert_eq!(rest[0], 33);
    assert_eq!(rest[1..], (51..=100).collect::<Vec<_>>());
    assert_eq!(ids(&a.mail()), (101..=150).collect::<Vec<_>>());
    a.leave(subscription);
    bench.check();
}

#[test]
fn a_dead_worker_leaves_nothing() {
    let bench = Bench::new(MIB);
    let a = bench.worker();
    for i in 0..100 {
        a.publish("c", &i.to_string(), true).unwrap();
    }
    let used = bench.zone.totals(START).used;
    std::thread::scope(|scope| {
        let died = scope.spawn(|| {
            let b = bench.worker();
            let subscription = b.join("c", 100).unwrap();
            b.join("own", 0).unwrap();
            bench.zone.count_in(b.me, Mode::Streaming);
            a.publish("own", "never read", false).unwrap();
            let step =
                bench.zone.read_history(b.me, subscription.history.unwrap(), usize::MAX, START);
            std::mem::forget(step.page);
        });
        died.join().unwrap();
    });
    assert_eq!(bench.zone.totals(START).subscribers, 1);
    assert_eq!(bench.zone.reclaim_dead(Some(a.me), &bench.limits, START).pids.len(), 1);
    bench.check();
    assert_eq!(bench.zone.channel_info(b"c").unwrap().subscribers, 0);
    bench.zone.sweep(START + 100);
    let totals = bench.zone.totals(START);
    assert_eq!((totals.subscribers, totals.used), (0, used));
}

#[test]
fn a_deleted_channel_of_a_dead_worker_is_collected() {
    // LIFE-92.
    let bench = Bench::new(MIB);
    let a = bench.worker();
    let used = bench.zone.totals(START).used;
    std::thread::scope(|scope| {
        let died = scope.spawn(|| bench.worker().join("c", 0).unwrap());
        died.join().unwrap();
    });
    assert_eq!(a.delete("c").unwrap().len(), 1);
    bench.zone.reclaim_dead(Some(a.me), &bench.limits, START);
    bench.check();
    assert_eq!(bench.zone.totals(START).used, used);
    assert_eq!(bench.zone.totals(START + 20).channels_in_delete, 0);
}

#[test]
fn event_ids_find_their_place() {
    // OLD-10..12.
    let bench = Bench::new(MIB);
    let a = bench.worker();
    for (i, id) in ["a", "b", "a", "c"].iter().enumerate() {
        let text: &[&[u8]] = &[b"x"];
        let parts = Parts { text, event_id: Some(id.as_bytes()), ..Parts::default() };
        let now = START + i as u64;
        let publish = Publish { me: a.me, parts, store: true, limits: &bench.limits, now };
        bench.zone.publish(&[b"c"], &publish).unwrap();
    }
    let replayed = |since: ResumePoint<'_>| {
        let items = [JoinItem { id: b"c", backtrack: 0 }];
        let mut joined = a.join_since(&items, &since).unwrap();
        let got = ids(&a.replay(&mut joined[0]));
        a.leave(joined[0]);
        got
    };
    let event = |id| ResumePoint { event_id: Some(id), ..ResumePoint::default() };
    assert_eq!(replayed(event(b"a")), [2, 3, 4], "the oldest occurrence");
    assert_eq!(replayed(event(b"c")), Vec::<u64>::new());
    assert_eq!(replayed(event(b"?")), Vec::<u64>::new());
    let time = |time, tag| ResumePoint { time: Some(time), tag, event_id: None };
    assert_eq!(replayed(time(START + 1, None)), [3, 4]);
    assert_eq!(replayed(time(START + 1, Some(0))), [2, 3, 4]);
    assert_eq!(replayed(time(START + 1, Some(1))), [3, 4]);
    let both = ResumePoint { event_id: Some(b"c"), ..time(START + 1, None) };
    assert_eq!(replayed(both), [3, 4], "whichever matches the older message");
    bench.check();
}

#[test]
fn a_panic_inside_a_section_takes_everything_back() {
    let bench = Bench::new(MIB);
    let a = bench.worker();
    a.publish("c", "x", true).unwrap();
    let totals = bench.zone.totals(START);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let tx = bench.zone.begin();
        tx.create_channel(b"half", &bench.limits, START).unwrap();
        tx.drop_oldest(tx.find(b"c").unwrap(), START);
        panic!("in the middle");
    }));
    assert!(result.is_err());
    bench.check();
    assert_eq!(bench.zone.totals(START), totals);
    assert!(bench.zone.channel_info(b"half").is_none());
}

#[test]
fn listing_sees_every_lasting_channel_once() {
    let bench = Bench::new(MIB);
    let a = bench.worker();
    for i in 0..500 {
        a.publish(&format!("c{i}"), "x", true).unwrap();
    }
    let mut seen = Vec::new();
    bench.zone.list(a.me, b"", |id, info| {
        assert_eq!(info.stored, 1);
        // Deleting around the place where the listing stopped.
        if seen.len() % 10 == 3 {
            a.delete(&format!("c{}", seen.len() + 20));
            a.publish(&format!("late{}", seen.len()), "x", true).unwrap();
        }
        seen.push(String::from_utf8(id.to_vec()).unwrap());
    });
    bench.check();
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), seen.len());
    let position = |id: &str| seen.iter().position(|s| s == id);
    assert!((0..20).all(|i| position(&format!("c{i}")) == Some(i)));
    let mut prefixed = 0;
    bench.zone.list(a.me, b"late", |_, _| prefixed += 1);
    assert!(prefixed > 0 && prefixed < 100);
}

#[test]
fn several_histories_are_read_in_one_order() {
    let mut bench = Bench::new(MIB);
    bench.limits.max_stored = Some(60);
    let a = bench.worker();
    let names = ["x", "y", "z"];
    for i in 0..150u64 {
        a.publish_at(names[(i * i % 7 % 3) as usize], &i.to_string(), true, START + i / 40)
            .unwrap();
    }
    let items = names.map(|id| JoinItem { id: id.as_bytes(), backtrack: 0 });
    let since = ResumePoint { time: Some(START), tag: Some(7), event_id: None };
    let joined = a.join_since(&items, &since).unwrap();
    let mut unread: smallvec::SmallVec<[_; 1]> = joined.iter().filter_map(|j| j.history).collect();
    let mut read = Vec::new();
    while !unread.is_empty() {
        let page = bench.zone.read_merged(a.me, &mut unread, 40, START);
        read.extend(page.messages().map(|m| m.text.to_vec()));
        drop(page);
        bench.check();
    }
    let number = |text: &Vec<u8>| std::str::from_utf8(text).unwrap().parse::<u64>().unwrap();
    let read: Vec<u64> = read.iter().map(number).collect();
    // Each channel stores its newest 60, and the first seven of all were had.
    let channel_of = |i: &u64| i * i % 7 % 3;
    let stored = |i: &u64| (*i + 1..150).filter(|j| channel_of(j) == channel_of(i)).count() < 60;
    assert_eq!(read, (7..150).filter(stored).collect::<Vec<_>>());
    joined.into_iter().for_each(|joined| {
        a.leave(Subscription { history: None, ..joined });
    });
    bench.check();
}

#[test]
fn what_is_gone_is_a_gap() {
    let mut bench = Bench::new(MIB);
    bench.limits.max_stored = Some(2);
    let a = bench.worker();
    let items = [JoinItem { id: b"c", backtrack: 0 }];
    let gaps = |tag: u32, now| {
        let since = ResumePoint { time: Some(START), tag: Some(tag), event_id: None };
        bench.zone.gaps(&items, &since, now).len()
    };
    for n in 1..=3 {
        a.publish("c", &n.to_string(), n != 2).unwrap();
    }
    assert_eq!(gaps(0, START), 0, "an unstored one is none");
    a.publish("c", "4", true).unwrap();
    assert_eq!((gaps(0, START), gaps(1, START)), (1, 0));
    let expired = START + bench.limits.message_ttl;
    assert_eq!((gaps(3, expired), gaps(4, expired)), (1, 0), "not yet swept");
    let since = ResumePoint { time: None, tag: Some(0), event_id: None };
    assert!(bench.zone.gaps(&items, &since, START).is_empty());
    let backtrack = [JoinItem { backtrack: 1, ..items[0] }];
    let since = ResumePoint { time: Some(START), tag: Some(0), event_id: None };
    assert!(bench.zone.gaps(&backtrack, &since, START).is_empty());
    a.delete("c").unwrap();
    a.publish("c", "new", true).unwrap();
    assert_eq!(gaps(0, START), 0, "a new channel has no past");
}

#[test]
fn a_lowered_limit_is_reached_step_by_step() {
    // LIFE-41: the next publishes act on it, none of them for long.
    let mut bench = Bench::new(1 << 20);
    let me = bench.worker().me;
    for _ in 0..1000 {
        Worker { bench: &bench, me }.publish("c", "x", true).unwrap();
    }
    bench.limits.max_stored = Some(10);
    let a = Worker { bench: &bench, me };
    let stored = [(); 6].map(|()| a.publish("c", "x", true).unwrap().channels[0].stored);
    assert_eq!(stored, [745, 490, 235, 10, 10, 10]);
    bench.check();
}

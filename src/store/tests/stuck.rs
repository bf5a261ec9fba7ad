//! Mailboxes that nobody empties (LIFE-58).

use super::*;

const MIB: usize = 1 << 20;
const LEN: usize = 1000;

/// Text number `n`, of `len` bytes.
fn text(n: usize, len: usize) -> String {
    let n = n.to_string();
    "0".repeat(len.saturating_sub(n.len())) + &n
}

fn numbers(mail: &[(u64, String)]) -> Vec<usize> {
    mail.iter().map(|(_, text)| text.parse().unwrap()).collect()
}

fn missed(bench: &Bench) -> u64 {
    bench.zone.totals(START).dropped[DropCause::Memory as usize]
}

/// As the others would who have watched the worker for long.
fn note_stuck(bench: &Bench, worker: Worker<'_>) {
    let (_, taken) = bench.zone.waiting().find(|(id, _)| *id == worker.me).expect("mail");
    bench.zone.note_stuck(worker.me, taken);
}

/// Publishes until the zone is full; how many were taken.
fn fill(worker: Worker<'_>, channel: &str, len: usize, store: bool) -> usize {
    (0..).find(|n| worker.publish(channel, &text(*n, len), store).is_err()).unwrap()
}

#[test]
fn until_a_worker_is_stuck_it_misses_nothing() {
    for (zone, len, store) in [
        (128 << 10, 20_000, false),
        (128 << 10, 1, false),
        (MIB, 1000, true),
        (MIB, 400_000, false),
    ] {
        let bench = Bench::new(zone);
        let (a, b) = (bench.worker(), bench.worker());
        let subscription = b.join("c", 0).unwrap();
        let count = fill(a, "c", len, store);
        bench.check();
        assert!(count * (len + 64) > zone / 4 || len > zone / 4, "{count} of {len} bytes");
        assert_eq!(numbers(&b.mail()), (0..count).collect::<Vec<_>>());
        assert_eq!(missed(&bench), 0);
        b.leave(subscription);
        bench.check();
    }
}

#[test]
fn a_stuck_worker_keeps_a_share() {
    for store in [false, true] {
        let mut bench = Bench::new(MIB);
        bench.limits.max_stored = Some(3);
        let (a, b, c) = (bench.worker(), bench.worker(), bench.worker());
        for worker in [b, b, c] {
            worker.join("c", 0).unwrap();
        }
        let count = fill(a, "c", LEN, store);
        assert_eq!(c.mail().len(), count);
        note_stuck(&bench, b);
        let back = bench.zone.relieve();
        assert_eq!(back, [Misses { worker: b.me, channel_id: Some(b"c".to_vec()) }]);
        assert_eq!(bench.zone.relieve(), [], "told once");
        bench.check();
        let share = 2 * (count as u64) - missed(&bench);
        assert_eq!(share % 2, 0, "two subscribers");
        // Half of the zone, because nothing else takes any of it.
        assert!((300..400).contains(&(share / 2)), "{share} deliveries, {count} messages");

        // The others go on; what fills half of the zone beside it is kept for it, too.
        let more = 2000;
        for n in 0..more {
            let published = a.publish("c", &text(count + n, LEN), store).unwrap();
            assert!(published.stuck.is_empty(), "told already");
            assert_eq!(c.mail().len(), 1);
        }
        bench.check();
        assert!(bench.zone.totals(START).used < (MIB * 3 / 4) as u64);
        let mail = b.mail();
        let kept = (missed(&bench), 2 * mail.len() as u64);
        assert_eq!(kept.0 + kept.1, 2 * (count + more) as u64);
        let numbers = numbers(&mail);
        assert!(numbers.is_sorted() && numbers[..100] == (0..100).collect::<Vec<_>>());

        // It is back, and gets everything.
        let again = fill(a, "c", LEN, store);
        assert_eq!(b.mail().len(), again);
        bench.check();
    }
}

#[test]
fn a_mailbox_is_taken_back_to_its_last_message() {
    // Blocks of 30 entries end anywhere; a message may be larger than the share.
    for (len, count) in [(300_000, 1), (20_000, 30), (20_000, 31), (9_000, 61), (9_000, 90)] {
        let bench = Bench::new(MIB);
        let (a, b) = (bench.worker(), bench.worker());
        let _subscription = b.join("c", 0).unwrap();
        let large = a.publish("other", &"x".repeat(300_000), true);
        large.unwrap();
        let count =
            (0..count).take_while(|n| a.publish("c", &text(*n, len), false).is_ok()).count();
        note_stuck(&bench, b);
        bench.zone.relieve();
        bench.check();
        let kept = b.mail();
        assert_eq!(kept.len() as u64 + missed(&bench), count as u64);
        assert_eq!(numbers(&kept), (0..kept.len()).collect::<Vec<_>>());
        assert!(kept.len() * len <= MIB / 4, "{} of {len} bytes", kept.len());
        a.publish("c", &text(7, 10), false).unwrap();
        assert_eq!(numbers(&b.mail()), [7]);
        bench.check();
    }
}

#[test]
fn a_worker_that_stops_while_it_reads_holds_little() {
    // 30 messages at once would be all of the zone.
    for (zone, len) in [(MIB, 30_000), (256 << 10, 12_000), (128 << 10, 3_000)] {
        let bench = Bench::new(zone);
        let (a, b, c) = (bench.worker(), bench.worker(), bench.worker());
        for worker in [b, c] {
            worker.join("c", 0).unwrap();
        }
        let count = fill(a, "c", len, false);
        assert_eq!(c.mail().len(), count);
        let reading = bench.zone.mail(b.me);
        assert!(reading.messages().count() * len <= zone / 16 + len);
        note_stuck(&bench, b);
        bench.zone.relieve();
        bench.check();
        for n in 0..100 {
            a.publish("c", &text(n, len), false).unwrap();
            assert_eq!(c.mail().len(), 1);
        }
        drop(reading);
        bench.check();
    }
}

#[test]
fn what_was_lent_and_not_read_is_taken_back() {
    let bench = Bench::new(128 << 10);
    let (a, b) = (bench.worker(), bench.worker());
    let _subscription = b.join("c", 0).unwrap();
    a.publish("c", &text(1, 60_000), false).unwrap();
    // As at the end of a turn.
    drop(bench.zone.mail(b.me));
    note_stuck(&bench, b);
    bench.zone.relieve();
    bench.check();
    assert_eq!((b.mail().len(), missed(&bench)), (0, 1));
}

#[test]
fn stuck_workers_share_the_share() {
    let bench = Bench::new(MIB);
    let (a, live) = (bench.worker(), bench.worker());
    let _subscription = live.join("live", 0).unwrap();
    let stuck: Vec<_> = (0..7).map(|_| bench.worker()).collect();
    for (n, worker) in stuck.iter().enumerate() {
        worker.join(&format!("c{n}"), 0).unwrap();
    }
    for n in 0.. {
        if a.publish(&format!("c{}", n % 7), &text(n, 10_000), false).is_err() {
            break;
        }
    }
    stuck.iter().for_each(|worker| note_stuck(&bench, *worker));
    assert!(!bench.zone.relieve().is_empty());
    bench.check();
    for n in 0..200 {
        a.publish(&format!("c{}", n % 7), &text(n, 10_000), false).unwrap();
        a.publish("live", &text(n, 10_000), false).unwrap();
        assert_eq!(live.mail().len(), 1);
    }
    for worker in &stuck {
        worker.mail();
    }
    bench.check();
    assert_eq!(fill(a, "live", 10_000, false), live.mail().len(), "nobody is stuck any more");
}

#[test]
fn a_missed_event_is_told_of() {
    let mut bench = Bench::new(MIB);
    bench.limits.max_stored = Some(3);
    bench.zone.configure_events(b"events", &bench.limits, START).unwrap();
    let (a, b) = (bench.worker(), bench.worker());
    let _subscription = b.join("events", 0).unwrap();
    a.publish("x", &text(1, 550_000), true).unwrap();
    note_stuck(&bench, b);
    for _ in 0..2000 {
        a.leave(a.join("x", 0).unwrap());
    }
    assert!(missed(&bench) > 0);
    assert_eq!(bench.zone.relieve(), [Misses { worker: b.me, channel_id: None }]);
    assert_eq!(bench.zone.relieve(), [], "told once");
    bench.check();
}

#[test]
fn what_is_being_read_stays() {
    // LIFE-45: memory is free with the last who holds it.
    let bench = Bench::new(128 << 10);
    let (a, b) = (bench.worker(), bench.worker());
    let _subscription = b.join("c", 0).unwrap();
    a.publish("c", &text(1, 40_000), false).unwrap();
    let reading = bench.zone.mail(b.me);
    a.publish("c", &text(2, 40_000), false).unwrap();
    note_stuck(&bench, b);
    bench.zone.relieve();
    bench.check();
    let read: Vec<_> = reading.messages().map(shown).collect();
    assert_eq!(numbers(&read), [1]);
    assert_eq!(missed(&bench), 1);
    let held = bench.zone.totals(START).used;
    drop(reading);
    assert!(bench.zone.totals(START).used < held - 40_000);
    bench.check();
    assert_eq!(b.mail(), []);
}

#[test]
fn a_deletion_is_told_behind_what_is_left() {
    // DEL-1: also where the last message of the channel was taken back.
    let bench = Bench::new(128 << 10);
    let (a, b) = (bench.worker(), bench.worker());
    let _subscriptions = (b.join("c", 0).unwrap(), b.join("d", 0).unwrap());
    a.publish("c", &text(1, 10), false).unwrap();
    a.publish("d", &text(2, 10), false).unwrap();
    a.publish("c", &text(3, 40_000), false).unwrap();
    a.publish("other", &text(4, 30_000), true).unwrap();
    a.delete("c").unwrap();
    note_stuck(&bench, b);
    bench.zone.relieve();
    bench.check();
    assert_eq!(missed(&bench), 1);
    assert!(bench.zone.notice(b.me, 0).is_none(), "the first message waits");
    assert_eq!(numbers(&b.mail()), [1, 2]);
    assert_eq!(bench.zone.notice(b.me, 0).expect("told").channel_id, b"c");
    bench.check();
}

#[test]
fn whoever_takes_or_publishes_is_not_stuck() {
    let bench = Bench::new(128 << 10);
    let (a, b) = (bench.worker(), bench.worker());
    let _subscription = b.join("c", 0).unwrap();
    a.publish("c", &text(0, 40_000), false).unwrap();
    let (_, taken) = bench.zone.waiting().next().unwrap();
    assert_eq!(b.mail().len(), 1);
    bench.zone.note_stuck(b.me, taken);
    assert!(!bench.zone.has_mail(b.me), "it took its mail meanwhile");

    a.publish("c", &text(1, 40_000), false).unwrap();
    note_stuck(&bench, b);
    assert!(b.publish("c", &text(2, 40_000), false).unwrap().stuck.is_empty());
    assert_eq!(numbers(&b.mail()), [1, 2]);

    // An emptied mailbox: the worker looks all the same, and hears what is missing.
    a.publish("c", &text(3, 50_000), false).unwrap();
    note_stuck(&bench, b);
    bench.zone.relieve();
    assert!(bench.zone.has_mail(b.me));
    let mail = bench.zone.mail(b.me);
    assert_eq!((mail.is_empty(), mail.missed()), (true, 1));
    drop(mail);
    assert!(!bench.zone.has_mail(b.me));
    bench.check();
}

#[test]
fn histories_are_not_evicted_for_a_stuck_worker() {
    // LIFE-51, LIFE-58: what it keeps is bounded, and no more.
    let bench = Bench::evicting(MIB);
    let (a, b) = (bench.worker(), bench.worker());
    let joined = b.join("c", 0).unwrap();
    for n in 0..1000 {
        a.publish("c", &text(n, 200), true).unwrap();
    }
    note_stuck(&bench, b);
    let mut told = 0;
    for n in 1000..8000 {
        told += a.publish("c", &text(n, 200), true).unwrap().stuck.len();
    }
    bench.check();
    assert_eq!(told, 1);
    assert!(bench.zone.totals(START).stored > 1000);
    let got = b.mail();
    assert!(got.len() > 500 && got.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
    assert_eq!(missed(&bench) + got.len() as u64, 8000);
    a.publish("c", &text(1, 1), true).unwrap();
    assert_eq!(b.mail(), [(8001, "1".to_owned())]);
    b.leave(joined);
    bench.check();
}

#[test]
fn a_dead_worker_leaves_no_mark() {
    let bench = Bench::new(128 << 10);
    let (a, b) = (bench.worker(), bench.worker());
    b.join("c", 0).unwrap();
    a.publish("c", &text(1, 40_000), false).unwrap();
    note_stuck(&bench, b);
    bench.zone.relieve();
    _ = bench.zone.leave_slot(b.me, &bench.limits, START);
    bench.check();
    let next = bench.worker();
    assert_eq!(next.me, b.me);
    assert!(!bench.zone.has_mail(next.me));
}

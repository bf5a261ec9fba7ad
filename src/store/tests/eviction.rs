//! A full zone in which the oldest messages make room.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::store::transaction::list::InHistory;

const MIB: usize = 1 << 20;

impl Bench {
    pub fn evicting(len: usize) -> Bench {
        let bench = Bench::new(len);
        bench.zone.evict_when_full(true);
        bench
    }

    fn evicted(&self) -> u64 {
        self.zone.totals(START).evicted
    }

    /// Ids in a channel's history.
    fn stored(&self, id: &str) -> Vec<u64> {
        let tx = self.zone.begin();
        let channel = tx.at(tx.find(id.as_bytes()).unwrap());
        tx.items::<InHistory>(&channel.fifo).map(|message| tx.at(message).id.get()).collect()
    }
}

#[test]
fn a_full_zone_accepts_publishes_for_ever() {
    // LIFE-51, LIFE-52: several times what fits.
    let bench = Bench::evicting(MIB);
    let a = bench.worker();
    let channels: Vec<String> = (0..7).map(|n| format!("c{n}")).collect();
    let each = 3000;
    for n in 0..each {
        for channel in &channels {
            a.publish(channel, &"x".repeat(n % 500), true).unwrap();
        }
    }
    bench.check();
    let totals = bench.zone.totals(START);
    assert_eq!(totals.published, 7 * each as u64);
    assert_eq!(totals.evicted + totals.stored, totals.published);
    assert!(totals.stored > 1500, "{totals:?}");
    // The newest of each are there without a hole, as many of the one as of the other.
    for channel in &channels {
        let ids = bench.stored(channel);
        assert_eq!(ids.last(), Some(&(each as u64)));
        assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{channel}: {ids:?}");
        assert!((ids.len() as u64).abs_diff(totals.stored / 7) < 30, "{}", ids.len());
    }
}

#[test]
fn refusing_is_the_default_and_comes_back() {
    let bench = Bench::new(MIB);
    let a = bench.worker();
    while a.publish("c", &"x".repeat(100), true).is_ok() {}
    let stored = bench.zone.totals(START).stored;
    assert_eq!(a.publish("c", &"x".repeat(100), true).err(), Some(StoreError::Full));
    bench.zone.evict_when_full(true);
    a.publish("c", &"x".repeat(100), true).unwrap();
    assert_eq!((bench.evicted(), bench.zone.totals(START).stored), (1, stored));
    bench.zone.evict_when_full(false);
    assert_eq!(a.publish("c", &"x".repeat(100), true).err(), Some(StoreError::Full));
    bench.check();
}

#[test]
fn what_can_never_fit_is_refused_and_takes_nothing_away() {
    let bench = Bench::evicting(MIB);
    let a = bench.worker();
    for n in 0..8000 {
        a.publish(&format!("c{}", n % 50), &"x".repeat(100), true).unwrap();
    }
    let before = bench.zone.totals(START);
    let too_large = "x".repeat(MIB);
    assert_eq!(a.publish("c1", &too_large, true).err(), Some(StoreError::Full));
    assert_eq!(a.publish("new", &too_large, true).err(), Some(StoreError::Full));
    assert!(bench.zone.channel_info(b"new").is_none());
    let after = bench.zone.totals(START);
    assert_eq!((after.stored, after.evicted), (before.stored, before.evicted));
    bench.check();

    // Nor where channels lie so that no run of pages can become free.
    let bench = Bench::evicting(MIB);
    let a = bench.worker();
    let (mut n, id) = (0, |n: usize| format!("{n:0>200}"));
    while bench.evicted() == 0 {
        // Of the same size as a channel.
        a.publish(&id(n), &"x".repeat(250), true).unwrap();
        n += 1;
    }
    let before = bench.zone.totals(START);
    assert_eq!(a.publish(&id(1), &"x".repeat(200_000), true).err(), Some(StoreError::Full));
    assert_eq!(bench.zone.totals(START).evicted, before.evicted);
    bench.check();
}

#[test]
fn a_large_message_takes_as_many_small_ones_as_it_must() {
    let bench = Bench::evicting(MIB);
    let a = bench.worker();
    for _ in 0..8000 {
        a.publish("small", &"x".repeat(100), true).unwrap();
    }
    let before = bench.zone.totals(START);
    a.publish("large", &"y".repeat(300_000), true).unwrap();
    let after = bench.zone.totals(START);
    bench.check();
    let gone = before.stored + 1 - after.stored;
    assert!((1700..2000).contains(&gone), "{gone} messages of 176 bytes for 300,064 bytes");
    assert_eq!(bench.stored("large"), [1]);
    // And it is the oldest when 8,000 small ones have gone by.
    for _ in 0..8000 {
        a.publish("small", &"x".repeat(100), true).unwrap();
    }
    assert!(bench.stored("large").is_empty());
    bench.check();
}

#[test]
fn everything_that_needs_room_gets_some() {
    // LIFE-53, LIFE-54: channels, subscribers, their mail, histories, delete texts.
    let bench = Bench::evicting(256 << 10);
    let (a, b) = (bench.worker(), bench.worker());
    let fill = |bytes: usize| {
        for _ in 0..2000 {
            a.publish("fill", &"x".repeat(bytes), true).unwrap();
            // What waits for a worker makes no room.
            b.mail();
        }
    };
    let mut joined = Vec::new();
    for n in 0..40 {
        fill([0, 30, 500, 1500][n % 4]);
        joined.push(b.join(&format!("new-{n}"), 0).unwrap());
        fill([1500, 500, 30, 0][n % 4]);
        joined.push(b.join("fill", 5).unwrap());
        assert_eq!(
            a.publish(&format!("new-{n}"), "live", false).unwrap().channels[0].subscribers,
            1
        );
        b.mail();
        bench.check();
    }
    let text: &[&[u8]] = &[b"gone"];
    fill(10);
    assert!(bench.zone.delete(a.me, b"new-3", Some(text), START).is_some());
    assert_eq!(bench.zone.notice(b.me, 0).unwrap().text, Some(&b"gone"[..]));
    joined.into_iter().for_each(|joined| b.leave(joined));
    bench.check();
}

#[test]
fn a_poll_gets_its_history_from_a_full_zone() {
    let bench = Bench::evicting(256 << 10);
    let a = bench.worker();
    for n in 0..4000 {
        a.publish(&format!("c{}", n % 3), &"x".repeat(100), true).unwrap();
    }
    let items = [b"c0", b"c1", b"c2"].map(|id| JoinItem { id, backtrack: 2 });
    let (since, rules, limits) = (ResumePoint::default(), JoinRules::default(), &bench.limits);
    for _ in 0..200 {
        let ask = PollRequest {
            items: &items,
            since: &since,
            patience: WaitPolicy::None,
            rules: &rules,
            limits,
            now: START,
        };
        let polled = bench.zone.poll(a.me, &ask).unwrap();
        let Poll::Found { history, .. } = polled.poll else { panic!("{polled:?}") };
        assert_eq!(history.len(), 3);
        a.publish("c1", &"x".repeat(100), true).unwrap();
        bench.zone.give_up(a.me, &history);
    }
    bench.check();
}

#[test]
fn events_make_room_and_are_made_room_for() {
    // EVT-14: none is dropped, and they balance as far as they are still there.
    let bench = Bench::evicting(256 << 10);
    let kept = Limits { message_ttl: 1 << 30, ..Limits::default() };
    bench.zone.configure_events(b"events", &kept, START).unwrap();
    let (a, b) = (bench.worker(), bench.worker());
    for n in 0..3000 {
        a.publish(&format!("c{}", n % 20), &"x".repeat(n % 700), true).unwrap();
        let joined = b.join(&format!("c{}", n % 23), 0).unwrap();
        if n % 7 == 0 {
            a.delete(&format!("c{}", n % 23)).unwrap();
            assert!(bench.zone.notice(b.me, 0).is_some());
        }
        b.mail();
        b.leave(joined);
    }
    bench.check();
    assert_eq!(bench.zone.totals(START).dropped, [0; 4]);
    let told = bench.stored("events");
    assert!(told.len() > 100 && told[0] > 1, "{}", told.len());
    assert!(told.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn the_event_of_a_deletion_finds_room_whatever_its_text() {
    // EVT-14, PUB-86: the text of the request has taken the last that there was.
    let bench = Bench::evicting(256 << 10);
    bench.zone.configure_events(b"events", &bench.limits, START).unwrap();
    let a = bench.worker();
    for n in 0..300 {
        let id = format!("c{n}");
        a.publish(&id, "x", true).unwrap();
        (0..40).for_each(|_| drop(a.publish("fill", &"x".repeat(n % 150), true).unwrap()));
        let text = "y".repeat(n % 120);
        bench.zone.delete(a.me, id.as_bytes(), Some(&[text.as_bytes()]), START).unwrap();
        assert_eq!(bench.zone.begin().root().events_dropped.get(), 0, "{id}");
    }
    bench.check();
}

#[test]
fn gaps_are_told() {
    let bench = Bench::evicting(256 << 10);
    let a = bench.worker();
    a.publish("quiet", "first", true).unwrap();
    let since = |tag| ResumePoint { time: Some(START), tag: Some(tag), ..ResumePoint::default() };
    let items = [JoinItem { id: b"quiet", backtrack: 0 }];
    assert!(bench.zone.gaps(&items, &since(0), START).is_empty());
    while bench.zone.channel_info(b"quiet").unwrap().stored == 1 {
        a.publish("loud", &"x".repeat(1000), true).unwrap();
    }
    assert_eq!(bench.zone.gaps(&items, &since(0), START)[..], [0]);
    assert!(bench.zone.gaps(&items, &since(1), START).is_empty(), "it had that one");
}

#[test]
fn a_channel_emptied_by_others_ends_with_its_period() {
    // LIFE-30.
    let bench = Bench::evicting(256 << 10);
    let a = bench.worker();
    a.publish("quiet", "first", true).unwrap();
    let publish = |now| {
        for _ in 0..300 {
            a.publish_at("loud", &"x".repeat(1000), true, now).unwrap();
        }
    };
    publish(START);
    assert_eq!(bench.zone.channel_info(b"quiet").unwrap().stored, 0);
    bench.zone.sweep(START + 30);
    assert!(bench.zone.channel_info(b"quiet").is_some(), "its period has not ended");
    bench.zone.sweep(START + 31);
    assert!(bench.zone.channel_info(b"quiet").is_none());
    // One whose period had ended while the message kept it goes at once.
    a.publish_at("late", "first", true, START + 40).unwrap();
    bench.zone.sweep(START + 100);
    assert!(bench.zone.channel_info(b"late").is_some());
    publish(START + 100);
    bench.zone.sweep(START + 100);
    assert!(bench.zone.channel_info(b"late").is_none());
    bench.check();
}

#[test]
fn expired_and_deleted_messages_go_first() {
    let bench = Bench::evicting(256 << 10);
    let a = bench.worker();
    let short = Limits { message_ttl: 1, ..bench.limits.clone() };
    a.publish("keep", "the oldest", true).unwrap();
    let parts = Parts { text: &[&[b'x'; 1000]], ..Parts::default() };
    let publish = Publish { me: a.me, parts, store: true, limits: &short, now: START };
    for _ in 0..150 {
        bench.zone.publish(&[b"short"], &publish).unwrap();
    }
    for _ in 0..140 {
        a.publish_at("long", &"x".repeat(1000), true, START + 2).unwrap();
    }
    bench.check();
    assert_eq!(bench.evicted(), 0);
    assert_eq!(bench.zone.channel_info(b"keep").unwrap().stored, 1);
}

#[test]
fn a_reader_goes_on_with_what_is_left() {
    let bench = Bench::evicting(256 << 10);
    let (a, b) = (bench.worker(), bench.worker());
    for _ in 0..100 {
        a.publish("c", &"x".repeat(500), true).unwrap();
    }
    let joined = b.join("c", u64::MAX).unwrap();
    let step = bench.zone.read_history(b.me, joined.history.unwrap(), usize::MAX, START);
    let first: Vec<u64> = step.page.messages().map(|m| m.id).collect();
    let next = step.next.unwrap();
    assert_eq!(first, (1..=32).collect::<Vec<_>>());
    for _ in 0..2000 {
        a.publish("other", &"x".repeat(500), true).unwrap();
    }
    // What is being formatted has not changed.
    assert!(step.page.gaps().is_empty());
    assert!(step.page.messages().all(|m| m.text == [b'x'; 500]));
    drop(step.page);
    let step = bench.zone.read_history(b.me, next, usize::MAX, START);
    let ids: Vec<u64> = step.page.messages().map(|m| m.id).collect();
    assert_eq!(ids, [33], "the one it was at; the rest is gone");
    assert_eq!(step.page.gaps(), [Gap { at: 1, channel_id: b"c"[..].into() }]);
    assert!(step.next.is_none());
    drop(step.page);
    b.leave(Subscription { history: None, ..joined });
    bench.check();
}

/// One publish of the model: channel, bytes, stored.
type Sent = (usize, usize, bool);

fn sent() -> impl Strategy<Value = Sent> {
    let bytes = prop_oneof![6 => 0..300usize, 3 => 300..3000usize, 1 => 3000..20_000usize];
    (0..6usize, bytes, prop::bool::weighted(0.9))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Each history is a row of the newest messages, and no channel has lost one that is younger than
    /// one that another still has: the oldest of all go first.
    #[test]
    fn the_oldest_of_all_go_first(sent in prop::collection::vec(sent(), 300..900)) {
        let bench = Bench::evicting(256 << 10);
        let a = bench.worker();
        let mut stamps: BTreeMap<usize, VecDeque<(u64, usize)>> = BTreeMap::new();
        for (order, &(channel, bytes, store)) in sent.iter().enumerate() {
            let id = format!("c{channel}");
            let published = a.publish(&id, &"x".repeat(bytes), store).unwrap();
            if store {
                let id = published.channels[0].published;
                stamps.entry(channel).or_default().push_back((id, order));
            }
            let mut stored = 0;
            for (channel, expected) in &mut stamps {
                let there = bench.zone.channel_info(format!("c{channel}").as_bytes()).unwrap().stored;
                while expected.len() as u64 > there {
                    expected.pop_front();
                }
                assert_eq!(expected.len() as u64, there);
                stored += there;
            }
            assert_eq!(bench.zone.totals(START).stored, stored);
        }
        bench.check();
        let mut there = 0;
        for (channel, expected) in &stamps {
            let ids = bench.stored(&format!("c{channel}"));
            assert_eq!(ids, expected.iter().map(|m| m.0).collect::<Vec<_>>());
            there += ids.len();
        }
        // What is there is what was stored last.
        let mut newest: Vec<usize> = stamps.values().flatten().map(|m| m.1).collect();
        newest.sort_unstable();
        let all: Vec<usize> = (0..sent.len()).filter(|&i| sent[i].2).collect();
        assert_eq!(newest, all[all.len() - there..]);
        assert_eq!(bench.evicted(), (all.len() - there) as u64);
    }
}

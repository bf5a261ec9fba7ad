//! What the events channel tells, and in which order.

use super::*;

const MIB: usize = 1 << 20;
const EVENTS: &str = "events";

fn with_events(len: usize) -> Bench {
    let bench = Bench::new(len);
    configure(&bench, EVENTS).unwrap();
    bench
}

fn configure(bench: &Bench, id: &str) -> Result<(), EventsTurn> {
    bench.zone.configure_events(id.as_bytes(), &bench.limits, START)
}

fn event(kind: &str, channel: &str) -> String {
    format!("{{\"type\": \"{kind}\", \"channel\": \"{channel}\"}}")
}

impl Worker<'_> {
    /// All that a channel stores: type words and texts.
    fn told(&self, id: &str) -> Vec<(String, String)> {
        let mut subscription = self.join(id, u64::MAX).unwrap();
        let mut told = Vec::new();
        while let Some(bookmark) = subscription.history.take() {
            let step = self.bench.zone.read_history(self.me, bookmark, usize::MAX, START);
            subscription.history = step.next;
            for m in step.page.messages() {
                assert_eq!((m.event_id, m.binary), (None, false), "DIR-188");
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                told.push((text(m.event_type.unwrap()), text(m.text)));
            }
        }
        self.leave(subscription);
        told
    }

    /// Type and channel of all events, checked for their exact text.
    fn events(&self) -> Vec<(String, String)> {
        let told = self.told(EVENTS);
        told.into_iter()
            .map(|(kind, text)| {
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                let channel = value["channel"].as_str().unwrap().to_string();
                (kind, channel)
            })
            .collect()
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(kind, id)| (kind.to_string(), id.to_string())).collect()
}

#[test]
fn the_channel_exists_and_stays() {
    // EVT-2, EVT-3, DIR-186, STAT-17.
    let bench = with_events(MIB);
    assert_eq!(bench.zone.channel_info(b"events"), Some(ChannelCounts::default()));
    assert_eq!(bench.zone.totals(START).channels, 1);
    assert!(!bench.zone.sweep(START + 1_000_000).more);
    assert_eq!(bench.zone.channel_info(b"events"), Some(ChannelCounts::default()));
    bench.check();
}

#[test]
fn every_kind_is_told_in_order() {
    // EVT-4..10, DIR-188, DIR-189.
    let mut bench = with_events(MIB);
    bench.limits.inactivity = 5;
    let a = bench.worker();
    a.publish("c", "x", false).unwrap();
    let subscription = a.join("c", 0).unwrap();
    a.leave(subscription);
    bench.zone.sweep(START + 6);
    assert_eq!(
        a.told(EVENTS),
        pairs(&[
            ("channel_created", &event("channel_created", "c")),
            ("client_subscribed", &event("client_subscribed", "c")),
            ("client_unsubscribed", &event("client_unsubscribed", "c")),
            ("channel_destroyed", &event("channel_destroyed", "c")),
        ])
    );
    bench.check();
}

#[test]
fn a_deletion_is_told_behind_its_subscribers_ends() {
    // EVT-9, EVT-10, PUB-93.
    let bench = with_events(MIB);
    let (a, b) = (bench.worker(), bench.worker());
    let (first, second) = (a.join("c", 0).unwrap(), b.join("c", 0).unwrap());
    a.publish("unused", "x", true).unwrap();
    assert!(a.delete("c").is_some() && a.delete("unused").is_some());
    bench.check();
    b.leave(second);
    bench.check();
    a.leave(first);
    bench.check();
    assert_eq!(
        a.events(),
        pairs(&[
            ("channel_created", "c"),
            ("client_subscribed", "c"),
            ("client_subscribed", "c"),
            ("channel_created", "unused"),
            ("channel_destroyed", "unused"),
            ("client_unsubscribed", "c"),
            ("client_unsubscribed", "c"),
            ("channel_destroyed", "c"),
        ])
    );
}

#[test]
fn created_come_first_and_later_subscriptions_are_seen() {
    // EVT-20, EVT-21.
    let bench = with_events(MIB);
    let a = bench.worker();
    let items = ["x", EVENTS, "y", "z"].map(|id| JoinItem { id: id.as_bytes(), backtrack: 0 });
    let joined = a.join_since(&items, &ResumePoint::default()).unwrap();
    let live: Vec<String> = a
        .mail()
        .into_iter()
        .filter(|(id, _)| *id >= joined[1].live_from)
        .map(|(_, text)| text)
        .collect();
    assert_eq!(live, [event("client_subscribed", "y"), event("client_subscribed", "z")]);
    assert_eq!(
        a.events(),
        pairs(&[
            ("channel_created", "x"),
            ("channel_created", "y"),
            ("channel_created", "z"),
            ("client_subscribed", "x"),
            ("client_subscribed", "y"),
            ("client_subscribed", "z"),
        ])
    );
    bench.check();
}

#[test]
fn workers_on_the_events_channel_are_woken() {
    let mut bench = with_events(MIB);
    bench.limits.inactivity = 5;
    let (a, b) = (bench.worker(), bench.worker());
    b.join(EVENTS, 0).unwrap();
    let told = || b.mail().len();
    let limits = &bench.limits;

    assert_eq!(a.publish("c", "x", false).unwrap().wake.as_slice(), [b.me]);
    assert_eq!(told(), 1);
    let items = [JoinItem { id: b"d", backtrack: 0 }];
    let (since, rules) = (ResumePoint::default(), JoinRules::default());
    let joined = bench.zone.join(a.me, &items, &since, &rules, limits, START).unwrap();
    assert_eq!((joined.wake.as_slice(), told()), (&[b.me][..], 2));
    let wake = bench.zone.leave(a.me, &joined.subscriptions, limits, START);
    assert_eq!((wake.as_slice(), told()), (&[b.me][..], 1));
    assert_eq!((a.delete("d").unwrap().as_slice(), told()), (&[b.me][..], 1));
    assert_eq!((bench.zone.sweep(START + 6).wake.as_slice(), told()), (&[b.me][..], 1));
    a.join("e", 0).unwrap();
    assert_eq!(told(), 2);
    let wake = bench.zone.leave_slot(a.me, limits, START);
    assert_eq!((wake.as_slice(), told()), (&[b.me][..], 1));
    bench.check();
}

#[test]
fn totals_are_those_of_user_messages() {
    // EVT-13, LIFE-79, STAT-49..51, DIR-194.
    let mut bench = with_events(MIB);
    let a = bench.worker();
    for i in 0..10 {
        a.publish(&format!("c{i}"), "x", true).unwrap();
    }
    let me = a.me;
    bench.limits.message_ttl = 5;
    configure(&bench, EVENTS).unwrap();
    let a = Worker { bench: &bench, me };
    for i in 0..30 {
        let subscription = a.join(&format!("c{}", i % 10), 0).unwrap();
        a.leave(subscription);
    }
    let events = || bench.zone.channel_info(b"events").unwrap();
    assert_eq!((events().published, events().stored), (70, 70));
    let totals = |now| {
        let totals = bench.zone.totals(now);
        (totals.published, totals.stored)
    };
    assert_eq!(totals(START), (10, 10));
    bench.check();
    bench.zone.sweep(START + 6);
    // Those of the long ttl come first and hold the others up (LIFE-42).
    assert_eq!((events().published, events().stored), (70, 70));
    bench.zone.sweep(START + 1799);
    assert_eq!(totals(START + 1799), (10, 10));
    bench.zone.sweep(START + 1800);
    assert_eq!(totals(START + 1800), (10, 0));
    assert_eq!((events().published, events().stored), (80, 10), "the ends of the channels");
    bench.check();
}

#[test]
fn limits_of_the_configuration_hold_for_events() {
    // EVT-12.
    let mut bench = Bench::new(MIB);
    bench.limits.max_stored = Some(3);
    bench.limits.message_ttl = 10;
    configure(&bench, EVENTS).unwrap();
    let a = bench.worker();
    for i in 0..5 {
        a.publish(&format!("c{i}"), "x", false).unwrap();
    }
    let expected =
        pairs(&[("channel_created", "c2"), ("channel_created", "c3"), ("channel_created", "c4")]);
    assert_eq!(a.events(), expected);
    bench.check();
    bench.zone.sweep(START + 10);
    let info = bench.zone.channel_info(b"events").unwrap();
    assert_eq!((info.published, info.stored), (5, 0));
    bench.check();
}

#[test]
fn ids_are_escaped() {
    // DIR-192, EVT-6.
    let bench = with_events(MIB);
    let a = bench.worker();
    a.publish("q\"x\\\n", "x", false).unwrap();
    assert_eq!(a.told(EVENTS)[0].1, event("channel_created", r#"q\"x\\\n"#));
}

#[test]
fn nobody_else_publishes_there() {
    // EVT-17, PUB-94: the whole request is refused.
    let bench = with_events(MIB);
    let a = bench.worker();
    let parts = Parts { text: &[b"x"], ..Parts::default() };
    let publish = Publish { me: a.me, parts, store: true, limits: &bench.limits, now: START };
    let refused = bench.zone.publish(&[b"new", b"events"], &publish);
    assert_eq!(refused.err(), Some(StoreError::EventsChannel));
    assert!(bench.zone.channel_info(b"new").is_none());
    assert!(bench.zone.delete(a.me, b"events", Some(&[b"bye"]), START).is_none());
    assert_eq!(bench.zone.channel_info(b"events"), Some(ChannelCounts::default()));
    assert!(bench.zone.is_events_channel(b"events") && !bench.zone.is_events_channel(b"new"));
    bench.check();
}

#[test]
fn subscribing_needs_leave_and_perhaps_an_event() {
    // ADM-6, EVT-15, EVT-16.
    let bench = with_events(MIB);
    let a = bench.worker();
    let items = [JoinItem { id: b"events", backtrack: 0 }];
    let admit = |rules: JoinRules| bench.zone.admit(&items, &rules, &bench.limits).err();
    assert_eq!(admit(JoinRules::default()), Some(StoreError::EventsNotAllowed));
    let open = JoinRules { events: true, ..JoinRules::default() };
    assert_eq!(admit(open), None);
    let authorized = JoinRules { authorized_only: true, ..open };
    assert_eq!(admit(authorized), Some(StoreError::NotAuthorized));
    a.publish("c", "x", false).unwrap();
    assert_eq!(admit(authorized), None);
}

#[test]
fn the_channel_moves_with_the_configuration() {
    // DIR-195 (sane): added, changed, removed, and back.
    let mut bench = Bench::new(MIB);
    bench.limits.inactivity = 5;
    bench.limits.message_ttl = 10;
    let a = bench.worker();
    a.publish("new", "a message of a user", true).unwrap();
    configure(&bench, "old").unwrap();
    a.publish("c", "x", false).unwrap();
    assert_eq!(bench.zone.totals(START).stored, 1);
    assert_eq!(bench.zone.totals(START).channels, 3);

    configure(&bench, "new").unwrap();
    bench.check();
    assert!(bench.zone.is_events_channel(b"new") && !bench.zone.is_events_channel(b"old"));
    assert_eq!(bench.zone.totals(START).stored, 1, "the events are ordinary messages now");
    a.publish("old", "x", true).unwrap();
    a.publish("d", "x", false).unwrap();
    assert_eq!(bench.zone.channel_info(b"new").unwrap().stored, 2);
    assert_eq!(bench.zone.channel_info(b"old").unwrap().stored, 2);

    configure(&bench, "").unwrap();
    bench.check();
    a.publish("e", "x", false).unwrap();
    a.publish("new", "x", true).unwrap();
    assert_eq!(bench.zone.totals(START).stored, 5);
    assert!(a.delete("old").is_some());
    bench.check();
    assert!(!bench.zone.sweep(START + 100).more);
    assert_eq!(bench.zone.totals(START + 100).channels, 0, "nothing is kept any more");
    bench.check();
}

#[test]
fn an_adopted_channel_keeps_its_subscribers() {
    let bench = Bench::new(MIB);
    let (a, b) = (bench.worker(), bench.worker());
    let subscription = b.join(EVENTS, 0).unwrap();
    configure(&bench, EVENTS).unwrap();
    a.publish("c", "x", false).unwrap();
    assert_eq!(b.mail(), [(1, event("channel_created", "c"))]);
    b.leave(subscription);
    assert_eq!(a.events(), pairs(&[("channel_created", "c")]), "nothing of itself (EVT-11)");
    bench.check();
}

#[test]
fn a_dead_workers_subscriptions_are_told_one_by_one() {
    let bench = with_events(MIB);
    let a = bench.worker();
    std::thread::scope(|scope| {
        let died = scope.spawn(|| {
            let b = bench.worker();
            b.join("c", 0).unwrap();
            b.join("c", 0).unwrap();
            b.join("d", 0).unwrap();
            b.join(EVENTS, 0).unwrap();
        });
        died.join().unwrap();
    });
    a.delete("d").unwrap();
    bench.zone.reclaim_dead(Some(a.me), &bench.limits, START);
    bench.check();
    let events = a.events();
    assert_eq!(
        events[5..],
        pairs(&[
            ("client_unsubscribed", "c"),
            ("client_unsubscribed", "c"),
            ("client_unsubscribed", "d"),
            ("channel_destroyed", "d"),
        ])
    );
}

#[test]
fn a_full_zone_drops_events_and_nothing_else() {
    // EVT-14, LIFE-56.
    let mut bench = with_events(128 << 10);
    bench.limits.inactivity = 5;
    let (a, b) = (bench.worker(), bench.worker());
    let subscription = b.join("c", 0).unwrap();
    b.join(EVENTS, 0).unwrap();
    for len in [3000, 100, 1] {
        while a.publish("full", &"x".repeat(len), true).is_ok() {}
    }
    let told = bench.zone.channel_info(b"events").unwrap().published;
    let dropped = || bench.zone.totals(START).dropped[DropCause::Memory as usize];
    let before = dropped();
    assert!(a.delete("c").is_some());
    bench.check();
    b.leave(subscription);
    bench.check();
    let lost = bench.zone.channel_info(b"events").unwrap().published - told + dropped() - before;
    assert_eq!(lost, 2, "each event was told or dropped");
    assert!(dropped() > before, "the zone was full");
    assert!(a.delete("full").is_some());
    bench.check();
    let told = bench.zone.channel_info(b"events").unwrap().published;
    a.publish("again", "x", true).unwrap();
    assert_eq!(bench.zone.channel_info(b"events").unwrap().published, told + 1);
    bench.check();
}

#[test]
fn a_refused_operation_balances() {
    let bench = with_events(128 << 10);
    let a = bench.worker();
    while a.publish("full", &"x".repeat(3000), true).is_ok() {}
    let ids: Vec<String> = (0..2000).map(|i| format!("channel-with-a-name-{i}")).collect();
    let items: Vec<_> = ids.iter().map(|id| JoinItem { id: id.as_bytes(), backtrack: 0 }).collect();
    assert_eq!(a.join_since(&items, &ResumePoint::default()).err(), Some(StoreError::Full));
    bench.check();
    assert_eq!(bench.zone.totals(START).channels, 2);
}

#[test]
fn a_full_zone_gets_its_events_channel_later() {
    // DIR-195 (sane): created on demand.
    let bench = Bench::new(128 << 10);
    let a = bench.worker();
    for len in [3000, 100, 1] {
        while a.publish("full", &"x".repeat(len), true).is_ok() {}
    }
    let long = "e".repeat(300);
    let turn = configure(&bench, &long).unwrap_err();
    bench.check();
    let retry = |turn| bench.zone.retry_events(turn, long.as_bytes(), &bench.limits, START);
    assert!(!retry(turn));
    a.delete("full").unwrap();
    assert!(retry(turn) && bench.zone.is_events_channel(long.as_bytes()));
    configure(&bench, "").unwrap();
    assert!(retry(turn), "a newer configuration has decided");
    assert!(!bench.zone.is_events_channel(long.as_bytes()));
    bench.check();
}

#[test]
fn what_a_dead_process_noted_is_told_by_the_next() {
    let bench = with_events(MIB);
    let a = bench.worker();
    std::thread::scope(|scope| {
        let died = scope.spawn(|| {
            let tx = bench.zone.begin();
            tx.create_channel(b"c", &bench.limits, START).unwrap();
            tx.commit();
            tx.create_channel(b"half", &bench.limits, START).unwrap();
            // Gone with the lock.
            std::mem::forget(tx);
        });
        died.join().unwrap();
    });
    bench.check();
    assert_eq!(a.events(), pairs(&[("channel_created", "c")]));
}

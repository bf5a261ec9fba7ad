//! Polling clients that come back with what they were told: whatever happens meanwhile, each stored
//! message of their channels reaches them once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const CHANNELS: u8 = 4;
const WORKERS: usize = 2;

#[derive(Debug, Clone)]
enum Op {
    Publish {
        worker: usize,
        channel: u8,
        store: bool,
    },
    /// A poller asks, unless it is waiting.
    Poll {
        poller: usize,
        patience: WaitPolicy,
    },
    /// A worker takes some of its mail, then its notices.
    Take {
        worker: usize,
        most: usize,
    },
    /// The time of a waiting poller is up. `forced`: it cannot be given more (its worker leaves).
    End {
        poller: usize,
        forced: bool,
    },
    Delete {
        worker: usize,
        channel: u8,
    },
    /// The clock goes on, or back.
    Step {
        seconds: i64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let (worker, channel, poller) = (0..WORKERS, 0..CHANNELS, 0..POLLERS.len());
    let patience = prop_oneof![Just(WaitPolicy::None), Just(WaitPolicy::Wait)];
    prop_oneof![
        8 => (worker.clone(), channel.clone(), prop::bool::weighted(0.8))
            .prop_map(|(worker, channel, store)| Op::Publish { worker, channel, store }),
        8 => (poller.clone(), patience).prop_map(|(poller, patience)| Op::Poll { poller, patience }),
        4 => (worker.clone(), 0..4usize).prop_map(|(worker, most)| Op::Take { worker, most }),
        3 => (poller, any::<bool>()).prop_map(|(poller, forced)| Op::End { poller, forced }),
        1 => (worker, channel).prop_map(|(worker, channel)| Op::Delete { worker, channel }),
        2 => (-3..4i64).prop_map(|seconds| Op::Step { seconds }),
    ]
}

/// What a poller says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// That it has nothing: it is to get everything.
    Epoch,
    /// Nothing: it is to get what comes after its first wait began.
    Nothing,
    /// A time that has not come: it is to get what comes after its first request.
    Later,
}

const POLLERS: [(&[u8], First); 6] = [
    (&[0], First::Epoch),
    (&[0, 1], First::Epoch),
    (&[3, 1, 2, 0], First::Epoch),
    (&[1, 2], First::Nothing),
    (&[2, 3], First::Nothing),
    (&[1, 3], First::Later),
];

#[derive(Debug, Clone, Copy)]
struct Sent {
    channel: u8,
    stored: bool,
    deleted: bool,
}

struct Poller {
    channels: &'static [u8],
    worker: usize,
    position: Position,
    /// What it is to get, from this number on; none before it has first asked.
    from: Option<usize>,
    waiting: Option<(Subscriptions, WaitStart)>,
    seen: BTreeMap<usize, usize>,
}

struct Run {
    bench: Bench,
    workers: Vec<SlotId>,
    now: u64,
    /// All messages in the order of publishing; the text of each is its number here.
    sent: Vec<Sent>,
    pollers: Vec<Poller>,
}

fn name(channel: u8) -> String {
    format!("channel-{channel}")
}

fn number(m: &MessageRef<'_>) -> usize {
    std::str::from_utf8(m.text).unwrap().parse().unwrap()
}

impl Run {
    fn new() -> Run {
        let mut bench = Bench::new(4 << 20);
        bench.limits = Limits { message_ttl: 1 << 20, inactivity: 1 << 20, ..Limits::default() };
        let workers = (0..WORKERS).map(|_| bench.worker().me).collect();
        let poller = |(i, (channels, first)): (usize, &(&'static [u8], First))| {
            let position = match first {
                First::Epoch => Position { time: Some(0), tag: Some(0) },
                First::Nothing => Position::default(),
                First::Later => Position { time: Some(START + (1 << 20)), tag: None },
            };
            Poller {
                channels,
                worker: i % WORKERS,
                position,
                from: (*first == First::Epoch).then_some(0),
                waiting: None,
                seen: BTreeMap::new(),
            }
        };
        let pollers = POLLERS.iter().enumerate().map(poller).collect();
        Run { bench, workers, now: START, sent: Vec::new(), pollers }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Publish { worker, channel, store } => {
                let text = self.sent.len().to_string();
                let worker = Worker { bench: &self.bench, me: self.workers[worker] };
                let published = worker.publish_at(&name(channel), &text, store, self.now).unwrap();
                assert!(published.stuck.is_empty());
                self.sent.push(Sent { channel, stored: store, deleted: false });
            }
            Op::Poll { poller, patience } => {
                // One that says nothing has to wait: nobody else knows since when.
                let p = &self.pollers[poller];
                let knows = p.from.is_some() || p.position.time.is_some();
                self.poll(poller, if knows { patience } else { WaitPolicy::Wait });
            }
            Op::Take { worker, most } => self.take(worker, most),
            Op::End { poller, forced } => self.end(poller, forced),
            Op::Delete { worker, channel } => {
                let me = self.workers[worker];
                if self.bench.zone.delete(me, name(channel).as_bytes(), None, self.now).is_some() {
                    let of_it = |sent: &&mut Sent| sent.channel == channel;
                    self.sent.iter_mut().filter(of_it).for_each(|sent| sent.deleted = true);
                }
            }
            Op::Step { seconds } => self.now = self.now.saturating_add_signed(seconds),
        }
    }

    fn poll(&mut self, poller: usize, patience: WaitPolicy) {
        let (zone, limits, now, sent) =
            (self.bench.zone, &self.bench.limits, self.now, self.sent.len());
        let p = &mut self.pollers[poller];
        if p.waiting.is_some() {
            return;
        }
        p.from.get_or_insert(sent);
        let me = self.workers[p.worker];
        let names: Vec<String> = p.channels.iter().map(|&channel| name(channel)).collect();
        let items: Vec<_> =
            names.iter().map(|name| JoinItem { id: name.as_bytes(), backtrack: 0 }).collect();
        let Position { time, tag } = p.position;
        let since = ResumePoint { time, tag, event_id: None };
        let rules = JoinRules::default();
        let ask =
            PollRequest { items: &items, since: &since, patience, rules: &rules, limits, now };
        match zone.poll(me, &ask).unwrap().poll {
            Poll::Found { history, position } => {
                assert!(!history.is_empty());
                for bookmark in history {
                    let mut next = Some(bookmark);
                    while let Some(bookmark) = next {
                        let step = zone.read_history(me, bookmark, usize::MAX, now);
                        next = step.next;
                        step.page.messages().for_each(|m| p.saw(number(&m)));
                    }
                }
                p.position = position;
            }
            Poll::Nothing { position } => {
                assert_eq!(patience, WaitPolicy::None);
                p.position = position;
            }
            Poll::Waiting { subscriptions, began } => p.waiting = Some((subscriptions, began)),
        }
    }

    /// What a worker does with its mail: a waiting poller gets one message and is gone.
    fn take(&mut self, worker: usize, most: usize) {
        let (zone, me, now) = (self.bench.zone, self.workers[worker], self.now);
        let mail = zone.mail(me);
        for m in mail.messages().take(most) {
            while let Some(notice) = zone.notice_before(me, m.stamp, 0) {
                self.tell(worker, &notice);
            }
            for p in self.pollers.iter_mut().filter(|p| p.worker == worker) {
                let wanted = |s: &Subscription| s.channel == m.channel && s.live_from <= m.id;
                if p.waiting.as_ref().is_some_and(|(all, _)| all.iter().any(wanted)) {
                    p.saw(number(&m));
                    p.position = m.stamp.into();
                    let (gone, _) = p.waiting.take().unwrap();
                    drop(zone.leave(me, &gone, &self.bench.limits, now));
                }
            }
        }
        drop(mail);
        let (mut skip, mut last) = (0, None);
        while let Some(notice) = zone.notice(me, skip) {
            if last.replace(notice.channel) == Some(notice.channel) {
                skip += 1;
                continue;
            }
            self.tell(worker, &notice);
        }
    }

    /// The waits on a deleted channel end.
    fn tell(&mut self, worker: usize, notice: &Notice<'_>) {
        let standing = Progress::Clear { newest: notice.stamp };
        for p in self.pollers.iter_mut().filter(|p| p.worker == worker) {
            let Some((waiting, began)) = &p.waiting else { continue };
            let now = self.bench.zone.standing(self.workers[worker], waiting, self.now);
            let up_to_it = match now {
                Progress::Clear { .. } => true,
                Progress::Behind { taken } => taken >= notice.stamp,
            };
            if notice.is_early && waiting.len() > 1 && !up_to_it {
                continue;
            }
            if waiting.iter().any(|subscription| subscription.channel == notice.channel) {
                p.position = standing.resume(began);
                let (zone, limits) = (self.bench.zone, &self.bench.limits);
                drop(zone.leave(self.workers[worker], waiting, limits, self.now));
                p.waiting = None;
            }
        }
    }

    fn end(&mut self, poller: usize, forced: bool) {
        let (zone, now) = (self.bench.zone, self.now);
        let p = &mut self.pollers[poller];
        let Some((waiting, began)) = &p.waiting else { return };
        let me = self.workers[p.worker];
        let standing = zone.standing(me, waiting, now);
        if !forced && matches!(standing, Progress::Behind { .. }) {
            return;
        }
        p.position = standing.resume(began);
        drop(zone.leave(me, waiting, &self.bench.limits, now));
        p.waiting = None;
    }

    /// All waits end, everybody asks once more, and everything has been seen.
    fn finish(&mut self) {
        for worker in 0..WORKERS {
            self.take(worker, usize::MAX);
        }
        for poller in 0..self.pollers.len() {
            self.end(poller, true);
            if self.pollers[poller].from.is_some() {
                self.poll(poller, WaitPolicy::None);
            }
        }
        for (i, p) in self.pollers.iter().enumerate() {
            assert!(p.seen.values().all(|&times| times == 1), "poller {i}: {:?}", p.seen);
            let missed: BTreeSet<usize> = (p.from.unwrap_or(usize::MAX)..self.sent.len())
                .filter(|&n| p.channels.contains(&self.sent[n].channel))
                .filter(|&n| self.sent[n].stored && !self.sent[n].deleted)
                .filter(|n| !p.seen.contains_key(n))
                .collect();
            assert!(missed.is_empty(), "poller {i} of {:?} missed {missed:?}", p.channels);
        }
        self.bench.check();
    }
}

impl Poller {
    fn saw(&mut self, number: usize) {
        *self.seen.entry(number).or_default() += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_poller_sees_each_stored_message_once(ops in prop::collection::vec(op(), 1..80)) {
        let mut run = Run::new();
        for op in &ops {
            run.apply(op);
        }
        run.finish();
    }
}

//! Random operations on the store and on a simple single-threaded model of it, side by side.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

const WORKERS: usize = 3;
const MAX_STORED: u64 = 6;
const TTL: u64 = 20;
const INACTIVITY: u64 = 7;

#[derive(Debug, Clone)]
enum Op {
    Publish { worker: usize, channel: u8, len: usize, store: bool },
    Join { worker: usize, channel: u8, backtrack: u64 },
    Leave { which: usize },
    Read { worker: usize },
    Delete { worker: usize, channel: u8 },
    Die { worker: usize },
    Pass { seconds: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let worker = 0..WORKERS;
    let channel = 0..5u8;
    prop_oneof![
        8 => (worker.clone(), channel.clone(), 0..3000usize, any::<bool>())
            .prop_map(|(worker, channel, len, store)| Op::Publish { worker, channel, len, store }),
        4 => (worker.clone(), channel.clone(), 0..9u64)
            .prop_map(|(worker, channel, backtrack)| Op::Join { worker, channel, backtrack }),
        3 => any::<usize>().prop_map(|which| Op::Leave { which }),
        4 => worker.clone().prop_map(|worker| Op::Read { worker }),
        1 => (worker.clone(), channel).prop_map(|(worker, channel)| Op::Delete { worker, channel }),
        1 => worker.prop_map(|worker| Op::Die { worker }),
        2 => (1..9u64).prop_map(|seconds| Op::Pass { seconds }),
    ]
}

#[derive(Default)]
struct ModelChannel {
    liveness: u64,
    last_id: u64,
    /// Id, text length, expiry.
    stored: VecDeque<(u64, usize, u64)>,
    deadline: u64,
}

struct ModelSubscriber {
    worker: usize,
    channel: u8,
    liveness: u64,
    subscription: Subscription,
    expected: VecDeque<(u64, usize)>,
}

#[derive(Default)]
struct Model {
    now: u64,
    lives: u64,
    published: u64,
    channels: BTreeMap<u8, ModelChannel>,
    subscribers: Vec<ModelSubscriber>,
    /// Events of the operation.
    told: Vec<(Event, u8)>,
}

impl Model {
    fn channel(&mut self, channel: u8) -> &mut ModelChannel {
        let Model { channels, lives, told, .. } = self;
        channels.entry(channel).or_insert_with(|| {
            *lives += 1;
            told.push((Event::ChannelCreated, channel));
            ModelChannel { liveness: *lives, ..ModelChannel::default() }
        })
    }

    fn publish(&mut self, channel: u8, len: usize, store: bool) {
        let now = self.now;
        self.published += 1;
        let c = self.channel(channel);
        c.last_id += 1;
        c.deadline = now + INACTIVITY;
        let (id, liveness) = (c.last_id, c.liveness);
        if store {
            c.stored.push_back((id, len, now + TTL));
            if c.stored.len() as u64 > MAX_STORED {
                c.stored.pop_front();
            }
        }
        for s in
            self.subscribers.iter_mut().filter(|s| s.channel == channel && s.liveness == liveness)
        {
            s.expected.push_back((id, len));
        }
    }

    fn subscribed(&self, channel: u8) -> usize {
        let liveness = self.channels.get(&channel).map(|c| c.liveness);
        self.subscribers
            .iter()
            .filter(|s| s.channel == channel && Some(s.liveness) == liveness)
            .count()
    }

    fn leave(&mut self, index: usize) -> ModelSubscriber {
        let gone = self.subscribers.swap_remove(index);
        self.told.push((Event::ClientUnsubscribed, gone.channel));
        if self.subscribed(gone.channel) == 0 {
            let now = self.now;
            if let Some(c) =
                self.channels.get_mut(&gone.channel).filter(|c| c.liveness == gone.liveness)
            {
                c.deadline = now + INACTIVITY;
            }
        }
        gone
    }

    fn sweep(&mut self) {
        let now = self.now;
        for c in self.channels.values_mut() {
            while c.stored.front().is_some_and(|m| m.2 <= now) {
                c.stored.pop_front();
            }
        }
        let gone: Vec<u8> = self
            .channels
            .iter()
            .filter(|(id, c)| c.stored.is_empty() && c.deadline < now && self.subscribed(**id) == 0)
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            self.channels.remove(&id);
            self.told.push((Event::ChannelDestroyed, id));
        }
    }
}

fn name(channel: u8) -> String {
    format!("{}channel-{channel}", if channel == 4 { "w_" } else { "" })
}

struct Run {
    bench: Bench,
    model: Model,
    workers: Vec<SlotId>,
    /// Events so far.
    told: u64,
}

impl Run {
    fn new() -> Run {
        let mut bench = Bench::new(1 << 20);
        bench.limits = Limits {
            message_ttl: TTL,
            inactivity: INACTIVITY,
            max_stored: Some(MAX_STORED),
            wildcard_prefix: b"w_".to_vec(),
            ..Limits::default()
        };
        // All events are kept.
        let kept = Limits { message_ttl: 1 << 30, ..Limits::default() };
        bench.zone.configure_events(b"events", &kept, START).unwrap();
        let workers = (0..WORKERS).map(|_| bench.worker().me).collect();
        Run { bench, workers, told: 0, model: Model { now: START, ..Model::default() } }
    }

    fn apply(&mut self, op: &Op) {
        let zone = self.bench.zone;
        let now = self.model.now;
        match *op {
            Op::Publish { worker, channel, len, store } => {
                let text = vec![b'x'; len];
                let text: &[&[u8]] = &[&text];
                let publish = Publish {
                    me: self.workers[worker],
                    parts: Parts { text, ..Parts::default() },
                    store,
                    limits: &self.bench.limits,
                    now,
                };
                zone.publish(&[name(channel).as_bytes()], &publish).unwrap();
                self.model.publish(channel, len, store);
            }
            Op::Join { worker, channel, backtrack } => self.join(worker, channel, backtrack),
            Op::Leave { which } => {
                if !self.model.subscribers.is_empty() {
                    let index = which % self.model.subscribers.len();
                    self.read(self.model.subscribers[index].worker);
                    let gone = self.model.leave(index);
                    let me = self.workers[gone.worker];
                    _ = zone.leave(me, &[gone.subscription], &self.bench.limits, now);
                }
            }
            Op::Read { worker } => self.read(worker),
            Op::Delete { worker, channel } => {
                let existed = self.model.channels.contains_key(&channel);
                let me = self.workers[worker];
                let wake = zone.delete(me, name(channel).as_bytes(), None, now);
                assert_eq!(wake.is_some(), existed);
                (0..WORKERS).for_each(|worker| self.read(worker));
                self.end_deleted(channel);
                if self.model.channels.remove(&channel).is_some() {
                    self.model.told.push((Event::ChannelDestroyed, channel));
                }
            }
            Op::Die { worker } => {
                zone.leave_slot(self.workers[worker], &self.bench.limits, now);
                while let Some(i) = self.model.subscribers.iter().position(|s| s.worker == worker) {
                    self.model.leave(i);
                }
                self.workers[worker] = self.bench.worker().me;
            }
            Op::Pass { seconds } => {
                self.model.now += seconds;
                assert!(!zone.sweep(self.model.now).more);
                self.model.sweep();
            }
        }
    }

    fn join(&mut self, worker: usize, channel: u8, backtrack: u64) {
        let zone = self.bench.zone;
        let (me, now) = (self.workers[worker], self.model.now);
        let id = name(channel);
        let items = [JoinItem { id: id.as_bytes(), backtrack }];
        let rules = JoinRules::default();
        let limits = &self.bench.limits;
        let joined = zone.join(me, &items, &ResumePoint::default(), &rules, limits, now).unwrap();
        let mut subscription = joined.subscriptions[0];
        let c = self.model.channel(channel);
        c.deadline = now + INACTIVITY;
        let skip = c.stored.len().saturating_sub(backtrack as usize);
        let expected: Vec<_> =
            c.stored.iter().skip(skip).filter(|m| m.2 > now).map(|m| (m.0, m.1)).collect();
        let liveness = c.liveness;
        let mut replayed = Vec::new();
        while let Some(bookmark) = subscription.history.take() {
            let step = zone.read_history(me, bookmark, usize::MAX, now);
            subscription.history = step.next;
            replayed.extend(step.page.messages().map(|m| (m.id, m.text.len())));
        }
        assert_eq!(replayed, expected);
        let expected = VecDeque::new();
        let subscriber = ModelSubscriber { worker, channel, liveness, subscription, expected };
        self.model.subscribers.push(subscriber);
        self.model.told.push((Event::ClientSubscribed, channel));
    }

    /// The worker empties its mailbox; each subscriber must see what the model expects.
    fn read(&mut self, worker: usize) {
        let mut mail = self.bench.zone.mail(self.workers[worker]);
        while !mail.is_empty() {
            for m in mail.messages() {
                for s in self.model.subscribers.iter_mut().filter(|s| {
                    s.worker == worker
                        && s.subscription.channel == m.channel
                        && s.subscription.live_from <= m.id
                }) {
                    assert_eq!(s.expected.pop_front(), Some((m.id, m.text.len())));
                }
            }
            mail = mail.next();
        }
        let all_read = |s: &ModelSubscriber| s.worker != worker || s.expected.is_empty();
        assert!(self.model.subscribers.iter().all(all_read), "a message is missing");
    }

    fn end_deleted(&mut self, channel: u8) {
        let liveness = self.model.channels.get(&channel).map(|c| c.liveness);
        let of_it = |s: &ModelSubscriber| s.channel == channel && Some(s.liveness) == liveness;
        while let Some(i) = self.model.subscribers.iter().position(of_it) {
            let s = self.model.leave(i);
            let me = self.workers[s.worker];
            let notice = self.bench.zone.notice(me, 0).unwrap();
            assert_eq!(notice.channel, s.subscription.channel);
            _ = self.bench.zone.leave(me, &[s.subscription], &self.bench.limits, self.model.now);
        }
    }

    /// The newest events are those of the operation. A worker's end has no order between channels.
    fn compare_events(&mut self) {
        let mut expected: Vec<String> = std::mem::take(&mut self.model.told)
            .into_iter()
            .map(|(event, channel)| format!("{} {}", event.name(), name(channel)))
            .collect();
        let zone = self.bench.zone;
        let published = zone.channel_info(b"events").unwrap().published;
        assert_eq!(published - self.told, expected.len() as u64, "{expected:?}");
        self.told = published;

        let me = self.workers[0];
        let items = [JoinItem { id: b"events", backtrack: expected.len() as u64 }];
        let rules = JoinRules { events: true, ..JoinRules::default() };
        let (limits, now) = (&self.bench.limits, self.model.now);
        let joined = zone.join(me, &items, &ResumePoint::default(), &rules, limits, now).unwrap();
        let mut subscription = joined.subscriptions[0];
        let mut told = Vec::new();
        // Without a backtrack there is nothing to be read.
        while let Some(bookmark) = subscription.history.take() {
            let step = zone.read_history(me, bookmark, usize::MAX, now);
            subscription.history = step.next;
            told.extend(step.page.messages().map(|m| {
                let value: serde_json::Value = serde_json::from_slice(m.text).unwrap();
                format!(
                    "{} {}",
                    value["type"].as_str().unwrap(),
                    value["channel"].as_str().unwrap()
                )
            }));
        }
        _ = zone.leave(me, &[subscription], limits, now);
        told.sort();
        expected.sort();
        assert_eq!(told, expected);
    }

    fn compare(&mut self) {
        self.bench.check();
        self.compare_events();
        let totals = self.bench.zone.totals(self.model.now);
        let wildcards = u64::from(self.model.channels.contains_key(&4));
        assert_eq!(totals.wildcard_channels, wildcards);
        let events = 1;
        assert_eq!(totals.channels + wildcards, self.model.channels.len() as u64 + events);
        assert_eq!(totals.published, self.model.published);
        for (&channel, c) in &self.model.channels {
            let info = self.bench.zone.channel_info(name(channel).as_bytes()).unwrap();
            let expected = ChannelCounts {
                published: c.last_id,
                stored: c.stored.len() as u64,
                subscribers: self.model.subscribed(channel) as u64,
            };
            assert_eq!(info, expected, "channel {channel}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(ops in prop::collection::vec(op(), 1..120)) {
        let mut run = Run::new();
        for op in &ops {
            run.apply(op);
            run.compare();
        }
        for worker in 0..WORKERS {
            run.apply(&Op::Die { worker });
        }
        run.compare();
    }
}

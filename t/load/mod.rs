//! A mixture of everything that a server lives through: readers of every mode who keep account,
//! publishers, clients that misbehave, workers that are killed, reloads, full zones.
//!
//! What each reader must have at the end is known: everything that is stored, each message once, in
//! order. So nothing is lost, doubled or shown to the wrong client if every reader agrees with the store.

// Each test binary uses its own part of it.
#![allow(dead_code)]

pub mod conf;
pub mod counts;
pub mod disturb;
pub mod ledger;
pub mod misbehaving_clients;
pub mod publishers;
pub mod random;
pub mod readers;
pub mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use crate::support::{Habits, LongPoll, Nginx};
use ledger::Ledger;
use random::Random;
use readers::{Mode, Place, Seen, Stage};

/// Channels whose messages are accounted for; nobody deletes them while the load lasts.
pub const KEPT: [&str; 4] = ["k0", "k1", "k2", "k3"];
/// Channels that are published to, subscribed to and deleted at random.
pub const DOOMED: [&str; 4] = ["d0", "d1", "d2", "d3"];
/// The text of the last message of each kept channel.
pub const LAST: &str = "END";

const RUDE: usize = 6;

/// One round of everything.
pub struct Load {
    pub nginx: Arc<Nginx>,
    pub ledger: Arc<Ledger>,
    stage: tokio::sync::watch::Sender<Stage>,
    /// Tells all but the readers to stop.
    stop: Arc<AtomicBool>,
    readers: JoinSet<Seen>,
    /// Of the readers that stay connected when they have everything.
    places: Vec<Arc<Place>>,
    others: JoinSet<()>,
}

impl Load {
    /// Starts all clients.
    pub fn start(nginx: &Arc<Nginx>, random: &mut Random) -> Load {
        let (stage, seen_stage) = tokio::sync::watch::channel(Stage::Running);
        let mut load = Load {
            nginx: Arc::clone(nginx),
            ledger: Arc::default(),
            stage,
            stop: Arc::new(AtomicBool::new(false)),
            readers: JoinSet::new(),
            places: Vec::new(),
            others: JoinSet::new(),
        };
        let ways = nginx.ways();
        let mut follow = |mode, channels: &[&'static str], way| {
            let place = Place::new(mode, channels, way);
            load.places.push(Arc::clone(&place));
            load.readers.spawn(readers::follow(place, seen_stage.clone()));
        };
        for (n, channel) in KEPT.iter().enumerate() {
            follow(Mode::Streaming, &[channel], &ways[0].1);
            follow(Mode::Streaming, &[channel], &ways[n % ways.len()].1);
            follow(Mode::WebSocket(Habits::ALL[n]), &[channel], &ways[0].1);
        }
        follow(Mode::EventSource, &KEPT, &ways[0].1);
        follow(Mode::EventSource, &["k3", "k1"], &ways[1].1);
        for target in ["/lp/k0/k1/k2/k3", "/lp/k3/k2/k1/k0", "/poll/k2/k0/k1/k3"] {
            let client = LongPoll::new(nginx, target).since_long_ago();
            load.readers.spawn(readers::poll(client, target, random.fork()));
        }

        let port = nginx.port;
        for (n, channel) in KEPT.iter().enumerate() {
            let parts = (Arc::clone(&load.ledger), Arc::clone(&load.stop));
            let publishing = publishers::over_http(port, n, channel, random.fork(), parts.clone());
            load.others.spawn(publishing);
            if n < 2 {
                let habits = [Habits::UNMASKED, Habits::DEVICE][n];
                load.others.spawn(publishers::over_websocket(port, 10 + n, channel, habits, parts));
            }
        }
        let stop = || Arc::clone(&load.stop);
        load.others.spawn(publishers::unstored(port, random.fork(), stop()));
        load.others.spawn(publishers::deletions(port, random.fork(), stop()));
        load.others.spawn(publishers::statistics(port, random.fork(), stop()));
        for _ in 0..RUDE {
            load.others.spawn(misbehaving_clients::misbehave(port, random.fork(), stop()));
        }
        load
    }

    /// Publishers and strangers leave; every reader gets the last message of its channels. Those that
    /// hold a connection still do: they are returned.
    pub async fn settle(&mut self) -> Vec<Arc<Place>> {
        self.stop.store(true, Ordering::Relaxed);
        std::mem::take(&mut self.others).join_all().await;
        for channel in KEPT {
            self.nginx.publish(channel, LAST).await;
        }
        for place in &self.places {
            place.complete().await;
        }
        self.places.clone()
    }

    /// The readers leave, and what they and the publishers saw is compared with what is stored.
    pub async fn finish(self) -> Account {
        self.stage.send_replace(Stage::Leave);
        let seen = self.readers.join_all().await;
        let stored = ledger::replay(&self.nginx, &KEPT).await;
        self.ledger.check(&stored);
        for seen in &seen {
            seen.check(&stored);
        }
        let messages = stored.values().map(Vec::len).sum();
        let connections = seen.iter().map(|seen| seen.connections).sum();
        let acknowledged = self.ledger.count();
        Account { messages, acknowledged, connections, received: messages_of(&seen) }
    }
}

fn messages_of(seen: &[Seen]) -> usize {
    seen.iter().flat_map(|seen| seen.messages.values()).map(Vec::len).sum()
}

/// What a round came to.
#[derive(Debug, Default, Clone, Copy)]
pub struct Account {
    /// Stored messages at the end, each seen by every reader of its channel exactly once.
    pub messages: usize,
    /// Those whose publishers were answered.
    pub acknowledged: usize,
    /// Made by the readers.
    pub connections: usize,
    /// By all readers together.
    pub received: usize,
}

impl std::ops::AddAssign for Account {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.acknowledged += other.acknowledged;
        self.connections += other.connections;
        self.received += other.received;
    }
}

//! Workers killed and replaced while messages flow: after each kill all counts are right.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::stream::End;
use crate::support::{self, Call, Client, Nginx, wait_for, wait_within};
use tokio::task::JoinSet;

const KILLS: usize = 25;
const CHANNELS: [&str; 4] = ["k0", "k1", "k2", "k3"];
const SUBSCRIBERS: usize = 12;

/// Texts answered with 200, by channel.
type Answered = Arc<Mutex<BTreeMap<&'static str, Vec<String>>>>;

/// Publishes numbered texts until told to stop; a text whose answer was lost is not sent again.
async fn publish(port: u16, channel: &'static str, answered: Answered, stop: Arc<AtomicBool>) {
    let target = format!("/pub?id={channel}");
    let mut client = None;
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if client.is_none() {
            client = Client::connect(port).await.ok();
        }
        let Some(connected) = client.as_mut() else { continue };
        let text = format!("{channel}.{number}");
        match connected.post(&target, &text).await {
            Ok(answer) => {
                assert_eq!(answer.status, 200, "{answer:?}");
                let mut answered = answered.lock().expect("no panic while held");
                answered.get_mut(channel).expect("a channel").push(text);
            }
            Err(_) => client = None,
        }
    }
}

/// What one connection received, and whether the server ended it.
struct Visit {
    lines: Vec<String>,
    end: Option<End>,
}

/// Subscribes to all channels again and again until told to stop.
async fn subscribe(port: u16, connected: Arc<AtomicUsize>, stop: Arc<AtomicBool>) -> Vec<Visit> {
    let mut visits = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let call = Call::new(port, "GET", &format!("/sub/{}", CHANNELS.join("/")));
        let Ok(mut stream) = call.try_stream().await else { continue };
        assert_eq!(stream.status, 200);
        connected.fetch_add(1, Ordering::SeqCst);
        let mut lines = Vec::new();
        let end = loop {
            match stream.next_line().await {
                Ok(line) if line.ends_with(" last") => {
                    lines.push(line);
                    break None;
                }
                Ok(line) => lines.push(line),
                Err(end) => break Some(end),
            }
        };
        connected.fetch_sub(1, Ordering::SeqCst);
        visits.push(Visit { lines, end });
    }
    visits
}

/// LIFE-73, LIFE-82..87, STAT-59, STAT-60, SUB-54: again and again kill -9 to a worker while publishing
/// and subscribing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_after_each_kill() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder().zone("64m").start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let connected = Arc::new(AtomicUsize::new(0));
    let answered: Answered = Arc::default();
    answered.lock().expect("no panic").extend(CHANNELS.map(|channel| (channel, Vec::new())));
    let mut publishers = JoinSet::new();
    for channel in CHANNELS {
        publishers.spawn(publish(nginx.port, channel, answered.clone(), stop.clone()));
    }
    let mut subscribers = JoinSet::new();
    for _ in 0..SUBSCRIBERS {
        subscribers.spawn(subscribe(nginx.port, connected.clone(), stop.clone()));
    }
    let total =
        || answered.lock().expect("no panic while held").values().map(Vec::len).sum::<usize>();

    let mut order = 0x9e37_79b9_usize;
    for kill in 0..KILLS {
        let goal = total() + 20;
        wait_for("publishing to go on", || async { (total() >= goal).then_some(()) }).await;
        let workers: Vec<_> = nginx.all_workers().await.into_iter().collect();
        order = order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(kill * 2 + 1);
        nginx.kill_worker(workers[(order >> 33) % workers.len()]);
        nginx.all_workers().await;
        wait_for("the subscribers to be back", || async {
            (connected.load(Ordering::SeqCst) == SUBSCRIBERS).then_some(())
        })
        .await;
        wait_within(Duration::from_secs(2), "subscriber counts that are right", || async {
            let call = Call::new(nginx.port, "GET", "/stats");
            let stats = call.try_send().await.ok()?.json();
            let workers = stats["by_worker"].as_array()?.iter();
            let sum: u64 = workers.filter_map(|worker| worker["subscribers"].as_u64()).sum();
            let channel = nginx.channel_stat("k0", "subscribers").await;
            let right = SUBSCRIBERS as u64;
            (stats["subscribers"] == right && sum == right && channel == right).then_some(())
        })
        .await;
    }

    stop.store(true, Ordering::Relaxed);
    publishers.join_all().await;
    for channel in CHANNELS {
        nginx.publish(channel, "text").await;
    }
    nginx.publish("k0", "last").await;
    let visits: Vec<Visit> = subscribers.join_all().await.into_iter().flatten().collect();

    let stored = replay(&nginx).await;
    let answered = answered.lock().expect("no panic while held").clone();
    for channel in CHANNELS {
        let texts = &stored[channel];
        // Every answered one is there, once, in its order; others may be: their answer was lost.
        let mut rest = texts.iter();
        for text in &answered[channel] {
            assert!(rest.any(|stored| stored == text), "{text} was answered and is not stored");
        }
    }
    check_visits(&visits, &stored);
    assert!(visits.iter().filter(|visit| visit.end == Some(End::Cut)).count() >= KILLS / 4);
    nginx.wait_stat("subscribers", 0).await;
}

/// The stored texts of each channel; ids must be 1, 2, 3, ...
async fn replay(nginx: &Nginx) -> BTreeMap<&'static str, Vec<String>> {
    let mut stored = BTreeMap::new();
    for channel in CHANNELS {
        let count = nginx.channel_stat(channel, "stored_messages").await;
        assert_eq!(count, nginx.channel_stat(channel, "published_messages").await);
        let mut stream = nginx.stream(&format!("/sub/{channel}.b{count}")).await;
        let mut texts = Vec::new();
        for id in 1..=count {
            let line = stream.line().await;
            let text = line.strip_prefix(&format!("{id} {channel} "));
            texts.push(text.unwrap_or_else(|| panic!("{line} instead of {id}")).to_owned());
        }
        stored.insert(channel, texts);
    }
    stored
}

/// Each connection saw an unbroken part of each channel, and no other text than the stored one.
fn check_visits(visits: &[Visit], stored: &BTreeMap<&'static str, Vec<String>>) {
    for visit in visits {
        assert_ne!(visit.end, Some(End::Clean), "a stream ended although nobody ended it");
        let mut next: BTreeMap<&str, usize> = BTreeMap::new();
        for line in &visit.lines {
            let mut parts = line.splitn(3, ' ');
            let id: usize = parts.next().and_then(|id| id.parse().ok()).expect("an id");
            let (channel, text) = (parts.next().expect("a channel"), parts.next().expect("a text"));
            assert_eq!(stored[channel][id - 1], text, "{line}");
            let expected = next.insert(channel, id + 1);
            assert!(expected.is_none_or(|expected| expected == id), "{line}, not {expected:?}");
        }
        if visit.end.is_none() {
            // This one lived to the last message, so nothing may be missing before it.
            for (channel, ended) in &next {
                let last = stored[channel].len() + 1;
                assert_eq!(*ended, last, "{channel} stopped early");
            }
        }
    }
}

//! Workers killed and replaced while messages flow.

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::stream::End;
use support::{Call, Client, Nginx, next_second, wait_for, wait_within};
use tokio::task::JoinSet;

const KILLS: usize = 100;
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

/// LIFE-82..87, STAT-59, STAT-60: 100 times kill -9 to a worker while publishing and subscribing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills() {
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

/// LIFE-69..71, LIFE-94..96, SUB-46: a reload while a POST is half received: it is answered, the
/// subscribers of the new workers get it and everything later, and an old subscriber gets its
/// ending and, with its cursor, every message exactly once. From 4 workers to 4, and from 1 to 8
/// with few descriptors.
async fn reload_during_a_slow_post(before: usize, after: usize, open_files: Option<u64>) {
    let mut builder = Nginx::builder().workers(before).listen("").subscriber(
        "cursor",
        "push_stream_footer_template \"FOOT\\n\";
             push_stream_message_template \"~time~|~tag~|~id~|~text~\\n\";",
    );
    if let Some(limit) = open_files {
        builder = builder.open_files(limit, 500);
    }
    let nginx = builder.start().await;
    next_second().await;

    for round in 0..3 {
        let channel = format!("r{round}");
        let mut old = Vec::new();
        for _ in 0..6 {
            old.push(nginx.stream(&format!("/cursor/{channel}")).await);
        }
        nginx.publish(&channel, "first").await;
        let mut slow = nginx.raw().await;
        slow.begin_upload(&format!("/pub?id={channel}"), 10).await;
        slow.send("01234").await;
        nginx.publish(&channel, "second").await;
        nginx.reload_with(|builder| builder.workers(after)).await;

        let mut new = Vec::new();
        for _ in 0..16 {
            new.push(nginx.stream(&format!("/sub/{channel}")).await);
        }
        let mut cursors = Vec::new();
        for stream in &mut old {
            let lines = stream.lines(3).await;
            assert!(lines[0].ends_with("|1|first") && lines[1].ends_with("|2|second"), "{lines:?}");
            assert_eq!(lines[2], "FOOT");
            assert_eq!(stream.rest().await, (Vec::new(), End::Clean));
            let mut cursor = lines[1].split('|').map(str::to_owned);
            cursors.push((cursor.next().expect("a time"), cursor.next().expect("a tag")));
        }
        slow.send("56789").await;
        assert_eq!(slow.answer().await.status(), 200);
        for n in 4..=40 {
            nginx.publish(&channel, format!("m{n}")).await;
        }
        for stream in &mut new {
            assert_eq!(stream.line().await, format!("3 {channel} 0123456789"));
            for n in 4..=40 {
                assert_eq!(stream.line().await, format!("{n} {channel} m{n}"));
            }
        }
        for (time, tag) in cursors {
            let call = nginx.call("GET", &format!("/sub/{channel}"));
            let call = call.header("If-Modified-Since", &time);
            let mut back = call.header("If-None-Match", &format!("W/{tag}")).stream().await;
            assert_eq!(back.line().await, format!("3 {channel} 0123456789"));
            for n in 4..=40 {
                assert_eq!(back.line().await, format!("{n} {channel} m{n}"));
            }
        }
        drop(new);
        nginx.wait_stat("subscribers", 0).await;
        // Back to the number that the next round starts with.
        nginx.reload_with(|builder| builder.workers(before)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_during_a_slow_post_with_as_many_workers() {
    let _alone = support::alone().await;
    reload_during_a_slow_post(4, 4, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_during_a_slow_post_with_more_workers() {
    let _alone = support::alone().await;
    reload_during_a_slow_post(1, 8, Some(1024)).await;
}

/// LIFE-70, LIFE-71: many slow posts over many reloads, all answered, none lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_posts_over_several_generations() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder().listen("").start().await;
    let mut posts = Vec::new();
    for n in 0..4 {
        let mut slow = nginx.raw().await;
        slow.begin_upload("/pub?id=gen", 4).await;
        slow.send(format!("p{n}")).await;
        nginx.reload().await;
        posts.push(slow);
    }
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(nginx.stream("/sub/gen").await);
    }
    for (n, slow) in posts.iter_mut().enumerate() {
        slow.send("..").await;
        assert_eq!(slow.answer().await.status(), 200);
        for stream in &mut streams {
            assert_eq!(stream.line().await, format!("{} gen p{n}..", n + 1));
        }
    }
}

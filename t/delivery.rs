//! Under load: every message once, in order, for whoever was there and whoever joins.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use support::{Call, Client, Nginx, Stream};
use tokio::task::JoinSet;

/// Workers that have subscribers.
async fn busy_workers(nginx: &Nginx) -> usize {
    let stats = nginx.stats().await;
    let workers = stats["by_worker"].as_array().expect("workers");
    workers.iter().filter(|worker| worker["subscribers"] != 0).count()
}

fn id_of(line: &str) -> u64 {
    let id = line.split(' ').next().and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| panic!("no id: {line}"))
}

/// SUB-50, LIFE-60..64: 24 subscribers, 8 publishers at once, 4,000 messages on one channel. Every
/// subscriber sees 1..4000 in order, once, and all of them the same text under the same id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_for_everyone() {
    let _alone = support::alone().await;
    const PUBLISHERS: usize = 8;
    const EACH: usize = 500;
    let nginx = Nginx::start().await;
    let mut readers = JoinSet::new();
    for _ in 0..24 {
        let mut stream = nginx.stream("/sub/order").await;
        readers.spawn(async move { stream.lines(PUBLISHERS * EACH).await });
    }
    assert!(busy_workers(&nginx).await > 1, "all subscribers in one worker");
    let mut writers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let port = nginx.port;
        writers.spawn(async move {
            let mut client = Client::connect(port).await.expect("connect");
            for n in 0..EACH {
                // Storing or not must not change the order.
                let target = if n % 2 == 0 { "/live?id=order" } else { "/pub?id=order" };
                let answer = client.post(target, format!("{publisher}.{n}")).await;
                assert_eq!(answer.expect("an answer").status, 200);
            }
        });
    }
    writers.join_all().await;
    let all = readers.join_all().await;
    for (n, line) in all[0].iter().enumerate() {
        assert_eq!(id_of(line), n as u64 + 1);
    }
    assert!(all.iter().all(|lines| *lines == all[0]), "two subscribers saw different things");
    // Each publisher waited for its answers, so its own messages are in its order.
    let mut next = [0; PUBLISHERS];
    for line in &all[0] {
        let text = line.rsplit(' ').next().and_then(|text| text.split_once('.'));
        let (publisher, n) = text.expect("publisher and number");
        let publisher: usize = publisher.parse().expect("a publisher");
        assert_eq!(n.parse(), Ok(next[publisher]), "{line}");
        next[publisher] += 1;
    }
    assert_eq!(nginx.channel_stat("order", "stored_messages").await, 2000);
}

/// OLD-15, LIFE-63, LP-21: over several channels each subscriber sees (time, tag) rise, so that one
/// cursor does for all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_over_all_channels() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder()
        .subscriber("stamps", "push_stream_message_template \"~time~|~tag~|~channel~\\n\";")
        .start()
        .await;
    let mut readers = JoinSet::new();
    for _ in 0..12 {
        let mut stream = nginx.stream("/stamps/a/b/c").await;
        readers.spawn(async move { stream.lines(1800).await });
    }
    let mut writers = JoinSet::new();
    for channel in ["a", "b", "c", "a/b", "c/b", "b/a/c"] {
        let target = format!("/pub?id={channel}");
        let count = 900 / 3 / channel.split('/').count();
        let port = nginx.port;
        writers.spawn(async move {
            let mut client = Client::connect(port).await.expect("connect");
            for _ in 0..count {
                let answer = client.post(&target, "x").await.expect("an answer");
                assert_eq!(answer.status, 200);
            }
        });
    }
    writers.join_all().await;
    let all = readers.join_all().await;
    let stamps = all[0].iter().map(|line| {
        let mut parts = line.split('|');
        let time = httpdate::parse_http_date(parts.next().expect("a time")).expect("a date");
        (time, parts.next().and_then(|tag| tag.parse::<u64>().ok()).expect("a tag"))
    });
    let stamps = stamps.collect::<Vec<_>>();
    for (n, pair) in stamps.windows(2).enumerate() {
        assert!(pair[0] < pair[1], "message {n}: {:?} before {:?}", pair[0], pair[1]);
    }
    assert!(all.iter().all(|lines| *lines == all[0]), "two subscribers saw different orders");
}

/// LIFE-65, LIFE-66, LIFE-68, OLD-20: 400 joins with a backtrack of 5 while 8 channels are being
/// published to: the five newest of the moment, then every later message, once, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joining_under_load() {
    let _alone = support::alone().await;
    const CHANNELS: usize = 8;
    let nginx =
        Nginx::builder().http("push_stream_max_messages_stored_per_channel 20;").start().await;
    let answered: Arc<[AtomicU64; CHANNELS]> = Arc::default();
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for channel in 0..CHANNELS {
        let (answered, done, port) = (answered.clone(), done.clone(), nginx.port);
        writers.spawn(async move {
            let mut client = Client::connect(port).await.expect("connect");
            let target = format!("/pub?id=c{channel}");
            while !done.load(Ordering::Relaxed) {
                let answer = client.post(&target, "x").await.expect("an answer");
                assert_eq!(answer.status, 200);
                answered[channel].fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let mut joins = JoinSet::new();
    for task in 0..10 {
        let (answered, port) = (answered.clone(), nginx.port);
        joins.spawn(async move {
            for round in 0..40 {
                let (one, two) = ((task + round) % CHANNELS, (task + 3 * round + 1) % CHANNELS);
                join(port, &answered[..], if one == two { vec![one] } else { vec![one, two] })
                    .await;
            }
        });
    }
    joins.join_all().await;
    done.store(true, Ordering::Relaxed);
    writers.join_all().await;
    nginx.wait_stat("subscribers", 0).await;
}

/// One subscription with `.b5` on each of the channels, read until it has had 25 messages of each.
async fn join(port: u16, answered: &[AtomicU64], channels: Vec<usize>) {
    let count = |channel: usize| answered[channel].load(Ordering::SeqCst);
    let before: Vec<u64> = channels.iter().map(|&channel| count(channel)).collect();
    let path = channels.iter().map(|channel| format!("c{channel}.b5")).collect::<Vec<_>>();
    let mut stream = Call::new(port, "GET", &format!("/sub/{}", path.join("/"))).stream().await;
    // One message of each publisher may be stored and not yet answered.
    let after: Vec<u64> = channels.iter().map(|&channel| count(channel) + 1).collect();
    let mut seen: Vec<Vec<u64>> = vec![Vec::new(); channels.len()];
    while seen.iter().any(|ids| ids.len() < 25) {
        let line = stream.line().await;
        let channel = line.split(' ').nth(1).expect("a channel");
        let at = channels.iter().position(|number| channel == format!("c{number}"));
        seen[at.expect("a channel of the request")].push(id_of(&line));
    }
    for (n, ids) in seen.iter().enumerate() {
        let first = ids[0];
        let expected: Vec<u64> = (first..first + ids.len() as u64).collect();
        assert_eq!(*ids, expected, "a gap or a double on c{}", channels[n]);
        let (oldest, newest) =
            (before[n].saturating_sub(4).max(1), after[n].saturating_sub(4).max(1));
        assert!(
            (oldest..=newest).contains(&first),
            "c{}: began with {first}, not within {oldest}..={newest}",
            channels[n]
        );
    }
}

/// LIFE-66, LIFE-67: the same for the first subscriber of a worker and without stored messages:
/// from its first message on there is no gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joining_live_only() {
    let _alone = support::alone().await;
    let nginx = Nginx::start().await;
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    let total = Arc::new(AtomicU64::new(0));
    for _ in 0..4 {
        let (done, total, port) = (done.clone(), total.clone(), nginx.port);
        writers.spawn(async move {
            let mut client = Client::connect(port).await.expect("connect");
            while !done.load(Ordering::Relaxed) {
                let answer = client.post("/live?id=first", "x").await.expect("an answer");
                assert_eq!(answer.status, 200);
                total.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for _ in 0..300 {
        let before = total.load(Ordering::SeqCst);
        let mut stream: Stream = nginx.stream("/sub/first").await;
        let after = total.load(Ordering::SeqCst) + 4;
        let first = id_of(&stream.line().await);
        // Nothing from before; the next one published after the head is there at the latest.
        assert!(first > before && first <= after + 1, "{first} with {before}..{after}");
        for id in first + 1..first + 10 {
            assert_eq!(id_of(&stream.line().await), id);
        }
    }
    done.store(true, Ordering::Relaxed);
    writers.join_all().await;
}

//! `push_stream_memory_full evict`: the oldest stored messages make room.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::task::JoinSet;

use crate::support::{Builder, Call, Client, EventSource, Nginx, Raw, wait_for};

const EVICTED: &str = "of the oldest messages were evicted";

/// A small zone and three workers; what is evicted is logged.
fn evicting() -> Builder {
    Nginx::builder()
        .zone("1m")
        .workers(3)
        .http("push_stream_memory_full evict;")
        .expect_log(EVICTED)
}

async fn evicted(nginx: &Nginx) -> u64 {
    nginx.metric("push_stream_messages_evicted_total").await
}

/// A text that says what it is in every part.
fn text(channel: usize, number: u64, len: usize) -> String {
    let mut text = format!("{channel}.{number}.");
    while text.len() < len {
        text.push(char::from(b'a' + (text.len() + number as usize) as u8 % 26));
    }
    text
}

/// How far a publisher may be ahead of its reader: a worker may keep only so much of the zone.
const AHEAD: u64 = 50;

/// Publishes these messages to a channel, one after the other; each must be taken.
async fn publish(port: u16, channel: usize, numbers: RangeInclusive<u64>, read: &[AtomicU64]) {
    let mut client = Client::connect(port).await.expect("connect");
    let target = format!("/pub?id=c{channel}");
    for number in numbers {
        wait_for("its reader", || async {
            (read[channel].load(Ordering::Relaxed) + AHEAD >= number).then_some(())
        })
        .await;
        let text = text(channel, number, (number as usize * 37 + channel * 11) % 900);
        let answer = client.post(&target, text).await.expect("an answer");
        assert_eq!(answer.status, 200, "message {number} of channel {channel}: {answer:?}");
    }
}

/// What a channel stores: ids, each with its own text.
async fn history(nginx: &Nginx, channel: usize) -> Vec<u64> {
    let answer = nginx.get(&format!("/poll?id=c{channel}.b9999")).await;
    let lines = answer.text().lines();
    let ids = lines.map(|line| {
        let (id, rest) = line.split_once(' ').expect("an id");
        let number: u64 = id.parse().expect("a number");
        let expected = text(channel, number, (number as usize * 37 + channel * 11) % 900);
        assert_eq!(rest, format!("c{channel} {expected}"), "foreign bytes");
        number
    });
    ids.collect()
}

/// LIFE-51, LIFE-52: several workers take messages for ever; the newest are all there, in order and
/// nothing foreign among them, and live delivery has no hole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_goes_on_for_ever() {
    const CHANNELS: usize = 4;
    /// Published at the same time, and then in turn.
    const EACH: u64 = 1500;
    const LAST: u64 = EACH + 40;
    let poll = "push_stream_subscriber polling; push_stream_channels_path $arg_id;
                push_stream_message_template \"~id~ ~channel~ ~text~\\n\";";
    let nginx = evicting().location("/poll", poll).start().await;
    let mut readers = JoinSet::new();
    let read: Arc<[AtomicU64; CHANNELS]> = Arc::default();
    for channel in 0..CHANNELS {
        let read = Arc::clone(&read);
        let mut stream = nginx.stream(&format!("/sub/c{channel}")).await;
        readers.spawn(async move {
            for number in 1..=LAST {
                let expected = text(channel, number, (number as usize * 37 + channel * 11) % 900);
                assert_eq!(stream.line().await, format!("{number} c{channel} {expected}"));
                read[channel].store(number, Ordering::Relaxed);
            }
        });
    }
    let mut publishers = JoinSet::new();
    for channel in 0..CHANNELS {
        let (port, read) = (nginx.port, Arc::clone(&read));
        publishers.spawn(async move { publish(port, channel, 1..=EACH, &*read).await });
    }
    publishers.join_all().await;
    for number in EACH + 1..=LAST {
        for channel in 0..CHANNELS {
            publish(nginx.port, channel, number..=number, &*read).await;
        }
    }
    readers.join_all().await;
    let mut stored = 0;
    for channel in 0..CHANNELS {
        let ids = history(&nginx, channel).await;
        assert_eq!(ids.last(), Some(&LAST), "channel {channel}");
        assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{channel}: {ids:?}");
        assert_eq!(nginx.channel_stat(&format!("c{channel}"), "published_messages").await, LAST);
        stored += ids.len() as u64;
    }
    assert!(stored > 500, "{stored} messages are stored");
    let published = CHANNELS as u64 * LAST;
    // A poll of a full zone may cost a message or two.
    let gone = evicted(&nginx).await;
    assert!(gone + stored >= published && gone + stored < published + 50, "{gone} {stored}");
    nginx.wait_stat("subscribers", 0).await;
    // One line a worker, and again after seconds; it says how many and for whom.
    let lines = nginx.log_lines(EVICTED);
    assert!((1..=9).contains(&lines.len()), "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("[warn]") && line.contains("channel \"c")));
}

/// Fills the zone to the last place.
async fn fill(nginx: &Nginx) {
    let mut client = Client::connect(nginx.port).await.expect("connect");
    for n in 0.. {
        let target = format!("/pub?id=fill{}", n % 5);
        let answer = client.post(&target, vec![b'f'; n % 600]).await.expect("an answer");
        assert!(answer.status == 200 || n % 600 == 0, "{answer:?}");
        if n % 50 == 0 && n > 500 && evicted(nginx).await > 0 {
            return;
        }
    }
}

/// LIFE-53..55: channels, subscribers of every mode and their messages find room.
#[tokio::test]
async fn subscribers_of_every_mode() {
    let nginx = evicting()
        .mode("eventsource", "ev", "")
        .mode("websocket", "ws", "")
        .mode("long-polling", "lp", "")
        .start()
        .await;
    fill(&nginx).await;
    for round in 0..20 {
        let id = format!("new-{round}");
        let mut stream = nginx.stream(&format!("/raw?id={id}")).await;
        let mut events = EventSource::new(&nginx, &format!("/ev/{id}"));
        events.opened().await;
        let mut socket = nginx.socket(&format!("/ws/{id}")).await;
        let wait = tokio::spawn(nginx.call("GET", &format!("/lp/{id}")).send());
        nginx.wait_channel_stat(&id, "subscribers", 4).await;
        let text = format!("to {round} ").repeat(round + 1);
        nginx.publish(&id, &text).await;
        stream.expect(&text).await;
        assert_eq!(events.data().await, text);
        socket.text(&text).await;
        let answer = wait.await.expect("no panic");
        assert_eq!((answer.status, answer.text()), (200, text.as_str()));
        nginx.wait_channel_stat(&id, "subscribers", 3).await;
    }
    nginx.wait_stat("subscribers", 0).await;
}

/// A message that could never fit is refused, and takes nothing away.
#[tokio::test]
async fn what_can_never_fit() {
    let nginx = evicting().expect_log("unable to allocate message").start().await;
    fill(&nginx).await;
    let before = (nginx.stat("stored_messages").await, evicted(&nginx).await);
    let answer = nginx.post("/pub?id=fill1", vec![b'x'; 1100 * 1024]).await;
    answer.assert_refused(500, Some("Not enough shared memory."));
    let answer = nginx.post("/pub?id=new", vec![b'x'; 1100 * 1024]).await;
    answer.assert_refused(500, Some("Not enough shared memory."));
    assert!(nginx.channel("new").await.is_none());
    assert_eq!((nginx.stat("stored_messages").await, evicted(&nginx).await), before);
    // A large one that can takes what it must.
    nginx.publish("large", vec![b'y'; 200 * 1024]).await;
    assert_eq!(
        nginx.stream("/raw?id=large.b1").await.exactly(200 * 1024).await,
        [b'y'; 200 * 1024]
    );
}

/// A reload changes what happens, for the workers of both configurations.
#[tokio::test]
async fn changed_by_a_reload() {
    let nginx = Nginx::builder()
        .zone("256k")
        .expect_log("unable to allocate message")
        .expect_log(EVICTED)
        .start()
        .await;
    let mut client = Client::connect(nginx.port).await.expect("connect");
    let mut count = 0;
    while client.post("/pub?id=a", [b'x'; 500]).await.expect("an answer").status == 200 {
        count += 1;
    }
    assert!(count > 100);
    let evict = |builder: Builder| builder.http("push_stream_memory_full evict;");
    nginx.reload_with(evict).await;
    for _ in 0..2 * count {
        nginx.publish("b", [b'y'; 500]).await;
    }
    let stored = nginx.channel_stat("b", "stored_messages").await;
    assert!(stored >= count - 5 && nginx.channel_stat("a", "stored_messages").await == 0);
    nginx.reload_with(|builder| builder.without_http()).await;
    let answer = nginx.post("/pub?id=b", [b'y'; 500]).await;
    answer.assert_refused(500, Some("Not enough shared memory."));
    assert_eq!(nginx.channel_stat("b", "stored_messages").await, stored);
    nginx
        .reload_refused(
            |builder| builder.http("push_stream_memory_full perhaps;"),
            "it must be \"evict\" or \"refuse\"",
        )
        .await;
}

/// Killed workers in a zone that evicts leave nothing behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_killed_while_they_evict() {
    let nginx = evicting().start().await;
    fill(&nginx).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut publishers = JoinSet::new();
    for channel in 0..3 {
        let (port, stop) = (nginx.port, Arc::clone(&stop));
        publishers.spawn(async move {
            let target = format!("/pub?id=k{channel}");
            while !stop.load(Ordering::Relaxed) {
                let Ok(mut client) = Client::connect(port).await else { continue };
                while let Ok(answer) = client.post(&target, [b'k'; 700]).await {
                    assert_eq!(answer.status, 200, "{answer:?}");
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            }
        });
    }
    for _ in 0..6 {
        let published = nginx.stat("published_messages").await;
        let victim = *nginx.all_workers().await.first().expect("a worker");
        nginx.kill_worker(victim);
        nginx.all_workers().await;
        wait_for("publishing to go on", || async {
            let answer = Call::new(nginx.port, "GET", "/stats").try_send().await.ok()?.json();
            (answer["published_messages"].as_u64()? > published + 20).then_some(())
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    publishers.join_all().await;
    // Everything can go, and then as much fits as in a new zone.
    let list = nginx.get("/stats?id=ALL").await.json();
    let list = list["infos"].as_array().expect("a list").iter();
    let ids: Vec<&str> = list.map(|info| info["channel"].as_str().expect("an id")).collect();
    let all = ids.join("/");
    assert_eq!(nginx.delete(&format!("/pub?id={all}")).await.status, 200);
    nginx.wait_stat("stored_messages", 0).await;
    let free = nginx.metric("push_stream_zone_free_bytes").await;
    assert!(free > 400 * 1024, "{free} bytes are free");
}

/// Those who come back are told what they have missed.
#[tokio::test]
async fn gaps_are_told() {
    let nginx = evicting()
        .mode("eventsource", "gaps", "push_stream_gap_report on; push_stream_gap_events on;")
        .start()
        .await;
    nginx.publish("quiet", "first").await;
    fill(&nginx).await;
    wait_for("the first one to be evicted", || async {
        nginx.publish("loud", vec![b'l'; 900]).await;
        (nginx.channel_stat("quiet", "stored_messages").await == 0).then_some(())
    })
    .await;
    let call = nginx.call("GET", "/gaps/quiet/never-used");
    let call = call.header("If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT");
    let mut stream = call.stream().await;
    assert_eq!(stream.header("x-nginx-pushstream-gap"), Some("quiet"));
    // The opening of an event stream, then the gap.
    assert_eq!(stream.lines(4).await, [": ", "event: gap", "data: quiet", ""]);
}

/// An event stream that reads too slowly is told of what went before it came to it, where it stood.
#[tokio::test]
async fn a_gap_in_a_slow_replay() {
    const LEN: usize = 60_000;
    let nginx = evicting()
        .zone("8m")
        .listen("reuseport sndbuf=16k")
        .mode("eventsource", "gaps", "push_stream_gap_events on;")
        .start()
        .await;
    for n in 0..100 {
        nginx.publish("long", format!("{n:0>LEN$}")).await;
    }
    let mut slow = Raw::with_small_window(nginx.port).await;
    slow.request("GET /gaps/long.b100", &[]).await;
    nginx.wait_channel_stat("long", "subscribers", 1).await;
    for _ in 0..200 {
        nginx.publish("other", vec![b'o'; LEN]).await;
    }
    assert_eq!(nginx.channel_stat("long", "stored_messages").await, 0);
    nginx.publish("long", "live").await;
    slow.head().await;
    let (mut next, mut gaps) = (0, 0);
    loop {
        let chunk = slow.chunk().await.expect("a chunk");
        let chunk = String::from_utf8(chunk).expect("text");
        match chunk.as_str() {
            "event: gap\ndata: long\n\n" => gaps += 1,
            "data: live\n\n" => break,
            opening if opening.starts_with(": ") => {}
            text => {
                let number =
                    text.strip_prefix("data: ").and_then(|text| text.trim_end().parse().ok());
                assert_eq!((number, gaps), (Some(next), 0), "{:.40}", text);
                next += 1;
            }
        }
    }
    assert!(gaps == 1 && (1..100).contains(&next), "{gaps} gaps after {next} messages");
}

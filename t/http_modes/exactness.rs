//! Long polling under load: whoever echoes the cursor gets every stored message once, in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::support::client::Failure;
use crate::support::{Answer, Call, Client, LongPoll, Nginx, alone};

const CHANNELS: [&str; 3] = ["a", "b", "c"];
const PUBLISHERS: usize = 4;
/// Of each publisher, to each channel.
const MESSAGES: usize = 60;
const LAST: &str = "END";
const LINE: &str = r#"push_stream_message_template "~channel~ ~id~ ~text~\n";"#;

async fn start() -> Nginx {
    Nginx::builder()
        .http("push_stream_longpolling_connection_ttl 150ms;")
        .mode("long-polling", "lp", LINE)
        .mode("polling", "poll", LINE)
        .location(
            "/args",
            &r#"push_stream_subscriber long-polling; push_stream_channels_path $arg_path;
               push_stream_message_template "~channel~ ~id~ ~text~ ~tag~ ~time~\n";
               push_stream_last_received_message_time $arg_time;
               push_stream_last_received_message_tag $arg_tag;"#
                .replace('\n', " "),
        )
        .start()
        .await
}

/// The ids that one client saw, by channel.
#[derive(Default)]
struct Seen {
    ids: BTreeMap<String, Vec<u64>>,
    ended: usize,
}

impl Seen {
    fn take(&mut self, body: &str) {
        for line in body.lines() {
            let mut fields = line.splitn(4, ' ');
            let (channel, id) = (fields.next().expect("a channel"), fields.next().expect("an id"));
            let text = fields.next().expect("a text");
            let ids = self.ids.entry(channel.into()).or_default();
            ids.push(id.parse().expect("a number"));
            self.ended += usize::from(text == LAST);
        }
    }

    fn has_all(&self) -> bool {
        self.ended >= CHANNELS.len()
    }

    /// Every id from the first to the last that was given out.
    fn assert_complete(&self, last: &BTreeMap<&str, u64>, who: &str) {
        for channel in CHANNELS {
            let expected = (1..=last[channel]).collect::<Vec<_>>();
            let ids = &self.ids[channel];
            let odd = ids.iter().zip(&expected).position(|(id, expected)| id != expected);
            let around = odd.map(|at| &ids[at.saturating_sub(2)..ids.len().min(at + 3)]);
            assert!(*ids == expected, "{who}: {channel} has {} ids, odd: {around:?}", ids.len());
        }
    }
}

/// Echoes headers until it has the last message of each channel; a connection that breaks with its
/// worker is made anew.
async fn by_headers(mut client: LongPoll, pause: Duration) -> Seen {
    let mut seen = Seen::default();
    while !seen.has_all() {
        if let Ok(answer) = client.try_poll().await {
            assert!([200, 304].contains(&answer.status), "{answer:?}");
            seen.take(answer.text());
        }
        tokio::time::sleep(pause).await;
    }
    seen
}

/// Takes tag and time from the last message of each answer and gives them as arguments (CLI-38).
async fn by_arguments(port: u16, pause: Duration) -> Seen {
    let mut seen = Seen::default();
    let (mut time, mut tag) = ("Thu, 01 Jan 1970 00:00:00 GMT".to_owned(), "0".to_owned());
    while !seen.has_all() {
        let time_argument = time.replace(' ', "%20");
        let target = format!("/args?path=a&tag={tag}&time={time_argument}");
        if let Ok(answer) = Call::new(port, "GET", &target).try_send().await {
            for line in answer.text().lines() {
                let fields = line.splitn(5, ' ').collect::<Vec<_>>();
                (tag, time) = (fields[3].into(), fields[4].into());
                seen.ended += (CHANNELS.len() - 1) * usize::from(fields[2] == LAST);
            }
            seen.take(answer.text());
        }
        tokio::time::sleep(pause).await;
    }
    seen
}

/// Publishes to one channel, to two, to all; a publish whose worker dies is not repeated, so that what
/// counts is what was given an id.
async fn publish(port: u16, publisher: usize) {
    let mut client: Option<Client> = None;
    for n in 0..MESSAGES {
        for path in ["a", "b/c", "c", "b/a"] {
            let answer: Result<Answer, Failure> = async {
                if client.as_ref().is_none_or(|client| !client.is_open()) {
                    client = Some(Client::connect(port).await?);
                }
                let client = client.as_mut().expect("just connected");
                client.post(&format!("/pub?id={path}"), format!("{publisher}-{n}")).await
            }
            .await;
            match answer {
                Ok(answer) => assert_eq!(answer.status, 200, "{answer:?}"),
                Err(_) => client = None,
            }
        }
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

async fn exact(disturb: impl AsyncFn(&Nginx)) {
    let nginx = Arc::new(start().await);
    let mut clients = Vec::new();
    // Quick ones, which mostly wait, and slow ones, which find several messages at each poll.
    for (n, pause) in [0, 0, 0, 1, 5, 20, 60, 170].into_iter().enumerate() {
        let pause = Duration::from_millis(pause);
        let path = ["a/b/c", "c/b/a", "b/a/c"][n % 3];
        let client = LongPoll::new(&nginx, &format!("/lp/{path}")).since_long_ago();
        clients.push((format!("long poll {n}"), tokio::spawn(by_headers(client, pause))));
    }
    let pause = Duration::from_millis(30);
    let client = LongPoll::new(&nginx, "/poll/a/b/c").since_long_ago();
    clients.push(("poll".into(), tokio::spawn(by_headers(client, pause))));
    let by_arguments = tokio::spawn(by_arguments(nginx.port, Duration::ZERO));

    let publishers = (0..PUBLISHERS).map(|n| tokio::spawn(publish(nginx.port, n)));
    let publishers = publishers.collect::<Vec<_>>();
    disturb(&nginx).await;
    for publisher in publishers {
        publisher.await.expect("a publisher");
    }
    for channel in CHANNELS {
        nginx.publish(channel, LAST).await;
    }
    let mut last = BTreeMap::new();
    for channel in CHANNELS {
        last.insert(channel, nginx.channel_stat(channel, "published_messages").await);
    }
    assert!(last.values().all(|&count| count > (PUBLISHERS * MESSAGES) as u64), "{last:?}");
    for (who, client) in clients {
        client.await.expect("a client").assert_complete(&last, &who);
    }
    let seen = by_arguments.await.expect("a client");
    assert_eq!(seen.ids["a"], (1..=last["a"]).collect::<Vec<_>>());
}

/// LP-4..10, OLD-7, OLD-10..12, OLD-15, OLD-16, OLD-20, LP-21, CLI-36: several publishers and workers,
/// seconds that begin and timeouts that fall in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_once() {
    let _alone = alone().await;
    exact(async |_: &Nginx| {}).await;
}

/// LP-16, LIFE-83: the same while the configuration is reloaded and workers are killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn across_reloads_and_killed_workers() {
    let _alone = alone().await;
    exact(async |nginx: &Nginx| {
        for _ in 0..2 {
            nginx.reload().await;
            let victim = *nginx.worker_pids().first().expect("a worker");
            nginx.kill_worker(victim);
            nginx.all_workers().await;
        }
    })
    .await;
}

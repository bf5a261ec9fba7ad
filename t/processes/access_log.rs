//! The access log: one line for each subscriber, with what was really answered, how many bytes it was sent
//! and how long it stayed.

use std::time::Instant;

use crate::support::websocket::{frame, handshake};
use crate::support::{Builder, Nginx, Raw, wait_for};

/// A line of the log.
#[derive(Debug)]
pub struct Entry {
    pub status: u16,
    pub bytes: usize,
    pub body: usize,
    /// Seconds.
    pub time: f64,
}

/// Writes such lines.
pub fn logged(builder: Builder) -> Builder {
    builder
        .http("log_format push '$request_uri $status $bytes_sent $body_bytes_sent $request_time';")
        .server("access_log access.log push;")
}

fn entries(nginx: &Nginx, uri: &str) -> Vec<Entry> {
    let text = std::fs::read_to_string(nginx.dir().join("access.log")).unwrap_or_default();
    let lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    lines
        .filter(|fields| fields[0] == uri)
        .map(|fields| Entry {
            status: fields[1].parse().expect("a status"),
            bytes: fields[2].parse().expect("bytes"),
            body: fields[3].parse().expect("bytes"),
            time: fields[4].parse().expect("seconds"),
        })
        .collect()
}

/// The only line of this URI.
pub async fn entry(nginx: &Nginx, uri: &str) -> Entry {
    let mut entries = wait_for(&format!("the line of {uri}"), || async {
        Some(entries(nginx, uri)).filter(|entries| !entries.is_empty())
    })
    .await;
    assert_eq!(entries.len(), 1, "{uri}: {entries:?}");
    entries.remove(0)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The client closes.
    Client,
    /// The only channel is deleted.
    Deletion,
    /// `push_stream_subscriber_connection_ttl`, `push_stream_longpolling_connection_ttl`
    Ttl,
}

/// A subscriber that counts what it is sent.
struct Subscriber {
    mode: &'static str,
    uri: String,
    raw: Raw,
    head: usize,
    body: usize,
    start: Instant,
}

impl Subscriber {
    async fn come(nginx: &Nginx, mode: &'static str, uri: String) -> Self {
        let mut raw = nginx.raw().await;
        let lines = if mode == "ws" { handshake() } else { vec!["Connection: close".into()] };
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let start = Instant::now();
        raw.request(&format!("GET {uri}"), &lines).await;
        Self { mode, uri, raw, head: 0, body: 0, start }
    }

    async fn read_head(&mut self) {
        self.head = self.raw.until("\r\n\r\n").await.len();
    }

    async fn read_until(&mut self, mark: &str) {
        self.body += self.raw.until(mark).await.len();
    }

    /// Everything up to the close; a WebSocket's close frame is answered.
    async fn read_rest(&mut self) {
        if self.mode == "ws" {
            self.body += self.raw.until("FOOT").await.len();
            self.body += self.raw.exactly(2).await.len();
            self.raw.send(frame(0x88, "")).await;
        }
        self.body += self.raw.until_close().await.len();
    }

    async fn check(self, nginx: &Nginx, status: u16, held: f64) {
        let Self { uri, raw, head, body, start, .. } = self;
        drop(raw);
        let entry = entry(nginx, &uri).await;
        let sent = (entry.status, entry.bytes, entry.body);
        assert_eq!(sent, (status, head + body, body), "{uri}: {entry:?}");
        // The worker reads its clock once in each turn of its event loop.
        let (least, most) = (held - 0.1, start.elapsed().as_secs_f64() + 0.1);
        assert!((least..most).contains(&entry.time), "{uri}: {entry:?}, held {held} s");
    }
}

const MODES: [(&str, &str); 5] = [
    ("st", "streaming"),
    ("es", "eventsource"),
    ("lp", "long-polling"),
    ("poll", "polling"),
    ("ws", "websocket"),
];

/// Each mode, with messages straight to the connection and through nginx's filters.
fn all_modes(mut builder: Builder) -> Builder {
    for direct in ["on", "off"] {
        for (name, mode) in MODES {
            for (kind, ttl) in [("", ""), ("ttl-", "push_stream_subscriber_connection_ttl 1s;")] {
                let ttl = match (kind, mode) {
                    ("ttl-", "long-polling") => "push_stream_longpolling_connection_ttl 1s;",
                    _ => ttl,
                };
                let rest = format!(
                    r#"push_stream_direct_output {direct}; push_stream_message_template "~text~\n";
                       push_stream_header_template HEAD; push_stream_footer_template FOOT; {ttl}"#
                );
                builder = builder.mode(mode, &format!("{kind}{name}-{direct}"), &rest);
            }
        }
    }
    builder
}

/// Stays long enough for durations to differ; how long that was.
async fn a_while(from: Instant) -> f64 {
    wait_for("some time", || async { (from.elapsed().as_secs_f64() > 0.3).then_some(()) }).await;
    from.elapsed().as_secs_f64()
}

/// One subscriber that receives messages and then ends.
async fn one(nginx: &Nginx, mode: &'static str, direct: &str, ending: Ending) {
    let kind = if ending == Ending::Ttl { "ttl-" } else { "" };
    let channel = format!("{mode}{direct}{ending:?}");
    let uri = format!("/{kind}{mode}-{direct}/{channel}");
    let mut own = Subscriber::come(nginx, mode, uri).await;
    let is_poll = ["lp", "poll"].contains(&mode);
    if mode != "poll" {
        nginx.wait_channel_stat(&channel, "subscribers", 1).await;
    }
    let from = Instant::now();
    if !is_poll {
        own.read_head().await;
        nginx.publish_live(&channel, "first").await;
        nginx.publish_live(&channel, "x".repeat(100_000)).await;
        nginx.publish_live(&channel, "last").await;
        own.read_until("last\n").await;
        if mode == "es" {
            // The empty line that ends the event.
            own.read_until("\n").await;
        }
        if mode != "ws" {
            // That ends the chunk.
            own.read_until("\r\n").await;
        }
    }
    let held = match ending {
        Ending::Client => {
            let held = a_while(from).await;
            if mode == "poll" {
                own.read_head().await;
                own.read_rest().await;
                return own.check(nginx, 304, 0.0).await;
            }
            let status = if mode == "lp" { 499 } else { own_status(mode) };
            return own.check(nginx, status, held).await;
        }
        Ending::Deletion => {
            let held = a_while(from).await;
            nginx.delete(&format!("/pub?id={channel}")).await;
            held
        }
        Ending::Ttl => 1.0,
    };
    if is_poll {
        own.read_head().await;
    }
    own.read_rest().await;
    let status = match (mode, ending) {
        ("poll", _) | ("lp", Ending::Ttl) => 304,
        _ => own_status(mode),
    };
    own.check(nginx, status, if mode == "poll" { 0.0 } else { held }).await;
}

fn own_status(mode: &str) -> u16 {
    if mode == "ws" { 101 } else { 200 }
}

async fn ends(ending: Ending) {
    let nginx = std::sync::Arc::new(all_modes(logged(Nginx::builder().workers(2))).start().await);
    let mut subscribers = tokio::task::JoinSet::new();
    for (mode, _) in MODES {
        for direct in ["on", "off"] {
            let nginx = std::sync::Arc::clone(&nginx);
            subscribers.spawn(async move { one(&nginx, mode, direct, ending).await });
        }
    }
    subscribers.join_all().await;
}

/// LIFE-19: a client that closes: what it was sent until then; 499 if it was not answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_close() {
    ends(Ending::Client).await;
}

/// SUB-48, LP-20: the channel is deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_channels() {
    ends(Ending::Deletion).await;
}

/// SUB-43, LP-16: the time is up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_that_are_up() {
    ends(Ending::Ttl).await;
}

/// LIFE-89, LIFE-94: a reload ends all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload() {
    let nginx = all_modes(logged(Nginx::builder().workers(2))).start().await;
    let mut subscribers = Vec::new();
    for (mode, _) in MODES.into_iter().filter(|(mode, _)| *mode != "poll") {
        for direct in ["on", "off"] {
            let uri = format!("/{mode}-{direct}/r");
            subscribers.push(Subscriber::come(&nginx, mode, uri).await);
        }
    }
    nginx.wait_channel_stat("r", "subscribers", subscribers.len() as u64).await;
    nginx.reload().await;
    for mut subscriber in subscribers {
        subscriber.read_head().await;
        subscriber.read_rest().await;
        let status = if subscriber.mode == "lp" { 304 } else { own_status(subscriber.mode) };
        subscriber.check(&nginx, status, 0.0).await;
    }
}

/// ADM-1, WS-40: who is refused is logged with that status; a WebSocket, which is told so in a close frame,
/// with 101.
#[tokio::test]
async fn refusals() {
    let nginx = all_modes(logged(Nginx::builder().workers(1)))
        .http("push_stream_authorized_channels_only on;")
        .start()
        .await;
    for (mode, _) in MODES {
        let mut own = Subscriber::come(&nginx, mode, format!("/{mode}-on/unknown")).await;
        own.read_head().await;
        if mode == "ws" {
            own.body += own.raw.exactly(2).await.len();
            own.raw.send(frame(0x88, "")).await;
        }
        own.body += own.raw.until_close().await.len();
        own.check(&nginx, if mode == "ws" { 101 } else { 403 }, 0.0).await;
    }
}

/// SUB-52: a subscriber that reads too slowly, and one that stops reading: all that was handed to the
/// kernel for it counts, nothing that was dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers() {
    let builder = Nginx::builder().workers(1).listen("sndbuf=16k").expect_log("reads too slowly");
    let nginx = logged(builder)
        .subscriber("slow", "push_stream_subscriber_max_pending 128k;")
        .subscriber("stalled", "push_stream_subscriber_max_pending 64m; send_timeout 1s;")
        .start()
        .await;
    for name in ["slow", "stalled"] {
        let mut raw = Raw::with_small_window(nginx.port).await;
        raw.request(&format!("GET /{name}/s"), &[]).await;
        nginx.wait_channel_stat("s", "subscribers", 1).await;
        for _ in 0..20 {
            nginx.publish_live("s", vec![b's'; 50_000]).await;
        }
        if name == "stalled" {
            // Not a byte is read before the end is logged.
            let entry = entry(&nginx, "/stalled/s").await;
            let received = raw.until_close().await.len();
            assert!(entry.bytes >= received && entry.bytes < 20 * 50_000, "{entry:?}, {received}");
            assert_eq!(entry.status, 200);
            continue;
        }
        nginx.wait_channel_stat("s", "subscribers", 0).await;
        let head = raw.until("\r\n\r\n").await.len();
        let body = raw.until_close().await.len();
        let entry = entry(&nginx, "/slow/s").await;
        assert_eq!((entry.status, entry.bytes, entry.body), (200, head + body, body), "{entry:?}");
    }
}

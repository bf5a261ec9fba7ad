//! Reloads one after the other while messages are published: clients that come back with what they have
//! seen get every message exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;
use tokio::task::JoinSet;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::old_workers_gone;
use crate::support::stream::End;
use crate::support::{Call, EventSource, LongPoll, Nginx, in_time};

/// Clients of each mode.
const CLIENTS: usize = 6;
const RELOADS: usize = 3;
const LAST: &str = "last";

/// What a client has seen, and how often a stream or WebSocket was opened for it.
#[derive(Default)]
struct Seen {
    texts: Vec<String>,
    visits: usize,
}

/// The position of a client, as it stands in the messages.
struct Cursor {
    time: String,
    tag: String,
}

impl Cursor {
    /// Nothing was seen.
    fn new() -> Self {
        Self { time: "Thu, 01 Jan 1970 00:00:01 GMT".into(), tag: "W/0".into() }
    }

    /// Goes on to `time|tag|text`; the text.
    fn take(&mut self, line: &str) -> String {
        let mut parts = line.splitn(3, '|');
        let mut next = || parts.next().expect("time, tag and text").to_owned();
        self.time = next();
        self.tag = format!("W/{}", next());
        next()
    }
}

async fn stream(port: u16) -> Seen {
    let (mut cursor, mut seen) = (Cursor::new(), Seen::default());
    loop {
        let call = Call::new(port, "GET", "/stream/c")
            .header("If-Modified-Since", &cursor.time)
            .header("If-None-Match", &cursor.tag);
        // A connection on which nothing was sent yet may be closed by a worker that goes.
        let Ok(mut stream) = call.try_stream().await else { continue };
        seen.visits += 1;
        loop {
            match stream.next_line().await {
                Ok(line) => seen.texts.push(cursor.take(&line)),
                Err(end) => {
                    assert_eq!(end, End::Clean);
                    break;
                }
            }
            if seen.texts.last().is_some_and(|text| text == LAST) {
                return seen;
            }
        }
    }
}

async fn socket(port: u16) -> Seen {
    let (mut cursor, mut seen) = (Cursor::new(), Seen::default());
    loop {
        let mut request =
            format!("ws://127.0.0.1:{port}/ws/c").into_client_request().expect("a request");
        for (name, value) in [("If-Modified-Since", &cursor.time), ("If-None-Match", &cursor.tag)] {
            request.headers_mut().insert(name, value.parse().expect("a header"));
        }
        let Ok((mut socket, _)) = connect_async(request).await else { continue };
        seen.visits += 1;
        let mut closed = false;
        while let Some(Ok(message)) = in_time("a frame", socket.next()).await {
            match message {
                Message::Text(line) => seen.texts.push(cursor.take(&line)),
                Message::Close(frame) => {
                    assert_eq!(frame.map(|frame| u16::from(frame.code)), Some(1001));
                    closed = true;
                }
                other => panic!("{other:?}"),
            }
            if seen.texts.last().is_some_and(|text| text == LAST) {
                socket.close(None).await.expect("closed");
                return seen;
            }
        }
        assert!(closed, "a WebSocket ended without a word");
    }
}

async fn poll(mut client: LongPoll) -> Seen {
    let mut seen = Seen::default();
    loop {
        let Ok(answer) = client.try_poll().await else { continue };
        let lines = answer.text().lines().map(|line| Cursor::new().take(line));
        seen.texts.extend(lines);
        if seen.texts.last().is_some_and(|text| text == LAST) {
            return seen;
        }
    }
}

async fn event_source(mut client: EventSource) -> Seen {
    let mut seen = Seen::default();
    loop {
        seen.texts.push(client.data().await);
        if seen.texts.last().is_some_and(|text| text == LAST) {
            return seen;
        }
    }
}

async fn publish(port: u16, text: &str) {
    loop {
        let call = Call::new(port, "POST", "/pub?id=c").body(text);
        if let Ok(answer) = call.try_send().await {
            return assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}

/// Until told to stop; how many it were.
async fn publish_on(port: u16, stop: Arc<AtomicBool>) -> usize {
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        publish(port, &format!("m{n}")).await;
    }
    n
}

/// LIFE-94..96, LIFE-101: streaming, EventSource, long polling and WebSockets, with a drain and without.
async fn every_message_once(drain: &str) {
    let template = r#"push_stream_message_template "~time~|~tag~|~text~"#;
    let nginx = Nginx::builder()
        .listen("")
        .workers(2)
        .http(&format!("push_stream_reload_drain {drain};"))
        .subscriber("stream", &format!("{template}\\n\";"))
        .mode("long-polling", "poll", &format!("{template}\\n\";"))
        .mode("eventsource", "events", "push_stream_event_id auto;")
        .websocket("ws", &format!("{template}\"; push_stream_websocket_close_codes on;"))
        .start()
        .await;
    let (port, stop) = (nginx.port, Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut events = EventSource::new(&nginx, "/events/c");
        events.opened().await;
        clients.spawn(event_source(events));
        clients.spawn(stream(port));
        clients.spawn(socket(port));
        clients.spawn(poll(LongPoll::new(&nginx, "/poll/c").since_long_ago()));
    }
    let publisher = tokio::spawn(publish_on(port, stop.clone()));
    for _ in 0..RELOADS {
        nginx.reload().await;
        old_workers_gone(&nginx).await;
    }
    stop.store(true, Ordering::Relaxed);
    let count = publisher.await.expect("no panic");
    publish(port, LAST).await;

    let mut expected: Vec<String> = (1..=count).map(|n| format!("m{n}")).collect();
    expected.push(LAST.into());
    let mut visits = 0;
    for seen in clients.join_all().await {
        visits += seen.visits;
        let wrong = seen.texts.iter().zip(&expected).find(|(seen, expected)| seen != expected);
        assert_eq!((wrong, seen.texts.len()), (None, expected.len()));
    }
    assert!(visits >= 2 * CLIENTS * RELOADS, "only {visits} visits");
    nginx.wait_stat("subscribers", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_drain() {
    every_message_once("500ms").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_once() {
    every_message_once("0").await;
}

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
        let call = Call::new(port, "GET", "/stream/a/b")
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
            format!("ws://127.0.0.1:{port}/ws/a/b").into_client_request().expect("a request");
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

/// To `c`, where polls wait, and to one of the channels of the others.
async fn publish(port: u16, channel: &str, text: &str) {
    loop {
        let call = Call::new(port, "POST", &format!("/pub?id=c/{channel}")).body(text);
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
        publish(port, ["a", "b"][n % 2], &format!("m{n}")).await;
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
        let mut events = EventSource::new(&nginx, "/events/a/b");
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
    publish(port, "a", LAST).await;

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

/// OLD-14, LIFE-94, LIFE-109: the end of a history that a reload cuts off comes with the position of the last
/// message there was, in all channels.
#[tokio::test]
async fn a_history_that_is_cut_off() {
    const MESSAGES: usize = 300;
    let template = r#"push_stream_message_template "~time~|~tag~|~text~\n";"#;
    let nginx = Nginx::builder().zone("32m").subscriber("stream", template).start().await;
    for n in 0..MESSAGES {
        let text = format!("{n} {}", ".".repeat(50_000));
        nginx.publish(["a", "b", "c"][n % 3], text).await;
    }
    let mut cursor = Cursor::new();
    let (mut seen, mut cut) = (Vec::new(), 0);
    while seen.len() < MESSAGES {
        let call = Call::new(nginx.port, "GET", "/stream/b/a/c")
            .header("If-Modified-Since", &cursor.time)
            .header("If-None-Match", &cursor.tag);
        let mut stream = call.stream().await;
        if cut == 0 {
            // More waits than sockets take.
            nginx.reload().await;
        }
        while let Ok(line) = stream.next_line().await {
            let text = cursor.take(&line);
            seen.push(text.split(' ').next().expect("a number").to_owned());
            if seen.len() == MESSAGES {
                break;
            }
        }
        cut += 1;
    }
    assert!(cut > 1, "the history was not cut off");
    assert_eq!(seen, (0..MESSAGES).map(|n| n.to_string()).collect::<Vec<_>>());
}

//! Readers that know how far they came, connect again when they are cut, and keep account.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::LAST;
use super::ledger::{Stored, short};
use super::random::Random;
use crate::support::{Call, Habits, LongPoll, Way, in_time, wait_for};

const LONG_AGO: &str = "Thu, 01 Jan 1970 00:00:01 GMT";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Streaming,
    EventSource,
    WebSocket(Habits),
}

/// What the readers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Running,
    Leave,
}

/// A reader that holds a connection.
pub struct Place {
    pub mode: Mode,
    pub channels: Vec<&'static str>,
    way: Way,
    /// Last messages it has, one of each channel.
    ended: AtomicUsize,
    connected: AtomicBool,
}

impl Place {
    pub fn new(mode: Mode, channels: &[&'static str], way: &Way) -> Arc<Self> {
        Arc::new(Self {
            mode,
            channels: channels.to_vec(),
            way: way.clone(),
            ended: AtomicUsize::new(0),
            connected: AtomicBool::new(false),
        })
    }

    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::SeqCst)
    }

    /// Waits until it has the last message of each of its channels and is connected.
    pub async fn complete(&self) {
        wait_for(&format!("the last message at {self}"), || async {
            let ended = self.ended.load(Ordering::SeqCst) == self.channels.len();
            (ended && self.is_connected()).then_some(())
        })
        .await
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let protocol = match self.mode {
            Mode::WebSocket(habits) => habits.version,
            _ if self.way.http2 => "HTTP/2",
            _ => "HTTP/1.1",
        };
        let tls = if self.way.tls.is_some() { " with TLS" } else { "" };
        write!(f, "a reader of {} ({:?}, {protocol}{tls})", self.channels.join("/"), self.mode)
    }
}

/// What one reader received.
pub struct Seen {
    who: String,
    channels: Vec<String>,
    pub messages: BTreeMap<String, Vec<String>>,
    pub connections: usize,
    cursor: Cursor,
}

/// How far it came, in the words of its mode.
struct Cursor {
    time: String,
    tag: String,
    event_id: Option<String>,
}

impl Seen {
    fn new(who: String, channels: &[&str]) -> Self {
        let cursor = Cursor { time: LONG_AGO.into(), tag: "0".into(), event_id: None };
        let channels = channels.iter().map(|&id| id.to_owned()).collect();
        Self { who, channels, messages: BTreeMap::new(), connections: 0, cursor }
    }

    /// Takes a line that the template made; true for the last one of its channel.
    fn take(&mut self, line: &str) -> bool {
        let separator = if line.contains('|') { '|' } else { ' ' };
        let fields = line.splitn(5, separator).collect::<Vec<_>>();
        let [channel, id, text, tag, time] = fields[..] else {
            panic!("{}: what is '{}'?", self.who, short(line))
        };
        if id == "-1" {
            assert_eq!(text, "ping", "{}", self.who);
            return false;
        }
        assert!(self.channels.iter().any(|own| own == channel), "{}: {}", self.who, short(line));
        let messages = self.messages.entry(channel.into()).or_default();
        let expected = messages.len() + 1;
        assert_eq!(id, expected.to_string(), "{}, {channel}: {}", self.who, short(line));
        messages.push(text.into());
        (self.cursor.tag, self.cursor.time) = (tag.into(), time.into());
        text == LAST
    }

    /// Everything that is stored, once, in order.
    pub fn check(&self, stored: &Stored) {
        for channel in &self.channels {
            let (seen, stored) = (&self.messages[channel], &stored[channel.as_str()]);
            assert_eq!(seen.len(), stored.len(), "{}: messages of {channel}", self.who);
            let odd = seen.iter().zip(stored).position(|(seen, stored)| seen != stored);
            assert_eq!(odd, None, "{}: not the message that {channel} stores", self.who);
        }
    }
}

/// Follows its channels until told to leave; whatever ends a connection, the next begins where it was.
pub async fn follow(place: Arc<Place>, mut stage: watch::Receiver<Stage>) -> Seen {
    let mut seen = Seen::new(place.to_string(), &place.channels);
    loop {
        let leaving = stage.wait_for(|stage| *stage == Stage::Leave);
        tokio::select! {
            _ = leaving => return seen,
            () = visit(&place, &mut seen) => place.connected.store(false, Ordering::SeqCst),
        }
        // A server that cannot take it now is asked again, not flooded.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

/// One connection, as long as it lasts.
async fn visit(place: &Place, seen: &mut Seen) {
    match place.mode {
        Mode::Streaming | Mode::EventSource => read_stream(place, seen).await,
        Mode::WebSocket(habits) => read_socket(place, habits, seen).await,
    }
}

fn joined(place: &Place, seen: &mut Seen) {
    seen.connections += 1;
    place.connected.store(true, Ordering::SeqCst);
}

fn took(place: &Place, last: bool) {
    place.ended.fetch_add(usize::from(last), Ordering::SeqCst);
}

async fn read_stream(place: &Place, seen: &mut Seen) {
    let path = place.channels.join("/");
    let is_stream = place.mode == Mode::Streaming;
    let name = if is_stream { "st" } else { "es" };
    let mut call = Call::new(place.way.clone(), "GET", &format!("/{name}/{path}"));
    if let Some(id) = &seen.cursor.event_id {
        call = call.header("Last-Event-Id", id);
    } else {
        call = call.header("If-Modified-Since", &seen.cursor.time);
        call = call.header("If-None-Match", &format!("W/{}", seen.cursor.tag));
    }
    let Ok(mut stream) = call.try_stream().await else { return };
    if stream.status != 200 {
        // The zone is full.
        assert_eq!(stream.status, 500, "{place}");
        return;
    }
    joined(place, seen);
    let (mut id, mut data) = (None, None);
    while let Ok(line) = stream.next_line().await {
        if is_stream {
            took(place, seen.take(&line));
        } else if let Some(text) = line.strip_prefix("id: ") {
            id = Some(text.to_owned());
        } else if let Some(text) = line.strip_prefix("data: ") {
            data = Some(text.to_owned());
        } else if line.is_empty() {
            // Only a whole event counts.
            if let Some(text) = data.take() {
                seen.cursor.event_id = id.take();
                took(place, seen.take(&text));
            }
        } else {
            assert!(line.starts_with(':'), "{place}: {}", short(&line));
        }
    }
}

async fn read_socket(place: &Place, habits: Habits, seen: &mut Seen) {
    let url = format!("ws://127.0.0.1:{}/ws/{}", place.way.port, place.channels.join("/"));
    let mut request = url.into_client_request().expect("a request");
    let headers = request.headers_mut();
    headers.insert("If-Modified-Since", seen.cursor.time.parse().expect("a value"));
    headers.insert("If-None-Match", format!("W/{}", seen.cursor.tag).parse().expect("a value"));
    let Ok(stream) = TcpStream::connect(("127.0.0.1", place.way.port)).await else { return };
    let shaking = habits.shake_hands(stream, &request);
    let Ok((mut socket, _)) = in_time("a WebSocket's handshake", shaking).await else { return };
    joined(place, seen);
    // Pings come, so that a silent connection is a stuck one.
    while let Some(Ok(message)) = in_time("a frame", socket.next()).await {
        match message {
            Message::Text(text) => took(place, seen.take(&text)),
            Message::Ping(_) | Message::Close(_) => {}
            other => panic!("{place}: {other:?}"),
        }
    }
}

/// Polls by the headers of the last answer until it has the last message of each channel.
pub async fn poll(mut client: LongPoll, target: &str, mut random: Random) -> Seen {
    let channels: Vec<_> = target.split('/').skip(2).collect();
    let mut seen = Seen::new(format!("GET {target}"), &channels);
    let mut ended = 0;
    while ended < channels.len() {
        let Ok(answer) = client.try_poll().await else { continue };
        assert!([200, 304, 500].contains(&answer.status), "{answer:?}");
        if answer.status == 200 {
            ended += answer.text().lines().filter(|line| seen.take(line)).count();
        }
        random.pause(20).await;
    }
    seen.connections = client.connections();
    seen
}

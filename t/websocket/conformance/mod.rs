//! RFC 6455 and RFC 7692 as tables: one case for each duty of a server, over raw sockets, in exact
//! bytes. A case names the section of the RFC and the rules of docs/spec/websocket.md that it shows.
//!
//! Each case is played with its bytes in one piece, in pieces of seven, and one by one, and over TLS; a
//! request to the only worker makes sure that it has read a piece before the next is sent. First where
//! `push_stream_websocket_masking required` makes the server as strict as RFC 6455, then where masks are
//! optional, with frames that have none, and with some that do in between: nothing else may differ.

mod closing;
mod deflate;
mod fragments;
mod frames;
mod handshake;
mod text;
mod unmasked;

use tokio::task::JoinSet;

use crate::support::tls::Trust;
use crate::support::websocket::{frame, inflated, unmasked};
use crate::support::{Client, Frame, Nginx, Raw, Socket};

/// How much is sent piece by piece; what is longer would only take longer.
const CUT_UP_TO: usize = 1_500;
const SEVENS_UP_TO: usize = 30_000;

/// `push_stream_websocket_masking`.
const REQUIRED: &str = "required";
const OPTIONAL: &str = "optional";

/// Pieces of how many bytes, and how they travel.
#[derive(Clone, Copy, Debug)]
struct Cut {
    size: usize,
    tls: bool,
    masks: Masks,
}

/// Which frames a client masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Masks {
    All,
    None,
    /// Every other one.
    Some,
}

#[derive(Clone, Debug)]
enum Sent {
    Frame(u8, Vec<u8>),
    /// Masked or not, it stays as it is.
    Raw(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The connection stays, and is good for a ping.
    Stays,
    /// The server ends it without waiting for anything.
    Ends,
    /// The same, whatever the client sent last and still sends.
    Fails,
}

#[derive(Clone, Debug)]
struct Case {
    name: &'static str,
    location: &'static str,
    headers: Vec<&'static str>,
    sent: Vec<Sent>,
    wanted: Vec<(u8, Vec<u8>)>,
    published: u64,
    end: End,
}

/// A case whose client may publish (location `/say`, the message alone in its frames).
fn case(name: &'static str) -> Case {
    Case {
        name,
        location: "say",
        headers: Vec::new(),
        sent: Vec::new(),
        wanted: Vec::new(),
        published: 0,
        end: End::Stays,
    }
}

impl Case {
    fn at(mut self, location: &'static str) -> Self {
        self.location = location;
        self
    }

    fn offers(mut self, header: &'static str) -> Self {
        self.headers.push(header);
        self
    }

    /// A frame with the shortest length.
    fn sends(mut self, start: u8, payload: impl AsRef<[u8]>) -> Self {
        self.sent.push(Sent::Frame(start, payload.as_ref().to_vec()));
        self
    }

    fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.sent.push(Sent::Raw(bytes.as_ref().to_vec()));
        self
    }

    /// All that the client sends.
    fn bytes(&self, masks: Masks) -> Vec<u8> {
        let is_masked = |n: usize| masks == Masks::All || masks == Masks::Some && n % 2 == 1;
        let bytes = self.sent.iter().enumerate().map(|(n, sent)| match sent {
            Sent::Frame(start, payload) if is_masked(n) => frame(*start, payload),
            Sent::Frame(start, payload) => unmasked(*start, payload),
            Sent::Raw(bytes) => bytes.clone(),
        });
        bytes.flatten().collect()
    }

    fn gets(mut self, start: u8, payload: impl AsRef<[u8]>) -> Self {
        self.wanted.push((start, payload.as_ref().to_vec()));
        self
    }

    /// The text is published, and comes back.
    fn publishes(mut self, text: impl AsRef<[u8]>) -> Self {
        self.published += 1;
        self.gets(0x81, text)
    }

    /// The server closes with this code, sends nothing more, and ends the connection.
    fn fails(mut self, code: u16) -> Self {
        self.end = End::Fails;
        self.gets(0x88, code.to_be_bytes())
    }

    /// The server sends this close frame, nothing more, and ends the connection.
    fn closes(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.end = End::Ends;
        self.gets(0x88, payload)
    }

    async fn play(self, nginx: &Nginx, channel: &str, Cut { size, tls, masks }: Cut) {
        let mut other = Client::connect(nginx.port).await.expect("a connection");
        let target = format!("/{}/{channel}", self.location);
        let raw = match tls {
            true => Raw::over_tls(nginx.tls_port(), &Trust::in_certificate_of(nginx.dir())).await,
            false => nginx.raw().await,
        };
        let mut socket = Socket::open(raw, &target, &self.headers).await;
        for piece in self.bytes(masks).chunks(size) {
            // The server may have had enough before all is sent.
            let _ = socket.raw.try_send(piece).await;
            other.get("/stats?id=none").await.expect("an answer");
        }
        if self.end == End::Fails {
            // Not looked at, and does not cost the client the close frame.
            let _ = socket.raw.try_send(&frame(0x81, vec![b'y'; 20_000])).await;
        }
        self.compare(&mut socket).await;
        match self.end {
            End::Stays => {
                socket.send(0x89, "and on").await;
                socket.expect(0x8a, "and on").await;
            }
            End::Ends | End::Fails => socket.raw.expect_close().await,
        }
        let published = nginx.channel_stat(channel, "published_messages").await;
        assert_eq!(published, self.published, "published messages");
    }
}

impl Case {
    /// Control frames and messages come in order among themselves. A connection that ends need not
    /// bring the client its own messages back before.
    async fn compare(&self, socket: &mut Socket) {
        let is_control = |frame: &Frame| frame.start & 8 != 0;
        let frames = self.wanted.iter().map(|(start, payload)| (*start, payload.clone()));
        let mut wanted: Vec<Frame> =
            frames.map(|(start, payload)| Frame { start, payload }).collect();
        let mut seen = Vec::new();
        if self.end == End::Stays {
            while seen.len() < wanted.len() {
                seen.push(plain(socket.frame().await));
            }
        } else {
            wanted.retain(is_control);
            while seen.last().is_none_or(|frame: &Frame| frame.start != 0x88) {
                seen.push(socket.frame().await);
                seen.retain(is_control);
            }
        }
        wanted.sort_by_key(is_control);
        seen.sort_by_key(is_control);
        let pairs = seen.iter().zip(&wanted);
        if let Some((seen, wanted)) = pairs.clone().find(|(seen, wanted)| seen != wanted) {
            panic!("{} instead of {}", show(seen), show(wanted));
        }
        assert_eq!(seen.len(), wanted.len(), "frames");
    }
}

/// Plays all cases where masks are required and where they are optional.
async fn play(cases: Vec<Case>) {
    play_where(REQUIRED, &[Masks::All], &cases).await;
    play_where(OPTIONAL, &[Masks::None, Masks::Some], &cases).await;
}

/// Plays all cases in all cuts, some at a time, and tells of all that fail.
async fn play_where(masking: &str, masks: &[Masks], cases: &[Case]) {
    let nginx = std::sync::Arc::new(server(masking).await);
    let mut names = std::collections::BTreeSet::new();
    let mut failed = Vec::new();
    let mut all = Vec::new();
    for case in cases {
        assert!(names.insert(case.name), "two cases are named '{}'", case.name);
        let len = case.bytes(Masks::All).len();
        let some = if len <= SEVENS_UP_TO { 7 } else { 4000 };
        let cuts = [(len.max(1), false), (some, false), (1, false), (some, true)];
        for (n, (size, tls)) in cuts.into_iter().enumerate() {
            if size > 1 || len <= CUT_UP_TO {
                let cut = Cut { size, tls, masks: masks[n % masks.len()] };
                all.push((all.len(), case.clone(), cut));
            }
        }
    }
    for batch in all.chunks(16) {
        let mut playing = JoinSet::new();
        for (number, case, cut) in batch.iter().cloned() {
            let nginx = nginx.clone();
            playing.spawn(async move {
                let (name, channel) = (case.name, format!("c{number}"));
                let play = async move { case.play(&nginx, &channel, cut).await };
                (name, cut, tokio::spawn(play).await)
            });
        }
        while let Some(done) = playing.join_next().await {
            let (name, cut, outcome) = done.expect("the case is joined");
            if let Err(error) = outcome {
                failed.push(format!("{name} ({cut:?}): {}", said(error.into_panic())));
            }
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    nginx.wait_stat("subscribers", 0).await;
}

/// The same frame without compression, for clients that agreed to it.
fn plain(frame: Frame) -> Frame {
    match frame.start {
        start @ (0xc1 | 0xc2) => Frame { start: start & !0x40, payload: inflated(&frame) },
        _ => frame,
    }
}

fn show(frame: &Frame) -> String {
    let (len, begin) = (frame.payload.len(), &frame.payload[..frame.payload.len().min(40)]);
    format!("{:02x} \"{}\" ({len} bytes)", frame.start, begin.escape_ascii())
}

fn said(panic: Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// One worker, with locations for what may be agreed on.
async fn server(masking: &str) -> Nginx {
    let say = "push_stream_websocket_allow_publish on;";
    Nginx::builder()
        .http(&format!("push_stream_websocket_masking {masking};"))
        .workers(1)
        .tls()
        .websocket("say", say)
        .websocket("listen", "")
        .websocket("bin", &format!("{say} push_stream_websocket_binary on;"))
        .websocket("zip", &format!("{say} push_stream_websocket_deflate on;"))
        .websocket(
            "zipbin",
            &format!("{say} push_stream_websocket_deflate on; push_stream_websocket_binary on;"),
        )
        .websocket(
            "small",
            &format!(
                "{say} push_stream_websocket_deflate on; push_stream_websocket_max_message_size 1000;"
            ),
        )
        .websocket("any", &format!("{say} client_max_body_size 0;"))
        .start()
        .await
}

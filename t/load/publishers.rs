//! Publishers, and others who change the zone or look at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::DOOMED;
use super::ledger::{Ledger, short, text};
use super::random::Random;
use crate::support::client::Failure;
use crate::support::{Answer, Client, Habits, in_time};

type Parts = (Arc<Ledger>, Arc<AtomicBool>);

/// A kept connection that is made anew when it breaks.
struct Link {
    port: u16,
    client: Option<Client>,
}

impl Link {
    fn to(port: u16) -> Self {
        Self { port, client: None }
    }

    async fn send(&mut self, method: &str, target: &str, body: &str) -> Result<Answer, Failure> {
        let mut client = match self.client.take() {
            Some(client) if client.is_open() => client,
            _ => Client::connect(self.port).await?,
        };
        let call = crate::support::Call::new(self.port, method, target).body(body);
        let answer = client.send(call).await?;
        self.client = Some(client);
        Ok(answer)
    }
}

fn length(random: &mut Random) -> usize {
    match random.below(100) {
        0 => 20_000,
        1..10 => 2_000,
        _ => random.below(100),
    }
}

/// Numbered texts; one whose answer is lost is not sent again, and one that is refused because the zone
/// is full is not acknowledged.
pub async fn over_http(
    port: u16,
    publisher: usize,
    channel: &'static str,
    mut random: Random,
    (ledger, stop): Parts,
) {
    let target = format!("/pub?id={channel}");
    let mut link = Link::to(port);
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let text = text(publisher, n, length(&mut random));
        if let Ok(answer) = link.send("POST", &target, &text).await {
            match answer.status {
                200 => ledger.acknowledge(channel, publisher, text),
                status => assert_eq!(status, 500, "{answer:?}"),
            }
        }
        random.pause(10).await;
    }
}

/// The same through a WebSocket; a text is acknowledged when it comes back.
pub async fn over_websocket(
    port: u16,
    publisher: usize,
    channel: &'static str,
    habits: Habits,
    (ledger, stop): Parts,
) {
    let url = format!("ws://127.0.0.1:{port}/say/{channel}");
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
        let request = url.as_str().into_client_request().expect("a request");
        let shaking = habits.shake_hands(stream, &request);
        let Ok((mut socket, _)) = in_time("a handshake", shaking).await else { continue };
        'open: while !stop.load(Ordering::Relaxed) {
            n += 1;
            let text = text(publisher, n, n % 50);
            if socket.send(Message::text(&text)).await.is_err() {
                break;
            }
            loop {
                match in_time("the echo", socket.next()).await {
                    Some(Ok(Message::Text(seen))) => {
                        assert!(seen.starts_with(channel), "{}", short(&seen));
                        if seen.split([' ', '|']).nth(2) == Some(&text) {
                            break;
                        }
                    }
                    Some(Ok(_)) => {}
                    _ => break 'open,
                }
            }
            ledger.acknowledge(channel, publisher, text);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// To channels that come and go, stored or not.
pub async fn unstored(port: u16, mut random: Random, stop: Arc<AtomicBool>) {
    let mut link = Link::to(port);
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let location = random.pick(&["live", "pub"]);
        let target = format!("/{location}?id={}/{}", random.pick(&DOOMED), random.pick(&DOOMED));
        if let Ok(answer) = link.send("POST", &target, &text(20, n, length(&mut random))).await {
            assert!([200, 500].contains(&answer.status), "{answer:?}");
        }
        random.pause(10).await;
    }
}

pub async fn deletions(port: u16, mut random: Random, stop: Arc<AtomicBool>) {
    let mut link = Link::to(port);
    while !stop.load(Ordering::Relaxed) {
        let target = format!("/pub?id={}", random.pick(&DOOMED));
        if let Ok(answer) = link.send("DELETE", &target, "").await {
            assert!([200, 404].contains(&answer.status), "{answer:?}");
        }
        random.pause(100).await;
    }
}

/// Whatever happens meanwhile, what the statistics say is well-formed.
pub async fn statistics(port: u16, mut random: Random, stop: Arc<AtomicBool>) {
    let mut link = Link::to(port);
    while !stop.load(Ordering::Relaxed) {
        let target = random.pick(&["/stats", "/stats?id=ALL", "/stats?id=k*", "/stats?id=k0/d0"]);
        if let Ok(answer) = link.send("GET", target, "").await {
            match answer.status {
                200 => drop(answer.json()),
                status => assert!([404, 500].contains(&status), "{answer:?}"),
            }
        }
        random.pause(50).await;
    }
}

//! The same through a client library that is not ours, by every way to the server and with every habit.

use std::net::Ipv4Addr;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{self, CloseFrame};
use tokio_tungstenite::tungstenite::{Error, handshake::client::Request};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::scenarios::{self, Message, Visitor};
use crate::support::{Builder, Habits, Nginx, Way, in_time};

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// tokio-tungstenite, how it reaches the server, and how it behaves.
struct Library(Way, Habits);

pub struct Socket {
    client: WebSocketStream<Box<dyn Wire>>,
    protocol: String,
}

impl Library {
    fn modern(way: impl Into<Way>) -> Self {
        Self(way.into(), Habits::MODERN)
    }

    async fn connect(&self, request: Request) -> Result<Socket, Error> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.0.port)).await.expect("connect");
        socket.set_nodelay(true).expect("TCP_NODELAY");
        let stream: Box<dyn Wire> = match &self.0.tls {
            Some(trust) => Box::new(trust.handshake(socket, false).await.expect("a TLS handshake")),
            None => Box::new(socket),
        };
        if self.1 == Habits::MODERN {
            let (client, answer) = in_time("a handshake", client_async(request, stream)).await?;
            let protocol = answer.headers().get("Sec-WebSocket-Protocol");
            let protocol = protocol.map(|value| value.to_str().expect("a token").to_owned());
            return Ok(Socket { client, protocol: protocol.unwrap_or_default() });
        }
        let shaking = self.1.shake_hands(stream, &request);
        let (client, head) = in_time("a handshake", shaking).await?;
        let mut lines = head.lines();
        let protocol = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
        Ok(Socket { client, protocol: protocol.unwrap_or_default().to_owned() })
    }

    async fn refused(&self, target: &str, origin: Option<&'static str>) -> StatusCode {
        let mut request = request(target);
        if let Some(origin) = origin {
            request.headers_mut().insert("Origin", HeaderValue::from_static(origin));
        }
        match self.connect(request).await {
            Err(Error::Http(answer)) => answer.status(),
            other => panic!("{:?}", other.map(|_| "a socket")),
        }
    }
}

fn request(target: &str) -> Request {
    format!("ws://localhost{target}").into_client_request().expect("a request")
}

impl Visitor for Library {
    type Socket = Socket;

    async fn open(&self, target: &str, protocols: &[&str]) -> Socket {
        let mut request = request(target);
        if !protocols.is_empty() {
            let value = HeaderValue::from_str(&protocols.join(", ")).expect("a value");
            request.headers_mut().insert("Sec-WebSocket-Protocol", value);
        }
        self.connect(request).await.expect("a handshake")
    }

    async fn protocol(&self, socket: &Socket) -> String {
        socket.protocol.clone()
    }

    async fn send(&self, socket: &mut Socket, message: Message) {
        let message = match message {
            Message::Text(text) => protocol::Message::text(text),
            Message::Binary(bytes) => protocol::Message::binary(bytes),
        };
        in_time("a message to leave", socket.client.send(message)).await.expect("sent");
    }

    async fn receive(&self, socket: &mut Socket) -> Message {
        loop {
            let message =
                in_time("a message", socket.client.next()).await.expect("an open connection");
            match message.expect("a message") {
                protocol::Message::Text(text) => return Message::Text(text.to_string()),
                protocol::Message::Binary(bytes) => return Message::Binary(bytes.to_vec()),
                protocol::Message::Ping(_) | protocol::Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn close(&self, socket: &mut Socket, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        socket.client.close(Some(frame)).await.expect("a close frame leaves");
    }

    async fn closed(&self, socket: &mut Socket) -> (u16, String) {
        let end = loop {
            match in_time("a close frame", socket.client.next()).await {
                Some(Ok(protocol::Message::Close(None))) => break (1005, String::new()),
                Some(Ok(protocol::Message::Close(Some(frame)))) => {
                    break (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(protocol::Message::Ping(_))) => {}
                other => panic!("{other:?}"),
            }
        };
        // The library tells an orderly end in one of these two ways.
        match in_time("the end", socket.client.next()).await {
            None | Some(Err(Error::ConnectionClosed)) => end,
            other => panic!("{other:?}"),
        }
    }
}

async fn play(nginx: &Nginx, way: Way, habits: Habits) {
    scenarios::play(nginx, &Library(way, habits)).await;
    nginx.wait_stat("subscribers", 0).await;
}

/// Straight to four workers.
#[tokio::test]
async fn the_scenarios_of_every_client() {
    let nginx = scenarios::locations(Nginx::builder()).start().await;
    play(&nginx, nginx.port.into(), Habits::MODERN).await;
}

/// WS-18, WS-67, WS-GAP-1, WS-GAP-5: by HTTP/1.0, without masks, and both.
#[tokio::test]
async fn the_same_with_other_habits() {
    for habits in [Habits::OLD, Habits::UNMASKED, Habits::DEVICE] {
        println!("{habits:?}");
        let nginx = scenarios::locations(Nginx::builder()).start().await;
        play(&nginx, nginx.port.into(), habits).await;
    }
}

/// wss.
#[tokio::test]
async fn the_same_over_tls() {
    let nginx = scenarios::locations(Nginx::builder()).tls().start().await;
    let ways = nginx.ways().into_iter();
    let (_, way) = ways.map(|(_, way)| ("", way)).find(|(_, way)| way.tls.is_some()).expect("TLS");
    play(&nginx, way, Habits::DEVICE).await;
}

/// Another nginx, which passes the upgrade on (docs/websocket.md).
fn proxy_to(nginx: &Nginx, directives: &str) -> Builder {
    let pass = format!(
        "proxy_pass http://127.0.0.1:{}; {directives}
         proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;",
        nginx.port
    );
    Nginx::builder()
        .no_module()
        .http("map $http_upgrade $connection_upgrade { default upgrade; '' close; }")
        .location("/", &pass)
}

/// WS-18, WS-GAP-1: through a proxy that asks by HTTP/1.0, as nginx did before 1.29.7 unless it was told
/// otherwise, for clients of all habits; with Host and without.
#[tokio::test]
async fn the_same_through_a_proxy_of_http_1_0() {
    for (host, habits) in [("", Habits::MODERN), ("proxy_set_header Host '';", Habits::DEVICE)] {
        let nginx = scenarios::locations(Nginx::builder())
            .http("log_format versions '$server_protocol $http_host $status';")
            .server("access_log versions versions;")
            .start()
            .await;
        let proxy = proxy_to(&nginx, &format!("proxy_http_version 1.0; {host}")).start().await;
        play(&nginx, proxy.port.into(), habits).await;
        let log = std::fs::read_to_string(nginx.dir().join("versions")).expect("an access log");
        let wanted = match host {
            "" => format!("HTTP/1.0 127.0.0.1:{} 101", nginx.port),
            _ => "HTTP/1.0 - 101".to_owned(),
        };
        assert!(log.lines().any(|line| line == wanted), "{log}");
        assert!(!log.lines().any(|line| line.starts_with("HTTP/1.1") && line.ends_with(" 101")));
    }
}

/// Over TLS to a proxy that asks by HTTP/1.1.
#[tokio::test]
async fn the_same_through_a_proxy() {
    let nginx = scenarios::locations(Nginx::builder()).start().await;
    let proxy = proxy_to(&nginx, "proxy_http_version 1.1;").tls().start().await;
    let plain = Library::modern(proxy.port);
    let mut socket = plain.open("/say/x", &[]).await;
    plain.say(&mut socket, "through").await;
    plain.text(&mut socket, "1 x through").await;
    plain.close(&mut socket, 1000, "").await;
    plain.closed(&mut socket).await;
    let mut ways = proxy.ways().into_iter().map(|(_, way)| way);
    let way = ways.find(|way| way.tls.is_some()).expect("TLS");
    play(&nginx, way, Habits::MODERN).await;
}

/// WS-21, WS-22, WS-GAP-19: refusals in HTTP, which a library tells.
#[tokio::test]
async fn refusals_in_http() {
    let nginx = Nginx::builder()
        .websocket("own", "push_stream_websocket_allowed_origins https://a.example;")
        .websocket("plain", "push_stream_websocket_refuse http;")
        .expect_log("is not among push_stream_websocket_allowed_origins")
        .start()
        .await;
    let library = Library::modern(nginx.port);
    let other = Some("https://b.example");
    assert_eq!(library.refused("/own/a", other).await, StatusCode::FORBIDDEN);
    assert_eq!(library.refused("/plain/ALL", None).await, StatusCode::FORBIDDEN);
    assert_eq!(library.refused("/plain/", None).await, StatusCode::BAD_REQUEST);
    library.open("/own/a", &[]).await;
}

/// Every client of a full house gets each message once, in order, and its close frame at a reload.
#[tokio::test]
async fn many_clients() {
    let _alone = crate::support::alone().await;
    let nginx = Nginx::builder().open_files(8192, 4096).websocket("many", "").start().await;
    let library = Library::modern(nginx.port);
    let mut clients = Vec::new();
    for _ in 0..500 {
        clients.push(library.open("/many/m", &[]).await);
    }
    for n in 0..20 {
        nginx.publish_live("m", format!("{n}")).await;
    }
    nginx.reload().await;
    for client in &mut clients {
        for n in 0..20 {
            library.text(client, &n.to_string()).await;
        }
        assert_eq!(library.closed(client).await, (1005, String::new()));
    }
    nginx.wait_stat("subscribers", 0).await;
}

/// Over TLS, messages larger than any buffer, none of which is read before all were published: the
/// socket is full meanwhile.
#[tokio::test]
async fn large_messages_over_tls() {
    let nginx = Nginx::builder()
        .tls()
        .websocket(
            "wide",
            "push_stream_websocket_allow_publish on; push_stream_subscriber_max_pending 64m;",
        )
        .start()
        .await;
    let mut ways = nginx.ways().into_iter().map(|(_, way)| way);
    let library = Library::modern(ways.find(|way| way.tls.is_some()).expect("TLS"));
    let mut client = library.open("/wide/t", &[]).await;
    let texts: Vec<String> = (1..=12).map(|n| format!("{n} ").repeat(100_000 + n)).collect();
    for text in &texts {
        nginx.publish_live("t", text).await;
    }
    for text in &texts {
        library.text(&mut client, text).await;
    }
    library.say(&mut client, &texts[0]).await;
    library.text(&mut client, &texts[0]).await;
    library.close(&mut client, 1000, "").await;
    library.closed(&mut client).await;
    nginx.wait_stat("subscribers", 0).await;
}

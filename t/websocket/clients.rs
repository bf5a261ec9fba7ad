//! The same through a client library that is not ours.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use crate::support::tls::Trust;
use crate::support::{Nginx, in_time};
use crate::{MESSAGES, builder};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(nginx: &Nginx, target: &str) -> Client {
    let url = format!("ws://127.0.0.1:{}{target}", nginx.port);
    in_time("a client's handshake", connect_async(url)).await.expect("a handshake").0
}

async fn next(client: &mut Client) -> Message {
    let message = in_time("a client's message", client.next()).await;
    message.expect("an open connection").expect("a message")
}

async fn text(client: &mut Client) -> String {
    loop {
        match next(client).await {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// History, live messages, publishing, and the client's goodbye.
#[tokio::test]
async fn a_conversation() {
    let nginx = Nginx::builder()
        .websocket(
            "talk",
            &format!(
                "{MESSAGES} push_stream_websocket_allow_publish on; push_stream_header_template HEAD;
                 push_stream_ping_message_interval 100ms;"
            ),
        )
        .start()
        .await;
    nginx.publish("t", "old").await;
    let mut one = connect(&nginx, "/talk/t.b1").await;
    let mut two = connect(&nginx, "/talk/t").await;
    assert_eq!(text(&mut one).await, "HEAD");
    assert_eq!(text(&mut one).await, "1 t old");
    assert_eq!(text(&mut two).await, "HEAD");
    let long = "\u{20ac}".repeat(50_000);
    one.send(Message::text(long.clone())).await.expect("sent");
    for client in [&mut one, &mut two] {
        assert_eq!(text(client).await, format!("2 t {long}"));
    }
    let goodbye = CloseFrame { code: CloseCode::Library(4000), reason: "done".into() };
    one.close(Some(goodbye)).await.expect("closed");
    loop {
        match in_time("the end", one.next()).await {
            Some(Ok(Message::Close(frame))) => {
                assert_eq!(frame.map(|frame| frame.code), Some(CloseCode::Library(4000)));
            }
            Some(Ok(_)) => {}
            // The library tells an orderly end in one of these two ways.
            None => break,
            Some(Err(error)) => {
                let closed = tokio_tungstenite::tungstenite::Error::ConnectionClosed;
                assert_eq!(error.to_string(), closed.to_string());
                break;
            }
        }
    }
    nginx.wait_stat("subscribers", 1).await;
    nginx.delete("/pub?id=t").await;
    assert_eq!(text(&mut two).await, "-2 t Channel deleted");
}

/// Endings by the server, as a library sees them.
#[tokio::test]
async fn endings() {
    let nginx = builder()
        .websocket("coded", "push_stream_websocket_close_codes on;")
        .websocket("plain", "")
        .start()
        .await;
    let mut coded = connect(&nginx, "/coded/e").await;
    let mut plain = connect(&nginx, "/plain/e").await;
    nginx.reload().await;
    let Message::Close(Some(frame)) = next(&mut coded).await else { panic!("no code") };
    assert_eq!(frame.code, CloseCode::Away);
    let Message::Close(None) = next(&mut plain).await else { panic!("a code") };
    let mut refused = connect(&nginx, "/plain/ALL").await;
    let Message::Close(Some(frame)) = next(&mut refused).await else { panic!("no code") };
    assert_eq!(frame.code, CloseCode::Policy);
    assert!(frame.reason.contains("\"http_status\": 403"), "{}", frame.reason);
}

/// Every client of a full house gets each message once, in order, and its close frame at a reload.
#[tokio::test]
async fn many_clients() {
    let _alone = crate::support::alone().await;
    let nginx = Nginx::builder().open_files(8192, 4096).websocket("many", "").start().await;
    let mut clients = Vec::new();
    for _ in 0..500 {
        clients.push(connect(&nginx, "/many/m").await);
    }
    for n in 0..20 {
        nginx.publish_live("m", format!("{n}")).await;
    }
    nginx.reload().await;
    for client in &mut clients {
        for n in 0..20 {
            assert_eq!(text(client).await, n.to_string());
        }
        let Message::Close(None) = next(client).await else { panic!("no close frame") };
        let _ = in_time("the end", client.next()).await;
    }
    nginx.wait_stat("subscribers", 0).await;
}

/// Over TLS, messages larger than any buffer, in both directions, and the goodbye.
#[tokio::test]
async fn over_tls() {
    let nginx = builder()
        .tls()
        .websocket(
            "wide",
            "push_stream_websocket_allow_publish on; push_stream_subscriber_max_pending 64m;",
        )
        .start()
        .await;
    let socket = TcpStream::connect(("127.0.0.1", nginx.tls_port())).await.expect("connect");
    let trust = Trust::in_certificate_of(nginx.dir());
    let stream = trust.handshake(socket, false).await.expect("a TLS handshake");
    let opened = in_time("a handshake", client_async("ws://localhost/wide/t", stream)).await;
    let mut client = opened.expect("a handshake").0;
    let texts: Vec<String> = (1..=12).map(|n| format!("{n} ").repeat(100_000 + n)).collect();
    // None of them is read before all were published: the socket is full meanwhile.
    for text in &texts {
        nginx.publish_live("t", text).await;
    }
    for text in &texts {
        let message = in_time("a message", client.next()).await.expect("open").expect("a message");
        assert!(message.into_text().expect("text").as_str() == text.as_str());
    }
    client.send(Message::text(texts[0].clone())).await.expect("sent");
    let message = in_time("a message", client.next()).await.expect("open").expect("a message");
    assert!(message.into_text().expect("text").as_str() == texts[0].as_str());
    client.close(None).await.expect("closed");
    while in_time("the end", client.next()).await.is_some_and(|message| message.is_ok()) {}
    nginx.wait_stat("subscribers", 0).await;
}

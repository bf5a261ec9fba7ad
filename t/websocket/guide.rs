//! The clients that docs/websocket.md shows.

use std::cell::RefCell;
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::{Nginx, in_time};

type Error = Box<dyn std::error::Error>;

const GUIDE: &str = include_str!("../../docs/websocket.md");

async fn subscribe(url: &str, mut on_text: impl FnMut(&str)) -> Result<(), Error> {
    let mut last = String::new();
    loop {
        let mut request = url.into_client_request()?;
        if !last.is_empty() {
            request.headers_mut().insert("Last-Event-Id", last.parse()?);
        }
        let (mut socket, _) = connect_async(request).await?;
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Text(message) => {
                    let mut parts = message.splitn(3, ' ');
                    if let (Some(event_id), Some(id), Some(text)) =
                        (parts.next(), parts.next(), parts.next())
                    {
                        if !event_id.is_empty() {
                            last = event_id.to_owned();
                        }
                        if id != "-2" {
                            on_text(text);
                        }
                    }
                }
                Message::Close(Some(close)) if close.code == CloseCode::Policy => return Ok(()),
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The code blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    let blocks = GUIDE.split(begin.as_str()).skip(1);
    blocks.map(|block| block.split("```").next().expect("an end")).collect()
}

async fn nginx() -> Nginx {
    let of_guide = blocks("nginx");
    let location = of_guide.iter().find(|block| block.contains("push_stream_event_id auto"));
    let location = location.expect("the location that is come back to");
    let by_header = location.replace("push_stream_last_event_id $arg_last;", "");
    let server = format!("{location} {}", by_header.replace("^/ws/", "^/header/"));
    Nginx::builder().server(&server).start().await
}

/// A message, a reload, one that comes while the client is away, and one after it is back.
async fn away_and_back(nginx: &Nginx, mut next: impl AsyncFnMut() -> String) {
    nginx.wait_stat("subscribers", 1).await;
    nginx.publish("g", "one").await;
    assert_eq!(next().await, "one");
    nginx.reload().await;
    nginx.wait_stat("subscribers", 0).await;
    nginx.publish("g", "two, while it is away").await;
    assert_eq!(next().await, "two, while it is away");
    nginx.publish("g", "three\nlines\nlong").await;
    assert_eq!(next().await, "three\nlines\nlong");
}

#[tokio::test]
async fn in_rust() {
    let shown = blocks("rust");
    assert_eq!(shown.len(), 1);
    assert!(include_str!("guide.rs").contains(shown[0]), "the guide shows what is tested here");

    let nginx = nginx().await;
    let url = format!("ws://127.0.0.1:{}/header/g", nginx.port);
    let (texts, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let texts = RefCell::new(texts);
    let client = subscribe(&url, |text| texts.borrow().send(text.to_owned()).expect("a test"));
    let script = away_and_back(&nginx, async || in_time("a text", seen.recv()).await.expect("one"));
    tokio::select! {
        ended = client => panic!("{ended:?}"),
        () = script => {}
    }
    let refused = format!("ws://127.0.0.1:{}/header/ALL", nginx.port);
    in_time("a refusal", subscribe(&refused, |_| {})).await.expect("an end");
}

/// In Node.js 22 or later, which has WebSocket; elsewhere there is nothing to try it with.
#[tokio::test]
async fn in_javascript() {
    let Some(node) = node().await else { return };
    let nginx = nginx().await;
    let shown = blocks("js");
    let client = shown.iter().find(|block| block.contains("function subscribe")).expect("a client");
    let url = format!("ws://127.0.0.1:{}/ws/g", nginx.port);
    let program =
        format!("{client}\nsubscribe({url:?}, (text) => console.log(JSON.stringify(text)));");
    let mut child = tokio::process::Command::new(node)
        .args(["--experimental-websocket", "--eval", &program])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    away_and_back(&nginx, async || {
        let line = in_time("a line", lines.next_line()).await.expect("output").expect("a line");
        line.trim_matches('"').replace("\\n", "\n")
    })
    .await;
}

/// A Node.js that has WebSocket.
async fn node() -> Option<&'static str> {
    let asked = tokio::process::Command::new("node")
        .args([
            "--experimental-websocket",
            "--eval",
            "process.exit(typeof WebSocket === 'function' ? 0 : 1)",
        ])
        .stderr(Stdio::null())
        .status()
        .await;
    asked.is_ok_and(|status| status.success()).then_some("node")
}

/// nginx-conf/browser-client.conf: pages listen, come back with `qs=on`, and do not speak.
#[tokio::test]
async fn the_sample() {
    let nginx = Nginx::builder().sample("browser-client.conf").start().await;
    for text in ["one", "two"] {
        nginx.publish("a", text).await;
    }
    let mut first = nginx.socket("/ws/a.b2").await;
    let mut cursor = (String::new(), String::new());
    for text in ["one", "two"] {
        let message = first.frame().await.payload;
        let message: serde_json::Value = serde_json::from_slice(&message).expect("JSON");
        assert_eq!(message["text"], text);
        if text == "one" {
            let part = |key: &str| message[key].as_str().expect("text").replace(' ', "%20");
            cursor = (part("time"), part("tag"));
        }
    }
    let (time, tag) = cursor;
    let mut back = nginx.socket(&format!("/ws/a?qs=on&time={time}&tag={tag}&eventid=")).await;
    let message = back.frame().await.payload;
    assert!(message.windows(10).any(|part| part == b"\"text\":\"tw"), "{message:?}");
    back.send(0x81, "not heard by anybody").await;
    back.send(0x89, "p").await;
    back.expect(0x8a, "p").await;
    assert_eq!(nginx.channel_stat("a", "published_messages").await, 2);
    back.send(0x81, vec![b'x'; 16 * 1024 + 1]).await;
    back.fails_with(1009).await;
}

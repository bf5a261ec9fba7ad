//! The opening handshake (WS-11..24, WS-GAP-1..4, RFC 6455 section 4).

use crate::builder;
use crate::support::websocket::{ACCEPT, KEY, frame, handshake};
use crate::support::{CACHE_CONTROL, Call, EXPIRES, Nginx, RawAnswer};

const MISSING: &str = "Don't have at least one of the mandatory headers: Connection, Upgrade, \
                       Sec-WebSocket-Key and Sec-WebSocket-Version";

async fn asked(nginx: &Nginx, start: &str, headers: &[String]) -> RawAnswer {
    let mut raw = nginx.raw().await;
    raw.request(start, &headers.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let answer = raw.answer().await;
    // WS-11: no answer of such a location keeps the connection.
    assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    raw.expect_close().await;
    answer
}

/// The handshake with some lines replaced, by name; an empty one is left out.
fn with(lines: &[&str]) -> Vec<String> {
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let mut all = handshake();
    all.retain(|old| !lines.iter().any(|new| name(new) == name(old)));
    all.extend(lines.iter().filter(|line| line.contains(": ")).map(|line| (*line).into()));
    all
}

fn assert_bad(answer: &RawAnswer, explanation: &str) {
    assert_eq!(answer.status(), 400, "{answer:?}");
    assert_eq!(answer.explanation(), Some(explanation));
    assert_eq!(answer.header("content-length"), Some("0"));
    // WS-16.
    assert_eq!(answer.header("expires"), Some(EXPIRES));
    assert_eq!(answer.header("cache-control"), Some(CACHE_CONTROL));
}

/// WS-19, WS-20, WS-21: exactly these lines, whatever is offered.
#[tokio::test]
async fn the_answer() {
    let nginx = builder().server("add_header X-More yes always;").start().await;
    let mut raw = nginx.raw().await;
    let offers = with(&[
        "Sec-WebSocket-Protocol: chat",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "Origin: http://other.example",
    ]);
    raw.request("GET /ws/a", &offers.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let head = raw.until("\r\n\r\n").await;
    let wanted = format!(
        "HTTP/1.1 101 Switching Protocols\r\nExpires: {EXPIRES}\r\nCache-Control: {CACHE_CONTROL}\r\n\
         Upgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    assert_eq!(String::from_utf8_lossy(&head), wanted);
}

/// WS-12: GET alone will do.
#[tokio::test]
async fn other_methods() {
    let nginx = builder().start().await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"] {
        let mut raw = nginx.raw().await;
        let lines = handshake();
        let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        lines.push("Content-Length: 0");
        raw.request(&format!("{method} /ws/a"), &lines).await;
        let answer = raw.head().await;
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET")), "{method}");
        assert_eq!(answer.header("content-length"), Some("0"));
        assert_eq!((answer.header("expires"), answer.header("cache-control")), (None, None));
        raw.expect_close().await;
    }
    assert!(nginx.channel("a").await.is_none());
}

/// WS-13, WS-16: all four headers, in any letter case.
#[tokio::test]
async fn missing_headers() {
    let nginx = builder().start().await;
    for name in ["Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"] {
        assert_bad(&asked(&nginx, "GET /ws/a", &with(&[name])).await, MISSING);
    }
    let shouted: Vec<String> = handshake().iter().map(|line| line.to_ascii_uppercase()).collect();
    let mut raw = nginx.raw().await;
    raw.request("GET /ws/a", &shouted.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(raw.head().await.status(), 101);
}

/// WS-14, WS-15, WS-GAP-17.
#[tokio::test]
async fn versions() {
    let nginx = builder().start().await;
    for version in ["12", "+13", "13.0", "8,13", "0"] {
        let lines = with(&[&format!("Sec-WebSocket-Version: {version}")]);
        let answer = asked(&nginx, "GET /ws/a", &lines).await;
        assert_bad(&answer, "Version not supported. Supported versions: 8, 13");
        assert_eq!(answer.header("sec-websocket-version"), Some("8, 13"));
    }
    for version in ["8", "13", "013", " 13 "] {
        let lines = with(&[&format!("Sec-WebSocket-Version: {version}")]);
        let mut raw = nginx.raw().await;
        raw.request("GET /ws/a", &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(raw.head().await.status(), 101, "{version}");
    }
}

/// WS-GAP-2, WS-GAP-3, WS-GAP-4: what the headers must say.
#[tokio::test]
async fn values() {
    let nginx = builder().start().await;
    let upgrade = "The Upgrade header does not ask for websocket.";
    let connection = "The Connection header does not ask for an upgrade.";
    let key = "The Sec-WebSocket-Key header is not 16 bytes in base64.";
    for (line, explanation) in [
        ("Upgrade: h2c", upgrade),
        ("Upgrade: websockets", upgrade),
        ("Connection: close", connection),
        ("Connection: keep-alive", connection),
        ("Sec-WebSocket-Key: x", key),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", key),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE=", key),
    ] {
        assert_bad(&asked(&nginx, "GET /ws/a", &with(&[line])).await, explanation);
    }
    let mut twice = handshake();
    twice.push(format!("Sec-WebSocket-Key: {KEY}"));
    assert_bad(&asked(&nginx, "GET /ws/a", &twice).await, key);

    for line in ["Upgrade: h2c, WebSocket", "Connection: keep-alive, Upgrade"] {
        let lines = with(&[line]);
        let mut raw = nginx.raw().await;
        raw.request("GET /ws/a", &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(raw.head().await.status(), 101, "{line}");
    }
}

/// WS-GAP-1: HTTP/1.0 cannot upgrade. WS-24: neither can HTTP/2.
#[tokio::test]
async fn other_versions_of_http() {
    let nginx = builder().http2().start().await;
    for (name, way) in nginx.ways().into_iter().filter(|(_, way)| way.http2) {
        let call = Call::new(way, "GET", "/ws/a");
        let call = call.header("Sec-WebSocket-Key", KEY).header("Sec-WebSocket-Version", "13");
        call.send().await.assert_refused(400, Some(MISSING));
        println!("{name}");
    }
    let mut raw = nginx.raw().await;
    let lines = handshake().join("\r\n");
    raw.send(format!("GET /ws/a HTTP/1.0\r\nHost: a\r\n{lines}\r\n\r\n")).await;
    assert_bad(&raw.answer().await, "WebSocket needs HTTP/1.1.");
    raw.expect_close().await;
}

/// WS-87, WS-GAP-21: frames right behind the handshake count, and a body before them does not.
#[tokio::test]
async fn bytes_behind_the_handshake() {
    let nginx = builder().start().await;
    let lines = handshake().join("\r\n");
    for body in ["", "Content-Length: 5\r\n"] {
        let mut raw = nginx.raw().await;
        let mut bytes =
            format!("GET /ws/a HTTP/1.1\r\nHost: a\r\n{body}{lines}\r\n\r\n").into_bytes();
        if !body.is_empty() {
            bytes.extend_from_slice(b"body!");
        }
        bytes.extend(frame(0x89, "one"));
        bytes.extend(frame(0x89, "two"));
        raw.send(bytes).await;
        assert_eq!(raw.head().await.status(), 101);
        let mut pongs = raw.exactly(5).await;
        // The first may be left unanswered when the second is there (RFC 6455 section 5.5.3).
        if pongs == b"\x8a\x03one" {
            pongs = raw.exactly(5).await;
        }
        assert_eq!(pongs, b"\x8a\x03two");
    }
}

/// WS-23: the log has the status that was sent.
#[tokio::test]
async fn the_access_log() {
    let nginx = builder()
        .http("log_format brief '$status $uri';")
        .server("access_log logged brief;")
        .start()
        .await;
    let mut open = nginx.socket("/ws/open").await;
    open.send(0x88, b"").await;
    open.expect(0x88, b"").await;
    open.raw.expect_close().await;
    let mut refused = nginx.socket("/ws/ALL").await;
    refused.fails_with(1008).await;
    asked(&nginx, "GET /ws/none", &with(&["Upgrade"])).await;
    let log = nginx.dir().join("logged");
    crate::support::wait_for("three lines of the access log", || async {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        (text.lines().count() == 3).then_some(())
    })
    .await;
    let mut lines: Vec<String> =
        std::fs::read_to_string(&log).expect("the log").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["101 /ws/ALL", "101 /ws/open", "400 /ws/none"]);
}

//! The opening handshake (WS-11..24, WS-GAP-1..4, RFC 6455 section 4).

use crate::builder;
use crate::support::websocket::{ACCEPT, KEY, frame, handshake, request, unmasked};
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

/// WS-18, WS-19, WS-20, WS-21, WS-GAP-1: exactly these lines, whatever is offered, by HTTP/1.0 too.
#[tokio::test]
async fn the_answer() {
    let nginx = builder().server("add_header X-More yes always;").start().await;
    let offers = [
        "Sec-WebSocket-Protocol: chat",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "Origin: http://other.example",
    ];
    let wanted = format!(
        "HTTP/1.1 101 Switching Protocols\r\nExpires: {EXPIRES}\r\nCache-Control: {CACHE_CONTROL}\r\n\
         Upgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        let mut raw = nginx.raw().await;
        raw.send(request(version, "/ws/a", &offers)).await;
        let head = raw.until("\r\n\r\n").await;
        assert_eq!(String::from_utf8_lossy(&head), wanted, "{version}");
    }
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

/// WS-18, WS-GAP-1: what a client of HTTP/1.0 has got is a WebSocket like any other.
#[tokio::test]
async fn http_1_0() {
    let nginx = builder().start().await;
    nginx.publish("a", "before").await;
    let mut other = nginx.socket("/ws/a").await;
    let mut reader = nginx.old_socket("/ws/a.b1").await;
    reader.text("1 a before").await;
    let mut speaker = nginx.old_socket("/say/a").await;
    nginx.wait_stat("subscribers", 3).await;
    speaker.send(0x89, "p").await;
    speaker.expect(0x8a, "p").await;
    for socket in [&mut speaker, &mut other] {
        socket.send(0x81, "unheard, but of the speaker").await;
    }
    speaker.text("unheard, but of the speaker").await;
    speaker.send(0x81, "x".repeat(70_000)).await;
    speaker.text(&"x".repeat(70_000)).await;
    for socket in [&mut reader, &mut other] {
        socket.text("2 a unheard, but of the speaker").await;
        socket.text(&format!("3 a {}", "x".repeat(70_000))).await;
    }
    speaker.send(0x88, b"\x03\xe8").await;
    speaker.expect(0x88, b"\x03\xe8").await;
    speaker.raw.expect_close().await;
    nginx.delete("/pub?id=a").await;
    reader.text("-2 a Channel deleted").await;
    reader.closes().await;
    other.text("-2 a Channel deleted").await;
    other.closes().await;
    nginx.wait_stat("subscribers", 0).await;
}

/// WS-18, WS-GAP-1: a reload ends it like any other.
#[tokio::test]
async fn http_1_0_at_a_reload() {
    let nginx = builder().start().await;
    let mut socket = nginx.old_socket("/ws/a").await;
    nginx.reload().await;
    socket.closes().await;
    nginx.wait_stat("subscribers", 0).await;
}

/// WS-13: a request of HTTP/0.9 has no headers, and gets an answer of its kind: none but the end.
#[tokio::test]
async fn http_0_9() {
    let nginx = builder().start().await;
    for rest in ["\r\n".to_owned(), format!("\r\n{}\r\n\r\n", handshake().join("\r\n"))] {
        let mut raw = nginx.raw().await;
        raw.send(format!("GET /ws/a{rest}")).await;
        raw.expect_close().await;
    }
    let mut raw = nginx.raw().await;
    raw.send(format!("GET /ws/a HTTP/0.9\r\n{}\r\n\r\n", handshake().join("\r\n"))).await;
    assert_eq!(raw.head().await.status(), 400);
    assert!(nginx.channel("a").await.is_none());
}

/// nginx's own rules for HTTP/1.0 hold: a body has a length.
#[tokio::test]
async fn bodies_of_http_1_0() {
    let nginx = builder().start().await;
    let mut raw = nginx.raw().await;
    raw.send(request("HTTP/1.0", "/ws/a", &["Transfer-Encoding: chunked"])).await;
    assert_eq!(raw.head().await.status(), 400);
    assert!(nginx.channel("a").await.is_none());
}

/// WS-24: HTTP/2 has no such handshake.
#[tokio::test]
async fn http_2() {
    let nginx = builder().http2().start().await;
    for (name, way) in nginx.ways().into_iter().filter(|(_, way)| way.http2) {
        let call = Call::new(way, "GET", "/ws/a");
        let call = call.header("Sec-WebSocket-Key", KEY).header("Sec-WebSocket-Version", "13");
        call.send().await.assert_refused(400, Some(MISSING));
        println!("{name}");
    }
}

/// WS-87, WS-GAP-21: frames right behind the handshake count, and a body before them does not.
#[tokio::test]
async fn bytes_behind_the_handshake() {
    let nginx = builder().start().await;
    let bodies: [(&[&str], &str); 2] = [(&[], ""), (&["Content-Length: 5"], "body!")];
    let kinds = bodies.into_iter().flat_map(|body| [("HTTP/1.1", body), ("HTTP/1.0", body)]);
    for (version, (length, body)) in kinds {
        let mut raw = nginx.raw().await;
        let mut bytes = request(version, "/ws/a", length).into_bytes();
        bytes.extend_from_slice(body.as_bytes());
        bytes.extend(frame(0x89, "one"));
        bytes.extend(unmasked(0x89, "two"));
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
    nginx.old_socket("/ws/old").await;
    asked(&nginx, "GET /ws/none", &with(&["Upgrade"])).await;
    let log = nginx.dir().join("logged");
    crate::support::wait_for("four lines of the access log", || async {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        (text.lines().count() == 4).then_some(())
    })
    .await;
    let mut lines: Vec<String> =
        std::fs::read_to_string(&log).expect("the log").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["101 /ws/ALL", "101 /ws/old", "101 /ws/open", "400 /ws/none"]);
}

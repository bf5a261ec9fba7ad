//! What happens below and around the frames: workers, TLS, logs, clients that are slow in every way.

use crate::support::tls::Trust;
use crate::support::websocket::{frame, handshake};
use crate::support::{Client, Nginx, Raw, Socket, wait_for};
use crate::{MESSAGES, builder};

/// What one client says on one worker all clients on all workers hear, in one order.
#[tokio::test]
async fn several_workers() {
    const CLIENTS: usize = 24;
    let nginx = builder().start().await;
    let mut sockets = Vec::new();
    for _ in 0..CLIENTS {
        sockets.push(nginx.socket("/say/w").await);
    }
    let by_worker = nginx.stats().await["by_worker"].clone();
    let busy = by_worker.as_array().expect("workers").iter().filter(|of| of["subscribers"] != 0);
    assert!(busy.count() > 1, "{by_worker}");
    for (n, socket) in sockets.iter_mut().enumerate() {
        socket.send(0x81, format!("from {n}")).await;
    }
    let mut orders = Vec::new();
    for socket in &mut sockets {
        let mut order = Vec::new();
        for _ in 0..CLIENTS {
            order.push(socket.frame().await.payload);
        }
        orders.push(order);
    }
    assert!(orders.iter().all(|order| *order == orders[0]));
    orders[0].sort();
    orders[0].dedup();
    assert_eq!(orders[0].len(), CLIENTS);
}

/// WS-23: 101, the bytes that were sent, and how long the connection lived.
#[tokio::test]
async fn the_access_log() {
    let nginx = builder()
        .http("log_format sizes '$status $bytes_sent $request_time $connection_requests $uri';")
        .server("access_log logged sizes;")
        .websocket("brief", "push_stream_subscriber_connection_ttl 300ms;")
        .start()
        .await;
    let mut raw = nginx.raw().await;
    let lines = handshake();
    raw.request("GET /brief/l", &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut received = raw.until("\r\n\r\n").await;
    nginx.publish_live("l", "x".repeat(5000)).await;
    received.extend(raw.exactly(4 + 5000 + 2).await);
    raw.send(frame(0x88, b"")).await;
    raw.expect_close().await;
    let log = nginx.dir().join("logged");
    let line = wait_for("the line of the access log", || async {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.lines().find(|line| line.ends_with(" /brief/l")).map(str::to_owned)
    })
    .await;
    let mut fields = line.split(' ');
    assert_eq!(fields.next(), Some("101"), "{line}");
    assert_eq!(fields.next(), Some(received.len().to_string().as_str()), "{line}");
    let seconds: f64 = fields.next().and_then(|time| time.parse().ok()).expect("a time");
    // The time to live, as nginx's clock counts it.
    assert!((0.29..20.0).contains(&seconds), "{line}");
    assert_eq!(fields.next(), Some("1"), "{line}");
}

/// A handshake may come byte by byte; one that stops is given up after `client_header_timeout`, and
/// was never a subscriber.
#[tokio::test]
async fn slow_handshakes() {
    let hasty = builder().workers(1).http("client_header_timeout 300ms;").start().await;
    let nginx = builder().workers(1).start().await;
    let mut other = Client::connect(nginx.port).await.expect("a connection");
    let request = format!("GET /ws/s HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n", handshake().join("\r\n"));
    let mut stuck = Vec::new();
    for len in [1, 20, request.len() - 1] {
        let mut raw = hasty.raw().await;
        raw.send(&request[..len]).await;
        stuck.push(raw);
    }
    let mut slow = nginx.raw().await;
    for piece in request.as_bytes().chunks(3) {
        slow.send(piece).await;
        // When this is answered the only worker has read the piece.
        other.get("/stats?id=none").await.expect("an answer");
    }
    assert_eq!(slow.head().await.status(), 101);
    for raw in &mut stuck {
        raw.expect_close().await;
    }
    assert_eq!((nginx.stat("subscribers").await, hasty.stat("subscribers").await), (1, 0));
}

/// WS-87: what comes behind the handshake is frames, whatever else it looks like.
#[tokio::test]
async fn a_pipelined_request() {
    let nginx = builder().start().await;
    let lines = handshake().join("\r\n");
    let hidden = "POST /pub?id=smuggled HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nevil";
    let mut raw = nginx.raw().await;
    raw.send(format!("GET /ws/p HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{hidden}")).await;
    let head = raw.head().await;
    assert_eq!(head.status(), 101);
    Socket { raw, head }.fails_with(1002).await;
    assert!(nginx.channel("smuggled").await.is_none());

    // Behind a refusal, too, nothing is a request: the connection is not kept (WS-11).
    let mut raw = nginx.raw().await;
    raw.send(format!("GET /ws/ALL HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{hidden}")).await;
    let head = raw.head().await;
    Socket { raw, head }.fails_with(1008).await;
    assert!(nginx.channel("smuggled").await.is_none());
}

/// WS-42: a refusal reaches a client that had much to say already.
#[tokio::test]
async fn a_refused_client_that_talks() {
    let nginx = builder().start().await;
    let lines = handshake().join("\r\n");
    for _ in 0..20 {
        let mut raw = nginx.raw().await;
        let request = format!("GET /ws/ALL HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend(frame(0x81, vec![b'x'; 100_000]));
        raw.send(bytes).await;
        let head = raw.head().await;
        Socket { raw, head }.fails_with(1008).await;
    }
    assert_eq!(nginx.stat("subscribers").await, 0);
}

async fn over_tls(nginx: &Nginx, target: &str) -> Socket {
    let trust = Trust::in_certificate_of(nginx.dir());
    Socket::open(Raw::over_tls(nginx.tls_port(), &trust).await, target, &[]).await
}

/// WS-85, WS-89, WS-105: over TLS, too, half a message is not waited for, a client that never reads is
/// sent away with 1013, and one that goes is gone.
#[tokio::test]
async fn slow_clients_over_tls() {
    let nginx = builder()
        .workers(1)
        .tls()
        .websocket("quick", "client_body_timeout 300ms;")
        .websocket("slow", "push_stream_subscriber_max_pending 64k; push_stream_footer_template F;")
        .expect_log("reads too slowly")
        .start()
        .await;
    for bytes in [&b"\x81"[..], b"\x81\x85MASK", &frame(0x01, "begun")] {
        let mut socket = over_tls(&nginx, "/quick/t").await;
        socket.raw.send(bytes).await;
        socket.fails_with(1008).await;
    }

    let mut slow = over_tls(&nginx, "/slow/s").await;
    let text = "x".repeat(500_000);
    while nginx.stat("subscribers").await > 0 {
        nginx.publish_live("s", &text).await;
    }
    let mut seen = slow.frame().await;
    while seen.payload == text.as_bytes() {
        seen = slow.frame().await;
    }
    assert_eq!((seen.start, seen.payload.as_slice()), (0x81, &b"F"[..]));
    slow.expect(0x88, 1013_u16.to_be_bytes()).await;
    slow.send(0x88, 1013_u16.to_be_bytes()).await;
    slow.raw.expect_close().await;

    let half = over_tls(&nginx, "/ws/gone").await;
    let reset = over_tls(&nginx, "/ws/gone").await;
    nginx.wait_channel_stat("gone", "subscribers", 2).await;
    drop(half);
    reset.raw.reset();
    nginx.wait_channel_stat("gone", "subscribers", 0).await;
}

/// WS-104: what waits for a slow client stays what it was, though its channel is deleted and other
/// messages take the memory several times over.
#[tokio::test]
async fn a_slow_client_gets_its_own_bytes() {
    const WAITING: usize = 60;
    let block = |start: &str| format!("{start:<65000}");
    let nginx = Nginx::builder()
        .workers(2)
        .zone("16m")
        .http("push_stream_max_messages_stored_per_channel 2;")
        .websocket("slow", &format!("{MESSAGES} push_stream_subscriber_max_pending 16m;"))
        .start()
        .await;
    let raw = Raw::with_small_window(nginx.port).await;
    let mut slow = Socket::open(raw, "/slow/mine", &[]).await;
    let mut client = Client::connect(nginx.port).await.expect("a connection");
    for n in 0..WAITING {
        client.post("/pub?id=mine", block(&format!("mine {n}"))).await.expect("an answer");
    }
    for round in 0..2 {
        for n in 0..300 {
            let target = format!("/pub?id=foreign{}", n % 7);
            let answer = client.post(&target, block("foreign")).await.expect("an answer");
            assert_eq!(answer.status, 200, "message {n} of round {round}");
        }
        if round == 0 {
            assert_eq!(nginx.delete("/pub?id=mine").await.status, 200);
        }
    }
    for n in 0..WAITING {
        let seen = String::from_utf8(slow.frame().await.payload).expect("text");
        let wanted = format!("{} mine {}", n + 1, block(&format!("mine {n}")));
        assert!(seen == wanted, "{:.60} instead of {wanted:.60}", seen);
    }
    slow.text("-2 mine Channel deleted").await;
    slow.closes().await;
}

/// WS-57: a message that renders to nothing is not sent, and takes nothing from the next.
#[tokio::test]
async fn messages_of_nothing() {
    let nginx = Nginx::builder()
        .websocket("kinds", "push_stream_message_template ~event-type~;")
        .start()
        .await;
    nginx.publish("n", "stored without type").await;
    let mut socket = nginx.socket("/kinds/n.b1").await;
    nginx.publish("n", "without type").await;
    nginx.call("POST", "/pub?id=n").header("Event-Type", "news").body("x").send().await;
    socket.text("news").await;
}

/// WS-61: a worker that is leaving has said its last word; no pings follow while it waits for the
/// client's goodbye.
#[tokio::test]
async fn no_pings_after_the_goodbye() {
    let nginx = Nginx::builder()
        .websocket(
            "pinged",
            "push_stream_ping_message_interval 50ms; push_stream_footer_template FOOT;
             lingering_timeout 500ms;",
        )
        .start()
        .await;
    let mut socket = nginx.socket("/pinged/p").await;
    socket.expect(0x89, b"").await;
    nginx.reload().await;
    let mut seen = socket.frame().await;
    while seen.start == 0x89 {
        seen = socket.frame().await;
    }
    assert_eq!(seen.payload, b"FOOT");
    socket.expect(0x88, b"").await;
    // Ten pings would fit into the time that the client has to answer.
    socket.raw.expect_close().await;
}

/// A location that asks another whether the client may enter, as `auth_request` does, and one that is
/// reached by a rewrite.
#[tokio::test]
async fn behind_other_modules() {
    let nginx = builder()
        .location("= /may", "if ($cookie_pass != yes) { return 401; } return 204;")
        .websocket("guarded", "auth_request /may; push_stream_websocket_allow_publish on;")
        .location("/old/", "rewrite ^/old/(.*)$ /say/$1 last;")
        .start()
        .await;
    let mut raw = nginx.raw().await;
    let lines = handshake();
    raw.request("GET /guarded/g", &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let answer = raw.answer().await;
    assert_eq!((answer.status(), answer.header("sec-websocket-accept")), (401, None));
    assert!(nginx.channel("g").await.is_none());
    let mut guarded = nginx.socket_with("/guarded/g", &["Cookie: pass=yes"]).await;
    let mut moved = nginx.socket("/old/g").await;
    for socket in [&mut guarded, &mut moved] {
        socket.send(0x81, "inside").await;
        socket.text("inside").await;
    }
    guarded.text("inside").await;
}

//! The samples of nginx-conf/: none lets a stranger publish or see statistics, and the one of a public
//! server serves its subscribers.

use std::net::Ipv4Addr;

use crate::support::nginx::free_port;
use crate::support::tls::{CERTIFICATE, KEY, Trust, make_certificate};
use crate::support::{Call, Nginx, Raw, Socket};

const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const PAGE: &str = "Origin: https://www.example.com";
const OTHER_PAGE: &str = "Origin: https://www.example.org";

async fn stranger(port: u16, start: &str) -> u16 {
    let mut raw = Raw::connect_from(STRANGER, port).await;
    raw.request(start, &["Content-Length: 0"]).await;
    raw.head().await.status()
}

#[tokio::test]
async fn strangers_neither_publish_nor_count() {
    let names = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/nginx-conf"))
        .expect("nginx-conf")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .filter(|name| name != "public.conf");
    let names: Vec<String> = names.collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let nginx =
            Nginx::builder().sample(&name).expect_log("access forbidden by rule").start().await;
        for start in ["POST /pub?id=a", "GET /pub?id=a", "DELETE /pub?id=a", "GET /stats"] {
            assert_eq!(stranger(nginx.port, start).await, 403, "{name}: {start}");
        }
        assert_eq!(nginx.get("/stats").await.status, 200, "{name}");
        assert_eq!(nginx.post("/pub?id=a", "x").await.status, 200, "{name}");
    }
}

/// The sample of a public server, its inside and its TLS port.
async fn public() -> (Nginx, u16, u16) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    make_certificate(dir.path());
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (inside, outside) = (free_port(), free_port());
    let nginx = Nginx::builder()
        .sample("public.conf")
        .with("listen 443 ssl;", &format!("listen 8080; listen 127.0.0.1:{outside} ssl;"))
        .with("listen 127.0.0.1:8081;", &format!("listen 127.0.0.1:{inside};"))
        .with("tls/push.example.com.crt", &path(CERTIFICATE))
        .with("tls/push.example.com.key", &path(KEY))
        .expect_log("access forbidden by rule")
        .start()
        .await;
    for name in [CERTIFICATE, KEY] {
        std::fs::copy(dir.path().join(name), nginx.dir().join(name)).expect("a copy");
    }
    (nginx, inside, outside)
}

#[tokio::test]
async fn public_server() {
    let (nginx, inside, outside) = public().await;
    let trust = Trust::in_certificate_of(nginx.dir());
    let publish = |text: &'static str| async move {
        let answer = Call::new(inside, "POST", "/pub?id=news").body(text).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };

    // the inside is not to be had from outside
    for target in ["/pub?id=news", "/stats", "/metrics"] {
        assert_eq!(nginx.get(target).await.status, 404, "{target}");
        assert_eq!(stranger(inside, &format!("GET {target}")).await, 403, "{target}");
    }

    // subscribers read what there is and create nothing
    let mut early = Raw::over_tls(outside, &trust).await;
    early.request("GET /ev/news", &[]).await;
    assert_eq!(early.head().await.status(), 403);
    publish("first").await;
    let mut events = Raw::over_tls(outside, &trust).await;
    events.request("GET /ev/news", &[PAGE]).await;
    let head = events.head().await;
    assert_eq!(head.status(), 200);
    let allowed = head.header("Access-Control-Allow-Origin");
    assert_eq!(allowed, Some("https://www.example.com"));
    let mut other = Raw::over_tls(outside, &trust).await;
    other.request("GET /ev/news", &[OTHER_PAGE]).await;
    assert_eq!(other.head().await.count("Access-Control-Allow-Origin"), 0);

    let raw = Raw::over_tls(outside, &trust).await;
    let mut socket = Socket::open(raw, "/ws/news", &[PAGE]).await;
    nginx.expect_log("is not among push_stream_websocket_allowed_origins");
    let mut foreign = Raw::over_tls(outside, &trust).await;
    let lines = crate::support::websocket::handshake();
    let lines: Vec<&str> = lines.iter().map(String::as_str).chain([OTHER_PAGE]).collect();
    foreign.request("GET /ws/news", &lines).await;
    assert_eq!(foreign.head().await.status(), 403);

    publish("second").await;
    socket.text("second").await;
    socket.send_unmasked(0x89, "").await;
    socket.fails_with(1002).await;
    let seen = events.until("data: second\n").await;
    assert!(!String::from_utf8_lossy(&seen).contains("first"));

    // the access log has the subscription that ended, without its query string
    let ended = Call::new(nginx.port, "GET", "/ev/unknown?token=secret").send().await;
    assert_eq!(ended.status, 403);
    let path = nginx.dir().join("logs/access.log");
    let log = crate::support::wait_for("the access log", || async {
        let log = std::fs::read_to_string(&path).ok()?;
        log.contains("/ev/unknown").then_some(log)
    });
    assert!(!log.await.contains("secret"));
}

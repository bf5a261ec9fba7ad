//! The samples of nginx-conf/: none lets a stranger publish or see statistics, and the one of a public
//! server serves its subscribers.

use std::net::Ipv4Addr;
use std::path::Path;

use crate::support::nginx::free_port;
use crate::support::tls::{CERTIFICATE, KEY, Trust, make_certificate};
use crate::support::{Call, Nginx, Raw, Socket};

const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const PAGE: &str = "Origin: https://www.example.com";
const OTHER_PAGE: &str = "Origin: https://www.example.org";
/// What is not for strangers.
const INSIDE: [&str; 4] = ["POST /pub?id=a", "GET /pub?id=a", "DELETE /pub?id=a", "GET /stats"];
/// What Debian's nginx.conf has of consequence for what it includes.
const DEBIANS: &str = "worker_processes 4;
error_log stderr warn;
include ETC/modules-enabled/*.conf;

events {
    worker_connections 768;
}

http {
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    gzip on;
    include ETC/conf.d/*.conf;
}
";

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
        .filter(|name| name.ends_with(".conf") && name != "public.conf");
    let names: Vec<String> = names.collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let nginx =
            Nginx::builder().sample(&name).expect_log("access forbidden by rule").start().await;
        for start in INSIDE {
            assert_eq!(stranger(nginx.port, start).await, 403, "{name}: {start}");
        }
        assert_eq!(nginx.get("/stats").await.status, 200, "{name}");
        assert_eq!(nginx.post("/pub?id=a", "x").await.status, 200, "{name}");
    }
}

/// Puts the files of nginx-conf/debian/ below `etc`, with a module and a port that a test can have.
fn install_debians(etc: &Path, port: u16) {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("nginx-conf/debian");
    let module = std::env::var("PUSH_STREAM_MODULE").expect("PUSH_STREAM_MODULE is set");
    for name in ["modules-enabled/50-mod-http-push-stream.conf", "conf.d/push-stream.conf"] {
        let text = std::fs::read_to_string(samples.join(name)).expect("a sample");
        let text = text.replace("modules/ngx_http_push_stream_module.so", &module);
        let text = text.replace("listen 8080;", &format!("listen 127.0.0.1:{port};"));
        let to = etc.join(name);
        std::fs::create_dir_all(to.parent().expect("a directory")).expect("a directory");
        std::fs::write(to, text).expect("a file");
    }
}

/// The files of Debian's shape, included where its nginx.conf does.
#[tokio::test]
async fn of_debians_shape() {
    let etc = tempfile::tempdir().expect("a temporary directory");
    let port = free_port();
    install_debians(etc.path(), port);
    let conf = DEBIANS.replace("ETC", &etc.path().display().to_string());
    let _nginx = Nginx::builder().whole(conf).expect_log("access forbidden by rule").start().await;

    let mut subscriber = Call::new(port, "GET", "/sub/a").stream().await;
    let answer = Call::new(port, "POST", "/pub?id=a").body("Hello, world").send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    subscriber.expect("Hello, world\n").await;
    assert_eq!(Call::new(port, "GET", "/stats").send().await.status, 200);
    for start in INSIDE {
        assert_eq!(stranger(port, start).await, 403, "{start}");
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
    let path = nginx.dir().join("access.log");
    let log = crate::support::wait_for("the access log", || async {
        let log = std::fs::read_to_string(&path).ok()?;
        log.contains("/ev/unknown").then_some(log)
    });
    assert!(!log.await.contains("secret"));
}

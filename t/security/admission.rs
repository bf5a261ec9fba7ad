//! Who is admitted by the recipes of docs/security.md, for streams and WebSockets.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::page::{Recipe, block};
use crate::support::websocket::handshake;
use crate::support::{Raw, wait_for};

const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const DENIED: &str = "access forbidden by rule";

/// What a client that is not 127.0.0.1 is answered.
async fn stranger(port: u16, start: &str, headers: &[&str]) -> u16 {
    let mut raw = Raw::connect_from(STRANGER, port).await;
    raw.request(start, headers).await;
    raw.head().await.status()
}

#[tokio::test]
async fn publishers_by_address() {
    for heading in ["A publisher for this machine", "A publisher for some addresses"] {
        let recipe = block("nginx", heading).replace("listen 127.0.0.1:8081;", "listen 8080;");
        let running = Recipe::of(&recipe).expect_log(DENIED).start().await;
        let port = running.nginx.port;
        assert_eq!(running.nginx.post("/pub?id=news", "hello").await.status, 200, "{heading}");
        let post = ["Content-Length: 1"];
        assert_eq!(stranger(port, "POST /pub?id=other", &post).await, 403, "{heading}");
        assert_eq!(stranger(port, "GET /pub?id=news", &[]).await, 403, "{heading}");
        assert_eq!(running.nginx.get("/pub?id=other").await.status, 404, "nothing was created");
    }
}

#[tokio::test]
async fn subscribers_by_address() {
    let running = Recipe::below("Pages of other origins")
        .with("listen 8080;", "listen 8080; allow 127.0.0.1; deny all;")
        .expect_log(DENIED)
        .start()
        .await;
    let port = running.nginx.port;
    let lines = handshake();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(stranger(port, "GET /sub/news", &[]).await, 403);
    assert_eq!(stranger(port, "GET /ws/news", &lines).await, 403);

    let mut stream = running.nginx.stream("/sub/news").await;
    let mut socket = running.nginx.socket("/ws/news").await;
    running.are_served(&mut stream, &mut socket).await;
}

/// WS-67
#[tokio::test]
async fn frames_without_mask() {
    let running = Recipe::below("Frames without mask").start().await;
    let mut masks = running.nginx.socket("/ws/news").await;
    let mut masks_not = running.nginx.socket("/ws/news").await;
    masks.send(0x89, "p").await;
    masks.expect(0x8a, "p").await;
    masks_not.send_unmasked(0x89, "p").await;
    masks_not.fails_with(1002).await;
}

#[tokio::test]
async fn statistics_by_address_or_password() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let passwords = dir.path().join("passwords");
    std::fs::write(&passwords, "operator:{PLAIN}word\n").expect("a file");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).expect("a directory of one's own");
    let running = Recipe::below("Statistics for this machine, or with a password")
        .with("/etc/nginx/statistics.htpasswd", &passwords.display().to_string())
        .expect_log(DENIED)
        .expect_log("no user/password was provided")
        .start()
        .await;
    let port = running.nginx.port;
    assert_eq!(running.nginx.get("/stats").await.status, 200);
    assert_eq!(stranger(port, "GET /stats", &[]).await, 401);
    let known = ["Authorization: Basic b3BlcmF0b3I6d29yZA=="];
    assert_eq!(stranger(port, "GET /stats", &known).await, 200);
}

/// An application that admits whoever brings the cookie; returns its port and what it was asked.
async fn application() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let questions = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut question = Vec::new();
            while !question.ends_with(b"\r\n\r\n") {
                if !matches!(socket.read_buf(&mut question).await, Ok(count) if count > 0) {
                    break;
                }
            }
            let question = String::from_utf8_lossy(&question).into_owned();
            let answer = match question.to_lowercase().contains("cookie: session=good\r\n") {
                true => "204 No Content",
                false => "403 Forbidden",
            };
            questions.lock().expect("no panic while held").push(question);
            let head = format!("HTTP/1.1 {answer}\r\nConnection: close\r\n\r\n");
            // nginx asks again, or the test fails.
            let _ = socket.write_all(head.as_bytes()).await;
        }
    });
    (port, asked)
}

#[tokio::test]
async fn subscribers_that_the_application_admits() {
    const HEADING: &str = "Subscribers that the application admits";
    let (port, asked) = application().await;
    let running =
        Recipe::below(HEADING).with("127.0.0.1:8000", &format!("127.0.0.1:{port}")).start().await;
    assert_eq!(running.refusals("/sub/news", "/ws/news").await, [403, 403]);

    let known = ("Cookie", "session=good");
    let mut stream =
        running.nginx.call("GET", "/sub/news?a=1").header(known.0, known.1).stream().await;
    let mut socket = running.nginx.socket_with("/ws/news", &["Cookie: session=good"]).await;
    running.are_served(&mut stream, &mut socket).await;
    // asked once for each, about the URL itself
    let asked = asked.lock().expect("no panic while held");
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(
        asked.iter().any(|text| text.contains("X-Original-URI: /sub/news?a=1\r\n")),
        "{asked:?}"
    );
    assert!(asked.iter().all(|text| !text.to_lowercase().contains("upgrade")), "{asked:?}");
}

/// An application that is down admits nobody.
#[tokio::test]
async fn nobody_is_admitted_without_the_application() {
    let running = Recipe::below("Subscribers that the application admits")
        // a port that nobody listens on
        .with("127.0.0.1:8000", "127.0.0.1:1")
        .expect_log("connect() failed")
        .expect_log("auth request unexpected status: 502")
        .start()
        .await;
    assert_eq!(running.refusals("/sub/news", "/ws/news").await, [500, 500]);
}

/// The link that the page's own script makes, for another path and time.
fn signed(path: &str, expires: &str) -> String {
    let script = block("sh", "Subscribers with a signed link")
        .replace("/sub/news", path)
        .replace("+ 3600", expires);
    let output = Command::new("sh").arg("-c").arg(script).output().expect("a shell");
    String::from_utf8(output.stdout).expect("ASCII").trim_end().to_owned()
}

#[tokio::test]
async fn subscribers_with_a_signed_link() {
    let running = Recipe::below("Subscribers with a signed link").start().await;
    assert_eq!(running.refusals("/sub/news", "/ws/news").await, [403, 403]);
    let late = [signed("/sub/news", "- 10"), signed("/ws/news", "- 10")];
    assert_eq!(running.refusals(&late[0], &late[1]).await, [410, 410]);
    let links = [signed("/sub/news", "+ 3600"), signed("/ws/news", "+ 3600")];
    let others = [0, 1].map(|i| links[i].replace("news?", "other?"));
    assert_eq!(running.refusals(&others[0], &others[1]).await, [403, 403]);

    let mut stream = running.nginx.stream(&links[0]).await;
    let mut socket = running.nginx.socket(&links[1]).await;
    running.are_served(&mut stream, &mut socket).await;
}

/// A subscription takes its place among the connections of its address as long as it lasts.
#[tokio::test]
async fn connections_of_one_address() {
    let running = Recipe::below("Connections and arrivals of one address")
        .with("limit_conn subscribers 20;", "limit_conn subscribers 2;")
        .with("rate=10r/s", "rate=1000r/s")
        .expect_log("limiting connections by zone")
        .start()
        .await;
    let nginx = &running.nginx;
    let mut stream = nginx.stream("/sub/news").await;
    let mut socket = nginx.socket("/ws/news").await;
    assert_eq!(running.refusals("/sub/news", "/ws/news").await, [429, 429]);
    running.are_served(&mut stream, &mut socket).await;

    // The place of one that has gone is free again.
    drop(stream);
    let again = |target: &'static str| async move {
        let stream = nginx.call("GET", target).try_stream().await.ok()?;
        (stream.status == 200).then_some(stream)
    };
    let mut stream = wait_for("the stream's place", || again("/sub/news")).await;
    assert_eq!(running.refusals("/sub/news", "/ws/news").await, [429, 429]);
    running.are_served(&mut stream, &mut socket).await;
    drop(socket);
    let mut second = wait_for("the socket's place", || again("/sub/news")).await;
    assert_eq!(running.refusals("/sub/news", "/ws/news").await, [429, 429]);
    running.publish("news", "both").await;
    assert_eq!([stream.line().await, second.line().await], ["both", "both"]);
}

#[tokio::test]
async fn arrivals_of_one_address() {
    let running = Recipe::below("Connections and arrivals of one address")
        .with("rate=10r/s", "rate=1r/m")
        .with("burst=40", "burst=1")
        .expect_log("limiting requests")
        .start()
        .await;
    let mut stream = running.nginx.stream("/sub/news").await;
    let mut socket = running.nginx.socket("/ws/news").await;
    assert_eq!(running.refusals("/sub/news", "/ws/news").await, [429, 429]);
    running.are_served(&mut stream, &mut socket).await;
}

//! What reaches the error log from clients: channel ids and foreign origins, quoted, and nothing else.

use crate::support::{Nginx, Raw, wait_for};

const BODY: &str = "the-body-of-a-message";
const QUERY: &str = "the-token-of-a-query";
const HEADERS: [(&str, &str); 5] = [
    ("Authorization", "Bearer the-authorization"),
    ("Cookie", "session=the-cookie"),
    ("Event-Id", "the-event-id"),
    ("Event-Type", "the-event-type"),
    ("X-Secret", "the-header"),
];
/// The beginning of what nginx itself adds to a line about a request.
const OF_NGINX: &str = ", client: ";

/// The module's own part of its lines.
fn lines(nginx: &Nginx) -> Vec<String> {
    let lines = nginx.log_lines("push stream module: ");
    let own = |line: String| line.split(OF_NGINX).next().unwrap_or_default().to_owned();
    lines.into_iter().map(own).collect()
}

/// Waits for a line, which the case at hand is about.
async fn wait_line(nginx: &Nginx, text: &str) {
    wait_for(&format!("a line with '{text}'"), || async {
        lines(nginx).iter().any(|line| line.contains(text)).then_some(())
    })
    .await
}

fn header_lines() -> Vec<String> {
    HEADERS.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

/// Everything that a request can be refused for, with secrets wherever there is room for one.
async fn refusals(nginx: &Nginx) {
    let large = format!("{BODY}{}", "x".repeat(600_000));
    for (method, target, body, line) in [
        ("POST", "/pub?", BODY, "no channel id provided: "),
        ("POST", "/pub?id=a%0A%1B%5B31mb&", BODY, r#"control characters: "a\n\x1b[31mb""#),
        ("GET", "/raw?id=a%0Ab&", "", r#"control characters: "a\nb""#),
        ("POST", "/pub?id=much-too-long-an-id&", BODY, "larger than allowed 10: 19 bytes"),
        ("POST", "/pub?id=a&", "", "no message, channel \"a\""),
        ("POST", "/pub?id=events&", BODY, "only internal routines can change"),
        ("DELETE", "/pub?id=events&", BODY, "only internal routines can change"),
        ("POST", "/pub?id=%22%C3%A9&", BODY, r#"exceeded, channel "\"\xc3\xa9", message of 21"#),
        ("POST", "/pub?id=a&", &large, "channel \"a\", message of 600021 bytes"),
    ] {
        let before = lines(nginx).len();
        let mut call = nginx.call(method, &format!("{target}token={QUERY}")).body(body);
        for (name, value) in HEADERS {
            call = call.header(name, value);
        }
        let answer = call.send().await;
        assert!(answer.status >= 400, "{method} {target}: {answer:?}");
        let new = lines(nginx).split_off(before);
        assert!(new.len() == 1 && new[0].contains(line), "{method} {target}: {new:?}");
    }
}

/// What goes wrong on WebSockets.
async fn sockets(nginx: &Nginx) {
    let mut headers = header_lines();
    let lines: Vec<&str> = headers.iter().map(String::as_str).collect();
    let target = format!("/ws/a?token={QUERY}");
    let mut socket = nginx.socket_with(&target, &lines).await;
    socket.send(0x81, format!("{BODY}{}", "x".repeat(600_000))).await;
    wait_line(nginx, "a websocket's message of 600021 bytes is not published").await;
    let mut socket = nginx.socket_with(&target, &lines).await;
    socket.send_unmasked(0x81, BODY).await;
    wait_line(nginx, "a websocket is closed: a frame without mask").await;

    headers.push("Origin: https://\"foreign\"".into());
    headers.extend(crate::support::websocket::handshake());
    let lines: Vec<&str> = headers.iter().map(String::as_str).collect();
    let mut raw = nginx.raw().await;
    raw.request(&format!("GET /own/a?token={QUERY}"), &lines).await;
    assert_eq!(raw.head().await.status(), 403);
    wait_line(nginx, r#"a page of "https://\"foreign\"" is not among"#).await;
}

/// A subscriber that does not read.
async fn slow_reader(nginx: &Nginx) {
    let mut raw = Raw::with_small_window(nginx.port).await;
    let lines = header_lines();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    raw.request(&format!("GET /slow/a?token={QUERY}"), &lines).await;
    assert_eq!(raw.head().await.status(), 200);
    let text = format!("{BODY}{}", "x".repeat(60_000));
    wait_for("a subscriber that reads too slowly", || async {
        nginx.publish_live("a", &text).await;
        nginx.log().contains("reads too slowly").then_some(())
    })
    .await;
}

/// No secret is in the module's lines, and no byte of a client begins a line or paints a terminal.
#[tokio::test]
async fn no_secrets() {
    let nginx = Nginx::builder()
        .zone("512k")
        .http("push_stream_max_channel_id_length 10; push_stream_max_number_of_channels 2;")
        .http("push_stream_events_channel_id events;")
        .websocket(
            "ws",
            "push_stream_websocket_allow_publish on; push_stream_store_messages on;
             push_stream_websocket_masking required;",
        )
        .websocket("own", "push_stream_websocket_allowed_origins https://www.example.com;")
        .subscriber("slow", "push_stream_subscriber_max_pending 1k;")
        .expect_log("only internal routines can change")
        .expect_log("unable to allocate message")
        .expect_log("is not published")
        .expect_log("is not among push_stream_websocket_allowed_origins")
        .expect_log("reads too slowly")
        .start()
        .await;
    nginx.publish("a", BODY).await;
    refusals(&nginx).await;
    sockets(&nginx).await;
    slow_reader(&nginx).await;

    let lines = lines(&nginx);
    let values = HEADERS.iter().map(|(_, value)| *value);
    for secret in [BODY, QUERY, "the-cookie", "the-authorization"].into_iter().chain(values) {
        let telling: Vec<&String> = lines.iter().filter(|line| line.contains(secret)).collect();
        assert!(telling.is_empty(), "{secret}: {telling:?}");
    }
    let log = nginx.log();
    for line in log.lines() {
        assert!(line.starts_with("20"), "a line of its own: {line:?}");
        assert!(line.bytes().all(|byte| (b' '..0x7f).contains(&byte)), "control bytes: {line:?}");
    }
    // nginx's own part does have the request line: the page says so
    assert!(log.lines().any(|line| line.contains("request: ") && line.contains(QUERY)));
}

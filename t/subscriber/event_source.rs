//! EventSource: the form of messages, comments, and coming back.

use crate::support::Nginx;

async fn start(directives: &str) -> Nginx {
    Nginx::builder()
        .location(
            "~ ^/ev/(.*)$",
            &format!(
                "push_stream_subscriber eventsource; push_stream_channels_path $1; {directives}"
            ),
        )
        .start()
        .await
}

/// ES-1, ES-4, ES-5, ES-10, ES-11, HDR-3, HDR-4, SUB-41, DIR-139: what stands on the wire, a chunk a
/// piece.
#[tokio::test]
async fn on_the_wire() {
    let nginx = start("default_type application/json; charset utf-16; charset_types *;").await;
    let mut raw = nginx.raw().await;
    raw.request("GET /ev/e", &[]).await;
    let head = raw.head().await;
    assert_eq!(head.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert_eq!((head.header("etag"), head.header("last-modified")), (None, None));
    raw.expect_chunk(": \n").await;
    nginx.publish("e", "one\r\n\ntwo\rthree\0\n").await;
    raw.expect_chunk("data: one\ndata: \ndata: two\ndata: three\0\ndata: \n\n").await;
    let call = nginx.call("POST", "/pub?id=e").body("four");
    let call = call.header("Event-Id", "e 4").header("Event-Type", "kind");
    assert_eq!(call.send().await.status, 200);
    for chunk in ["id: e 4\n", "event: kind\n", "data: four\n\n"] {
        raw.expect_chunk(chunk).await;
    }
    nginx.delete("/pub?id=e").await;
    raw.expect_chunk("data: Channel deleted\n\n").await;
    assert_eq!(raw.chunk().await, None);
}

/// ES-1..3, ES-12: comments of the templates and pings.
#[tokio::test]
async fn comments() {
    let nginx = start(
        "push_stream_header_template \"h1\\nh2\"; push_stream_footer_template bye;
         push_stream_message_template \"<~text~>\"; push_stream_ping_message_interval 300ms;
         push_stream_subscriber_connection_ttl 2s;",
    )
    .await;
    let mut raw = nginx.raw().await;
    raw.request("GET /ev/c", &[]).await;
    raw.head().await;
    raw.expect_chunk(": h1\n: h2\n").await;
    raw.expect_chunk(": -1\n").await;
    nginx.publish("c", "a\nb").await;
    let mut chunk = raw.chunk().await;
    while chunk.as_deref() == Some(b": -1\n") {
        chunk = raw.chunk().await;
    }
    assert_eq!(chunk.as_deref(), Some(b"data: <a>\ndata: <b>\n\n".as_slice()));
    raw.until(": bye\n\r\n").await;
    assert_eq!(raw.chunk().await, None);
}

/// ES-14, OLD-10, OLD-11: the browser's last event id leads on.
#[tokio::test]
async fn coming_back() {
    let nginx = start("").await;
    for n in 1..=3 {
        let call = nginx.call("POST", "/pub?id=b").body(format!("t{n}"));
        assert_eq!(call.header("Event-Id", &format!("e{n}")).send().await.status, 200);
    }
    let mut stream = nginx.call("GET", "/ev/b").header("Last-Event-ID", "e1").stream().await;
    stream.expect(": \nid: e2\ndata: t2\n\nid: e3\ndata: t3\n\n").await;
    nginx.publish("b", "live").await;
    stream.expect("data: live\n\n").await;
}

/// MODE-4, MODE-5: polled, the form stays and the type is the default one.
#[tokio::test]
async fn polled() {
    let nginx = start("push_stream_footer_template f;").await;
    let call = nginx.call("POST", "/pub?id=p").body("one");
    assert_eq!(call.header("Event-Id", "e1").send().await.status, 200);
    for mode in ["polling", "long-polling"] {
        let call = nginx.call("GET", "/ev/p.b1").header("X-Nginx-PushStream-Mode", mode);
        let answer = call.send().await;
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(body, ": \nid: e1\ndata: one\n\n: f\n");
    }
}

/// PAD-4..8: header and messages are filled up for those who need it, with comments.
#[tokio::test]
async fn padded() {
    let nginx = Nginx::builder()
        .location(
            "~ ^/pad/(.*)$",
            "push_stream_subscriber; push_stream_channels_path $1; push_stream_header_template HEAD;
             push_stream_padding_by_user_agent \"[Mm]y,10,3:.*Other,0,300\";",
        )
        .location(
            "~ ^/evpad/(.*)$",
            "push_stream_subscriber eventsource; push_stream_channels_path $1;
             push_stream_padding_by_user_agent \"My,10,101\"; push_stream_user_agent $arg_agent;",
        )
        .start()
        .await;
    nginx.publish("p", "hi").await;
    let pad = |len: usize| "\r\n".repeat(len / 2);
    for (agent, pieces) in [
        ("User-Agent: My 1.0", vec!["HEAD".to_owned(), pad(100), "hi".into(), pad(100)]),
        ("User-Agent: An Other", vec!["HEAD".into(), "hi".into(), pad(300)]),
        ("User-Agent: none", vec!["HEAD".into(), "hi".into()]),
        ("X: y", vec!["HEAD".into(), "hi".into()]),
    ] {
        let mut raw = nginx.raw().await;
        raw.request("GET /pad/p.b1", &[agent]).await;
        raw.head().await;
        for piece in &pieces {
            raw.expect_chunk(piece).await;
        }
        nginx.publish_live("p", "again").await;
        raw.expect_chunk("again").await;
        // PAD-5: polls are never padded.
        let mut raw = nginx.raw().await;
        raw.request("GET /pad/p.b1", &[agent, "X-Nginx-PushStream-Mode: polling"]).await;
        assert_eq!(raw.answer().await.body, b"HEADhi");
    }
    let mut raw = nginx.raw().await;
    raw.request("GET /evpad/p.b1?agent=My", &["User-Agent: none"]).await;
    raw.head().await;
    raw.expect_chunk(": \n").await;
    raw.expect_chunk(format!("{}\n", ":".repeat(99))).await;
    raw.expect_chunk("data: hi\n\n").await;
    raw.expect_chunk(format!("{}\n", ":".repeat(99))).await;
}

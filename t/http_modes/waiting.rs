//! The life of a client that waits in a long poll, and what ends it beside a message.

use crate::support::{Builder, LongPoll, Nginx, Raw, in_time, process, wait_for};

fn builder() -> Builder {
    Nginx::builder().mode("long-polling", "lp", r#"push_stream_message_template "~text~\n";"#)
}

async fn waiting(nginx: &Nginx, target: &str, channel: &str) -> Raw {
    let before = nginx.channel_stat(channel, "subscribers").await;
    let mut raw = nginx.raw().await;
    raw.request(&format!("GET {target}"), &[]).await;
    nginx.wait_channel_stat(channel, "subscribers", before + 1).await;
    raw
}

/// SUB-45: a client that closes, or closes its sending side, is gone at once.
#[tokio::test]
async fn clients_that_leave() {
    let nginx = builder().start().await;
    let closing = waiting(&nginx, "/lp/a/b", "a").await;
    let mut half = waiting(&nginx, "/lp/a", "a").await;
    let mut staying = waiting(&nginx, "/lp/a", "a").await;
    assert_eq!(nginx.stat("subscribers").await, 3);
    drop(closing);
    half.half_close().await;
    nginx.wait_channel_stat("a", "subscribers", 1).await;
    nginx.wait_channel_stat("b", "subscribers", 0).await;
    nginx.publish_live("a", "x").await;
    assert_eq!(staying.answer().await.body, b"x\n");
    nginx.wait_stat("subscribers", 0).await;
}

/// LP-18: what a client sends while it waits is read afterwards, as the next request.
#[tokio::test]
async fn a_pipelined_request_waits() {
    let nginx = builder().start().await;
    let mut raw = waiting(&nginx, "/lp/first", "first").await;
    raw.request("GET /lp/second", &[]).await;
    raw.request("GET /stats?id=none", &["Connection: close"]).await;
    nginx.publish_live("first", "one").await;
    assert_eq!(raw.answer().await.body, b"one\n");
    nginx.wait_channel_stat("second", "subscribers", 1).await;
    nginx.publish_live("second", "two").await;
    assert_eq!(raw.answer().await.body, b"two\n");
    assert_eq!(raw.answer().await.status(), 404);
    raw.expect_close().await;
}

/// LP-18: several polls and waits pipelined in one write are answered in their order.
#[tokio::test]
async fn answered_in_order() {
    let nginx = builder().start().await;
    nginx.publish("a", "stored").await;
    let mut raw = nginx.raw().await;
    let one = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
    raw.send([one("/lp/a.b1"), one("/lp/b"), one("/lp/a.b1"), one("/lp/ALL")].concat()).await;
    assert_eq!(raw.answer().await.body, b"stored\n");
    nginx.wait_channel_stat("b", "subscribers", 1).await;
    nginx.publish_live("b", "live").await;
    assert_eq!(raw.answer().await.body, b"live\n");
    assert_eq!(raw.answer().await.body, b"stored\n");
    assert_eq!(raw.answer().await.status(), 403);
}

/// LP-16: a reload answers all who wait as a timeout would, and closes.
#[tokio::test]
async fn a_reload() {
    let nginx = builder().start().await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(waiting(&nginx, "/lp/a", "a").await);
    }
    nginx.reload().await;
    for client in &mut clients {
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.header("etag")), (304, Some("W/0")), "{answer:?}");
        assert!(answer.header("last-modified").is_some());
        client.expect_close().await;
    }
    nginx.wait_channel_stat("a", "subscribers", 0).await;
}

/// LP-16 with a body, and LP-17: so does a graceful stop.
#[tokio::test]
async fn a_graceful_stop() {
    let nginx = builder().http("push_stream_timeout_with_body on;").start().await;
    let mut client = waiting(&nginx, "/lp/a", "a").await;
    let mut jsonp = waiting(&nginx, "/lp/a?callback=f", "a").await;
    process::send_signal(nginx.master_pid(), libc::SIGQUIT);
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.body.as_slice()), (200, &b"Timed out\n"[..]));
    client.expect_close().await;
    assert_eq!(jsonp.answer().await.body, b"f([Timed out\n]);");
    wait_for("nginx to end", || async { (!process::is_alive(nginx.master_pid())).then_some(()) })
        .await;
}

/// LP-18, CLI-60: a client that polls for long keeps its one connection.
#[tokio::test]
async fn one_connection() {
    let nginx = builder().start().await;
    let mut client = LongPoll::new(&nginx, "/lp/a").since_long_ago();
    for n in 0..20 {
        let publish = async {
            nginx.wait_channel_stat("a", "subscribers", 1).await;
            nginx.publish("a", n.to_string()).await;
        };
        let (answer, ()) = tokio::join!(client.poll(), publish);
        assert_eq!(answer.text(), format!("{n}\n"));
    }
    assert_eq!(client.connections(), 1);
}

/// LP-5, SUB-44: without a time to live nothing ends a wait; nginx's own timeouts do not apply.
#[tokio::test]
async fn no_other_timeout() {
    let short = "client_body_timeout 1s; client_header_timeout 1s; send_timeout 1s;
                 keepalive_timeout 1s; reset_timedout_connection on;";
    let nginx = builder().server(short).start().await;
    let mut raw = waiting(&nginx, "/lp/a", "a").await;
    let mut idle = nginx.raw().await;
    idle.request("GET /stats", &[]).await;
    idle.answer().await;
    // An idle connection that came later is closed in the meantime.
    in_time("nginx to close an idle connection", idle.expect_close()).await;
    nginx.publish_live("a", "still there").await;
    assert_eq!(raw.answer().await.body, b"still there\n");
}

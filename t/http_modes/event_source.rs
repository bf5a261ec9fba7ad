//! The life of an EventSource: pieces on the wire, pings, ends, and reconnection without loss or double.

use std::time::Duration;

use crate::support::event_source::Event;
use crate::support::{EventSource, Nginx, wait_for};

/// Publishes with an event id and, if not empty, a type.
async fn publish(nginx: &Nginx, channel: &str, id: &str, kind: &str, text: &str) {
    let call = nginx.call("POST", &format!("/pub?id={channel}")).body(text);
    let call = call.header("Event-Id", id);
    let call = if kind.is_empty() { call } else { call.header("Event-Type", kind) };
    assert_eq!(call.send().await.status, 200);
}

/// SUB-40, ES-1..4, ES-10..12, PING-2, PING-4, SUB-48, DIR-138, DIR-140, TPL-9: every byte, from the head
/// to the last chunk.
#[tokio::test]
async fn bytes_on_the_wire() {
    let nginx = Nginx::builder()
        .http("push_stream_ping_message_text PING;")
        .mode(
            "eventsource",
            "es",
            r#"push_stream_header_template "HEAD"; push_stream_footer_template "FOOT\nEND";
               push_stream_message_template "<~text~>"; push_stream_ping_message_interval 300ms;"#,
        )
        .start()
        .await;
    publish(&nginx, "a", "e1", "t1", "one").await;
    publish(&nginx, "a", "", "", "two\r\nlines").await;
    nginx.publish("a", "three").await;
    let mut stream = nginx.stream("/es/a.b3").await;
    stream.expect(": HEAD\nid: e1\nevent: t1\ndata: <one>\n\n").await;
    stream.expect("id: \ndata: <two>\ndata: <lines>\n\ndata: <three>\n\n: -1\n").await;
    nginx.delete("/pub?id=a").await;
    let mut line = stream.line().await;
    while line == ": -1" {
        line = stream.line().await;
    }
    assert_eq!(line, "data: <Channel deleted>");
    stream.ends_with("\n: FOOT\n: END\n").await;
}

/// ES-1, HDR-11: without a header template a comment leaves at once.
#[tokio::test]
async fn a_silent_channel() {
    let nginx = Nginx::builder().mode("eventsource", "es", "").start().await;
    let mut raw = nginx.raw().await;
    raw.request("GET /es/silent", &[]).await;
    raw.head().await;
    raw.expect_chunk(": \n").await;
}

/// SUB-43, SUB-45, SUB-46, PING-1, PING-3: time to live, a client that leaves, a reload.
#[tokio::test]
async fn ends() {
    let nginx = Nginx::builder()
        .mode(
            "eventsource",
            "short",
            "push_stream_footer_template FOOT; push_stream_subscriber_connection_ttl 700ms;
             push_stream_longpolling_connection_ttl 10ms; push_stream_ping_message_interval 200ms;",
        )
        .mode("eventsource", "es", "push_stream_footer_template FOOT;")
        .start()
        .await;
    let mut raw = nginx.raw().await;
    raw.request("GET /short/a/b", &[]).await;
    raw.head().await;
    raw.expect_chunk(": \n").await;
    raw.expect_chunk(": -1\n").await;
    raw.until("7\r\n: FOOT\n\r\n").await;
    assert_eq!(raw.chunk().await, None);
    raw.request("GET /stats", &[]).await;
    assert_eq!(raw.answer().await.status(), 200);

    let leaving = nginx.stream("/es/a").await;
    let mut staying = nginx.stream("/es/a").await;
    nginx.wait_channel_stat("a", "subscribers", 2).await;
    drop(leaving);
    nginx.wait_channel_stat("a", "subscribers", 1).await;
    nginx.reload().await;
    staying.expect(": \n").await;
    staying.ends_with(": FOOT\n").await;
}

/// SUB-47, SUB-48: a channel named twice arrives once; with one of two channels deleted the other goes on.
#[tokio::test]
async fn several_channels() {
    let nginx = Nginx::builder().mode("eventsource", "es", "").start().await;
    let mut stream = nginx.stream("/es/a/b/a").await;
    nginx.publish("a", "one").await;
    nginx.delete("/pub?id=a").await;
    nginx.publish("a", "to nobody").await;
    nginx.publish("b", "two").await;
    stream.expect(": \ndata: one\n\ndata: Channel deleted\n\ndata: two\n\n").await;
}

/// ES-10, ES-15, CLI-58: what a client library makes of ids, types and data.
#[tokio::test]
async fn through_a_client_library() {
    let nginx = Nginx::builder().mode("eventsource", "es", "").start().await;
    publish(&nginx, "a", "first", "", "stored").await;
    publish(&nginx, "a", "second", "news", "stored too").await;
    let mut client = EventSource::new(&nginx, "/es/a.b2");
    let event = |kind: &str, data: &str, id: &str| Event {
        kind: kind.into(),
        data: data.into(),
        id: Some(id.into()),
    };
    assert_eq!(client.event().await, event("message", "stored", "first"));
    assert_eq!(client.event().await, event("news", "stored too", "second"));
    nginx.publish("a", "live").await;
    assert_eq!(client.event().await, event("message", "live", "second"));
}

/// ES-14, OLD-10..12, OLD-20, CLI-59: while messages are published, connections end by their time to live,
/// by reloads and by killed workers; the client's `Last-Event-ID` brings it every message once, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnecting() {
    const COUNT: usize = 300;
    let nginx = Nginx::builder()
        .mode("eventsource", "es", "push_stream_subscriber_connection_ttl 250ms;")
        .start()
        .await;
    publish(&nginx, "a", "0", "", "seen before").await;
    let clients = (0..4).map(|_| EventSource::resuming(&nginx, "/es/a", "0"));
    let readers = clients.map(|mut client| {
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.last().is_none_or(|last| last != "end") {
                seen.push(client.data().await);
            }
            seen
        })
    });
    let readers = readers.collect::<Vec<_>>();
    for n in 1..=COUNT {
        publish_for_sure(&nginx, &n.to_string()).await;
        match n {
            100 => nginx.reload().await,
            200 => {
                let victim = *nginx.worker_pids().first().expect("a worker");
                nginx.kill_worker(victim);
                nginx.all_workers().await;
            }
            _ => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
    publish_for_sure(&nginx, "end").await;
    let expected = (1..=COUNT).map(|n| n.to_string()).chain(["end".to_owned()]);
    let expected = expected.collect::<Vec<_>>();
    for reader in readers {
        let seen = reader.await.expect("a reader");
        assert_eq!(seen, expected);
    }
}

/// Publishes once, although a worker may die over it: asks what is stored before it tries again.
async fn publish_for_sure(nginx: &Nginx, text: &str) {
    let before = nginx.channel_stat("a", "published_messages").await;
    wait_for("a publish", || async {
        let call = nginx.call("POST", "/pub?id=a").body(text).header("Event-Id", text);
        match call.try_send().await {
            Ok(answer) => assert_eq!(answer.status, 200),
            Err(_) if nginx.channel_stat("a", "published_messages").await == before => return None,
            Err(_) => {}
        }
        Some(())
    })
    .await;
}

//! The life of a stream: live messages, pings, its ends, what the client does meanwhile.

use crate::support::{Nginx, next_second, wait_for};

/// SUB-40, SUB-42, OLD-14, OLD-18, OLD-20: history, then live, each once, in order, over all channels.
#[tokio::test]
async fn history_then_live() {
    let nginx = Nginx::start().await;
    nginx.publish("a", "old a").await;
    nginx.publish("b", "old b").await;
    let mut stream = nginx.stream("/sub/b.b1/a.b1").await;
    nginx.publish("a", "new a").await;
    nginx.publish_live("b", "new b").await;
    nginx.publish("c", "nobody's").await;
    nginx.publish("a/b", "both").await;
    assert_eq!(
        stream.lines(6).await,
        ["1 b old b", "1 a old a", "2 a new a", "2 b new b", "3 a both", "3 b both"]
    );
}

/// LIFE-67: without a backtrack nothing that was published before the subscription arrives.
#[tokio::test]
async fn nothing_from_before() {
    let nginx = Nginx::start().await;
    for round in 0..50 {
        nginx.publish("past", "before").await;
        let mut stream = nginx.stream("/sub/past").await;
        nginx.publish("past", "after").await;
        assert_eq!(stream.line().await, format!("{} past after", 2 * round + 2));
    }
}

/// SUB-43, DIR-128: the time to live counts from the subscription and is not extended by traffic; then
/// footer, last chunk, and the connection serves the next request.
#[tokio::test]
async fn time_to_live() {
    let nginx = Nginx::builder()
        .subscriber(
            "short",
            "push_stream_subscriber_connection_ttl 1s; push_stream_footer_template FOOT;
             push_stream_ping_message_interval 300ms;",
        )
        .start()
        .await;
    let mut raw = nginx.raw().await;
    raw.request("GET /short/t", &[]).await;
    assert_eq!(raw.head().await.status(), 200);
    let mut pings = 0;
    while let Some(chunk) = raw.chunk().await {
        match chunk.as_slice() {
            b"FOOT" => break,
            other => assert_eq!(other, b" "),
        }
        pings += 1;
        nginx.publish_live("t", " ").await;
    }
    assert!(pings > 0);
    assert_eq!(raw.chunk().await, None);
    nginx.wait_stat("subscribers", 0).await;
    assert_eq!(nginx.channel_stat("t", "subscribers").await, 0);
    raw.request("GET /stats", &[]).await;
    assert_eq!(raw.answer().await.status(), 200);
}

/// PING-1..3, DIR-143, PUB-75, TPL-9: ping text through the template, as message -1 of no channel.
#[tokio::test]
async fn pings() {
    let nginx = Nginx::builder()
        .http("push_stream_ping_message_text \"pi ng\";")
        .subscriber(
            "pinged",
            "push_stream_ping_message_interval 200ms; push_stream_message_template
                 \"~id~|~tag~|~time~|~channel~|~event-id~|~event-type~|~size~|~text~\\n\";",
        )
        .start()
        .await;
    let mut stream = nginx.stream("/pinged/p/q").await;
    let ping = "-1|0|Thu, 01 Jan 1970 00:00:00 GMT||||5|pi ng";
    assert_eq!(stream.lines(3).await, [ping; 3]);
    nginx.publish_live("p", "text").await;
    let mut line = stream.line().await;
    while line == ping {
        line = stream.line().await;
    }
    assert!(line.starts_with("1|") && line.ends_with("|p|||4|text"), "{line}");
    assert_eq!(stream.lines(2).await, [ping; 2]);
    // Pings count nowhere.
    assert_eq!(nginx.channel_stat("p", "published_messages").await, 1);
    assert_eq!(nginx.stat("published_messages").await, 1);
    assert_eq!(nginx.stat("messages_in_trash").await, 1);
}

/// SUB-45: a client that closes, or closes its sending side, is gone at once.
#[tokio::test]
async fn clients_that_leave() {
    let nginx = Nginx::start().await;
    let closing = nginx.stream("/sub/l/m").await;
    let mut half = nginx.raw().await;
    half.request("GET /sub/l", &[]).await;
    half.head().await;
    let mut staying = nginx.stream("/sub/l").await;
    assert_eq!(nginx.stat("subscribers").await, 3);
    assert_eq!(nginx.channel_stat("l", "subscribers").await, 3);
    drop(closing);
    half.half_close().await;
    nginx.wait_stat("subscribers", 1).await;
    nginx.wait_channel_stat("l", "subscribers", 1).await;
    nginx.wait_channel_stat("m", "subscribers", 0).await;
    nginx.publish_live("l", "x").await;
    assert_eq!(staying.line().await, "1 l x");
}

/// SUB-49: what a client sends meanwhile is ignored, and a pipelined request is served afterwards.
#[tokio::test]
async fn a_pipelined_request_waits() {
    let nginx = Nginx::start().await;
    let mut raw = nginx.raw().await;
    raw.request("GET /sub/first", &[]).await;
    raw.request("GET /sub/second", &[]).await;
    raw.head().await;
    nginx.publish_live("first", "one").await;
    raw.expect_chunk("1 first one\n").await;
    assert!(nginx.channel("second").await.is_none(), "served too early");
    raw.request("GET /stats?id=second", &["Connection: close"]).await;
    nginx.publish_live("first", "two").await;
    raw.expect_chunk("2 first two\n").await;
    nginx.delete("/pub?id=first").await;
    raw.expect_chunk("-2 first Channel deleted\n").await;
    assert_eq!(raw.chunk().await, None);
    assert_eq!(raw.head().await.status(), 200);
    wait_for("the second channel", || nginx.channel("second")).await;
    nginx.delete("/pub?id=second").await;
    raw.expect_chunk("-2 second Channel deleted\n").await;
    assert_eq!(raw.chunk().await, None);
    assert_eq!(raw.answer().await.status(), 404);
    raw.expect_close().await;
}

/// A client that floods the connection during its stream neither ends it nor makes the worker
/// burn the processor.
#[tokio::test]
async fn bytes_during_a_stream() {
    let nginx = Nginx::builder().workers(1).start().await;
    let worker = *nginx.worker_pids().first().expect("a worker");
    let mut raw = nginx.raw().await;
    raw.request("GET /sub/noise", &[]).await;
    raw.head().await;
    raw.send(vec![b'x'; 3000]).await;
    nginx.publish_live("noise", "one").await;
    raw.expect_chunk("1 noise one\n").await;
    let before = crate::support::process::cpu_ticks(worker);
    next_second().await;
    next_second().await;
    let spent = crate::support::process::cpu_ticks(worker) - before;
    assert!(spent < 20, "{spent} ticks for an idle stream");
    nginx.publish_live("noise", "two").await;
    raw.expect_chunk("2 noise two\n").await;
}

/// SUB-46, TPL-8, DIR-128: a reload ends the streams of the old workers properly, and a stop does too.
#[tokio::test]
async fn reload_and_stop() {
    let nginx =
        Nginx::builder().subscriber("framed", "push_stream_footer_template FOOT;").start().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut raw = nginx.raw().await;
        raw.request("GET /framed/r/s", &[]).await;
        raw.head().await;
        streams.push(raw);
    }
    nginx.reload().await;
    for raw in &mut streams {
        raw.expect_chunk("FOOT").await;
        assert_eq!(raw.chunk().await, None);
        raw.expect_close().await;
    }
    nginx.wait_stat("subscribers", 0).await;
    assert_eq!(nginx.channel_stat("r", "subscribers").await, 0);

    let mut last = nginx.raw().await;
    last.request("GET /framed/r", &[]).await;
    last.head().await;
    drop(nginx);
    last.expect_chunk("FOOT").await;
    assert_eq!(last.chunk().await, None);
    last.expect_close().await;
}

/// Four message sizes around the chunk head's growth, and two beyond any socket buffer, reach a
/// reader whole, live and replayed.
#[tokio::test]
async fn sizes_of_messages() {
    let nginx = Nginx::builder().zone("64m").start().await;
    let mut live = nginx.stream("/raw?id=sizes").await;
    for size in [1, 15, 16, 4095, 65_536, 1_000_000, 8_000_000] {
        let text: Vec<u8> = (0..size).map(|n| (n % 253) as u8).collect();
        nginx.publish("sizes", &text).await;
        assert!(live.exactly(size).await == text, "live {size}");
        let mut replay = nginx.stream("/raw?id=sizes.b1").await;
        assert!(replay.exactly(size).await == text, "replayed {size}");
    }
}

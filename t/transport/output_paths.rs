//! HTTP/1.1 and HTTP/2, each with TLS and without: the same answers (SUB-63).

use crate::support::stream::End;
use crate::support::{Builder, Call, Client, LongPoll, Nginx, Way, wait_for};

const TEMPLATES: &str = r#"push_stream_header_template "HEAD\n"; push_stream_footer_template "FOOT\n";
                           push_stream_message_template "~id~ ~text~\n";"#;

fn builder() -> Builder {
    let quick = "push_stream_longpolling_connection_ttl 200ms;";
    Nginx::builder()
        .http2()
        .tls()
        .mode("streaming", "str", TEMPLATES)
        .mode("eventsource", "es", "push_stream_ping_message_interval 300ms;")
        .mode("polling", "poll", TEMPLATES)
        .mode("long-polling", "lp", TEMPLATES)
        .mode("long-polling", "quick", quick)
}

fn get(way: &Way, target: &str) -> Call {
    Call::new(way.clone(), "GET", target)
}

/// SUB-63: heads, bodies, pings, the notice of a deletion and the ends of both kinds of streams.
#[tokio::test]
async fn streams() {
    let nginx = builder().start().await;
    for (name, way) in nginx.ways() {
        nginx.publish("a", "old").await;
        let mut stream = get(&way, "/str/a.b1").stream().await;
        let mut events = get(&way, "/es/a.b1").stream().await;
        for head in [&stream, &events] {
            assert_eq!(head.header("connection").is_none(), way.http2, "{name}: {head:?}");
            assert_eq!(head.header("transfer-encoding").is_none(), way.http2, "{name}: {head:?}");
        }
        assert_eq!(events.header("content-type"), Some("text/event-stream; charset=utf-8"));
        stream.expect("HEAD\n1 old\n").await;
        events.expect(": \ndata: old\n\n: -1\n: -1\n").await;
        nginx.publish("a", "new").await;
        // Beyond any window and buffer.
        let large = "x".repeat(2_000_000);
        nginx.publish("a", &large).await;
        stream.expect("2 new\n3 ").await;
        stream.expect(format!("{large}\n")).await;
        nginx.delete("/pub?id=a").await;
        stream.expect("-2 Channel deleted\nFOOT\n").await;
        assert_eq!(stream.rest().await, (vec![], End::Clean), "{name}");
        let (rest, end) = events.rest().await;
        let rest = String::from_utf8(rest).expect("UTF-8").replace(": -1\n", "");
        let expected = format!("data: new\n\ndata: {large}\n\ndata: Channel deleted\n\n");
        assert!(rest == expected && end == End::Clean, "{name}: {} bytes", rest.len());
    }
}

/// SUB-63, LP-1..9, JP-3: polled answers, timeouts and refusals; publishing too.
#[tokio::test]
async fn answers() {
    let nginx = builder().start().await;
    for (name, way) in nginx.ways() {
        let mut client = Client::connect(way.clone()).await.expect("connect");
        let published = client.post("/pub?id=a", "text").await.expect("an answer");
        assert_eq!(published.status, 200, "{name}");
        for (target, status, body) in [
            ("/poll/a.b1", 200, "HEAD\n1 text\nFOOT\n"),
            ("/lp/a.b1", 200, "HEAD\n1 text\nFOOT\n"),
            ("/poll/empty", 304, ""),
            ("/quick/empty", 304, ""),
            ("/quick/a.b1?callback=f", 200, "f([text]);"),
            ("/lp/ALL", 403, ""),
        ] {
            let answer = client.get(target).await.expect("an answer");
            assert_eq!((answer.status, answer.text()), (status, body), "{name}: {target}");
            assert_eq!(answer.header("etag").is_some(), status == 200 || target == "/quick/empty");
        }
        for (method, status) in [("OPTIONS", 200), ("PATCH", 405), ("HEAD", 405)] {
            let answer = client.send(Call::new(way.clone(), method, "/lp/a")).await;
            assert_eq!(answer.expect("an answer").status, status, "{name}: {method}");
        }
        nginx.delete("/pub?id=a").await;
    }
}

/// LP-6, LP-7, LP-18, CLI-36: a client that waits and echoes, on one connection.
#[tokio::test]
async fn long_polls() {
    let nginx = builder().start().await;
    for (n, (name, way)) in nginx.ways().into_iter().enumerate() {
        let id = format!("a{n}");
        let mut client = LongPoll::new(&nginx, &format!("/lp/{id}")).over(&way);
        for message in 1..=30 {
            let text = format!("{message}");
            let publish = async {
                // Every other message comes while nobody waits.
                if message % 2 == 1 {
                    nginx.wait_channel_stat(&id, "subscribers", 1).await;
                }
                nginx.publish(&id, &text).await;
            };
            let answer = match message % 2 {
                1 => tokio::join!(client.poll(), publish).0,
                _ => {
                    publish.await;
                    client.poll().await
                }
            };
            let expected = format!("HEAD\n{message} {message}\nFOOT\n");
            assert_eq!((answer.status, answer.text()), (200, expected.as_str()), "{name}");
        }
        assert_eq!(client.connections(), 1, "{name}");
    }
}

/// SUB-45, SUB-63: many streams of one HTTP/2 connection wait side by side; each is answered for itself,
/// and the ones that are given up leave.
#[tokio::test]
async fn many_at_a_time() {
    let nginx = builder().start().await;
    for (name, way) in nginx.ways().into_iter().filter(|(_, way)| way.http2) {
        let client = Client::connect(way).await.expect("connect");
        let mut waiting = Vec::new();
        for n in 0..60 {
            let mut client = client.again();
            let target = format!("/lp/n{n}/shared");
            waiting
                .push(tokio::spawn(async move { client.get(&target).await.expect("an answer") }));
        }
        let mut streams = Vec::new();
        for _ in 0..10 {
            streams.push(client.again().stream("/str/shared").await.expect("a stream"));
        }
        nginx.wait_channel_stat("shared", "subscribers", 70).await;
        for (n, waiting) in waiting.drain(..40).enumerate() {
            nginx.publish(&format!("n{n}"), n.to_string()).await;
            let answer = waiting.await.expect("a client");
            assert!(answer.text().ends_with(&format!(" {n}\nFOOT\n")), "{name}: {answer:?}");
        }
        streams.truncate(5);
        nginx.wait_channel_stat("shared", "subscribers", 25).await;
        for given_up in waiting.drain(..10) {
            given_up.abort();
        }
        nginx.wait_channel_stat("shared", "subscribers", 15).await;
        nginx.publish_live("shared", "all").await;
        for waiting in waiting {
            let answer = waiting.await.expect("a client");
            assert!(answer.text().ends_with(" all\nFOOT\n"), "{name}: {answer:?}");
        }
        for stream in &mut streams {
            stream.expect("HEAD\n").await;
            assert!(stream.line().await.ends_with(" all"), "{name}");
        }
        drop(streams);
        nginx.wait_stat("subscribers", 0).await;
    }
}

/// SUB-46, LP-16, SUB-63: a reload ends streams and waits of every transport properly.
#[tokio::test]
async fn a_reload() {
    let nginx = builder().start().await;
    let mut streams = Vec::new();
    let mut waiting = Vec::new();
    for (_, way) in nginx.ways() {
        streams.push(get(&way, "/str/a").stream().await);
        waiting.push(tokio::spawn(get(&way, "/lp/a").send()));
    }
    nginx.wait_channel_stat("a", "subscribers", 8).await;
    nginx.reload().await;
    for stream in &mut streams {
        stream.expect("HEAD\n").await;
        stream.ends_with("FOOT\n").await;
    }
    for waiting in waiting {
        let answer = waiting.await.expect("a client");
        assert_eq!((answer.status, answer.header("etag")), (304, Some("W/0")));
    }
    // nginx lingers on HTTP/2 connections, and complains of those that a stop finds open.
    drop(streams);
    wait_for("old workers to leave", || async { nginx.retiring_pids().is_empty().then_some(()) })
        .await;
}

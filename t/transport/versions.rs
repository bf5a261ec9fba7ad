//! HTTP/1.0, closed connections, half-closed clients.

use crate::support::{Builder, Nginx};

fn builder() -> Builder {
    let templates = r#"push_stream_header_template "HEAD"; push_stream_footer_template "FOOT";"#;
    Nginx::builder()
        .mode("polling", "poll", templates)
        .mode("long-polling", "lp", templates)
        .mode("long-polling", "quick", "push_stream_longpolling_connection_ttl 200ms;")
        .mode("eventsource", "es", "push_stream_subscriber_connection_ttl 700ms;")
}

/// SUB-60: the same bytes without chunks, ended by the close, whatever the client asks; a 304 has no
/// body to end, so it keeps the connection that is to be kept.
#[tokio::test]
async fn http_1_0() {
    let nginx = builder().start().await;
    nginx.publish("a", "text").await;
    for keep in ["", "Connection: keep-alive\r\n"] {
        for (target, body) in [
            ("/poll/a.b1", "HEADtextFOOT"),
            ("/lp/a.b1", "HEADtextFOOT"),
            ("/poll/a.b1?callback=f", "f([text]);"),
            ("/es/a.b1", ": \ndata: text\n\n"),
        ] {
            let mut raw = nginx.raw().await;
            raw.send(format!("GET {target} HTTP/1.0\r\n{keep}\r\n")).await;
            let head = raw.head().await;
            assert_eq!((head.status(), head.header("transfer-encoding")), (200, None), "{target}");
            assert_eq!(head.header("connection"), Some("close"), "{target}");
            assert_eq!(String::from_utf8_lossy(&raw.until_close().await), body, "{target}");
        }
        for target in ["/poll/empty", "/quick/empty", "/lp/ALL"] {
            let mut raw = nginx.raw().await;
            raw.send(format!("GET {target} HTTP/1.0\r\n{keep}\r\n")).await;
            let answer = raw.answer().await;
            assert_eq!(answer.header("content-length"), Some("0"), "{target}");
            if keep.is_empty() {
                raw.expect_close().await;
            } else {
                assert_eq!(answer.header("connection"), Some("keep-alive"), "{target}");
                raw.request("GET /stats", &[]).await;
                assert_eq!(raw.answer().await.status(), 200, "{target}");
            }
        }
    }
    let mut raw = nginx.raw().await;
    raw.send("GET /lp/live HTTP/1.0\r\n\r\n").await;
    nginx.wait_channel_stat("live", "subscribers", 1).await;
    nginx.publish_live("live", "text").await;
    assert_eq!(raw.head().await.header("connection"), Some("close"));
    assert_eq!(raw.until_close().await, b"HEADtextFOOT");
}

/// SUB-61: chunked all the same, then closed.
#[tokio::test]
async fn connection_close() {
    let nginx = builder().start().await;
    nginx.publish("a", "text").await;
    for (target, status, body) in [
        ("/poll/a.b1", 200, "HEADtextFOOT"),
        ("/lp/a.b1", 200, "HEADtextFOOT"),
        ("/poll/empty", 304, ""),
        ("/quick/empty", 304, ""),
        ("/es/a.b1", 200, ": \ndata: text\n\n"),
    ] {
        let mut raw = nginx.raw().await;
        raw.request(&format!("GET {target}"), &["Connection: close"]).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.header("connection")), (status, Some("close")));
        let chunked = (status == 200).then_some("chunked");
        assert_eq!(answer.header("transfer-encoding"), chunked, "{target}");
        assert_eq!(String::from_utf8_lossy(&answer.body), body, "{target}");
        raw.expect_close().await;
    }
}

/// A client that shuts down its sending side with its request still gets what can be answered at once.
#[tokio::test]
async fn half_closed() {
    let nginx = builder().start().await;
    nginx.publish("a", "text").await;
    for target in ["/poll/a.b1", "/lp/a.b1"] {
        let mut raw = nginx.raw().await;
        raw.request(&format!("GET {target}"), &[]).await;
        raw.half_close().await;
        assert_eq!(raw.answer().await.body, b"HEADtextFOOT", "{target}");
    }
    nginx.wait_stat("subscribers", 0).await;
}

/// Clients that reset the connection while they are answered, in every mode, with stored messages and
/// without: nothing is left behind, and nginx has nothing to complain about.
#[tokio::test]
async fn resets() {
    use std::io::{Read, Write};
    let nginx = builder().mode("streaming", "str", "").start().await;
    let workers = nginx.worker_pids();
    nginx.publish("a", "x".repeat(3000)).await;
    let port = nginx.port;
    let clients =
        ["/poll/a.b1", "/lp/a.b1", "/es/a.b1", "/str/a.b1", "/poll/a.b1?callback=f", "/es/a"];
    let clients = clients.into_iter().map(|target| {
        tokio::task::spawn_blocking(move || {
            for _ in 0..300 {
                let mut socket =
                    std::net::TcpStream::connect(("127.0.0.1", port)).expect("connect");
                let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
                socket.write_all(request.as_bytes()).expect("a request");
                // What is not read makes the close a reset.
                socket.read_exact(&mut [0; 9]).expect("a status line");
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("a client");
    }
    nginx.wait_stat("subscribers", 0).await;
    assert_eq!(nginx.worker_pids(), workers);
}

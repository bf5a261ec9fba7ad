//! Subscribers behind nginx's filters: gzip, sub_filter, add_header.

use std::io::Write as _;

use crate::support::stream::End;
use crate::support::{Answer, Call, Nginx, Stream};

fn unpack(bytes: &[u8]) -> String {
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    decoder.write_all(bytes).expect("gzip");
    String::from_utf8(decoder.finish().expect("a complete gzip stream")).expect("UTF-8")
}

/// Reads until the decoded stream ends with `mark`.
async fn unpack_until(stream: &mut Stream, mark: &str) {
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    while !decoder.get_ref().ends_with(mark.as_bytes()) {
        decoder.write_all(&stream.exactly(1).await).expect("gzip");
        decoder.flush().expect("gzip");
    }
}

fn cursor(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.header("last-modified"), answer.header("etag"))
}

/// SUB-62: compressed if the client accepts it, each event readable when it comes; cursors are what they
/// would be; a 304 has nothing to compress.
#[tokio::test]
async fn gzip() {
    let packed = "gzip on; gzip_types *; push_stream_longpolling_connection_ttl 200ms;";
    let nginx = Nginx::builder()
        .mode("polling", "poll", packed)
        .mode("long-polling", "lp", packed)
        .mode("eventsource", "es", packed)
        .start()
        .await;
    nginx.publish("a", "text").await;
    let accepting = |target: &str| nginx.call("GET", target).header("Accept-Encoding", "gzip");
    for (target, body) in [
        ("/poll/a.b1", "text"),
        ("/lp/a.b1", "text"),
        ("/poll/a.b1?callback=f", "f([text]);"),
        ("/lp/a.b1?callback=f", "f([text]);"),
    ] {
        let plain = nginx.get(target).await;
        assert_eq!((plain.header("content-encoding"), plain.text()), (None, body), "{target}");
        let answer = accepting(target).send().await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{target}");
        assert_eq!(unpack(&answer.body), body, "{target}");
        assert_eq!(cursor(&answer), cursor(&plain), "{target}");
    }
    for target in ["/poll/empty", "/lp/empty"] {
        let answer = accepting(target).send().await;
        assert_eq!((answer.status, answer.header("content-encoding")), (304, None), "{target}");
        assert_eq!(answer.header("content-length"), Some("0"), "{target}");
    }

    let mut waiting = nginx.raw().await;
    waiting.request("GET /lp/b", &["Accept-Encoding: gzip"]).await;
    nginx.wait_channel_stat("b", "subscribers", 1).await;
    nginx.publish_live("b", "live").await;
    assert_eq!(unpack(&waiting.answer().await.body), "live");

    let mut events = accepting("/es/a.b1").stream().await;
    assert_eq!(events.header("content-encoding"), Some("gzip"));
    unpack_until(&mut events, ": \ndata: text\n\n").await;
    drop(events);
    let mut events = accepting("/es/a").stream().await;
    nginx.publish("a", "more").await;
    nginx.delete("/pub?id=a").await;
    let (rest, end) = events.rest().await;
    assert_eq!(unpack(&rest), ": \ndata: more\n\ndata: Channel deleted\n\n");
    assert_eq!(end, End::Clean);
}

/// SUB-65: head, messages and pings of a stream leave at once when they are compressed as well, over every
/// transport, whatever is to be collected first.
#[tokio::test]
async fn gzip_at_once() {
    let nginx = Nginx::builder()
        .http2()
        .tls()
        .server("gzip on; gzip_types *; postpone_gzipping 64k; postpone_output 64k;")
        .mode("streaming", "stream", "")
        .mode("streaming", "pinged", "push_stream_ping_message_interval 100ms;")
        .start()
        .await;
    for (name, way) in nginx.ways() {
        let open = |target: &str| {
            let call = Call::new(way.clone(), "GET", target);
            call.header("Accept-Encoding", "gzip").stream()
        };
        let mut stream = open("/stream/a").await;
        assert_eq!(stream.header("content-encoding"), Some("gzip"), "{name}");
        let mut decoder = flate2::write::GzDecoder::new(Vec::new());
        for text in ["one", "two"] {
            nginx.publish_live("a", text).await;
            while !decoder.get_ref().ends_with(text.as_bytes()) {
                decoder.write_all(&stream.exactly(1).await).expect("gzip");
                decoder.flush().expect("gzip");
            }
        }
        unpack_until(&mut open("/pinged/quiet").await, "  ").await;
    }
}

/// SUB-64: replacements in every mode; `sub_filter_last_modified` lets the cursor pass, as for any page.
#[tokio::test]
async fn sub_filter() {
    let replaced = "sub_filter secret public; sub_filter_types *; sub_filter_once off;
                    sub_filter_last_modified on;";
    let mut nginx = Nginx::builder();
    for mode in ["streaming", "eventsource", "polling", "long-polling"] {
        nginx = nginx.mode(mode, mode, replaced);
    }
    let nginx = nginx.start().await;
    nginx.publish("a", "a secret, a secr").await;
    for mode in ["polling", "long-polling"] {
        let answer = nginx.get(&format!("/{mode}/a.b1")).await;
        assert_eq!((answer.status, answer.text()), (200, "a public, a secr"), "{mode}");
        assert!(answer.header("last-modified").is_some(), "{mode}: {answer:?}");
        assert!(answer.header("etag").is_some_and(|tag| tag.starts_with("W/")), "{answer:?}");
    }
    let mut stream = nginx.stream("/streaming/a").await;
    let mut events = nginx.stream("/eventsource/a").await;
    let mut waiting = nginx.raw().await;
    waiting.request("GET /long-polling/a", &[]).await;
    nginx.wait_channel_stat("a", "subscribers", 3).await;
    nginx.publish("a", "secret secret").await;
    stream.expect("public public").await;
    events.expect(": \ndata: public public\n\n").await;
    assert_eq!(waiting.answer().await.body, b"public public");
}

/// SUB-64: `add_header` as for any answer: 304 too, refusals only with `always`; `expires` cannot undo
/// ours.
#[tokio::test]
async fn add_header() {
    let headers = "add_header X-Some some; add_header X-All all always;";
    let mut nginx = Nginx::builder();
    for mode in ["streaming", "eventsource", "polling", "long-polling"] {
        nginx = nginx.mode(
            mode,
            mode,
            &format!("{headers} push_stream_longpolling_connection_ttl 100ms;"),
        );
    }
    let nginx = nginx.start().await;
    for mode in ["streaming", "eventsource", "polling", "long-polling"] {
        let head = nginx.call("GET", &format!("/{mode}/a")).try_stream().await.expect("an answer");
        assert_eq!((head.header("x-some"), head.header("x-all")), (Some("some"), Some("all")));
        let refused = nginx.get(&format!("/{mode}/ALL")).await;
        assert_eq!((refused.header("x-some"), refused.header("x-all")), (None, Some("all")));
    }
}

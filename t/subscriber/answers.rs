//! Methods, response heads, cross-origin headers, conditional requests, HTTP versions.

use crate::support::hostile::smuggle;
use crate::support::{CACHE_CONTROL, EXPIRES, Nginx};

/// SUB-16, SUB-18, SUB-19, SUB-20, HDR-2, HDR-10: everything but GET and OPTIONS is refused, and the
/// connection stays usable; TRACE is answered by nginx itself.
#[tokio::test]
async fn methods() {
    let nginx = Nginx::start().await;
    for method in ["HEAD", "POST", "PUT", "DELETE", "PATCH", "FROBNICATE"] {
        let answer = nginx.call(method, "/sub/a").send().await;
        assert_eq!(answer.header("allow"), Some("GET"), "{method}");
        answer.assert_refused(405, None);
    }
    assert_eq!(nginx.stat("channels").await, 0);
    let mut raw = nginx.raw().await;
    for start in ["PATCH /sub/a", "GET /raw", "GET /sub/ALL", "OPTIONS /sub/a"] {
        raw.request(start, &[]).await;
        assert_eq!(raw.answer().await.header("connection"), Some("keep-alive"), "{start}");
    }
    raw.request("TRACE /sub/a", &[]).await;
    let answer = raw.answer().await;
    assert_eq!((answer.status(), answer.header("expires")), (405, None));
    assert_eq!(answer.header("content-type"), Some("text/html"));
    raw.expect_close().await;
}

/// SUB-17: OPTIONS looks at nothing.
#[tokio::test]
async fn options() {
    let nginx = Nginx::start().await;
    for target in ["/sub/a", "/sub/ALL", "/raw", "/raw?id=a%0A"] {
        let answer = nginx.call("OPTIONS", target).send().await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{target}");
        assert_eq!(answer.header("content-length"), Some("0"));
        for absent in ["allow", "expires", "cache-control", "access-control-allow-origin"] {
            assert_eq!(answer.header(absent), None, "{target}");
        }
    }
    assert_eq!(nginx.stat("channels").await, 0);
}

/// SUB-21: a body with any request is consumed.
#[tokio::test]
async fn a_body_is_never_the_next_request() {
    let nginx = Nginx::start().await;
    for (start, status) in [
        ("PATCH /sub/a", 405),
        ("POST /sub/a", 405),
        ("OPTIONS /sub/a", 200),
        ("GET /raw", 400),
        ("GET /raw?id=x%0A", 400),
        ("GET /sub/ALL", 403),
    ] {
        for answer in smuggle(&nginx, start).await {
            assert_eq!(answer.status(), status, "{start}: {answer:?}");
        }
    }
}

/// SUB-21 for a stream: neither the body nor what it looks like is answered.
#[tokio::test]
async fn a_stream_request_with_a_body() {
    let nginx = Nginx::builder()
        .subscriber("short", "push_stream_subscriber_connection_ttl 500ms;")
        .start()
        .await;
    let hidden = "POST /pub?id=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nevil";
    for body in [
        format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len()),
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len()),
    ] {
        let mut raw = nginx.raw().await;
        raw.send(format!("GET /short/b HTTP/1.1\r\nHost: x\r\n{body}")).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.body.as_slice()), (200, b"".as_slice()));
        raw.request("GET /stats", &["Connection: close"]).await;
        let stats = raw.answer().await;
        assert!(String::from_utf8_lossy(&stats.body).contains("by_worker"), "{stats:?}");
        raw.expect_close().await;
    }
    assert!(nginx.channel("smuggled").await.is_none());
}

/// SUB-22, SUB-23: on every answer of the location, with a value only.
#[tokio::test]
async fn cross_origin_headers() {
    let nginx = Nginx::builder()
        .location(
            "/cors",
            "push_stream_subscriber; push_stream_channels_path $arg_id;
             push_stream_allowed_origins $arg_o;",
        )
        .start()
        .await;
    for (method, query) in
        [("GET", "id=a"), ("GET", "id=ALL"), ("GET", "id="), ("PATCH", "id=a"), ("OPTIONS", "id=a")]
    {
        for origin in ["*", "http://a.example", ""] {
            let mut raw = nginx.raw().await;
            raw.request(&format!("{method} /cors?{query}&o={origin}"), &["Origin: http://b"]).await;
            let answer = raw.head().await;
            let expected = (!origin.is_empty()).then_some(origin);
            assert_eq!(answer.header("access-control-allow-origin"), expected);
            assert_eq!(answer.header("access-control-allow-methods"), expected.map(|_| "GET"));
            // SUB-24 allows the list to grow.
            let headers = answer.header("access-control-allow-headers").unwrap_or_default();
            let list = "If-Modified-Since,If-None-Match,Etag,Event-Id,Event-Type,Last-Event-Id";
            assert_eq!(headers.starts_with(list), expected.is_some(), "{answer:?}");
        }
    }
}

/// SUB-25, DIR-167.
#[tokio::test]
async fn an_origin_cannot_split_the_response() {
    let nginx = Nginx::builder()
        .location(
            "/header",
            "push_stream_subscriber; push_stream_channels_path $arg_id;
             push_stream_allowed_origins $http_origin;",
        )
        .start()
        .await;
    for origin in ["http://x%0d%0aX-Inj: 1", "http://x%0aX-Inj: 1", "x%00"] {
        let mut raw = nginx.raw().await;
        raw.request("GET /header?id=a", &[&format!("Origin: {origin}")]).await;
        let head = raw.head().await;
        assert_eq!(head.header("x-inj"), None, "{head:?}");
        let origin = head.header("access-control-allow-origin").unwrap_or_default();
        assert!(!origin.bytes().any(|byte| byte.is_ascii_control()), "{head:?}");
    }
}

/// HDR-2..4, HDR-9, HDR-11, DIR-127: the head of a stream, which leaves at once although nothing
/// else does; nginx's default `postpone_output` is in force.
#[tokio::test]
async fn head_of_a_stream() {
    let nginx = Nginx::start().await;
    let mut raw = nginx.raw().await;
    raw.request("GET /sub/silent", &[]).await;
    let head = raw.head().await;
    assert_eq!(head.status_line, "HTTP/1.1 200 OK");
    for (name, value) in [
        ("Content-Type", "text/plain"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "keep-alive"),
        ("Expires", EXPIRES),
        ("Cache-Control", CACHE_CONTROL),
    ] {
        assert_eq!((head.header(name), head.count(name)), (Some(value), 1), "{name}");
    }
    for absent in [
        "content-length",
        "last-modified",
        "etag",
        "pragma",
        "allow",
        "accept-ranges",
        "x-nginx-pushstream-explain",
        "x-nginx-pushstream-tag",
        "x-nginx-pushstream-commit",
        "x-nginx-pushstream-mode",
    ] {
        assert_eq!(head.header(absent), None);
    }
}

/// HDR-4, HDR-5: the default type, with `charset`, whatever a channel id looks like.
#[tokio::test]
async fn content_type() {
    let nginx = Nginx::builder()
        .subscriber("json", "default_type application/json; charset utf-8; charset_types *;")
        .start()
        .await;
    let stream = nginx.stream("/json/a").await;
    assert_eq!(stream.header("content-type"), Some("application/json; charset=utf-8"));
    for id in ["a.html", "a.jpg"] {
        let stream = nginx.stream(&format!("/sub/{id}")).await;
        assert_eq!(stream.header("content-type"), Some("text/plain"), "{id}");
    }
}

/// HDR-12, HDR-13, HDR-14: conditions and ranges never turn a stream into something else.
#[tokio::test]
async fn conditional_headers_are_ignored() {
    let nginx = Nginx::start().await;
    let workers = nginx.worker_pids();
    nginx.publish("c", "old").await;
    for header in [
        "If-Match: *",
        "If-Match: \"x\"",
        "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
        "If-Unmodified-Since: Thu, 01 Jan 2037 00:00:00 GMT",
        "If-None-Match: *",
        "If-None-Match: W/1",
        "If-Modified-Since: Thu, 01 Jan 2037 00:00:00 GMT",
        "Range: bytes=0-3",
    ] {
        for path in ["/sub/c.b1", "/sub/c.b1/d"] {
            let mut raw = nginx.raw().await;
            raw.request(&format!("GET {path}"), &[header]).await;
            let head = raw.head().await;
            assert_eq!((head.status(), head.header("etag")), (200, None), "{header}");
            raw.expect_chunk("1 c old\n").await;
        }
        let mut live = nginx.call("GET", "/sub/live");
        let (name, value) = header.split_once(": ").expect("a header");
        live = live.header(name, value);
        let mut live = live.stream().await;
        nginx.publish_live("live", "new").await;
        assert!(live.line().await.ends_with(" live new"), "{header}");
    }
    assert_eq!(nginx.worker_pids(), workers);
}

/// SUB-5, SUB-41, SUB-42, SUB-61, TPL-9: one chunk per piece, nothing added, closed at the end if asked.
#[tokio::test]
async fn chunks_on_the_wire() {
    let nginx = Nginx::builder()
        .subscriber(
            "full",
            "push_stream_header_template \"HEAD\"; push_stream_footer_template \"FOOT\";
             push_stream_message_template \"<~text~>\"; push_stream_ping_message_interval 400ms;",
        )
        .start()
        .await;
    nginx.publish("w", "one").await;
    nginx.publish("w", "two").await;
    for connection in ["Connection: close", "Connection: keep-alive"] {
        let mut raw = nginx.raw().await;
        raw.request("GET /full/w.b2", &[connection]).await;
        assert_eq!(
            format!("Connection: {}", raw.head().await.header("connection").unwrap_or("")),
            connection
        );
        for piece in ["HEAD", "<one>", "<two>", "< >"] {
            raw.expect_chunk(piece).await;
        }
        nginx.publish_live("w", "three").await;
        let mut chunk = raw.chunk().await;
        while chunk.as_deref() == Some(b"< >") {
            chunk = raw.chunk().await;
        }
        assert_eq!(chunk.as_deref(), Some(b"<three>".as_slice()));
        nginx.delete("/pub?id=w").await;
        raw.until("<Channel deleted>\r\n").await;
        raw.expect_chunk("FOOT").await;
        assert_eq!(raw.chunk().await, None);
        if connection.ends_with("close") {
            raw.expect_close().await;
        } else {
            raw.request("GET /stats", &[]).await;
            assert_eq!(raw.answer().await.status(), 200);
        }
        nginx.publish("w", "one").await;
        nginx.publish("w", "two").await;
    }
}

/// SUB-60: HTTP/1.0 gets the same bytes unframed, ended by the close.
#[tokio::test]
async fn http_1_0() {
    let nginx = Nginx::builder()
        .subscriber(
            "full",
            "push_stream_header_template \"HEAD\"; push_stream_footer_template \"FOOT\";
             push_stream_subscriber_connection_ttl 2s;",
        )
        .start()
        .await;
    nginx.publish("o", "one").await;
    for request in [
        "GET /full/o.b1 HTTP/1.0\r\n\r\n",
        "GET /full/o.b1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ] {
        let mut raw = nginx.raw().await;
        raw.send(request).await;
        let head = raw.head().await;
        assert_eq!((head.status(), head.header("transfer-encoding")), (200, None));
        assert_eq!(head.header("connection"), Some("close"));
        raw.until("one").await;
        nginx.publish_live("o", "two").await;
        assert_eq!(String::from_utf8_lossy(&raw.until_close().await), "twoFOOT");
    }
}

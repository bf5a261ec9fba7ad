//! Methods, bodies, cross-origin headers and response heads, in every mode that is not streaming.

use crate::support::hostile::{CONDITIONS, smuggle};
use crate::support::{Builder, CACHE_CONTROL, EXPIRES, Nginx, RawAnswer};

const MODES: [&str; 3] = ["polling", "long-polling", "eventsource"];
const NEVER: [&str; 6] = [
    "pragma",
    "allow",
    "x-nginx-pushstream-explain",
    "x-nginx-pushstream-tag",
    "x-nginx-pushstream-commit",
    "x-nginx-pushstream-mode",
];

/// A location of each mode, named as the mode.
fn a_location_of_each(directives: &str) -> Builder {
    let directives = format!(
        "push_stream_longpolling_connection_ttl 200ms; push_stream_subscriber_connection_ttl 1s;
         {directives}"
    );
    MODES.into_iter().fold(Nginx::builder(), |nginx, mode| nginx.mode(mode, mode, &directives))
}

/// SUB-16, SUB-17, SUB-18, SUB-20, HDR-2: everything but GET and OPTIONS is refused, and the connection
/// stays usable.
#[tokio::test]
async fn methods() {
    let nginx = a_location_of_each("").start().await;
    for mode in MODES {
        for method in ["HEAD", "POST", "PUT", "DELETE", "PATCH"] {
            let answer = nginx.call(method, &format!("/{mode}/a")).send().await;
            assert_eq!(answer.header("allow"), Some("GET"), "{method}");
            answer.assert_refused(405, None);
        }
        let mut raw = nginx.raw().await;
        for (start, status) in [("PATCH", 405), ("OPTIONS", 200)] {
            raw.request(&format!("{start} /{mode}/a"), &[]).await;
            let answer = raw.answer().await;
            assert_eq!(
                (answer.status(), answer.header("connection")),
                (status, Some("keep-alive"))
            );
        }
        let answer = nginx.call("OPTIONS", &format!("/{mode}/ALL")).send().await;
        assert_eq!((answer.status, answer.header("content-length")), (200, Some("0")));
        for absent in ["allow", "expires", "cache-control", "access-control-allow-origin"] {
            assert_eq!(answer.header(absent), None, "{mode}");
        }
    }
    assert_eq!(nginx.stat("channels").await, 0);
    let mut raw = nginx.raw().await;
    for target in ["/polling/a", "/long-polling/a", "/polling/ALL"] {
        raw.request(&format!("GET {target}"), &[]).await;
        assert_eq!(raw.answer().await.header("connection"), Some("keep-alive"), "{target}");
    }
}

/// SUB-21: a body is consumed whatever the answer, so that it is never taken for the next request.
#[tokio::test]
async fn bodies() {
    let nginx = a_location_of_each("").start().await;
    nginx.publish("stored", "text").await;
    for (start, status) in [
        ("POST /polling/a", 405),
        ("GET /polling/a", 304),
        ("GET /polling/stored.b1", 200),
        ("GET /polling/stored.b1?callback=f", 200),
        ("GET /long-polling/a", 304),
        ("GET /long-polling/stored.b1", 200),
        ("GET /long-polling/ALL", 403),
        ("GET /eventsource/a", 200),
        ("OPTIONS /eventsource/a", 200),
    ] {
        for answer in smuggle(&nginx, start).await {
            assert_eq!(answer.status(), status, "{start}: {answer:?}");
        }
    }
}

/// HDR-2, HDR-3, HDR-4, HDR-9, HDR-11: the head of an EventSource answer, which is sent at once.
#[tokio::test]
async fn head_of_an_event_source() {
    let nginx = a_location_of_each("default_type application/json; charset koi8-r;").start().await;
    let mut raw = nginx.raw().await;
    raw.request("GET /eventsource/a.html", &[]).await;
    let head = raw.head().await;
    assert_eq!(head.status_line, "HTTP/1.1 200 OK");
    for (name, value) in [
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "keep-alive"),
        ("Expires", EXPIRES),
        ("Cache-Control", CACHE_CONTROL),
    ] {
        assert_eq!((head.header(name), head.count(name)), (Some(value), 1), "{name}");
    }
    for absent in NEVER.into_iter().chain(["content-length", "last-modified", "etag"]) {
        assert_eq!(head.header(absent), None);
    }
}

fn assert_head(head: &RawAnswer, status: &str, expected: &[(&str, &str)]) {
    assert_eq!(head.status_line, status);
    for (name, value) in expected {
        assert_eq!((head.header(name), head.count(name)), (Some(*value), 1), "{name}");
    }
    assert_eq!((head.header("expires"), head.count("expires")), (Some(EXPIRES), 1));
    assert_eq!(head.header("cache-control"), Some(CACHE_CONTROL));
    for absent in NEVER {
        assert_eq!(head.header(absent), None);
    }
}

/// HDR-2, HDR-4..6, HDR-8..10, LP-1, LP-2: heads of polled answers, with messages and without, whatever
/// the channel's name ends in.
#[tokio::test]
async fn heads_of_polled_answers() {
    let types = "types { image/jpeg jpg; text/html html; } default_type application/json;";
    let nginx = a_location_of_each(types).start().await;
    nginx.publish("a.jpg", "text").await;
    let kind = ("Content-Type", "application/json");
    for mode in ["polling", "long-polling"] {
        let mut raw = nginx.raw().await;
        raw.request(&format!("GET /{mode}/x/a.jpg.b1"), &[]).await;
        let answer = raw.answer().await;
        let chunked = ("Transfer-Encoding", "chunked");
        let alive = ("Connection", "keep-alive");
        assert_head(&answer, "HTTP/1.1 200 OK", &[kind, chunked, alive]);
        assert_eq!((answer.header("content-length"), answer.body.as_slice()), (None, &b"text"[..]));
        assert!(answer.header("last-modified").is_some_and(|time| time.ends_with(" GMT")));
        // HDR-7: no quotes.
        let tag = answer.header("etag").expect("a tag");
        assert!(tag.strip_prefix("W/").is_some_and(|tag| tag.parse::<u32>().is_ok()), "{tag}");

        raw.request(&format!("GET /{mode}/a.html"), &[]).await;
        let answer = raw.answer().await;
        let empty = ("Content-Length", "0");
        assert_head(&answer, "HTTP/1.1 304 Not Modified", &[kind, empty, alive]);
        assert_eq!(answer.header("transfer-encoding"), None);
    }
}

/// HDR-12, HDR-13, HDR-14: conditions and ranges are nobody's but ours: the answer is whole, and so is
/// the next one on the connection.
#[tokio::test]
async fn conditions() {
    let nginx = a_location_of_each("").start().await;
    nginx.publish("a", "text").await;
    let workers = nginx.worker_pids();
    for condition in CONDITIONS {
        let mut raw = nginx.raw().await;
        for mode in ["polling", "long-polling"] {
            raw.request(&format!("GET /{mode}/a.b1"), &[condition]).await;
            let answer = raw.answer().await;
            assert_eq!(
                (answer.status(), answer.body.as_slice()),
                (200, &b"text"[..]),
                "{condition}"
            );
            raw.request(&format!("GET /{mode}/empty"), &[condition]).await;
            let answer = raw.answer().await;
            assert_eq!((answer.status(), answer.header("content-length")), (304, Some("0")));
        }
        raw.request("GET /eventsource/a.b1", &[condition]).await;
        assert_eq!(raw.head().await.status(), 200, "{condition}");
        raw.until("data: text\n\n").await;
        raw.until("\r\n0\r\n\r\n").await;
        raw.request("GET /stats", &["Connection: close"]).await;
        assert_eq!(raw.answer().await.status(), 200, "{condition}");
        raw.expect_close().await;
    }
    assert_eq!(nginx.worker_pids(), workers);
}

/// SUB-22, SUB-23, SUB-24: on every kind of answer, in this order, and only with a value.
#[tokio::test]
async fn cross_origin_headers() {
    let nginx = a_location_of_each("push_stream_allowed_origins $arg_o;").start().await;
    nginx.publish("stored", "text").await;
    let mut requests = Vec::new();
    for mode in MODES {
        for (start, id) in [("GET", "ALL"), ("PATCH", "a"), ("OPTIONS", "a"), ("GET", "stored.b1")]
        {
            requests.push(format!("{start} /{mode}/{id}?"));
        }
        requests.push(format!("GET /{mode}/empty?"));
        requests.push(format!("GET /{mode}/empty?callback=f&"));
    }
    for request in requests {
        for origin in ["*", "http://a.example", ""] {
            let mut raw = nginx.raw().await;
            raw.request(&format!("{request}o={origin}"), &["Origin: http://b.example"]).await;
            let head = raw.head().await;
            let names = head.headers.iter().map(|(name, _)| name.as_str());
            let names = names.filter(|name| name.starts_with("Access-")).collect::<Vec<_>>();
            let what = format!("{request}o={origin}: {head:?}");
            if origin.is_empty() {
                assert!(names.is_empty(), "{what}");
                continue;
            }
            let order = ["Allow-Origin", "Allow-Methods", "Allow-Headers", "Expose-Headers"];
            assert_eq!(names, order.map(|name| format!("Access-Control-{name}")), "{what}");
            assert_eq!(head.header("access-control-allow-origin"), Some(origin), "{what}");
            assert_eq!(head.header("access-control-allow-methods"), Some("GET"), "{what}");
            let list = head.header("access-control-allow-headers").unwrap_or_default();
            let must = "If-Modified-Since,If-None-Match,Etag,Event-Id,Event-Type,Last-Event-Id";
            assert!(list.starts_with(must), "{what}");
            // SUB-24: what a page of another origin needs to choose polling and to echo a tag.
            assert!(list.ends_with(",X-Nginx-PushStream-Mode"), "{what}");
            let exposed = head.header("access-control-expose-headers").unwrap_or_default();
            assert!(exposed.split(',').any(|name| name.trim() == "Etag"), "{what}");
            for absent in ["vary", "access-control-allow-credentials"] {
                assert_eq!(head.header(absent), None, "{what}");
            }
        }
    }
}

/// SUB-25: a value that a client chose cannot add a header line to any kind of answer.
#[tokio::test]
async fn an_origin_cannot_split_the_response() {
    let nginx = a_location_of_each("push_stream_allowed_origins $arg_o;").start().await;
    for mode in MODES {
        for target in [format!("/{mode}/empty"), format!("/{mode}/ALL")] {
            let mut raw = nginx.raw().await;
            raw.request(&format!("GET {target}?o=x%0d%0aX-Injected:%201"), &[]).await;
            let head = raw.head().await;
            assert_eq!(head.header("x-injected"), None, "{head:?}");
            let origin = head.header("access-control-allow-origin").unwrap_or_default();
            assert!(!origin.bytes().any(|byte| byte.is_ascii_control()), "{head:?}");
        }
    }
}

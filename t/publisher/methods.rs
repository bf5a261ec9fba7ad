//! Methods, headers, cross-origin headers, conditional requests, body bytes left behind.

use crate::support::hostile::CONDITIONS;
use crate::support::{Builder, CACHE_CONTROL, Client, EXPIRES, Nginx};

const ALLOW_NORMAL: &str = "GET, POST, PUT";
const ALLOW_ADMIN: &str = "GET, POST, PUT, DELETE";
/// Every other method that nginx knows, and one that it does not.
const REFUSED_METHODS: [&str; 10] = [
    "HEAD",
    "PATCH",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "FROBNICATE",
];

fn both_modes() -> Builder {
    Nginx::builder()
        .location("/normal", "push_stream_publisher; push_stream_channels_path $arg_id;")
        .location(
            "/cors",
            "push_stream_publisher normal; push_stream_channels_path $arg_id;
             push_stream_allowed_origins $arg_o;",
        )
        .location(
            "/admincors",
            "push_stream_publisher admin; push_stream_channels_path $arg_id;
             push_stream_allowed_origins \"http://a.example\";",
        )
}

/// PUB-1, PUB-3, PUB-4, PUB-7, PUB-13, PUB-95.
#[tokio::test]
async fn methods_by_mode() {
    let nginx = both_modes().start().await;
    for (location, allow) in [("/normal", ALLOW_NORMAL), ("/pub", ALLOW_ADMIN)] {
        let target = format!("{location}?id=m");
        nginx.get(&target).await.assert_refused(404, None);
        for method in ["POST", "PUT"] {
            let answer = nginx.call(method, &target).body("text").send().await;
            assert_eq!((answer.status, answer.explanation()), (200, None));
            assert_eq!(answer.header("allow"), None);
        }
        let info = nginx.get(&target).await;
        assert_eq!((info.status, info.json()["published_messages"].as_u64()), (200, Some(2)));
        let options = nginx.call("OPTIONS", &target).send().await;
        options.assert_refused(200, None);
        assert_eq!(options.header("allow"), None);
        for method in REFUSED_METHODS {
            let answer = nginx.call(method, &target).send().await;
            assert_eq!(answer.header("allow"), Some(allow), "{method}");
            answer.assert_refused(405, None);
        }
        if location == "/normal" {
            let answer = nginx.delete(&target).await;
            assert_eq!(answer.header("allow"), Some(allow));
            answer.assert_refused(405, None);
            nginx.delete("/normal?id=ALL").await.assert_refused(405, None);
        }
        nginx.delete("/pub?id=m").await.assert_refused(200, Some("Channel deleted."));
        nginx.delete("/pub?id=m").await.assert_refused(404, None);
    }
}

/// PUB-1: TRACE is answered by nginx itself.
#[tokio::test]
async fn trace_never_reaches_the_module() {
    let nginx = Nginx::start().await;
    let answer = nginx.call("TRACE", "/pub?id=t").send().await;
    assert_eq!((answer.status, answer.header("expires")), (405, None));
    assert_eq!(answer.header("content-type"), Some("text/html"));
}

/// PUB-5: the method is judged before the path, the ids before the body.
#[tokio::test]
async fn order_of_checks() {
    let nginx = Nginx::builder().http("push_stream_max_channel_id_length 5;").start().await;
    assert_eq!(nginx.call("PATCH", "/pub").send().await.status, 405);
    assert_eq!(nginx.call("OPTIONS", "/pub").send().await.status, 200);
    let reserved = Some("Channel id not authorized for this method.");
    nginx.post("/pub?id=ALL", "").await.assert_refused(403, reserved);
    nginx.post("/pub?id=ALL/toolong", "x").await.assert_refused(403, reserved);
    let large = Some("Channel id is too large.");
    nginx.post("/pub?id=toolong/ALL", "x").await.assert_refused(400, large);
    nginx.post("/pub?id=toolong", "").await.assert_refused(400, large);
    // Within one id: reserved before its length.
    nginx.post("/pub?id=toolong*", "x").await.assert_refused(403, reserved);
    // The path before the body.
    let no_id = Some("No channel id provided.");
    nginx.post("/pub", "").await.assert_refused(400, no_id);
    nginx.get("/pub?id=ALL").await.assert_refused(403, reserved);
    nginx.get("/pub?id=toolong").await.assert_refused(400, large);
}

/// PUB-6, PUB-8, PUB-10.
#[tokio::test]
async fn headers_of_an_answer_with_a_body() {
    let nginx = Nginx::start().await;
    for answer in [nginx.publish("h", "x").await, nginx.get("/pub?id=h").await] {
        assert_eq!(answer.header("expires"), Some(EXPIRES));
        assert_eq!(answer.header("cache-control"), Some(CACHE_CONTROL));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let length = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()));
        for absent in [
            "last-modified",
            "etag",
            "vary",
            "accept-ranges",
            "x-nginx-pushstream-tag",
            "x-nginx-pushstream-commit",
        ] {
            assert_eq!(answer.header(absent), None);
        }
    }
}

/// PUB-9: pipelined publishes are answered in order.
#[tokio::test]
async fn pipelining() {
    let nginx = Nginx::start().await;
    let mut raw = nginx.raw().await;
    let one = "POST /pub?id=p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    raw.send(one.repeat(20)).await;
    for number in 1..=20 {
        let answer = raw.answer().await;
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!((answer.status(), body["published_messages"].as_u64()), (200, Some(number)));
    }

    // Of all kinds, those that are refused included, in one write.
    let requests = [
        ("POST /pub?id=p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", 200),
        ("POST /pub?id=* HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", 403),
        (
            "PUT /pub?id=p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
             1;name=value\r\na\r\n1\r\nb\r\n0\r\nTrailer: x\r\n\r\n",
            200,
        ),
        ("PATCH /pub?id=p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", 405),
        ("GET /pub?id=p HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("DELETE /pub?id=p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", 200),
        ("POST /pub?id=p HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /pub?id=p HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("OPTIONS /pub HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
    ];
    raw.send(requests.map(|(request, _)| request).concat()).await;
    for (request, status) in requests {
        assert_eq!(raw.answer().await.status(), status, "{request}");
    }
    raw.expect_close().await;
}

/// PUB-9: one connection for many publishes, with answers awaited.
#[tokio::test]
async fn keep_alive() {
    let nginx = Nginx::start().await;
    let mut client = Client::connect(nginx.port).await.expect("connect");
    for number in 1..=50 {
        let answer = client.post("/pub?id=k", "text").await.expect("an answer");
        assert_eq!((answer.status, &answer.json()["published_messages"]), (200, &number.into()));
        let call = nginx.call("GET", "/pub?id=none");
        assert_eq!(client.send(call).await.expect("an answer").status, 404);
    }
}

/// PUB-8, PUB-7: nginx may compress what has a body; what has none stays as it is.
#[tokio::test]
async fn gzip() {
    let nginx = both_modes()
        .http("gzip on; gzip_types *; gzip_min_length 1; gzip_http_version 1.0;")
        .start()
        .await;
    for (method, target, body) in [
        ("POST", "/pub?id=z", "text"),
        ("POST", "/pub?id=z/y", "text"),
        ("GET", "/pub?id=z", ""),
        ("GET", "/pub?id=z/y", ""),
    ] {
        let call = nginx.call(method, target).header("Accept-Encoding", "gzip");
        let answer = call.body(body).send().await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{method} {target}");
        assert_eq!(answer.header("content-length"), None);
        let mut text = String::new();
        let mut decoder = flate2::read::GzDecoder::new(answer.body.as_slice());
        std::io::Read::read_to_string(&mut decoder, &mut text).expect("gzip");
        assert!(text.ends_with("}\r\n"), "{text}");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    }
    for (method, target, status, explanation) in [
        ("GET", "/pub?id=none", 404, None),
        ("POST", "/pub?id=z", 400, Some("Empty post requests are not allowed.")),
        ("OPTIONS", "/pub?id=z", 200, None),
        ("PATCH", "/pub?id=z", 405, None),
        ("DELETE", "/pub?id=z", 200, Some("Channel deleted.")),
    ] {
        let answer = nginx.call(method, target).header("Accept-Encoding", "gzip").send().await;
        assert_eq!(answer.header("content-encoding"), None, "{method}");
        answer.assert_refused(status, explanation);
    }
}

/// PUB-11, PUB-12: on every answer, in both modes, and only with a value.
#[tokio::test]
async fn cross_origin_headers() {
    let nginx = both_modes()
        .http("push_stream_max_number_of_channels 1;")
        .http("push_stream_max_channel_id_length 5;")
        .start()
        .await;
    let calls = [
        ("GET", "id=none", "", 404),
        ("GET", "", "", 400),
        ("POST", "id=c", "text", 200),
        ("PUT", "id=c", "text", 200),
        ("GET", "id=c", "", 200),
        ("POST", "id=c", "", 400),
        ("POST", "id=ALL", "text", 403),
        ("POST", "id=sixsix", "text", 400),
        ("POST", "id=d", "text", 403),
        ("PATCH", "id=c", "", 405),
        ("HEAD", "id=c", "", 405),
        ("OPTIONS", "id=c", "", 200),
        ("OPTIONS", "", "", 200),
        ("DELETE", "id=c", "", 200),
        ("DELETE", "id=c", "", 404),
    ];
    for (location, methods) in
        [("/cors?o=http://a.example&", ALLOW_NORMAL), ("/admincors?", ALLOW_ADMIN)]
    {
        for (method, query, body, status) in calls {
            let call = nginx.call(method, &format!("{location}{query}")).body(body);
            let answer = call.header("Origin", "http://other.example").send().await;
            let refused = methods == ALLOW_NORMAL && method == "DELETE";
            assert_eq!(answer.status, if refused { 405 } else { status }, "{method} {query}");
            for (name, value) in [
                ("origin", "http://a.example"),
                ("methods", methods),
                (
                    "headers",
                    "If-Modified-Since,If-None-Match,Etag,Event-Id,Event-Type,Last-Event-Id",
                ),
            ] {
                let seen = answer.headers.get_all(format!("access-control-allow-{name}"));
                let seen: Vec<_> = seen.iter().collect();
                assert_eq!(seen, [value], "{method} {query}");
            }
            assert_eq!(answer.header("expires"), Some(EXPIRES));
            assert_eq!(answer.header("cache-control"), Some(CACHE_CONTROL));
        }
        nginx.delete("/pub?id=c").await;
    }
    for target in ["/cors?id=c&o=", "/cors?id=c"] {
        for method in ["GET", "OPTIONS", "PATCH"] {
            let answer = nginx.call(method, target).send().await;
            assert_eq!(answer.header("access-control-allow-origin"), None);
            assert_eq!(answer.header("access-control-allow-methods"), None);
        }
    }
}

/// DIR-167, SUB-25: control bytes never reach a response header.
#[tokio::test]
async fn an_origin_cannot_split_the_response() {
    let nginx = both_modes().start().await;
    for hostile in ["x%0d%0aSet-Cookie:%20a=b", "x%0aSet-Cookie:%20a=b", "x%00y", "x%7fy"] {
        let mut raw = nginx.raw().await;
        raw.request(&format!("GET /cors?id=c&o={hostile}"), &["Connection: close"]).await;
        let answer = raw.answer().await;
        assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
        let origin = answer.header("access-control-allow-origin").unwrap_or_default();
        assert!(!origin.bytes().any(|byte| byte.is_ascii_control()), "{answer:?}");
        raw.expect_close().await;
    }
}

/// PUB-14, PUB-15, PUB-16: conditions of the request change nothing, and nothing is left on the
/// connection.
#[tokio::test]
async fn conditional_headers_are_ignored() {
    let nginx = Nginx::start().await;
    let mut published = 0;
    for header in CONDITIONS {
        let mut raw = nginx.raw().await;
        raw.request("POST /pub?id=cond", &[header, "Content-Length: 4\r\n\r\ntext"]).await;
        // The blank line after the body is one that HTTP lets a client send between requests.
        assert_eq!(raw.answer().await.status(), 200, "POST with {header}");
        published += 1;
        raw.request("GET /pub?id=cond", &[header]).await;
        let body: serde_json::Value =
            serde_json::from_slice(&raw.answer().await.body).expect("an info body");
        assert_eq!(body["published_messages"].as_u64(), Some(published), "GET with {header}");
        nginx.publish("gone", "x").await;
        raw.request("DELETE /pub?id=gone", &[header]).await;
        assert_eq!(raw.answer().await.explanation(), Some("Channel deleted."), "{header}");
        raw.request("OPTIONS /pub?id=gone", &[header]).await;
        assert_eq!(raw.answer().await.status(), 200, "OPTIONS with {header}");
        raw.request("GET /pub?id=gone", &[header, "Connection: close"]).await;
        assert_eq!(raw.answer().await.status(), 404, "{header}");
        raw.expect_close().await;
    }
}

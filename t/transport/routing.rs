//! How a request may come to a subscriber location: `auth_request`, `error_page`, `rewrite`, `try_files`,
//! `X-Accel-Redirect`, named locations.

use crate::support::{Builder, CACHE_CONTROL, EXPIRES, Nginx, RawAnswer};

const MODES: [&str; 4] = ["streaming", "eventsource", "polling", "long-polling"];

/// What the first bytes of a body are when `text` is the last stored message.
fn body(mode: &str) -> &'static str {
    match mode {
        "eventsource" => ": \ndata: text\n\n",
        _ => "text",
    }
}

/// `auth_request` decides before a subscriber is one: its refusals are nginx's, and subscribe nobody.
#[tokio::test]
async fn auth_request() {
    let mut nginx = Nginx::builder()
        .location("= /allowed", "return 204;")
        .location("= /denied", "return 403;")
        .location("= /unknown", "return 401;");
    for mode in MODES {
        for verdict in ["allowed", "denied", "unknown"] {
            let directives = format!("auth_request /{verdict};");
            nginx = nginx.mode(mode, &format!("{verdict}-{mode}"), &directives);
        }
    }
    let nginx = nginx.expect_log("access forbidden by").start().await;
    nginx.publish("a", "text").await;
    for mode in MODES {
        let mut allowed = nginx.stream(&format!("/allowed-{mode}/a.b1")).await;
        allowed.expect(body(mode)).await;
        for (verdict, status) in [("denied", 403), ("unknown", 401)] {
            let answer = nginx.get(&format!("/{verdict}-{mode}/new")).await;
            assert_eq!((answer.status, answer.explanation()), (status, None), "{mode}");
        }
    }
    assert!(nginx.channel("new").await.is_none());

    let mut waiting = nginx.raw().await;
    waiting.request("GET /allowed-long-polling/b", &[]).await;
    nginx.wait_channel_stat("b", "subscribers", 1).await;
    nginx.publish_live("b", "live").await;
    assert_eq!(waiting.answer().await.body, b"live");
}

/// Internal redirects of every kind end in a subscriber like any other: one head, ours, and a wait that
/// works.
#[tokio::test]
async fn internal_redirects() {
    let mut nginx = Nginx::builder().location(
        "/upstream/",
        "default_type text/x-app; add_header X-Accel-Redirect $arg_to; add_header Expires 0; return 200 x;",
    );
    for mode in MODES {
        nginx = nginx
            .mode(mode, mode, "")
            .location(
                &format!("@{mode}"),
                &format!("push_stream_subscriber {mode}; push_stream_channels_path $arg_id;"),
            )
            .location(&format!("/try-{mode}"), &format!("try_files /no/such/file @{mode};"))
            .location(&format!("/error-{mode}"), &format!("error_page 418 = @{mode}; return 418;"))
            .location(
                &format!("/coded-{mode}"),
                &format!("error_page 418 =200 @{mode}; return 418;"),
            )
            .location(&format!("/rewrite-{mode}"), &format!("rewrite ^ /{mode}/$arg_id last;"))
            .location(
                &format!("/accel-{mode}"),
                &format!(
                    "proxy_pass http://127.0.0.1:$server_port/upstream/?to=/{mode}/$arg_id;
                     proxy_set_header If-None-Match ''; proxy_set_header If-Modified-Since '';"
                ),
            );
    }
    let nginx = nginx.start().await;
    nginx.publish("a", "text").await;
    for mode in MODES {
        for route in ["try", "error", "coded", "rewrite", "accel"] {
            let what = format!("{route}-{mode}");
            let mut raw = nginx.raw().await;
            raw.request(&format!("GET /{what}?id=a.b1"), &[]).await;
            let head = raw.head().await;
            assert_eq!(head.status(), 200, "{what}: {head:?}");
            let kind = match (mode, route) {
                ("eventsource", _) => "text/event-stream; charset=utf-8",
                (_, "accel") => "text/x-app",
                _ => "text/plain",
            };
            for (name, value) in
                [("Content-Type", kind), ("Expires", EXPIRES), ("Cache-Control", CACHE_CONTROL)]
            {
                assert_eq!((head.header(name), head.count(name)), (Some(value), 1), "{what}");
            }
            raw.until(&format!("{}\r\n", body(mode).trim_start_matches(": \n"))).await;
            if mode == "long-polling" {
                assert_eq!(raw.chunk().await, None);
                raw.request(&format!("GET /{what}?id=live"), &[]).await;
                nginx.wait_channel_stat("live", "subscribers", 1).await;
                nginx.publish_live("live", "x").await;
                assert_eq!(raw.answer().await.body, b"x", "{what}");
            }
        }
    }
    nginx.wait_stat("subscribers", 0).await;
}

/// An application that passes its requests on to every kind of location. What it says beside where to.
fn application(says: &str) -> Builder {
    let says = format!(
        "default_type '{says}'; add_header X-Accel-Redirect $arg_to; add_header Expires 0;
         add_header Cache-Control max-age=9; add_header Cache-Control public; add_header Accept-Ranges bytes;
         add_header Set-Cookie a=1; add_header Set-Cookie b=2; add_header Content-Disposition inline;
         add_header Last-Modified 'Sun, 06 Nov 1994 08:49:37 GMT'; add_header ETag '\"theirs\"';
         return 200 x;"
    );
    let mut nginx = Nginx::builder().location("= /application", &says);
    for mode in MODES {
        nginx = nginx.mode(mode, mode, "push_stream_longpolling_connection_ttl 200ms;");
    }
    nginx.location(
        "~ ^/accel(/.*)$",
        "proxy_pass http://127.0.0.1:$server_port/application?to=$1$is_args$args;
         proxy_set_header If-None-Match ''; proxy_set_header If-Modified-Since '';",
    )
}

/// What is the application's to say passes once for each time it said it; what is ours is said once.
fn assert_heard(what: &str, head: &RawAnswer, kind: Option<&str>) {
    assert_eq!(head.header("Content-Type"), kind, "{what}: {head:?}");
    for (name, value) in [("Expires", EXPIRES), ("Cache-Control", CACHE_CONTROL)] {
        assert_eq!((head.header(name), head.count(name)), (Some(value), 1), "{what}: {head:?}");
    }
    assert_eq!((head.count("Set-Cookie"), head.count("Content-Disposition")), (2, 1), "{what}");
    for name in ["Accept-Ranges", "X-Accel-Redirect"] {
        assert_eq!(head.header(name), None, "{what}: {head:?}");
    }
    assert_ne!(head.header("ETag"), Some("\"theirs\""), "{what}: {head:?}");
}

/// HDR-15: what an application says with `X-Accel-Redirect` is heard, except what is the module's to say.
#[tokio::test]
async fn x_accel_redirect() {
    for (says, kind) in
        [("text/x-app", "text/x-app"), ("text/html; charset=koi8-r", "text/html; charset=koi8-r")]
    {
        let nginx = application(says).http("charset off;").start().await;
        nginx.publish("a", "text").await;
        let ask = async |target: &str, range: bool| {
            let mut raw = nginx.raw().await;
            let headers: &[&str] = if range { &["Range: bytes=0-1"] } else { &[] };
            raw.request(&format!("GET /accel{target}"), headers).await;
            raw
        };
        for (target, status, kind) in [
            ("/streaming/a.b1", 200, Some(kind)),
            ("/polling/a.b1", 200, Some(kind)),
            ("/long-polling/a.b1", 200, Some(kind)),
            ("/polling/empty", 304, Some(kind)),
            ("/long-polling/empty", 304, Some(kind)),
            ("/eventsource/a.b1", 200, Some("text/event-stream; charset=utf-8")),
            ("/polling/a.b1?callback=f", 200, Some("application/javascript")),
            ("/long-polling/a.b1?callback=f", 200, Some("application/javascript")),
            ("/polling/empty?callback=f", 304, Some("application/javascript")),
            ("/streaming/ALL", 403, None),
            ("/polling/a?callback=-", 400, None),
        ] {
            let what = format!("{target} of {says}");
            let head = ask(target, true).await.head().await;
            assert_eq!(head.status(), status, "{what}: {head:?}");
            assert_heard(&what, &head, kind);
        }
        let mut waiting = ask("/long-polling/live", false).await;
        nginx.wait_channel_stat("live", "subscribers", 1).await;
        nginx.publish_live("live", "x").await;
        let answer = waiting.answer().await;
        assert_heard("a live long poll", &answer, Some(kind));
        assert_eq!(answer.body, b"x");
    }
}

/// HDR-15: locations of the other roles answer in their own types, whole.
#[tokio::test]
async fn x_accel_redirect_to_other_roles() {
    let nginx = application("text/html; charset=koi8-r").start().await;
    nginx.publish("a", "text").await;
    for (target, status, kind) in [
        ("/stats?id=a", 200, Some("application/json")),
        ("/pub?id=a", 200, Some("application/json")),
        ("/stats?id=none", 404, None),
        ("/pub", 400, None),
    ] {
        let mut raw = nginx.raw().await;
        raw.request(&format!("GET /accel{target}"), &["Range: bytes=0-1"]).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status(), status, "{target}: {answer:?}");
        assert_heard(target, &answer, kind);
    }
}

/// HDR-2: `expires` changes nothing of ours, and adds nothing to it.
#[tokio::test]
async fn expires() {
    let mut nginx = Nginx::builder();
    for (name, directive) in
        [("max", "expires max;"), ("off", "expires -1;"), ("day", "expires 1d;")]
    {
        nginx = nginx.mode("polling", name, directive).location(
            &format!("/stats-{name}"),
            &format!("push_stream_channels_statistics; push_stream_channels_path a; {directive}"),
        );
    }
    let nginx = nginx.start().await;
    nginx.publish("a", "text").await;
    for name in ["max", "off", "day"] {
        for target in [format!("/{name}/a.b1"), format!("/{name}/empty"), format!("/stats-{name}")]
        {
            let mut raw = nginx.raw().await;
            raw.request(&format!("GET {target}"), &[]).await;
            let head = raw.head().await;
            for (header, value) in [("Expires", EXPIRES), ("Cache-Control", CACHE_CONTROL)] {
                assert_eq!((head.header(header), head.count(header)), (Some(value), 1), "{target}");
            }
        }
    }
}

/// A refusal is an answer, not an error to be replaced (ADM-1); `error_page` with a code changes the code
/// only of what came before.
#[tokio::test]
async fn error_pages() {
    let mut nginx = Nginx::builder()
        .http("error_page 304 400 403 405 500 /replaced;")
        .location("/replaced", "return 200 replaced;");
    for mode in MODES {
        nginx = nginx.mode(mode, mode, "push_stream_longpolling_connection_ttl 100ms;");
    }
    let nginx = nginx.start().await;
    for mode in MODES {
        let answer = nginx.get(&format!("/{mode}/ALL")).await;
        answer.assert_refused(403, Some("Channel id not authorized for this method."));
        nginx.call("PATCH", &format!("/{mode}/a")).send().await.assert_refused(405, None);
    }
    for mode in ["polling", "long-polling"] {
        let answer = nginx.get(&format!("/{mode}/empty")).await;
        assert_eq!((answer.status, answer.text()), (304, ""), "{mode}");
    }
}

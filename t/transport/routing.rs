//! How a request may come to a subscriber location: `auth_request`, `error_page`, `rewrite`, `try_files`,
//! `X-Accel-Redirect`, named locations.

use crate::support::{CACHE_CONTROL, EXPIRES, Nginx};

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
        "add_header X-Accel-Redirect $arg_to; add_header Expires 0; return 200 x;",
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
            let kind = match mode {
                "eventsource" => "text/event-stream; charset=utf-8",
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

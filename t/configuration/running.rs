//! What a running server shows of its configuration.

use crate::support::Nginx;

/// LIFE-2, LIFE-4, DIR-91: the zone is announced; LIFE-8, DIR-57: so is that the module idles.
#[tokio::test]
async fn announcements() {
    let nginx = Nginx::builder().zone("300k").start().await;
    // The level of the log from which nginx starts leaves this line out; a reload shows it.
    nginx.reload().await;
    nginx
        .wait_log(
            "Using 300KiB of shared memory for push stream module on zone: push_stream_module",
        )
        .await;
    drop(nginx);
    let nginx = Nginx::builder().no_zone().bare().location("/x", "return 200 x;").start().await;
    nginx.wait_log("ngx_http_push_stream_module will not be used with this configuration.").await;
    assert_eq!(nginx.get("/x").await.text(), "x");
}

/// DIR-103: a reload to a configuration without roles says so too.
#[tokio::test]
async fn unused_after_a_reload() {
    let unused = "ngx_http_push_stream_module will not be used with this configuration.";
    let nginx = Nginx::start().await;
    assert!(nginx.log_lines(unused).is_empty());
    nginx.reload_with(|builder| builder.bare().http("push_stream_message_ttl 0;")).await;
    assert_eq!(nginx.log_lines(unused).len(), 1);
    nginx.reload().await;
    nginx.publish("back", "x").await;
    assert_eq!(nginx.log_lines(unused).len(), 1);
}

/// DIR-105, PAD-10: padding belongs to the configuration that it was read in, however often and
/// however much a reload changes it.
#[tokio::test]
async fn padding_after_reloads() {
    let nginx = Nginx::builder()
        .location("~ ^/pad/(.*)$", "push_stream_subscriber; push_stream_channels_path $1;")
        .start()
        .await;
    nginx.publish("p", "hi").await;
    for len in [0, 300, 300, 20_000, 100, 0] {
        let padding = format!("push_stream_padding_by_user_agent \"My,0,{len}\";");
        nginx.reload_with(|builder| builder.http(&padding)).await;
        let mut raw = nginx.raw().await;
        raw.request("GET /pad/p.b1", &["User-Agent: My"]).await;
        raw.head().await;
        raw.expect_chunk("hi").await;
        if len > 0 {
            raw.expect_chunk("\r\n".repeat(len / 2)).await;
        }
        nginx.publish_live("p", "more").await;
        raw.expect_chunk("more").await;
    }
}

/// DIR-54: of two content handlers the one read last serves the location.
#[tokio::test]
async fn the_last_content_handler_wins() {
    let publisher = "push_stream_publisher; push_stream_channels_path h;";
    let nginx = Nginx::builder()
        .location("/gif", &format!("{publisher} empty_gif;"))
        .location("/pub-last", &format!("empty_gif; {publisher}"))
        .start()
        .await;
    assert_eq!(nginx.get("/gif").await.header("content-type"), Some("image/gif"));
    assert_eq!(nginx.post("/pub-last", "x").await.json()["channel"], "h");
}

/// DIR-59, DIR-60: the innermost level that sets a value wins, and only for that value.
#[tokio::test]
async fn levels() {
    let nginx = Nginx::builder()
        .http("push_stream_channels_path http; push_stream_channel_info_on_publish off;")
        .location("/http", "push_stream_publisher; push_stream_channel_info_on_publish on;")
        .location(
            "/outer",
            "push_stream_channels_path outer; push_stream_channel_info_on_publish on;
             location /outer/inherits { push_stream_publisher; }
             location /outer/sets {
                 push_stream_publisher;
                 push_stream_channels_path sets;
                 if ($arg_x) { push_stream_channels_path if; }
                 if ($arg_y) { push_stream_store_messages on; }
             }",
        )
        .start()
        .await;
    let published = async |target: &str| nginx.post(target, "x").await.json()["channel"].clone();
    assert_eq!(published("/http").await, "http");
    assert_eq!(published("/outer/inherits").await, "outer");
    assert_eq!(published("/outer/sets").await, "sets");
    assert_eq!(published("/outer/sets?x=1").await, "if");
    assert_eq!(published("/outer/sets?y=1").await, "sets");
    nginx.reload_with(|builder| builder.server("push_stream_channels_path server;")).await;
    assert_eq!(published("/http").await, "server");
    assert_eq!(published("/outer/inherits").await, "outer");
}

/// DIR-64: inner levels inherit templates as they were written, whatever the outer mode makes of
/// them.
#[tokio::test]
async fn templates_are_inherited_as_written() {
    let mut builder = Nginx::builder();
    for mode in ["websocket", "eventsource"] {
        builder = builder.location(
            &format!("/{mode}"),
            &format!(
                "push_stream_subscriber {mode}; push_stream_channels_path a;
                 push_stream_header_template HH; push_stream_message_template <~text~>;
                 push_stream_footer_template FF;
                 location /{mode}/stream {{
                     push_stream_subscriber; push_stream_channels_path a;
                     if ($arg_x) {{ push_stream_store_messages on; }}
                 }}"
            ),
        );
    }
    let nginx = builder.start().await;
    let mut streams = Vec::new();
    for mode in ["websocket", "eventsource"] {
        for query in ["", "?x=1"] {
            streams.push(nginx.stream(&format!("/{mode}/stream{query}")).await);
        }
    }
    nginx.publish_live("a", "text").await;
    nginx.delete("/pub?id=a").await;
    for stream in &mut streams {
        stream.ends_with("HH<text><Channel deleted>FF").await;
    }
}

/// DIR-161, DIR-163, DIR-165, SUB-4: values are decoded once for each request, after variables are put in,
/// and the configuration stays as it is.
#[tokio::test]
async fn values_are_decoded_into_copies() {
    let nginx = Nginx::builder()
        .workers(1)
        .location(
            "/fixed",
            "push_stream_publisher; push_stream_channels_path k%2541;
             push_stream_allowed_origins http://%61%2562/;",
        )
        .location(
            "~ ^/p/(.*)$",
            "push_stream_publisher; push_stream_channels_path $1;
             push_stream_allowed_origins *;",
        )
        .start()
        .await;
    for _ in 0..4 {
        let answer = nginx.post("/fixed", "x").await;
        assert_eq!(answer.json()["channel"], "k%41");
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://a%62/"));
        // The capture was decoded by nginx already.
        let answer = nginx.post("/p/x%2541", "x").await;
        assert_eq!(answer.json()["channel"], "xA");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    assert_eq!(nginx.stat("channels").await, 2);
}

/// DIR-166: statistics have no use for origins.
#[tokio::test]
async fn origins_of_statistics() {
    let nginx = Nginx::builder().server("push_stream_allowed_origins *;").start().await;
    nginx.publish("o", "x").await;
    let origin = async |target| {
        let answer = nginx.get(target).await;
        assert_eq!(answer.status, 200);
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(origin("/pub?id=o").await.as_deref(), Some("*"));
    assert_eq!(origin("/stats?id=o").await, None);
}

/// DIR-175: what a channel is, it stays.
#[tokio::test]
async fn another_wildcard_prefix() {
    let nginx = Nginx::builder().http("push_stream_wildcard_channel_prefix w;").start().await;
    nginx.publish("w1", "x").await;
    nginx.publish("a1", "x").await;
    let counts = async || (nginx.stat("channels").await, nginx.stat("wildcard_channels").await);
    assert_eq!(counts().await, (1, 1));
    let prefix = "push_stream_wildcard_channel_prefix a;";
    nginx.reload_with(|builder| builder.without_http().http(prefix)).await;
    nginx.publish("w1", "x").await;
    assert_eq!(counts().await, (1, 1));
    nginx.publish("w2", "x").await;
    nginx.publish("a2", "x").await;
    assert_eq!(counts().await, (2, 2));
}

/// DIR-58: a nested location does not inherit the role; an `if` block keeps it (SUB-14) and may
/// give the path and the cursor.
#[tokio::test]
async fn nesting() {
    let nginx = Nginx::builder()
        .location(
            "/outer",
            "push_stream_publisher; push_stream_channels_path outer; push_stream_store_messages on;
             location /outer/inner { return 200 inner; }
             if ($arg_to) { push_stream_channels_path $arg_to; }",
        )
        .location(
            "/choose",
            "push_stream_subscriber; push_stream_channels_path a;
             push_stream_header_template HEAD; push_stream_message_template \"~channel~ ~text~\\n\";
             if ($arg_since) {
                 push_stream_channels_path b;
                 push_stream_last_received_message_time $arg_since;
             }",
        )
        .start()
        .await;
    assert_eq!(nginx.post("/outer/inner", "x").await.text(), "inner");
    assert_eq!(nginx.post("/outer", "x").await.json()["channel"], "outer");
    assert_eq!(nginx.post("/outer?to=b", "x").await.json()["channel"], "b");
    let mut since = nginx.stream("/choose?since=Thu,%2001%20Jan%201970%2000:00:00%20GMT").await;
    assert_eq!(since.line().await, "HEADb x");
    nginx.publish("b", "y").await;
    assert_eq!(since.line().await, "b y");
    let mut plain = nginx.stream("/choose").await;
    nginx.publish("a", "z").await;
    assert_eq!(plain.line().await, "HEADa z");
}

/// DIR-55: `if_modified_since` changes nothing: the headers are cursors of subscribers, and no conditions.
#[tokio::test]
async fn if_modified_since() {
    let mut builder = Nginx::builder();
    let values = ["off", "exact", "before"];
    for value in values {
        let modified = format!("if_modified_since {value};");
        builder = builder
            .mode("polling", &format!("poll-{value}"), &modified)
            .location(
                &format!("/pub-{value}"),
                &format!("push_stream_publisher; push_stream_channels_path a; {modified}"),
            )
            .location(
                &format!("/stats-{value}"),
                &format!(
                    "push_stream_channels_statistics; push_stream_channels_path a; {modified}"
                ),
            );
    }
    let nginx = builder.start().await;
    nginx.publish("a", "text").await;
    let stored = nginx.get("/poll-off/a.b1").await.header("last-modified").map(str::to_owned);
    let stored = stored.expect("a time");
    for value in values {
        for (time, status) in [("Thu, 01 Jan 1970 00:00:01 GMT", 200), (&stored, 304)] {
            let get = async |target: &str| {
                let call = nginx.call("GET", &format!("/{target}-{value}"));
                call.header("If-Modified-Since", time).send().await.status
            };
            let call = nginx.call("GET", &format!("/poll-{value}/a"));
            let answer = call.header("If-Modified-Since", time).send().await;
            assert_eq!(answer.status, status, "{value} {time}");
            assert_eq!((get("pub").await, get("stats").await), (200, 200), "{value} {time}");
        }
    }
}

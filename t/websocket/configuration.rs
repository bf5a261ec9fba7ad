//! What a WebSocket location accepts and refuses in the configuration (WS-1..8).

use crate::support::{Builder, Nginx};

fn location(directives: &str) -> Builder {
    Nginx::builder().location("/l", directives)
}

#[track_caller]
fn refused(directives: &str, text: &str) {
    let checked = location(directives).check();
    assert!(!checked.ok && checked.output.contains(text), "{directives}: {}", checked.output);
}

#[track_caller]
fn accepted(builder: &Builder) {
    let checked = builder.check();
    assert!(checked.ok && !checked.output.contains("[warn]"), "{}", checked.output);
}

const WEBSOCKET: &str = "push_stream_subscriber websocket; push_stream_channels_path a;";

/// WS-1, WS-3: the mode, in any letter case, in a location.
#[test]
fn the_mode() {
    for word in ["websocket", "WebSocket", "WEBSOCKET"] {
        accepted(&location(&format!(
            "push_stream_subscriber {word}; push_stream_channels_path a;"
        )));
    }
    for word in ["websockets", "ws", "web-socket"] {
        let text = format!("invalid push_stream_subscriber mode value: {word}, accepted values");
        refused(&format!("push_stream_subscriber {word}; push_stream_channels_path a;"), &text);
    }
    for outside in [
        Nginx::builder().server("push_stream_subscriber websocket;"),
        Nginx::builder().http("push_stream_subscriber websocket;"),
    ] {
        let checked = outside.check();
        assert!(!checked.ok, "accepted outside of a location");
        assert!(checked.output.contains("is not allowed here"), "{}", checked.output);
    }
}

/// WS-2: one role.
#[test]
fn one_role() {
    refused(
        &format!("{WEBSOCKET} push_stream_subscriber;"),
        "\"push_stream_subscriber\" directive is duplicate",
    );
    refused(
        &format!("{WEBSOCKET} push_stream_publisher;"),
        "\"push_stream_publisher\" directive is duplicate",
    );
}

/// WS-4: a path.
#[test]
fn a_path() {
    let text = "push stream module: push_stream_channels_path must be set.";
    refused("push_stream_subscriber websocket;", text);
}

/// WS-6: what has effect, and where it may stand.
#[test]
fn directives_with_effect() {
    const ANYWHERE: [&str; 22] = [
        "push_stream_store_messages on",
        "push_stream_authorized_channels_only on",
        "push_stream_header_template HEAD",
        "push_stream_message_template ~text~",
        "push_stream_footer_template FOOT",
        "push_stream_wildcard_channel_max_qtd 1",
        "push_stream_ping_message_interval 1s",
        "push_stream_subscriber_connection_ttl 1s",
        "push_stream_last_received_message_time $arg_time",
        "push_stream_last_received_message_tag $arg_tag",
        "push_stream_last_event_id $arg_id",
        "push_stream_allow_connections_to_events_channel on",
        "push_stream_subscriber_max_pending 1m",
        "push_stream_websocket_allow_publish on",
        "push_stream_websocket_binary on",
        "push_stream_websocket_deflate on",
        "push_stream_websocket_close_codes on",
        "push_stream_websocket_refuse http",
        "push_stream_websocket_masking required",
        "push_stream_websocket_max_message_size 1k",
        "push_stream_websocket_subprotocol a b",
        "push_stream_websocket_allowed_origins https://a.example",
    ];
    let all = ANYWHERE.map(|directive| format!("{directive};")).join(" ");
    let events = "push_stream_events_channel_id events;
                  push_stream_wildcard_channel_prefix w_;";
    let plain = location(WEBSOCKET);
    accepted(&plain.clone().http(events).http(&all));
    accepted(&plain.http(events).server(&all));
    accepted(&location(&format!("{WEBSOCKET} {all}")).http(events));
}

/// WS-8: times of zero, and a message template of nothing.
#[test]
fn values() {
    for name in [
        "push_stream_ping_message_interval",
        "push_stream_subscriber_connection_ttl",
        "push_stream_websocket_pong_timeout",
    ] {
        refused(&format!("{WEBSOCKET} {name} 0;"), name);
    }
    refused(
        &format!("{WEBSOCKET} push_stream_message_template '';"),
        "push stream module: push_stream_message_template cannot be blank.",
    );
}

/// WS-67, WS-GAP-5, DIR-60: masks are optional unless a level requires them; the innermost wins.
#[tokio::test]
async fn masking() {
    async fn requires(nginx: &Nginx, target: &str) -> bool {
        let mut socket = nginx.socket(target).await;
        socket.send_unmasked(0x89, "p").await;
        let seen = socket.frame().await;
        match seen.start {
            0x88 => assert_eq!(seen.payload, 1002_u16.to_be_bytes()),
            _ => assert_eq!((seen.start, &seen.payload[..]), (0x8a, &b"p"[..])),
        }
        seen.start == 0x88
    }
    let nginx = Nginx::builder()
        .websocket("plain", "")
        .websocket("lax", "push_stream_websocket_masking optional;")
        .websocket("strict", "push_stream_websocket_masking REQUIRED;")
        .location(
            "/outer/",
            "push_stream_websocket_masking required;
             location ~ ^/outer/inner/(.*)$ {
                 push_stream_subscriber websocket;
                 push_stream_channels_path $1;
             }",
        )
        .start()
        .await;
    let all = async || {
        let mut all = Vec::new();
        for target in ["/plain/a", "/lax/a", "/strict/a", "/outer/inner/a"] {
            all.push(requires(&nginx, target).await);
        }
        all
    };
    assert_eq!(all().await, [false, false, true, true]);
    nginx.reload_with(|builder| builder.http("push_stream_websocket_masking required;")).await;
    assert_eq!(all().await, [true, false, true, true]);
    nginx.reload_with(|builder| builder.server("push_stream_websocket_masking optional;")).await;
    assert_eq!(all().await, [false, false, true, true]);
}

/// WS-7: what is made for other modes changes no byte.
#[tokio::test]
async fn directives_without_effect() {
    let others = "push_stream_allowed_origins http://a.example;
                  push_stream_padding_by_user_agent \".*,5000,5000\"; push_stream_user_agent x;
                  push_stream_longpolling_connection_ttl 100ms; default_type application/json;
                  push_stream_ping_message_interval 200ms;";
    let nginx = Nginx::builder()
        .http("push_stream_ping_message_text PING; push_stream_timeout_with_body on;")
        .websocket("others", others)
        .websocket("plain", "")
        .start()
        .await;
    let offer = ["Origin: http://b.example", "User-Agent: x"];
    let plain = nginx.socket_with("/plain/a", &offer).await;
    let mut socket = nginx.socket_with("/others/a?callback=f", &offer).await;
    assert_eq!(socket.head.headers, plain.head.headers);
    nginx.publish_live("a", "text").await;
    let mut texts = 0;
    // Longer than the time to live of long polling.
    for _ in 0..4 {
        let seen = socket.frame().await;
        match seen.start {
            0x89 => assert!(seen.payload.is_empty()),
            _ => {
                texts += 1;
                assert_eq!((seen.start, seen.payload.as_slice()), (0x81, &b"text"[..]));
            }
        }
    }
    assert_eq!(texts, 1);
}

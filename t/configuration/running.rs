//! What a running server shows of its configuration.

use crate::support::Nginx;

/// LIFE-4, DIR-91: the zone is announced; LIFE-8, DIR-57: so is that the module idles.
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

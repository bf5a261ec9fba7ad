//! How long things last is not measured with a clock that somebody sets (LIFE-29, LIFE-40, LIFE-74).

use crate::faketime::{Clock, HOUR};

/// Nothing expires early when the clock is set forward, and nothing lives on when it is set back.
#[tokio::test]
async fn messages_and_channels_last_as_long_as_they_are_to() {
    for ahead in [30 * HOUR, -30 * HOUR] {
        let clock = Clock::new();
        let nginx = clock
            .server()
            .http("push_stream_message_ttl 1h; push_stream_channel_inactivity_time 2s;")
            .start()
            .await;
        for n in 0..20 {
            nginx.publish("kept", n.to_string()).await;
        }
        nginx.publish_live("before", "x").await;
        clock.set(&nginx, ahead).await;
        nginx.publish_live("after", "x").await;
        // Both end with their period: some sweep has seen everything.
        nginx.wait_gone("before").await;
        nginx.wait_gone("after").await;
        assert_eq!(nginx.channel_stat("kept", "stored_messages").await, 20, "{ahead}");
        let lines = nginx.stream("/sub/kept.b20").await.lines(20).await;
        assert_eq!(lines[19], "20 kept 19");
        assert!(nginx.stat("uptime").await < 60, "{ahead}");

        // What has a ttl of two seconds is gone after two seconds.
        nginx
            .reload_with(|builder| builder.without_http().http("push_stream_message_ttl 2s;"))
            .await;
        nginx.publish("short", "x").await;
        clock.set(&nginx, 0).await;
        nginx.wait_channel_stat("short", "stored_messages", 0).await;
        assert_eq!(nginx.channel_stat("kept", "stored_messages").await, 20, "{ahead}");
        let answer = nginx.get("/stats").await.json();
        let uptimes = answer["by_worker"].as_array().expect("workers").iter();
        assert!(uptimes.clone().all(|worker| worker["uptime"].as_u64().expect("a number") < 60));
    }
}

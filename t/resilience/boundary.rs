//! Where nginx and the module share a request: parts of a response that other requests make while the
//! subscriber goes on or ends, requests that go on after a response, streams that are reset.

use crate::support::http2::Http2;
use crate::support::stream::End;
use crate::support::{Builder, Nginx, Raw};

/// Subscribers whose responses begin with such a part, which is there when something is published to `held`.
fn with_parts() -> Builder {
    let parts = "add_before_body /part; addition_types *; push_stream_message_template '~text~|';";
    Nginx::builder()
        // A port that takes only HTTP/2 is of no use.
        .http("map $request_uri $part_port { default $server_port; ~port=(?<port>[0-9]+) $port; }")
        .mode("long-polling", "lp", "push_stream_message_template '~text~';")
        .mode("", "parts", parts)
        .mode("", "brief", &format!("{parts} push_stream_subscriber_connection_ttl 1s;"))
        .mode("", "strict", &format!("{parts} send_timeout 200ms;"))
        .mode("", "clock", "push_stream_subscriber_connection_ttl 1s;")
        .mode("long-polling", "poll", parts)
        .location("= /part", "proxy_pass http://127.0.0.1:$part_port/lp/held;")
}

/// Waits until a part is asked for, whatever else there is.
async fn pending(nginx: &Nginx) {
    nginx.wait_channel_stat("held", "subscribers", 1).await;
}

/// SUB-68: the head is there at once; what is published while a part is late waits for it, and so does the
/// end.
#[tokio::test]
async fn a_part_that_is_late() {
    let nginx = with_parts().start().await;
    for target in ["/parts/a", "/brief/a"] {
        let mut stream = nginx.stream(target).await;
        pending(&nginx).await;
        nginx.publish_live("a", "behind").await;
        if target == "/brief/a" {
            nginx.wait_channel_stat("a", "subscribers", 0).await;
        } else {
            assert_eq!(nginx.delete("/pub?id=a").await.status, 200);
        }
        nginx.publish_live("held", "part").await;
        stream.expect("partbehind|").await;
        let farewell = if target == "/brief/a" { "" } else { "Channel deleted|" };
        stream.ends_with(farewell).await;
    }
    // `send_timeout` is for clients that do not read, which is not what this one waits for.
    let mut strict = nginx.stream("/strict/a").await;
    pending(&nginx).await;
    nginx.publish_live("a", "behind").await;
    assert_eq!(nginx.stream("/clock/a").await.rest().await.1, End::Clean);
    nginx.publish_live("held", "part").await;
    strict.expect("partbehind|").await;
    nginx.publish_live("a", "more").await;
    strict.expect("more|").await;
    drop(strict);
    nginx.wait_channel_stat("a", "subscribers", 0).await;

    let poll = tokio::spawn(nginx.call("GET", "/poll/a").send());
    nginx.wait_channel_stat("a", "subscribers", 1).await;
    nginx.publish_live("a", "text").await;
    pending(&nginx).await;
    nginx.publish_live("held", "part").await;
    assert_eq!(poll.await.expect("no panic").text(), "parttext|");
    nginx.wait_stat("subscribers", 0).await;
}

/// LIFE-46: a subscriber that goes while a part is asked for takes the asking with it.
#[tokio::test]
async fn gone_before_the_part() {
    let nginx = with_parts().http2().start().await;
    for target in ["/parts/a", "/poll/a"] {
        let mut raw: Raw = nginx.raw().await;
        raw.request(&format!("GET {target}"), &[]).await;
        nginx.wait_channel_stat("a", "subscribers", 1).await;
        nginx.publish_live("a", "text").await;
        pending(&nginx).await;
        raw.reset();
        nginx.wait_stat("subscribers", 0).await;
        nginx.publish_live("held", "for nobody").await;
    }
    let mut client = Http2::connect(&nginx).await;
    client.get(1, &format!("/parts/a?port={}", nginx.port)).await;
    client.expect_ok(1).await;
    client.get(3, "/sub/other").await;
    client.expect_ok(3).await;
    nginx.publish_live("a", "text").await;
    pending(&nginx).await;
    client.reset(1).await;
    nginx.wait_stat("subscribers", 1).await;
    nginx.publish_live("a", "for nobody").await;
    nginx.publish_live("other", "text").await;
    client.expect(3, "1 other text\n").await;
}

/// A worker that has to go takes what is pending with it.
#[tokio::test]
async fn a_part_and_the_end_of_the_worker() {
    let nginx = with_parts()
        .workers(1)
        .main("worker_shutdown_timeout 2s;")
        .expect_log("upstream")
        .start()
        .await;
    let mut stream = nginx.stream("/parts/a").await;
    pending(&nginx).await;
    nginx.reload().await;
    nginx.publish_live("held", "for nobody").await;
    stream.rest().await;
    nginx.wait_stat("subscribers", 0).await;
}

/// Requests that came in one piece with a subscriber's are served after it, each by its own location.
#[tokio::test]
async fn requests_behind_a_subscriber() {
    let nginx = with_parts().start().await;
    let mut raw = nginx.raw().await;
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let pipeline = ["/lp/a", "/stats?id=none", "/lp/b", "/lp/a"].map(get).concat();
    raw.send(pipeline).await;
    for (channel, text) in [("a", "first"), ("b", "second"), ("a", "third")] {
        nginx.wait_channel_stat(channel, "subscribers", 1).await;
        nginx.publish_live(channel, text).await;
        assert_eq!(raw.answer().await.body, text.as_bytes());
        if text == "first" {
            assert_eq!(raw.answer().await.status(), 404);
        }
    }
    nginx.wait_stat("subscribers", 0).await;
}

/// A request that goes on after its response, in a location of any role, sends nothing more and leaves
/// nothing behind: what it would send would be taken for the answer to the next request.
#[tokio::test]
async fn after_the_response() {
    let mut nginx = with_parts()
        .location("= /after-publisher", "push_stream_publisher; push_stream_channels_path after;")
        .location(
            "= /after-statistics",
            "push_stream_channels_statistics; push_stream_channels_path '';",
        )
        .expect_log("a subscriber cannot come after another response");
    let modes = ["streaming", "eventsource", "long-polling", "polling"];
    for mode in modes {
        nginx = nginx.location(
            &format!("= /after-{mode}"),
            &format!("push_stream_subscriber {mode}; push_stream_channels_path after.b1;"),
        );
    }
    let all = ["publisher", "statistics"].into_iter().chain(modes);
    for role in all.clone() {
        nginx = nginx.mode("long-polling", role, &format!("post_action /after-{role};"));
    }
    let nginx = nginx.start().await;
    nginx.publish("after", "foreign").await;
    for role in all {
        let mut raw = nginx.raw().await;
        raw.request(&format!("GET /{role}/a"), &[]).await;
        nginx.wait_channel_stat("a", "subscribers", 1).await;
        nginx.publish_live("a", role).await;
        assert_eq!(raw.answer().await.body, role.as_bytes());
        nginx.publish_live("after", "more of it").await;
        if modes.contains(&role) {
            assert_eq!(raw.until_close().await, b"", "after {role}");
        } else {
            raw.request("GET /stats?id=none", &[]).await;
            assert_eq!(raw.answer().await.status(), 404, "after {role}");
        }
        drop(raw);
        nginx.wait_stat("subscribers", 0).await;
    }
}

//! Who may do what with the events channel.

use crate::support::{Answer, Nginx};
use crate::with_events;

const CHANGED: &str = "Only internal routines can change events channel.";
const CLOSED: &str = "Subscription to events channel is not allowed.";
const RESERVED: &str = "Channel id not authorized for this method.";
const LOGGED: &str = "only internal routines can change events channel";

async fn start() -> Nginx {
    with_events("events")
        .location("/normal", "push_stream_publisher; push_stream_channels_path $arg_id;")
        .expect_log(LOGGED)
        .start()
        .await
}

/// EVT-17, DIR-193, PUB-94, PUB-102: nobody else publishes to it or deletes it, and a request that
/// names it among others has no effect at all.
#[tokio::test]
async fn only_the_module_changes_it() {
    let nginx = start().await;
    for (method, target) in [
        ("POST", "/pub?id=events"),
        ("PUT", "/pub?id=events"),
        ("DELETE", "/pub?id=events"),
        ("POST", "/normal?id=events"),
        ("POST", "/pub?id=new/events"),
        ("PUT", "/pub?id=new/events/newer"),
        ("DELETE", "/pub?id=kept/events"),
    ] {
        nginx.publish("kept", "x").await;
        let answer = nginx.call(method, target).body("forged").send().await;
        answer.assert_refused(403, Some(CHANGED));
    }
    assert_eq!(nginx.log_lines(LOGGED).len(), 7);
    assert_eq!(nginx.stat("channels").await, 2, "only it and kept");
    assert_eq!(nginx.channel_stat("kept", "stored_messages").await, 7);
    assert_eq!(nginx.channel_stat("events", "published_messages").await, 1);
}

/// EVT-19: what a WebSocket's client says goes to its other channels.
#[tokio::test]
async fn it_takes_nothing_from_websockets() {
    let nginx = with_events("events")
        .websocket(
            "say",
            "push_stream_allow_connections_to_events_channel on; push_stream_websocket_allow_publish on;",
        )
        .start()
        .await;
    let mut socket = nginx.socket("/say/events/a").await;
    let mut other = nginx.stream("/sub/a").await;
    let mut watcher = nginx.stream("/events/events.b10").await;
    socket.send(0x81, b"forged").await;
    assert_eq!(other.line().await, "1 a forged");
    nginx.delete("/pub?id=a").await;
    let mut told = String::new();
    while !told.contains("channel_destroyed") {
        told = watcher.line().await;
        assert!(told.contains(r#"{"type": "#) && !told.contains("forged"), "{told}");
    }
}

/// PUB-5, PUB-32: from left to right, the first id at fault decides.
#[tokio::test]
async fn the_order_of_a_publishers_checks() {
    let nginx = start().await;
    let post = async |ids: &str| nginx.post(&format!("/pub?id={ids}"), "x").await;
    post("events/ALL").await.assert_refused(403, Some(CHANGED));
    post("ALL/events").await.assert_refused(403, Some(RESERVED));
    nginx.post("/pub?id=events", "").await.assert_refused(403, Some(CHANGED));
    let normal = nginx.delete("/normal?id=events").await;
    assert_eq!(normal.status, 405, "PUB-95");
}

/// PUB-96: the refused body is not taken for a request.
#[tokio::test]
async fn a_refused_body_is_no_request() {
    let nginx = start().await;
    let mut client = crate::support::Client::connect(nginx.port).await.expect("a connection");
    for _ in 0..3 {
        let smuggled = "POST /pub?id=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx";
        let Ok(answer) = client.post("/pub?id=events", smuggled).await else {
            client = crate::support::Client::connect(nginx.port).await.expect("a connection");
            continue;
        };
        answer.assert_refused(403, Some(CHANGED));
    }
    assert!(nginx.channel("smuggled").await.is_none());
}

/// EVT-15, DIR-193, ADM-6: subscribing needs permission, channel by channel in path order.
#[tokio::test]
async fn subscribing_needs_permission() {
    let nginx = start().await;
    let get = async |path: &str| -> Answer { nginx.get(path).await };
    get("/sub/events").await.assert_refused(403, Some(CLOSED));
    get("/sub/a/events").await.assert_refused(403, Some(CLOSED));
    get("/sub/events/ALL").await.assert_refused(403, Some(CLOSED));
    get("/sub/ALL/events").await.assert_refused(403, Some(RESERVED));
    assert!(nginx.channel("a").await.is_none());
    assert_eq!(nginx.channel_stat("events", "published_messages").await, 0);
    assert_eq!(nginx.stream("/events/events").await.status, 200);
}

/// ADM-4, ADM-5 and EVT-16 come before ADM-6, ADM-8 after it.
#[tokio::test]
async fn the_order_of_admission() {
    let nginx = with_events("events")
        .http("push_stream_max_subscribers_per_channel 1;")
        .subscriber("known", "push_stream_authorized_channels_only on;")
        .subscriber(
            "open",
            "push_stream_authorized_channels_only on; \
             push_stream_allow_connections_to_events_channel on;",
        )
        .http("push_stream_max_number_of_channels 2;")
        .start()
        .await;
    let unknown = Some("Subscriber could not create channels.");
    nginx.get("/known/events").await.assert_refused(403, unknown);
    nginx.get("/open/events").await.assert_refused(403, unknown);
    nginx.publish("one", "x").await;
    nginx.get("/known/events").await.assert_refused(403, Some(CLOSED));
    nginx.get("/sub/more/and/events").await.assert_refused(403, Some(CLOSED));
    let _only = nginx.stream("/open/events").await;
    let full = Some("Subscribers limit per channel has been exceeded.");
    nginx.get("/sub/events").await.assert_refused(403, full);
}

/// DIR-173, LIFE-26: it takes one of the channels that may exist.
#[tokio::test]
async fn it_counts_as_a_channel() {
    let nginx = with_events("events").http("push_stream_max_number_of_channels 1;").start().await;
    let refused = nginx.post("/pub?id=a", "x").await;
    refused.assert_refused(403, Some("Number of channels were exceeded."));
    let refused = nginx.get("/sub/a").await;
    refused.assert_refused(403, Some("Number of channels were exceeded."));
    assert_eq!(nginx.stat("channels").await, 1);
}

/// DIR-187, STAT-45: with the prefix it is a wildcard channel.
#[tokio::test]
async fn it_may_be_a_wildcard_channel() {
    let nginx =
        with_events("w_events").http("push_stream_wildcard_channel_prefix w_;").start().await;
    let stats = nginx.stats().await;
    assert_eq!((&stats["channels"], &stats["wildcard_channels"]), (&0.into(), &1.into()));
}

/// EVT-1: without a configured id nothing is told and no id is special.
#[tokio::test]
async fn none_unless_configured() {
    let nginx = crate::support::Nginx::start().await;
    assert_eq!(nginx.stat("channels").await, 0);
    nginx.publish("events", "x").await;
    drop(nginx.stream("/sub/events").await);
    assert_eq!(nginx.channel_stat("events", "published_messages").await, 1);
}

//! Publishing over the connection (WS-91..102, WS-GAP-22).

use crate::builder;
use crate::support::Nginx;

/// WS-91, WS-93, WS-94, WS-96, DIR-185: to every channel of the connection, itself included, in order.
#[tokio::test]
async fn to_all_its_channels() {
    let nginx = builder()
        .http("push_stream_events_channel_id events;")
        .websocket(
            "all",
            "push_stream_websocket_allow_publish on; push_stream_message_template \"~channel~ ~text~\";
             push_stream_allow_connections_to_events_channel on;",
        )
        .start()
        .await;
    let mut other = nginx.stream("/sub/a").await;
    let mut socket = nginx.socket("/all/b/a/b").await;
    socket.send(0x81, b"hello").await;
    socket.text("b hello").await;
    socket.text("a hello").await;
    assert_eq!(other.line().await, "1 a hello");
    assert_eq!(nginx.channel_stat("b", "published_messages").await, 1);
    // WS-95: not stored, unless the location stores.
    assert_eq!(nginx.channel_stat("b", "stored_messages").await, 0);

    let mut watching = nginx.socket("/all/events/a").await;
    watching.send(0x81, b"not told to events").await;
    loop {
        let seen = String::from_utf8(watching.frame().await.payload).expect("text");
        if seen == "a not told to events" {
            break;
        }
        assert!(seen.starts_with("events {\"type\": "), "{seen}");
    }
}

/// WS-92, DIR-185: elsewhere, text is checked and forgotten.
#[tokio::test]
async fn only_where_it_is_allowed() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/ws/n").await;
    socket.send(0x81, b"nobody hears this").await;
    socket.send(0x89, b"done").await;
    socket.expect(0x8a, b"done").await;
    assert_eq!(nginx.channel_stat("n", "published_messages").await, 0);
    socket.send(0x81, b"\xff").await;
    socket.fails_with(1007).await;
}

/// WS-95: stored where the location says so, without event id and type.
#[tokio::test]
async fn stored_messages() {
    let nginx = Nginx::builder()
        .websocket(
            "keep",
            "push_stream_websocket_allow_publish on; push_stream_store_messages on;
             push_stream_message_template \"~id~ [~event-id~~event-type~] ~text~\";",
        )
        .start()
        .await;
    let mut socket = nginx.socket("/keep/k").await;
    socket.send(0x81, b"kept").await;
    socket.text("1 [] kept").await;
    assert_eq!(nginx.channel_stat("k", "stored_messages").await, 1);
    nginx.socket("/keep/k.b1").await.text("1 [] kept").await;
}

/// WS-97: a channel that was deleted is not made again.
#[tokio::test]
async fn deleted_channels_stay_deleted() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/say/x/y").await;
    nginx.delete("/pub?id=x").await;
    socket.text("Channel deleted").await;
    socket.send(0x81, b"to y").await;
    socket.text("to y").await;
    assert!(nginx.channel("x").await.is_none());
}

/// WS-90, WS-98, WS-99, WS-GAP-22: an empty message publishes nothing, an empty last fragment completes
/// one.
#[tokio::test]
async fn empty_messages() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/say/e").await;
    socket.send(0x81, b"").await;
    socket.send(0x01, b"").await;
    socket.send(0x80, b"").await;
    socket.send(0x01, b"whole").await;
    socket.send(0x80, b"").await;
    socket.text("whole").await;
    assert_eq!(nginx.channel_stat("e", "published_messages").await, 1);
}

/// WS-100, WS-GAP-15: no room for the message.
#[tokio::test]
async fn a_full_zone() {
    let nginx = Nginx::builder()
        .zone("128k")
        .workers(1)
        .websocket("keep", "push_stream_websocket_allow_publish on; push_stream_store_messages on;")
        .expect_log("is not published")
        .start()
        .await;
    let mut socket = nginx.socket("/keep/f").await;
    socket.send(0x81, vec![b'x'; 200_000]).await;
    socket.fails_with(1011).await;
    assert_eq!(nginx.channel_stat("f", "published_messages").await, 0);
}

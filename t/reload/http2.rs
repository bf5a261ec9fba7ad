//! Subscribers over HTTP/2 in a worker that goes.

use crate::support::http2::Http2;
use crate::{builder, old_workers, old_workers_gone};

/// LIFE-94: nginx says GOAWAY as soon as it is told to go, so that the client sends further requests elsewhere;
/// the streams go on until their turn has come, and with the last of them the connection ends.
#[tokio::test]
async fn streams_go_on_behind_goaway() {
    let nginx = builder()
        .http2()
        .http("push_stream_reload_drain 3s;")
        .subscriber("raw", r#"push_stream_footer_template FOOT;"#)
        .start()
        .await;
    let mut client = Http2::connect(&nginx).await;
    for stream in [1, 3] {
        client.get(stream, "/raw/c").await;
        client.expect_ok(stream).await;
    }
    nginx.wait_channel_stat("c", "subscribers", 2).await;
    nginx.reload().await;
    assert_eq!(client.goaway().await, 3);
    old_workers(&nginx).await;
    nginx.publish("c", "behind it").await;
    client.expect(1, "behind it").await;
    client.expect(1, "FOOT").await;
    assert_eq!(client.data(1).await, None);
    client.expect(3, "FOOT").await;
    assert_eq!(client.data(3).await, None);
    client.expect_close().await;
    drop(client);
    old_workers_gone(&nginx).await;
}

/// LIFE-94: the same at once.
#[tokio::test]
async fn streams_end_behind_goaway() {
    let nginx = builder().http2().start().await;
    let mut client = Http2::connect(&nginx).await;
    client.get(1, "/stream/c").await;
    client.expect_ok(1).await;
    nginx.publish("c", "x").await;
    client.expect(1, "1 x\n").await;
    nginx.reload().await;
    client.expect(1, "FOOT").await;
    assert_eq!(client.data(1).await, None);
    drop(client);
    old_workers_gone(&nginx).await;
}

//! The access log of subscribers over HTTP/2, where nginx counts frames: their heads are no part of the body.

use crate::access_log::{entry, logged};
use crate::support::http2::Http2;
use crate::support::{Nginx, wait_for};

const DATA: u8 = 0;
const HEADERS: u8 = 1;

/// Bytes of the frames of a stream, and what its DATA frames hold.
fn frames_of(stream: u32, mut bytes: &[u8]) -> (usize, usize) {
    let (mut all, mut data) = (0, 0);
    while let [a, b, c, kind, _, s @ ..] = bytes {
        let length = 9 + (usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c));
        let id = u32::from_be_bytes([s[0], s[1], s[2], s[3]]);
        if id == stream && [DATA, HEADERS].contains(kind) {
            all += length;
            data += if *kind == DATA { length - 9 } else { 0 };
        }
        bytes = &bytes[length..];
    }
    (all, data)
}

/// SUB-63: a stream that ends because its channel is deleted, one that the client resets, and one that is
/// refused, on one connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_one_connection() {
    let nginx = logged(Nginx::builder().workers(1).http2())
        .location("/none", "push_stream_subscriber; push_stream_channels_path $arg_id;")
        .mode("long-polling", "lp", "")
        .start()
        .await;
    let mut client = Http2::connect(&nginx).await;
    for (stream, target) in [(1, "/sub/a"), (3, "/sub/b"), (5, "/none"), (7, "/lp/a")] {
        client.get(stream, target).await;
    }
    nginx.wait_stat("subscribers", 3).await;
    nginx.publish_live("a", "one").await;
    nginx.publish_live("a", "x".repeat(100_000)).await;
    nginx.publish_live("b", "two").await;
    nginx.delete("/pub?id=a").await;
    wait_for("the end of the others", || async {
        (nginx.stat("subscribers").await == 1).then_some(())
    })
    .await;
    let bytes = client.everything().await;
    client.reset(3).await;
    nginx.wait_stat("subscribers", 0).await;
    for (stream, target, status) in
        [(1, "/sub/a", 200), (3, "/sub/b", 200), (5, "/none", 400), (7, "/lp/a", 200)]
    {
        let (all, data) = frames_of(stream, &bytes);
        let entry = entry(&nginx, target).await;
        let sent = (entry.status, entry.bytes, entry.body);
        assert_eq!(sent, (status, all, data), "{target}: {entry:?}");
    }
}

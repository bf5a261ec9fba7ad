//! Clients that stop reading, and clients that are gone without a word.

use crate::load::watch;
use crate::support::websocket::handshake;
use crate::support::{self, Builder, Nginx, Raw};

/// Modes, and the header lines that their requests need.
fn modes() -> [(&'static str, Vec<String>); 4] {
    [
        ("streaming", vec![]),
        ("eventsource", vec![]),
        ("long-polling", vec![]),
        ("websocket", handshake()),
    ]
}

fn all_modes(directives: &str) -> Builder {
    let mut builder = Nginx::builder().workers(2);
    for (mode, _) in modes() {
        builder = builder.mode(mode, mode, directives);
    }
    builder
}

/// LIFE-46, SUB-52, `send_timeout`: whatever the mode, a client that reads nothing is gone after
/// `send_timeout` without progress; its connection is closed, the counts are right, and the others
/// got everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_readers() {
    let _alone = support::alone().await;
    let nginx = all_modes("send_timeout 1s; push_stream_subscriber_max_pending 64m;")
        .zone("64m")
        .listen("reuseport sndbuf=16k")
        .http("push_stream_store_messages off;")
        .start()
        .await;
    let large = vec![b'x'; 300_000];
    let mut stalled = Vec::new();
    for (mode, headers) in modes() {
        for _ in 0..3 {
            let mut raw = Raw::with_small_window(nginx.port).await;
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            raw.request(&format!("GET /{mode}/stall"), &headers).await;
            stalled.push(raw);
        }
    }
    nginx.wait_channel_stat("stall", "subscribers", stalled.len() as u64).await;
    let mut quick = nginx.stream("/streaming/stall").await;
    for _ in 0..5 {
        nginx.publish_live("stall", &large).await;
    }
    assert_eq!(quick.exactly(5 * large.len()).await.len(), 5 * large.len());
    watch::wait_workers(&nginx, 1).await;
    nginx.wait_channel_stat("stall", "subscribers", 1).await;
    nginx.publish_live("stall", "after").await;
    quick.expect("after").await;
    drop(stalled);
}

/// PING-1, LIFE-19: a client that vanished without closing (its machine lost power) is found by the next
/// ping or, where there is none, by its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_clients() {
    let nginx = all_modes(
        "push_stream_ping_message_interval 1s; push_stream_longpolling_connection_ttl 1s;",
    )
    .http("push_stream_ping_message_text ping;")
    .start()
    .await;
    let mut clients = Vec::new();
    for (mode, headers) in modes() {
        for _ in 0..5 {
            let mut raw = nginx.raw().await;
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            raw.request(&format!("GET /{mode}/half"), &headers).await;
            clients.push(raw);
        }
    }
    nginx.wait_channel_stat("half", "subscribers", clients.len() as u64).await;
    clients.into_iter().for_each(Raw::vanish);
    nginx.wait_channel_stat("half", "subscribers", 0).await;
    watch::wait_workers(&nginx, 0).await;
}

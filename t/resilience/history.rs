//! History and the bound of what may wait.

use super::support::{self, Nginx, Raw};

/// SUB-52, OLD-21: history is read from the store as the client takes it, so that it does not count; a
/// live message that comes meanwhile waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_larger_than_the_bound() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder()
        .workers(1)
        .listen("sndbuf=16k")
        .subscriber(
            "tight",
            r#"push_stream_subscriber_max_pending 128k; push_stream_message_template "~text~";"#,
        )
        .start()
        .await;
    let block = |n: usize| {
        let mut text = format!("<{n:02}>").into_bytes();
        text.resize(8 * 1024, b'h');
        text
    };
    for n in 0..32 {
        nginx.publish("a", block(n)).await;
    }
    let mut slow = Raw::with_small_window(nginx.port).await;
    slow.request("GET /tight/a.b32", &[]).await;
    nginx.wait_channel_stat("a", "subscribers", 1).await;
    nginx.publish("a", "live").await;
    // The only worker has answered that request, so it has handed the message to the subscriber, too.
    let mut witness = nginx.stream("/tight/a").await;
    nginx.publish("a", "seen").await;
    witness.expect("seen").await;

    assert_eq!(slow.head().await.status(), 200);
    for n in 0..32 {
        let chunk = slow.chunk().await.unwrap_or_else(|| panic!("ended before message {n}"));
        assert!(chunk == block(n), "message {n} begins {:?}", String::from_utf8_lossy(&chunk[..8]));
    }
    slow.expect_chunk("live").await;
    slow.expect_chunk("seen").await;
    nginx.publish("a", "next").await;
    slow.expect_chunk("next").await;
}

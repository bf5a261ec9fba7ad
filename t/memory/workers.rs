//! A worker's own memory.

use crate::support::Nginx;
use crate::support::process::limit_memory;
use crate::support::stream::End;

/// SUB-54: a message that becomes larger than there is memory costs those who would have got it so their
/// connection, and nobody else; they can get it later.
#[tokio::test]
async fn a_message_that_cannot_be_rendered() {
    let template = "~text~".repeat(100);
    let nginx = Nginx::builder()
        .workers(1)
        .subscriber("large", &format!("push_stream_message_template '{template}';"))
        .expect_log("no memory for")
        .start()
        .await;
    let pids = nginx.worker_pids();
    let worker = *pids.first().expect("a worker");
    let mut large = nginx.stream("/large/a").await;
    let mut plain = nginx.stream("/sub/a").await;
    nginx.wait_channel_stat("a", "subscribers", 2).await;
    limit_memory(worker, Some(4_000_000));
    let text = "x".repeat(100_000);
    assert_eq!(nginx.publish("a", &text).await.status, 200);
    assert_eq!(plain.line().await, format!("1 a {text}"));
    let (rest, end) = large.rest().await;
    assert_eq!((rest.len(), end), (0, End::Cut));
    nginx.wait_channel_stat("a", "subscribers", 1).await;
    limit_memory(worker, None);
    nginx.stream("/large/a.b1").await.expect(&text.repeat(100)).await;
    nginx.publish("a", "still there").await;
    assert_eq!(plain.line().await, "2 a still there");
    assert_eq!(nginx.worker_pids(), pids);
}

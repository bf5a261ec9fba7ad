//! What counts what (section 4).

use crate::support::Nginx;
use crate::workers;

/// STAT-46..50, STAT-55, STAT-61, LIFE-74..78: what counts what.
#[tokio::test]
async fn counters() {
    let nginx = Nginx::start().await;
    let mut streams = vec![nginx.stream("/sub/a/b").await, nginx.stream("/sub/a/c").await];
    nginx.publish("a/b", "x").await;
    nginx.publish_live("a", "x").await;
    let stats = nginx.stats().await;
    assert_eq!((&stats["published_messages"], &stats["stored_messages"]), (&3.into(), &2.into()));
    assert_eq!((&stats["subscribers"], &stats["channels"]), (&2.into(), &3.into()));
    let by_worker = workers(&stats).iter().filter_map(|worker| worker["subscribers"].as_u64());
    assert_eq!(by_worker.sum::<u64>(), 2);
    for (id, published, stored, subscribers) in [("a", 2, 1, 2), ("b", 1, 1, 1), ("c", 0, 0, 1)] {
        let info = nginx.channel(id).await.expect("a channel");
        assert_eq!(info["published_messages"], published, "{id}");
        assert_eq!(info["stored_messages"], stored, "{id}");
        assert_eq!(info["subscribers"], subscribers, "{id}");
    }
    streams.pop();
    nginx.wait_stat("subscribers", 1).await;
    assert_eq!(nginx.channel_stat("a", "subscribers").await, 1);
    streams.clear();
    nginx.wait_stat("subscribers", 0).await;
    nginx.delete("/pub?id=a/b/c").await;
    nginx.wait_stat("stored_messages", 0).await;
    assert_eq!(nginx.stat("published_messages").await, 3);
}

/// STAT-52, LIFE-43: unstored messages pass through the trash and leave it.
#[tokio::test]
async fn messages_in_trash() {
    let nginx = Nginx::start().await;
    for _ in 0..5 {
        nginx.publish_live("t", "x").await;
    }
    assert_eq!(nginx.stat("messages_in_trash").await, 5);
    assert_eq!(nginx.stat("stored_messages").await, 0);
    nginx.wait_stat("messages_in_trash", 0).await;
}

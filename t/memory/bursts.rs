//! Messages that come faster than workers take them: what is answered 200 reaches everybody who is
//! connected, however small the zone.

use crate::support::{Client, Nginx, Stream};

const SUBSCRIBERS: usize = 8;

/// A message of about so many bytes, told from others by its number.
fn message(n: usize, size: usize) -> String {
    let n = n.to_string();
    "0".repeat(size.saturating_sub(n.len())) + &n
}

/// Publishes one after the other over one connection; the numbers of those that were answered 200. Others
/// were refused for want of memory.
async fn publish_all(nginx: &Nginx, target: &str, size: usize, count: usize) -> Vec<usize> {
    let mut publisher = Client::connect(nginx.port).await.expect("connect");
    let mut accepted = Vec::new();
    for n in 0..count {
        let answer = publisher.post(target, message(n, size)).await.expect("an answer");
        if answer.status == 200 {
            accepted.push(n);
        } else {
            answer.assert_refused(500, Some("Not enough shared memory."));
        }
    }
    accepted
}

async fn expect(mut subscriber: Stream, accepted: &[usize], size: usize) {
    for &n in accepted {
        subscriber.expect(format!("{}\n", message(n, size))).await;
    }
}

/// Unstored and stored messages of this size to subscribers on all workers, back to back.
async fn burst(zone: &str, size: usize, count: usize) {
    let nginx = Nginx::builder()
        .workers(4)
        .zone(zone)
        .http("push_stream_max_messages_stored_per_channel 1; push_stream_message_ttl 1s;")
        .subscriber(
            "all",
            r#"push_stream_subscriber_max_pending 64m;
               push_stream_message_template "~text~\n";"#,
        )
        .expect_log("unable to allocate")
        .start()
        .await;
    for publisher in ["live", "pub"] {
        let mut subscribers = Vec::new();
        for _ in 0..SUBSCRIBERS {
            subscribers.push(nginx.stream(&format!("/all/{publisher}")).await);
        }
        let target = format!("/{publisher}?id={publisher}");
        let accepted = publish_all(&nginx, &target, size, count).await;
        assert!(!accepted.is_empty(), "{zone}, {size} bytes: nothing was taken");
        for subscriber in subscribers {
            expect(subscriber, &accepted, size).await;
        }
    }
    assert_eq!(nginx.metric(r#"push_stream_messages_dropped_total{cause="memory"}"#).await, 0);
}

/// LIFE-58: from one byte to half of the zone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_reaches_every_subscriber() {
    for (zone, size, count) in [
        ("128k", 1, 400),
        ("128k", 500, 400),
        ("128k", 5_000, 200),
        ("128k", 20_000, 50),
        ("128k", 50_000, 20),
        ("1m", 100_000, 50),
        ("1m", 400_000, 20),
    ] {
        burst(zone, size, count).await;
    }
}

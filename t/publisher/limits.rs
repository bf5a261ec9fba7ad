//! Channel limits and a full zone.

use crate::support::Nginx;

const EXCEEDED: Option<&str> = Some("Number of channels were exceeded.");

/// PUB-78, PUB-3, DIR-174, DIR-175, with the sane side of ADM-8: nothing is created by a request
/// that is refused.
#[tokio::test]
async fn number_of_channels() {
    let nginx = Nginx::builder()
        .http("push_stream_max_number_of_channels 2;")
        .http("push_stream_wildcard_channel_prefix w_;")
        .http("push_stream_max_number_of_wildcard_channels 1;")
        .start()
        .await;
    nginx.publish("a", "x").await;
    nginx.post("/pub?id=b/c", "x").await.assert_refused(403, EXCEEDED);
    assert!(nginx.channel("b").await.is_none());
    nginx.publish("b", "x").await;
    nginx.post("/pub?id=c", "x").await.assert_refused(403, EXCEEDED);
    nginx.post("/pub?id=a/c", "x").await.assert_refused(403, EXCEEDED);
    assert_eq!(nginx.publish("a/b", "x").await.json()["infos"][0]["published_messages"], 2);

    nginx.publish("w_", "the bare prefix is one").await;
    nginx.post("/pub?id=w_2", "x").await.assert_refused(403, EXCEEDED);
    nginx.publish("w_", "x").await;
    assert_eq!(nginx.stat("channels").await, 2);
    assert_eq!(nginx.stat("wildcard_channels").await, 1);

    nginx.delete("/pub?id=a").await;
    nginx.publish("c", "a place is free").await;
    // PUB-102.
    assert!(!nginx.log_lines("number of channels were exceeded").is_empty());
}

/// PUB-78 under concurrency: the limit holds however many workers create at once.
#[tokio::test]
async fn the_limit_holds_across_workers() {
    let nginx = Nginx::builder().http("push_stream_max_number_of_channels 5;").start().await;
    let calls = (0..40)
        .map(|n| tokio::spawn(nginx.call("POST", &format!("/pub?id=n{n}")).body("x").send()));
    let mut made = 0;
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.expect("a publish");
        assert!(answer.status == 200 || answer.explanation() == EXCEEDED, "{answer:?}");
        made += u64::from(answer.status == 200);
    }
    assert_eq!((made, nginx.stat("channels").await), (5, 5));
}

/// PUB-79, PUB-80, PUB-82, LIFE-51..53: a text that does not fit is refused with 500 and an
/// explanation, small ones still go, and nothing half-made stays.
#[tokio::test]
async fn a_message_larger_than_the_zone() {
    let nginx = Nginx::builder()
        .zone("256k")
        .http("client_body_buffer_size 1m;")
        .expect_log("unable to allocate")
        .start()
        .await;
    nginx.publish("small", "x").await;
    for target in ["/pub?id=small", "/pub?id=new", "/pub?id=small/new"] {
        let answer = nginx.post(target, vec![b'x'; 400_000]).await;
        assert_eq!(answer.status, 500, "{answer:?}");
        answer.assert_empty();
        assert!(answer.explanation().is_some_and(|text| !text.is_empty()), "{answer:?}");
    }
    assert!(nginx.channel("new").await.is_none());
    // PUB-74: the failed ones took no id.
    assert_eq!(nginx.publish("small", "y").await.json()["published_messages"], 2);
    assert_eq!(nginx.stat("published_messages").await, 2);
}

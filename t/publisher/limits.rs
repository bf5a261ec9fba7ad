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

/// PUB-79, PUB-80, PUB-82, DIR-97, LIFE-51..53: a text that does not fit is refused with 500 and an
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

/// PUB-53, PUB-80, LIFE-55: a text for which the zone has room in some of the channels goes to none.
#[tokio::test]
async fn room_for_some_of_the_channels() {
    let nginx = Nginx::builder()
        .zone("256k")
        .http("client_body_buffer_size 1m;")
        .expect_log("unable to allocate")
        .start()
        .await;
    nginx.publish("old", "x").await;
    let mut stream = nginx.stream("/sub/old").await;
    for target in ["/pub?id=old/a/b/c/d/e", "/pub?id=a/old/a/b/c/d", "/pub?id=old/old/old/old/old"]
    {
        let answer = nginx.post(target, vec![b'x'; 60_000]).await;
        answer.assert_refused(500, Some("Not enough shared memory."));
        assert_eq!(nginx.stat("channels").await, 1);
        assert_eq!(nginx.stat("published_messages").await, 1);
        assert_eq!(nginx.channel_stat("old", "stored_messages").await, 1);
    }
    // What they had taken is free again: as much fits as before, and nobody was told of them.
    let text = "y".repeat(60_000);
    assert_eq!(nginx.publish("old/new", &text).await.status, 200);
    assert_eq!(stream.line().await, format!("2 old {text}"));
}

/// PUB-99: what subscribers get of a message may be larger than the zone. It is rendered in the memory of
/// the workers that have them, and the publish knows nothing of it.
#[tokio::test]
async fn rendered_larger_than_the_zone() {
    let template = format!("push_stream_message_template '{}';", "~text~".repeat(100));
    let nginx = Nginx::builder()
        .zone("256k")
        .subscriber("hundredfold", &template)
        .mode("eventsource", "es", &template)
        .start()
        .await;
    let text = "x".repeat(10_000);
    let hundredfold = text.repeat(100);
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(nginx.stream("/hundredfold/a").await);
    }
    let mut events = nginx.stream("/es/a").await;
    for n in 1..=2 {
        assert_eq!(nginx.publish("a", &text).await.json()["published_messages"], n);
        for stream in &mut streams {
            assert!(stream.exactly(hundredfold.len()).await == hundredfold.as_bytes());
        }
    }
    events.expect(format!(": \ndata: {hundredfold}\n\n")).await;
}

/// PUB-2, PUB-4, PUB-32, PUB-40, PUB-78..82: a request that is refused changes no number.
#[tokio::test]
async fn a_refusal_changes_nothing() {
    let nginx = Nginx::builder()
        .zone("256k")
        .http("push_stream_max_number_of_channels 2; push_stream_max_channel_id_length 5;")
        .http(
            "push_stream_wildcard_channel_prefix w; push_stream_max_number_of_wildcard_channels 1;",
        )
        .server("client_max_body_size 500k;")
        .location("/normal", "push_stream_publisher; push_stream_channels_path $arg_id;")
        .expect_log("unable to allocate")
        .expect_log("client intended to send too large")
        .start()
        .await;
    nginx.publish("a/w1", "x").await;
    let state = || async {
        let mut stats = nginx.stats().await;
        let shown = stats.as_object_mut().expect("a summary");
        shown.retain(|name, _| !["time", "uptime", "by_worker"].contains(&name.as_str()));
        let all = nginx.get("/stats?id=ALL").await.json()["infos"].take();
        (stats, all)
    };
    let before = state().await;
    let large = "x".repeat(400_000);
    for (method, target, body, status) in [
        ("POST", "/pub", "x", 400),
        ("POST", "/pub?id=a", "", 400),
        ("PUT", "/pub?id=new", "", 400),
        ("POST", "/pub?id=a/ALL", "x", 403),
        ("POST", "/pub?id=new/b*", "x", 403),
        ("POST", "/pub?id=a/sixsix", "x", 400),
        ("POST", "/pub?id=a/new/new2", "x", 403),
        ("POST", "/pub?id=new/w2", "x", 403),
        ("POST", "/pub?id=w2", "x", 403),
        ("POST", "/pub?id=a", large.as_str(), 500),
        ("POST", "/pub?id=a/new", large.as_str(), 500),
        ("POST", "/live?id=a/new/w2", "x", 403),
        ("PATCH", "/pub?id=new", "x", 405),
        ("DELETE", "/normal?id=a", "", 405),
        ("DELETE", "/pub?id=a/ALL", "", 403),
        ("DELETE", "/pub?id=a/sixsix", "", 400),
        ("DELETE", "/pub?id=new", "", 404),
        ("GET", "/pub?id=new", "", 404),
        ("OPTIONS", "/pub?id=new", "x", 200),
    ] {
        let answer = nginx.call(method, target).body(body).send().await;
        assert_eq!(answer.status, status, "{method} {target}");
        answer.assert_empty();
        assert_eq!(state().await, before, "{method} {target}");
    }
    let too_large = nginx.post("/pub?id=new", vec![b'x'; 500 * 1024 + 1]).await;
    assert_eq!(too_large.status, 413);
    assert_eq!(state().await, before);
    // Both classes are full or not on their own.
    nginx.publish("b", "x").await;
    nginx.post("/pub?id=c", "x").await.assert_refused(403, EXCEEDED);
}

/// PUB-80, PUB-84: a worker for which the zone has no place says so, to DELETE as well, and does not deny
/// that there is a channel.
#[tokio::test]
async fn more_workers_than_the_zone_serves() {
    let nginx = Nginx::builder()
        .workers(40)
        .zone("128k")
        .expect_log("is too small for so many workers")
        .expect_log("unable to allocate message")
        .start()
        .await;
    let full = Some("Not enough shared memory.");
    let (mut published, mut deleted, mut refused) = (0, 0, [0, 0]);
    while published == 0 || deleted == 0 || refused.contains(&0) {
        let answer = nginx.post("/pub?id=a", "x").await;
        if answer.status == 500 {
            answer.assert_refused(500, full);
            refused[0] += 1;
            continue;
        }
        published += 1;
        let answer = nginx.delete("/pub?id=a").await;
        if answer.status == 500 {
            answer.assert_refused(500, full);
            refused[1] += 1;
        } else {
            answer.assert_refused(200, Some("Channel deleted."));
            deleted += 1;
        }
    }
}

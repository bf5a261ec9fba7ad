//! GET, and the bodies that describe channels.

use crate::support::{Client, Nginx};

/// PUB-33, PUB-66, LIFE-27: GET creates nothing, leaves out what is missing, and its shape follows
/// what it found.
#[tokio::test]
async fn get_describes_what_exists() {
    let nginx = Nginx::start().await;
    nginx.publish("a", "x").await;
    nginx.publish("b/b", "x").await;
    nginx.publish_live("b", "x").await;
    let one = nginx.get("/pub?id=missing/b/none").await;
    assert_eq!(
        one.text(),
        "{\"channel\": \"b\", \"published_messages\": 3, \"stored_messages\": 2, \
         \"subscribers\": 0}\r\n"
    );
    let two = nginx.get("/pub?id=b/missing/a").await.json();
    assert_eq!(two["infos"][0]["channel"], "b");
    assert_eq!(two["infos"][1]["channel"], "a");
    assert_eq!(two["infos"].as_array().map(Vec::len), Some(2));
    nginx.get("/pub?id=x/y").await.assert_refused(404, None);
    assert_eq!(nginx.stat("channels").await, 2);
}

/// PUB-50, PUB-58, PUB-62: the exact bytes.
#[tokio::test]
async fn json_shapes() {
    let nginx = Nginx::builder().http("push_stream_wildcard_channel_prefix w_;").start().await;
    let one = nginx.publish("one", "x").await;
    assert_eq!(
        one.text(),
        "{\"channel\": \"one\", \"published_messages\": 1, \"stored_messages\": 1, \
         \"subscribers\": 0}\r\n"
    );
    let many = nginx.publish("one/w_two", "x").await;
    let json = many.json();
    let expected = format!(
        "{{\"hostname\": {}, \"time\": {}, \"channels\": 1, \"wildcard_channels\": 1, \
         \"uptime\": {}, \"infos\": [\r\n\
         {{\"channel\": \"one\", \"published_messages\": 2, \"stored_messages\": 2, \
         \"subscribers\": 0}},\r\n\
         {{\"channel\": \"w_two\", \"published_messages\": 1, \"stored_messages\": 1, \
         \"subscribers\": 0}}\r\n]}}\r\n",
        json["hostname"], json["time"], json["uptime"]
    );
    assert_eq!(many.text(), expected);
    assert!(json["uptime"].is_u64());
}

/// PUB-51, DIR-183: no info on publish, but on GET.
#[tokio::test]
async fn info_switched_off() {
    let nginx = Nginx::builder()
        .location(
            "/quiet",
            "push_stream_publisher admin; push_stream_channels_path $arg_id;
             push_stream_channel_info_on_publish off; push_stream_store_messages on;",
        )
        .start()
        .await;
    nginx.post("/quiet?id=q", "x").await.assert_refused(200, None);
    nginx.post("/quiet?id=q/r", "x").await.assert_refused(200, None);
    assert_eq!(nginx.get("/quiet?id=q").await.json()["published_messages"], 2);
}

/// PUB-66, STAT-48, LIFE-76: `subscribers` of a channel counts subscriptions.
#[tokio::test]
async fn subscribers_are_counted() {
    let nginx = Nginx::start().await;
    let _one = nginx.stream("/sub/s/t").await;
    let _two = nginx.stream("/sub/s").await;
    assert_eq!(nginx.publish("s", "x").await.json()["subscribers"], 2);
    assert_eq!(nginx.publish("t", "x").await.json()["subscribers"], 1);
}

/// PUB-35, PUB-100: each channel's line is a snapshot: what is stored was published, and nothing runs
/// backwards, whichever worker is asked.
#[tokio::test]
async fn lines_while_others_publish() {
    let nginx = Nginx::start().await;
    nginx.publish("s/t", "x").await;
    let port = nginx.port;
    let publishers = (0..4).map(|_| async move {
        let mut client = Client::connect(port).await.expect("connect");
        for _ in 0..100 {
            client.post("/pub?id=s/t", "x").await.expect("an answer");
        }
    });
    let publishers: Vec<_> = publishers.map(tokio::spawn).collect();
    let mut last = 1;
    while last < 401 {
        let info = nginx.get("/pub?id=s").await.json();
        let published = info["published_messages"].as_u64().expect("a number");
        assert_eq!(info["stored_messages"], published);
        assert!(published >= last, "{published} after {last}");
        last = published;
    }
    for publisher in publishers {
        publisher.await.expect("a publisher");
    }
}

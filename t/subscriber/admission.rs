//! Who may subscribe to what. Path grammar is tested with the publisher, which shows the ids.

use crate::support::{Answer, Nginx};

const NO_CREATE: Option<&str> = Some("Subscriber could not create channels.");
const TOO_MANY: Option<&str> = Some("Subscribers limit per channel has been exceeded.");
const WILDCARDS: Option<&str> = Some("Subscribed too much wildcard channels.");
const CHANNELS: Option<&str> = Some("Number of channels were exceeded.");

async fn get(nginx: &Nginx, target: &str) -> Answer {
    let answer = nginx.get(target).await;
    answer.assert_empty();
    answer
}

/// PATH-1..4, PATH-13..15: the same grammar as everywhere, with the backtrack in force per item.
#[tokio::test]
async fn backtrack_per_item() {
    let nginx = Nginx::start().await;
    for n in 1..=4 {
        nginx.publish("a/b/x.y", format!("m{n}")).await;
    }
    for (path, expected) in [
        ("a.b3/b", vec!["2 a m2", "3 a m3", "4 a m4"]),
        ("b.b1/a.b2", vec!["4 b m4", "3 a m3", "4 a m4"]),
        ("a.b007/b.b0", vec!["1 a m1", "2 a m2", "3 a m3", "4 a m4"]),
        ("x.y.b1", vec!["4 x.y m4"]),
        ("//a.b1//", vec!["4 a m4"]),
        ("a.b99999999999999999999999", vec!["1 a m1", "2 a m2", "3 a m3", "4 a m4"]),
        // SUB-47: merged at the first place, with the larger backtrack.
        ("a.b1/b.b1/a.b2", vec!["3 a m3", "4 a m4", "4 b m4"]),
    ] {
        let mut stream = nginx.stream(&format!("/sub/{path}")).await;
        assert_eq!(stream.lines(expected.len()).await, expected, "{path}");
        nginx.publish_live("a/b/x.y", "live").await;
        let next = stream.line().await;
        assert!(next.ends_with(" live"), "{path}: {next}");
    }
}

/// SUB-47, ADM-12, PATH-13: a channel named twice is subscribed once.
#[tokio::test]
async fn duplicates_are_merged() {
    let nginx = Nginx::builder().http("push_stream_max_subscribers_per_channel 1;").start().await;
    let mut stream = nginx.stream("/sub/d/d/e/d").await;
    assert_eq!(nginx.channel_stat("d", "subscribers").await, 1);
    nginx.publish_live("d", "once").await;
    nginx.publish_live("e", "then").await;
    assert_eq!(stream.lines(2).await, ["1 d once", "1 e then"]);
}

/// ADM-1, ADM-2, ADM-3, PATH-10, PATH-11, PATH-12: header-only refusals, decided from left to
/// right, `error_page` not applied, `add_header ... always` applied; nothing is created.
#[tokio::test]
async fn refusals() {
    let nginx = Nginx::builder()
        .http("push_stream_max_channel_id_length 5;")
        .http("add_header X-Always yes always; error_page 400 403 405 /other;")
        .location("/other", "return 200 replaced;")
        .start()
        .await;
    let reserved = "Channel id not authorized for this method.";
    let large = "Channel id is too large.";
    for (id, status, text) in [
        ("", 400, "No channel id provided."),
        ("/", 400, "No channel id provided."),
        (".b3", 400, "No channel id provided."),
        ("ALL", 403, reserved),
        ("ALL.b1", 403, reserved),
        ("a*", 403, reserved),
        ("a%2A", 403, reserved),
        ("ok/ALL", 403, reserved),
        ("123456", 400, large),
        ("ok/123456.b1", 400, large),
        ("123456/ALL", 400, large),
        ("ALL/123456", 403, reserved),
        ("x%0A", 400, "Channel id contains control characters."),
        ("ok/%00*", 400, "Channel id contains control characters."),
        ("x%7F", 400, "Channel id contains control characters."),
    ] {
        let answer = nginx.get(&format!("/raw?id={id}")).await;
        answer.assert_refused(status, Some(text));
        assert_eq!(answer.header("x-always"), Some("yes"));
    }
    assert_eq!(nginx.stat("channels").await, 0);
    for id in ["12345", "12345.b99", "all", "ALLx"] {
        nginx.stream(&format!("/raw?id={id}")).await;
    }
}

/// ADM-4, ADM-10, ADM-11, DIR-184: only channels that store something, wildcard ones excepted.
#[tokio::test]
async fn authorized_channels_only() {
    let nginx = Nginx::builder()
        .http("push_stream_wildcard_channel_prefix w_;")
        .subscriber("known", "push_stream_authorized_channels_only on;")
        .start()
        .await;
    get(&nginx, "/known/none").await.assert_refused(403, NO_CREATE);
    nginx.publish_live("unstored", "x").await;
    get(&nginx, "/known/unstored").await.assert_refused(403, NO_CREATE);
    nginx.publish("stored", "x").await;
    get(&nginx, "/known/stored/none").await.assert_refused(403, NO_CREATE);
    get(&nginx, "/known/w_new/none").await.assert_refused(403, NO_CREATE);
    assert!(nginx.channel("w_new").await.is_none());
    nginx.stream("/known/stored").await;
    nginx.stream("/known/stored/w_a").await;
    nginx.stream("/known/w_b").await;
    assert_eq!(nginx.stat("wildcard_channels").await, 2);
}

/// ADM-5, DIR-178.
#[tokio::test]
async fn subscribers_per_channel() {
    let nginx = Nginx::builder().http("push_stream_max_subscribers_per_channel 2;").start().await;
    let first = nginx.stream("/sub/f").await;
    let _second = nginx.stream("/sub/f/g").await;
    get(&nginx, "/sub/f").await.assert_refused(403, TOO_MANY);
    get(&nginx, "/sub/new/f").await.assert_refused(403, TOO_MANY);
    assert!(nginx.channel("new").await.is_none());
    assert_eq!(nginx.channel_stat("g", "subscribers").await, 1);
    drop(first);
    nginx.wait_channel_stat("f", "subscribers", 1).await;
    let _third = nginx.stream("/sub/f").await;
    get(&nginx, "/sub/f").await.assert_refused(403, TOO_MANY);
}

/// ADM-12: checked and reserved in one step, over all workers.
#[tokio::test]
async fn the_limit_holds_under_concurrency() {
    let nginx = Nginx::builder().http("push_stream_max_subscribers_per_channel 7;").start().await;
    for round in 0..5 {
        let calls = (0..40).map(|_| nginx.call("GET", &format!("/sub/r{round}")).try_stream());
        let tasks = calls.map(tokio::spawn).collect::<Vec<_>>();
        let mut admitted = Vec::new();
        for task in tasks {
            let stream = task.await.expect("a client").expect("an answer");
            match stream.status {
                200 => admitted.push(stream),
                403 => assert_eq!(stream.header(crate::support::EXPLAIN), TOO_MANY),
                other => panic!("{other}"),
            }
        }
        assert_eq!(admitted.len(), 7);
        assert_eq!(nginx.channel_stat(&format!("r{round}"), "subscribers").await, 7);
    }
}

/// ADM-7, DIR-27, DIR-176: own and inherited maximum.
#[tokio::test]
async fn wildcard_channels_per_request() {
    let nginx = Nginx::builder()
        .http("push_stream_wildcard_channel_prefix w_;")
        .http("push_stream_max_number_of_wildcard_channels 3;")
        .subscriber("two", "push_stream_wildcard_channel_max_qtd 2;")
        .start()
        .await;
    for refused in
        ["/two/w_1", "/two/w_1/w_2", "/two/a/w_1/w_2/w_3", "/sub/w_1", "/sub/a/w_1/w_2/w_3/w_4"]
    {
        get(&nginx, refused).await.assert_refused(403, WILDCARDS);
    }
    assert_eq!(nginx.stat("channels").await + nginx.stat("wildcard_channels").await, 0);
    nginx.stream("/two/a/w_1/w_2").await;
    nginx.stream("/sub/w_1/w_2/a/w_3").await;
    nginx.stream("/two/a").await;
}

/// ADM-8, ADM-13: streams create channels within the limits; all are counted before one is made.
#[tokio::test]
async fn number_of_channels() {
    let nginx = Nginx::builder()
        .http("push_stream_max_number_of_channels 2; push_stream_wildcard_channel_prefix w_;")
        .start()
        .await;
    let _a = nginx.stream("/sub/a").await;
    get(&nginx, "/sub/b/c").await.assert_refused(403, CHANNELS);
    get(&nginx, "/sub/w_x/b/c").await.assert_refused(403, CHANNELS);
    assert_eq!((nginx.stat("channels").await, nginx.stat("wildcard_channels").await), (1, 0));
    let _b = nginx.stream("/sub/a/b/w_x").await;
    get(&nginx, "/sub/c").await.assert_refused(403, CHANNELS);
}

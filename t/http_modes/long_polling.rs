//! What a long poll is answered: at once, by the first message, at its timeout, by a deletion.

use std::time::SystemTime;

use crate::support::{Builder, LongPoll, Nginx, Raw, RawAnswer, next_second};

const BODY: &str = r#"push_stream_header_template "HEAD|"; push_stream_footer_template "|FOOT";
                      push_stream_message_template "<~id~ ~channel~ ~text~>";"#;
/// What a synthetic message shows of itself.
const EVERYTHING: &str = r#"push_stream_message_template
    "~id~|~channel~|~text~|~time~|~tag~|~event-id~|~event-type~|~size~";"#;

fn builder() -> Builder {
    Nginx::builder().mode("long-polling", "lp", BODY)
}

/// A client that waits on the channels of `target`, of which `channel` is one.
async fn waiting(nginx: &Nginx, target: &str, channel: &str) -> Raw {
    let before = nginx.channel_stat(channel, "subscribers").await;
    let mut raw = nginx.raw().await;
    raw.request(&format!("GET {target}"), &[]).await;
    nginx.wait_channel_stat(channel, "subscribers", before + 1).await;
    raw
}

fn body(answer: &RawAnswer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// The answer's cursor is the present, and anything of this second is still to come (LP-9, LP-10).
fn assert_now(answer: &RawAnswer, since: SystemTime) {
    let time = answer.header("last-modified").expect("a time");
    let time = httpdate::parse_http_date(time).expect("a date");
    // A date has no fractions.
    let (since, now) = (since - std::time::Duration::from_secs(2), SystemTime::now());
    assert!(since <= time && time <= now, "{answer:?}");
    assert_eq!(answer.header("etag"), Some("W/0"));
}

/// LP-4, DIR-129: what is stored is sent at once, as a poll would be.
#[tokio::test]
async fn something_stored() {
    let nginx = builder().mode("polling", "poll", BODY).start().await;
    for text in ["one", "two"] {
        nginx.publish("a", text).await;
    }
    nginx.publish("b", "three").await;
    let (long, short) = (nginx.get("/lp/a.b2/b.b1").await, nginx.get("/poll/a.b2/b.b1").await);
    assert_eq!((long.status, long.text()), (200, "HEAD|<1 a one><2 a two><1 b three>|FOOT"));
    assert_eq!(long.text(), short.text());
    for name in ["last-modified", "etag", "content-type"] {
        assert_eq!(long.header(name), short.header(name), "{name}");
    }
}

/// LP-5, LP-6, LP-7: nothing is sent until the first message on any channel, which is sent alone, under its
/// own stamp; what came with it is found by the next request.
#[tokio::test]
async fn the_first_message_alone() {
    let nginx = builder()
        .mode("polling", "stamps", r#"push_stream_message_template "~time~|W/~tag~";"#)
        .start()
        .await;
    next_second().await;
    let mut raw = waiting(&nginx, "/lp/a/b", "b").await;
    nginx.publish("b/a", "both").await;
    let answer = raw.answer().await;
    assert_eq!((answer.status(), body(&answer).as_str()), (200, "HEAD|<1 b both>|FOOT"));
    let stamp = nginx.get("/stamps/b.b1").await;
    let (time, tag) = stamp.text().split_once('|').expect("a stamp");
    assert_eq!((answer.header("last-modified"), answer.header("etag")), (Some(time), Some(tag)));
    assert_eq!(nginx.stat("subscribers").await, 0);

    let cursor = [format!("If-Modified-Since: {time}"), format!("If-None-Match: {tag}")];
    raw.request("GET /lp/a/b", &[&cursor[0], &cursor[1]]).await;
    assert_eq!(body(&raw.answer().await), "HEAD|<1 a both>|FOOT");
}

/// LP-6: an unstored message ends the wait as well, for everybody who waits.
#[tokio::test]
async fn everybody_is_answered() {
    let nginx = builder().start().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(waiting(&nginx, "/lp/a", "a").await);
    }
    nginx.publish_live("a", "live").await;
    nginx.publish_live("a", "too late").await;
    for client in &mut clients {
        assert_eq!(body(&client.answer().await), "HEAD|<1 a live>|FOOT");
    }
    assert_eq!(nginx.channel_stat("a", "subscribers").await, 0);
}

/// LP-8, LP-9, LP-19, HDR-8, PING-4, DIR-63, DIR-126, DIR-128, DIR-145: the time to live of a long poll,
/// or the one of any subscriber that is in force here, ends it with 304, and nothing was sent before.
#[tokio::test]
async fn time_to_live() {
    let ping = "push_stream_ping_message_interval 100ms;";
    let nginx = Nginx::builder()
        .http("push_stream_subscriber_connection_ttl 1h;")
        .mode(
            "long-polling",
            "own",
            &format!(
                "{BODY} {ping} push_stream_longpolling_connection_ttl 500ms;
                 push_stream_subscriber_connection_ttl 2h;"
            ),
        )
        .mode(
            "long-polling",
            "any",
            &format!("{BODY} {ping} push_stream_subscriber_connection_ttl 500ms;"),
        )
        .start()
        .await;
    for target in ["/own/a", "/any/a"] {
        let since = SystemTime::now();
        let mut raw = waiting(&nginx, target, "a").await;
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.header("content-length")), (304, Some("0")));
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        assert_now(&answer, since);
        assert_eq!(nginx.channel_stat("a", "subscribers").await, 0);
    }
}

/// LP-10, OLD-12: whatever is published in the second of a timeout is found by the next poll.
#[tokio::test]
async fn the_second_of_a_timeout() {
    let nginx = Nginx::builder()
        .mode(
            "long-polling",
            "lp",
            r#"push_stream_longpolling_connection_ttl 50ms; push_stream_message_template "~text~ ";"#,
        )
        .start()
        .await;
    let mut client = LongPoll::new(&nginx, "/lp/a");
    let (mut seen, mut expected) = (String::new(), String::new());
    for n in 1..=30 {
        let answer = client.poll().await;
        seen.push_str(answer.text());
        nginx.publish("a", n.to_string()).await;
        expected.push_str(&format!("{n} "));
    }
    while seen != expected {
        let answer = client.poll().await;
        assert_eq!(answer.status, 200, "'{seen}' and no more");
        seen.push_str(answer.text());
    }
    assert_eq!(client.poll().await.status, 304);
}

/// LP-11, LP-12, LP-13, LP-14, DIR-145, TPL-9: a timeout with a body, which shows the same cursor as the
/// headers.
#[tokio::test]
async fn a_timeout_with_body() {
    let ttl = "push_stream_longpolling_connection_ttl 200ms;";
    let nginx = Nginx::builder()
        .http("push_stream_timeout_with_body on;")
        .mode("long-polling", "lp", &format!("{BODY} {ttl}"))
        .mode("long-polling", "all", &format!("{EVERYTHING} {ttl}"))
        .start()
        .await;
    let since = SystemTime::now();
    let mut raw = waiting(&nginx, "/lp/a/b", "b").await;
    let answer = raw.answer().await;
    assert_eq!((answer.status(), body(&answer).as_str()), (200, "HEAD|<-3  Timed out>|FOOT"));
    assert_now(&answer, since);

    let mut raw = waiting(&nginx, "/all/a", "a").await;
    let answer = raw.answer().await;
    let time = answer.header("last-modified").expect("a time");
    assert_eq!(body(&answer), format!("-3||Timed out|{time}|0|||9"));

    raw.request("GET /lp/a?callback=f", &[]).await;
    let answer = raw.answer().await;
    assert_eq!(body(&answer), "f([<-3  Timed out>]);");
    assert_eq!(answer.header("content-type"), Some("application/javascript"));
    assert_now(&answer, since);
    assert_eq!(nginx.stat("published_messages").await, 0);
}

/// LP-15, PUB-90, DEL-1, DEL-3: a deletion ends the wait, even of a client that waits on others too.
#[tokio::test]
async fn a_deleted_channel() {
    let nginx = builder().start().await;
    for (path, text) in [("/lp/a", "Channel deleted"), ("/lp/x/a/y", "closed for today")] {
        let since = SystemTime::now();
        let mut raw = waiting(&nginx, path, "a").await;
        let mut jsonp = waiting(&nginx, &format!("{path}?callback=f"), "a").await;
        let call = nginx.call("DELETE", "/pub?id=a");
        let call = if path == "/lp/a" { call } else { call.body(text) };
        assert_eq!(call.send().await.status, 200);
        let answer = raw.answer().await;
        let message = format!("<-2 a {text}>");
        assert_eq!(answer.status(), 200);
        assert_eq!(body(&answer), format!("HEAD|{message}|FOOT"));
        assert_now(&answer, since);
        let answer = jsonp.answer().await;
        assert_eq!(body(&answer), format!("f([{message}]);"));
        assert_now(&answer, since);
    }
    nginx.wait_stat("subscribers", 0).await;
    assert_eq!(nginx.channel_stat("x", "subscribers").await, 0);
}

/// LP-20, PATH-13: a channel named twice is waited on once.
#[tokio::test]
async fn a_channel_named_twice() {
    let nginx = builder().start().await;
    let workers = nginx.worker_pids();
    let mut raw = waiting(&nginx, "/lp/q/q/r/q", "q").await;
    assert_eq!(nginx.channel_stat("q", "subscribers").await, 1);
    nginx.publish("q", "once").await;
    assert_eq!(body(&raw.answer().await), "HEAD|<1 q once>|FOOT");
    assert_eq!(nginx.get("/lp/q.b1/q.b1").await.text(), "HEAD|<1 q once>|FOOT");
    assert_eq!(nginx.worker_pids(), workers);
}

//! Polling, and the cursor that polled answers hand out.

use crate::support::{Answer, LongPoll, Nginx, next_second};

const EPOCH: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
const LATER: &str = "Sat, 01 Jan 2050 00:00:00 GMT";

async fn start() -> Nginx {
    Nginx::builder()
        .mode("polling", "poll", r#"push_stream_message_template "~channel~ ~text~\n";"#)
        .mode("polling", "stamps", r#"push_stream_message_template "~time~|W/~tag~\n";"#)
        .start()
        .await
}

async fn poll(nginx: &Nginx, target: &str, headers: &[(&str, &str)]) -> Answer {
    let call = nginx.call("GET", target);
    headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().await
}

fn cursor(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.header("last-modified"), answer.header("etag"))
}

/// Time and tag of the last message that `id` stores, as they stand in headers.
async fn last_stamp(nginx: &Nginx, id: &str) -> (String, String) {
    let answer = nginx.get(&format!("/stamps/{id}.b1")).await;
    let (time, tag) = answer.text().trim_end().split_once('|').expect("a stamp");
    (time.into(), tag.into())
}

/// LP-1, HDR-6: nothing to send, so the client gets its own cursor back.
#[tokio::test]
async fn nothing_new() {
    let nginx = start().await;
    let past = "Wed, 01 Jan 2020 00:00:00 GMT";
    let (time, tag) = ("If-Modified-Since", "If-None-Match");
    for (headers, expected) in [
        (vec![], (None, None)),
        (vec![(time, past)], (Some(past), None)),
        (vec![(tag, "5")], (None, Some("W/5"))),
        (vec![(tag, "W/5")], (None, Some("W/5"))),
        (vec![(tag, "\"5\"")], (None, Some("W/5"))),
        (vec![(tag, "W/\"5\"")], (None, Some("W/5"))),
        (vec![(tag, "W/0")], (None, Some("W/0"))),
        (vec![(time, past), (tag, "W/12")], (Some(past), Some("W/12"))),
        (vec![(time, EPOCH), (tag, "W/1")], (None, Some("W/1"))),
        (vec![(time, "null"), (tag, "x")], (None, None)),
        (vec![(time, "Wednesday, 01-Jan-20 00:00:00 GMT")], (Some(past), None)),
    ] {
        let answer = poll(&nginx, "/poll/a", &headers).await;
        assert_eq!((answer.status, cursor(&answer)), (304, expected), "{headers:?}");
        assert_eq!(answer.header("content-length"), Some("0"));
    }
}

/// LP-2, LP-3, TPL-7, TPL-8, DIR-126, DIR-128, DIR-129: header template, messages, footer template, and
/// the end at once; neither template without a message. No padding, no ping.
#[tokio::test]
async fn bodies() {
    let nginx = Nginx::builder()
        .mode(
            "polling",
            "full",
            r#"push_stream_header_template "HEAD|"; push_stream_footer_template "|FOOT";
               push_stream_message_template "<~id~ ~text~>"; push_stream_ping_message_interval 1s;
               push_stream_padding_by_user_agent ".,500,500"; push_stream_user_agent any;"#,
        )
        .start()
        .await;
    for text in ["one", "two", "three"] {
        nginx.publish("a", text).await;
    }
    nginx.publish("b", "other").await;
    let answer = nginx.get("/full/a.b2/b.b1").await;
    assert_eq!((answer.status, answer.text()), (200, "HEAD|<2 two><3 three><1 other>|FOOT"));
    let answer = nginx.get("/full/a").await;
    assert_eq!((answer.status, answer.text()), (304, ""));
}

/// OLD-15, OLD-7, LP-21: the cursor of an answer is the newest stamp among the channels that had something
/// to send, unstored messages included; the next poll takes up from there.
#[tokio::test]
async fn the_cursor_of_an_answer() {
    let nginx = start().await;
    next_second().await;
    nginx.publish("a", "a1").await;
    let a1 = last_stamp(&nginx, "a").await;
    nginx.publish("b", "b1").await;
    let b1 = last_stamp(&nginx, "b").await;

    let answer = nginx.get("/poll/a.b1").await;
    assert_eq!(cursor(&answer), (Some(a1.0.as_str()), Some(a1.1.as_str())));
    for path in ["/poll/a.b1/b.b1", "/poll/b.b1/a.b1"] {
        let answer = nginx.get(path).await;
        assert_eq!(cursor(&answer), (Some(b1.0.as_str()), Some(b1.1.as_str())), "{path}");
    }
    // A channel that has nothing to send has no say.
    let answer = nginx.get("/poll/a.b1/b").await;
    assert_eq!(cursor(&answer), (Some(a1.0.as_str()), Some(a1.1.as_str())));

    next_second().await;
    nginx.publish_live("a", "unstored").await;
    let answer = nginx.get("/poll/a.b1").await;
    assert_eq!(answer.text(), "a a1\n");
    let (time, tag) = cursor(&answer);
    assert!(time.is_some_and(|time| time != a1.0), "{answer:?}");
    assert!(tag.is_some_and(|tag| tag.starts_with("W/")), "{answer:?}");
    nginx.publish("a", "a3").await;
    let headers =
        [("If-Modified-Since", time.expect("a time")), ("If-None-Match", tag.expect("a tag"))];
    assert_eq!(poll(&nginx, "/poll/a/b", &headers).await.text(), "a a3\n");
}

/// OLD-10..12, OLD-14, OLD-16: a client that echoes what it is told gets every message of its channels
/// once, however many fall into one second.
#[tokio::test]
async fn echoing() {
    let nginx = start().await;
    let mut client = LongPoll::new(&nginx, "/poll/a/b").since_long_ago();
    assert_eq!(client.poll().await.status, 304);
    let mut seen = Vec::new();
    for n in 1..=40 {
        nginx.publish(["a", "b"][n % 2], n.to_string()).await;
        if n % 5 == 0 {
            next_second().await;
        }
        if n % 3 == 0 {
            let answer = client.poll().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            seen.extend(answer.text().lines().map(str::to_owned));
            let again = client.poll().await;
            assert_eq!((again.status, again.text()), (304, ""), "after {n}");
        }
    }
    seen.extend(client.poll().await.text().lines().map(str::to_owned));
    for (channel, rest) in [("a", 0), ("b", 1)] {
        let prefix = format!("{channel} ");
        let of_it = seen.iter().filter_map(|line| line.strip_prefix(&prefix)).collect::<Vec<_>>();
        let expected = (1..=40).filter(|n| n % 2 == rest).map(|n| n.to_string());
        assert_eq!(of_it, expected.collect::<Vec<_>>());
    }
}

/// OLD-17: a time later than now has no say, so that nobody waits for it.
#[tokio::test]
async fn a_time_to_come() {
    let nginx = start().await;
    let named = nginx.call("POST", "/pub?id=a").header("Event-Id", "e");
    assert_eq!(named.body("first").send().await.status, 200);
    nginx.publish("a", "second").await;
    let stamp = last_stamp(&nginx, "a").await;
    let headers = [("If-Modified-Since", LATER), ("Last-Event-Id", "e")];
    let answer = poll(&nginx, "/poll/a", &headers).await;
    assert_eq!(answer.text(), "a second\n");
    assert_eq!(cursor(&answer), (Some(stamp.0.as_str()), Some(stamp.1.as_str())));
    let answer = poll(&nginx, "/poll/a", &headers[..1]).await;
    assert_eq!(answer.status, 304);
    assert_ne!(answer.header("last-modified"), Some(LATER), "{answer:?}");
}

/// OLD-2, OLD-6, CLI-28, CLI-30, CLI-35: the cursor as query arguments, empty ones included.
#[tokio::test]
async fn by_argument() {
    let nginx = Nginx::builder()
        .mode(
            "polling",
            "args",
            r#"push_stream_message_template "~text~ ";
               push_stream_last_received_message_time $arg_time;
               push_stream_last_received_message_tag $arg_tag;
               push_stream_last_event_id $arg_eventid;"#,
        )
        .mode("polling", "stamps", r#"push_stream_message_template "~time~|W/~tag~\n";"#)
        .start()
        .await;
    next_second().await;
    for n in 1..=3 {
        let call = nginx.call("POST", "/pub?id=a").header("Event-Id", &format!("e{n}"));
        assert_eq!(call.body(format!("m{n}")).send().await.status, 200);
    }
    let (time, tag) = last_stamp(&nginx, "a").await;
    let time = time.replace(' ', "%20").replace(',', "%2C").replace(':', "%3A");
    let tag: u64 = tag.trim_start_matches("W/").parse().expect("a tag");
    for (query, expected) in [
        ("&tag=&time=&eventid=".to_owned(), ""),
        (format!("&tag={}&time={time}&eventid=", tag - 1), "m3 "),
        (format!("&tag=0&time={time}&eventid="), "m1 m2 m3 "),
        (format!("&tag=&time={time}&eventid="), ""),
        ("&tag=&time=&eventid=e1".to_owned(), "m2 m3 "),
        ("tag=&time=&eventid=e2&_=1764000000000".to_owned(), "m3 "),
    ] {
        let headers = [("If-Modified-Since", EPOCH), ("Last-Event-Id", "e1")];
        let answer = poll(&nginx, &format!("/args/a?{query}"), &headers).await;
        let status = if expected.is_empty() { 304 } else { 200 };
        assert_eq!((answer.status, answer.text()), (status, expected), "{query}");
    }
}

/// ADM-13, ADM-15, LP-3: a poll creates what is missing, subscribes to nothing and is counted nowhere.
#[tokio::test]
async fn a_poll_is_no_subscriber() {
    let nginx = start().await;
    for _ in 0..3 {
        assert_eq!(nginx.get("/poll/new/other").await.status, 304);
    }
    assert_eq!(nginx.stat("channels").await, 2);
    assert_eq!(nginx.channel_stat("new", "subscribers").await, 0);
    assert_eq!(nginx.stat("subscribers").await, 0);
}

//! What this module offers beyond the C module, each by a directive: gaps that are told, the reconnection
//! time, event ids for every message.

use std::collections::BTreeMap;

use crate::support::{Builder, EventSource, Nginx};

const GAP: &str = "x-nginx-pushstream-gap";
const MODES: [&str; 4] = ["streaming", "eventsource", "polling", "long-polling"];

/// A location of each mode that reports gaps, one that does not, and channels that store two messages.
fn reporting() -> Builder {
    let report = "push_stream_gap_report on; push_stream_longpolling_connection_ttl 200ms;";
    MODES
        .into_iter()
        .fold(Nginx::builder(), |nginx, mode| nginx.mode(mode, mode, report))
        .http("push_stream_max_messages_stored_per_channel 2;")
        .mode("polling", "silent", "")
        .mode("polling", "stamps", r#"push_stream_message_template "~time~|W/~tag~";"#)
}

/// The cursor behind each of `count` messages that are published to `id`.
async fn publish(nginx: &Nginx, id: &str, count: usize) -> Vec<(String, String)> {
    let mut cursors = Vec::new();
    for n in 0..count {
        nginx.publish(id, n.to_string()).await;
        let stamp = nginx.get(&format!("/stamps/{id}.b1")).await;
        let (time, tag) = stamp.text().split_once('|').expect("a stamp");
        cursors.push((time.to_owned(), tag.to_owned()));
    }
    cursors
}

/// The head of an answer to a client that knows of `cursor`.
async fn gap_of(nginx: &Nginx, target: &str, (time, tag): &(String, String)) -> Option<String> {
    let call = nginx.call("GET", target);
    let call = call.header("If-Modified-Since", time).header("If-None-Match", tag);
    let head = call.try_stream().await.expect("an answer");
    assert!([200, 304].contains(&head.status), "{target}: {head:?}");
    head.header(GAP).map(str::to_owned)
}

/// GAP-1, GAP-2: a client that is behind the newest message removed is told, in every mode; one that has
/// seen it, one without a cursor, and one that nobody asked to tell are not.
#[tokio::test]
async fn gaps() {
    let nginx = reporting().start().await;
    let cursors = publish(&nginx, "a", 5).await;
    // Stored are the fourth and the fifth.
    for mode in MODES {
        let target = format!("/{mode}/a");
        for (seen, gap) in [(0, true), (1, true), (2, false), (3, false)] {
            let told = gap_of(&nginx, &target, &cursors[seen]).await;
            assert_eq!(told.as_deref(), gap.then_some("a"), "{mode} after {seen}");
        }
        let long_ago = ("Thu, 01 Jan 1970 00:00:01 GMT".to_owned(), "W/0".to_owned());
        assert_eq!(gap_of(&nginx, &target, &long_ago).await.as_deref(), Some("a"), "{mode}");
        let fresh = nginx.call("GET", &format!("{target}.b1")).try_stream().await;
        assert_eq!(fresh.expect("an answer").header(GAP), None, "{mode}");
    }
    assert_eq!(gap_of(&nginx, "/silent/a", &cursors[0]).await, None);
}

/// GAP-2: of several channels those with a gap, by escaped ids.
#[tokio::test]
async fn gaps_of_several_channels() {
    let nginx = reporting().start().await;
    let cursors = publish(&nginx, "a", 1).await;
    publish(&nginx, "b", 2).await;
    publish(&nginx, "x%2Cy%20%C3%A4", 3).await;
    publish(&nginx, "c", 3).await;
    let gap = gap_of(&nginx, "/polling/c/b/x%2Cy%20%C3%A4/none/a", &cursors[0]).await;
    assert_eq!(gap.as_deref(), Some("c,x%2Cy%20%C3%A4"));
}

/// GAP-1: what has expired was removed as well; a channel that was deleted and made anew has no past.
#[tokio::test]
async fn expired_and_recreated() {
    let nginx = reporting().http("push_stream_message_ttl 2s;").start().await;
    let cursors = publish(&nginx, "a", 2).await;
    nginx.wait_channel_stat("a", "stored_messages", 0).await;
    let gap = gap_of(&nginx, "/polling/a", &cursors[0]).await;
    assert_eq!(gap.as_deref(), Some("a"));
    assert_eq!(gap_of(&nginx, "/polling/a", &cursors[1]).await, None);
    nginx.delete("/pub?id=a").await;
    publish(&nginx, "a", 1).await;
    assert_eq!(gap_of(&nginx, "/polling/a", &cursors[0]).await, None);
}

/// GAP-3: an event that a page can see, before any message; only in EventSource, only if there is a gap.
#[tokio::test]
async fn gap_events() {
    let events = "push_stream_gap_report on; push_stream_gap_events on;";
    let nginx = reporting()
        .mode("eventsource", "es", events)
        .mode("polling", "poll", &format!("{events} push_stream_message_template '~text~';"))
        .start()
        .await;
    for n in 1..=4 {
        let call = nginx.call("POST", "/pub?id=a").header("Event-Id", &format!("e{n}"));
        assert_eq!(call.body(n.to_string()).send().await.status, 200);
    }
    let long_ago = "Thu, 01 Jan 1970 00:00:01 GMT";
    let mut stream =
        nginx.call("GET", "/es/a").header("If-Modified-Since", long_ago).stream().await;
    assert_eq!(stream.header(GAP), Some("a"));
    let mut before = Vec::new();
    loop {
        match stream.line().await {
            line if line == "data: 3" => break,
            line => before.push(line),
        }
    }
    assert!(before.contains(&"event: gap".to_owned()), "{before:?}");
    let mut fresh = nginx.stream("/es/a.b1").await;
    fresh.expect(": \nid: e4\ndata: 4\n\n").await;
    let polled = nginx.call("GET", "/poll/a").header("If-Modified-Since", long_ago);
    let polled = polled.send().await;
    assert_eq!((polled.text(), polled.header(GAP)), ("34", Some("a")));
}

/// ES-13: the reconnection time in milliseconds, once, before anything that could be an event.
#[tokio::test]
async fn reconnection_time() {
    let nginx = Nginx::builder()
        .mode("eventsource", "es", "push_stream_eventsource_retry 1500ms;")
        .mode("eventsource", "none", "")
        .start()
        .await;
    nginx.publish("a", "text").await;
    let mut stream = nginx.stream("/es/a.b1").await;
    nginx.delete("/pub?id=a").await;
    let all = String::from_utf8(stream.rest().await.0).expect("UTF-8");
    let (head, events) = all.split_once("data: text\n\n").expect("the message");
    assert!(head.contains("retry: 1500\n") && !events.contains("retry"), "{all}");
    nginx.publish("a", "text").await;
    nginx.stream("/none/a.b1").await.expect(": \ndata: text\n\n").await;
}

/// ES-14: every message has an id, so that a client that loses its connection again and again gets all
/// messages of its channels once, in order, without the publisher's help.
#[tokio::test]
async fn an_id_for_every_message() {
    const COUNT: usize = 200;
    let nginx = Nginx::builder()
        .mode(
            "eventsource",
            "es",
            r#"push_stream_event_id auto; push_stream_subscriber_connection_ttl 200ms;
               push_stream_message_template "~channel~ ~id~";"#,
        )
        .start()
        .await;
    nginx.publish("a/b", "the beginning").await;
    let mut client = EventSource::new(&nginx, "/es/a.b1/b.b1");
    let first = client.event().await;
    let id = first.id.filter(|id| !id.is_empty()).expect("an id");
    drop(client);

    let mut client = EventSource::resuming(&nginx, "/es/a/b", &id);
    let reading = tokio::spawn(async move {
        let mut seen: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        while seen.values().map(|ids| ids.len()).sum::<usize>() < COUNT {
            let data = client.data().await;
            let (channel, id) = data.split_once(' ').expect("a channel");
            let ids = seen.entry(channel.into()).or_default();
            match id.parse::<usize>().expect("a number") {
                // Of the other channel, which shares the first message's place.
                1 => {}
                id => ids.push(id),
            }
        }
        seen
    });
    for n in 0..COUNT {
        nginx.publish(["a", "b"][n % 2], "x").await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let seen = reading.await.expect("a client");
    for channel in ["a", "b"] {
        assert_eq!(seen[channel], (2..=COUNT / 2 + 1).collect::<Vec<_>>(), "{channel}");
    }
}

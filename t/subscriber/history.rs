//! Which stored messages a new subscriber gets (OLD rules).

use crate::support::{Call, Nginx, next_second};

/// Opens the stream, sends one unstored message to `channel`, and returns what came before it.
async fn history(nginx: &Nginx, call: Call, channel: &str) -> Vec<String> {
    let mut stream = call.stream().await;
    nginx.publish_live(channel, "END").await;
    let mut seen = Vec::new();
    loop {
        let line = stream.line().await;
        match line.ends_with(" END") {
            true => return seen,
            false => seen.push(line.rsplit_once(' ').expect("a text").1.to_owned()),
        }
    }
}

/// Seven messages on `a` and their (time, tag): four in one second between which `b` got some,
/// three in a later one.
struct Stored {
    nginx: Nginx,
    stamps: Vec<(String, u64)>,
}

impl Stored {
    async fn new() -> Self {
        let nginx = Nginx::builder()
            .subscriber("stamps", "push_stream_message_template \"~time~|~tag~\\n\";")
            .location(
                "/args",
                "push_stream_subscriber; push_stream_channels_path $arg_id;
                 push_stream_message_template \"~id~ ~channel~ ~text~\\n\";
                 push_stream_last_received_message_time $arg_time;
                 push_stream_last_received_message_tag $arg_tag;
                 push_stream_last_event_id $arg_event;",
            )
            .start()
            .await;
        next_second().await;
        let send = async |text: &str, event: Option<&str>| {
            let call = nginx.call("POST", "/pub?id=b/a").body(text);
            let call = match event {
                Some(id) => call.header("Event-Id", id),
                None => call,
            };
            assert_eq!(call.send().await.status, 200);
        };
        send("m1", None).await;
        send("m2", Some("ev")).await;
        send("m3", None).await;
        send("m4", Some("")).await;
        next_second().await;
        send("m5", Some("ev")).await;
        send("m6", Some("other")).await;
        send("m7", None).await;
        let mut replay = nginx.stream("/stamps/a.b9").await;
        let stamps = replay.lines(7).await.into_iter().map(|line| {
            let (time, tag) = line.split_once('|').expect("a stamp");
            (time.to_owned(), tag.parse().expect("a tag"))
        });
        let stamps = stamps.collect::<Vec<_>>();
        assert!(stamps[0].0 == stamps[3].0 && stamps[3].0 != stamps[4].0, "{stamps:?}");
        Self { nginx, stamps }
    }

    /// What a subscriber of `a` with these request headers gets.
    async fn with(&self, headers: &[(&str, &str)]) -> String {
        let call = headers
            .iter()
            .fold(self.nginx.call("GET", "/sub/a"), |call, (name, value)| call.header(name, value));
        history(&self.nginx, call, "a").await.join(" ")
    }

    async fn since(&self, time: &str, tag: &str) -> String {
        self.with(&[("If-Modified-Since", time), ("If-None-Match", tag)]).await
    }

    async fn by_query(&self, query: &str) -> String {
        let call = self.nginx.call("GET", &format!("/args?id=a&{query}"));
        history(&self.nginx, call, "a").await.join(" ")
    }
}

const ALL: &str = "m1 m2 m3 m4 m5 m6 m7";

/// OLD-8, OLD-10..13, OLD-18, HDR-7: time and tag.
#[tokio::test]
async fn by_time_and_tag() {
    let stored = Stored::new().await;
    let (first, second) = (stored.stamps[0].0.as_str(), stored.stamps[4].0.as_str());
    let tag = |message: usize| stored.stamps[message - 1].1;

    assert_eq!(stored.with(&[]).await, "");
    assert_eq!(stored.with(&[("If-None-Match", "W/1")]).await, "", "a tag alone");
    assert_eq!(stored.with(&[("If-Modified-Since", first)]).await, "m5 m6 m7");
    assert_eq!(stored.with(&[("If-Modified-Since", second)]).await, "");
    assert_eq!(stored.since(first, "W/0").await, ALL);
    assert_eq!(stored.since(first, &format!("W/{}", tag(2))).await, "m3 m4 m5 m6 m7");
    // The tag before belongs to the other channel.
    assert_eq!(stored.since(first, &format!("W/{}", tag(3) - 1)).await, "m3 m4 m5 m6 m7");
    assert_eq!(stored.since(first, "W/999999").await, "m5 m6 m7");
    assert_eq!(stored.since(second, &format!("W/{}", tag(7))).await, "");
    for form in [format!("{}", tag(6)), format!("\"{}\"", tag(6)), format!("W/\"{}\"", tag(6))] {
        assert_eq!(stored.since(second, &form).await, "m7", "{form}");
    }
    // OLD-5: not a tag, so all of that second is skipped.
    for form in ["-1", "W/", "W/x", "*", "\"\""] {
        assert_eq!(stored.since(first, form).await, "m5 m6 m7", "{form}");
    }
}

/// OLD-3: HTTP dates in their three forms, and a one-digit day; anything else is no time.
#[tokio::test]
async fn forms_of_a_date() {
    let stored = Stored::new().await;
    for date in [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Thursday, 01-Jan-70 00:00:00 GMT",
        "Thu Jan  1 00:00:00 1970",
        "Thu, 1 Jan 1970 00:00:00 GMT",
    ] {
        assert_eq!(stored.with(&[("If-Modified-Since", date)]).await, ALL, "{date}");
    }
    for date in ["0", "null", "1", "1764000000", "yesterday", ""] {
        assert_eq!(stored.with(&[("If-Modified-Since", date)]).await, "", "{date}");
    }
}

/// OLD-6, OLD-10..12: the first message with that event id, or the time, whichever is older; an
/// empty event id is none.
#[tokio::test]
async fn by_event_id() {
    let stored = Stored::new().await;
    let first = stored.stamps[0].0.as_str();
    let event = "Last-Event-Id";
    assert_eq!(stored.with(&[(event, "ev")]).await, "m3 m4 m5 m6 m7");
    assert_eq!(stored.with(&[("LAST-EVENT-ID", "other")]).await, "m7");
    assert_eq!(stored.with(&[(event, "unknown")]).await, "");
    assert_eq!(stored.with(&[(event, "EV")]).await, "");
    assert_eq!(stored.with(&[(event, "")]).await, "");
    let both = [(event, "other"), ("If-Modified-Since", first)];
    assert_eq!(stored.with(&both).await, "m5 m6 m7");
    let both = [(event, "ev"), ("If-Modified-Since", first)];
    assert_eq!(stored.with(&both).await, "m3 m4 m5 m6 m7");
    let both = [(event, "unknown"), ("If-Modified-Since", first)];
    assert_eq!(stored.with(&both).await, "m5 m6 m7");
}

/// OLD-2, OLD-4, DIR-168..170: with the directives in force the headers are never looked at.
#[tokio::test]
async fn by_directives() {
    let stored = Stored::new().await;
    let time = stored.stamps[0].0.replace(' ', "%20");
    let tag = stored.stamps[1].1;
    assert_eq!(stored.by_query(&format!("time={time}")).await, "m5 m6 m7");
    assert_eq!(stored.by_query(&format!("time={time}&tag={tag}")).await, "m3 m4 m5 m6 m7");
    assert_eq!(stored.by_query(&format!("time={time}&tag=W/{tag}")).await, "m3 m4 m5 m6 m7");
    assert_eq!(stored.by_query(&format!("time={time}&tag=W%2F{tag}")).await, "m3 m4 m5 m6 m7");
    assert_eq!(stored.by_query("event=other").await, "m7");
    assert_eq!(stored.by_query("event=").await, "");
    let plus = time.replace("%20", "+");
    assert_eq!(stored.by_query(&format!("time={plus}")).await, "");
    let call = stored
        .nginx
        .call("GET", "/args?id=a")
        .header("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")
        .header("If-None-Match", "W/0")
        .header("Last-Event-Id", "ev");
    assert!(history(&stored.nginx, call, "a").await.is_empty());
}

/// OLD-9, OLD-14: a backtrack wins over the cursor for its item only; in the order of publication.
#[tokio::test]
async fn backtrack_and_cursor_together() {
    let stored = Stored::new().await;
    let call = |path: &str| {
        let call = stored.nginx.call("GET", &format!("/sub/{path}"));
        call.header("If-Modified-Since", &stored.stamps[0].0)
    };
    let seen = async |path: &str| history(&stored.nginx, call(path), "a").await.join(" ");
    assert_eq!(seen("a.b1/b").await, "m5 m6 m7 m7");
    assert_eq!(seen("b/a.b1").await, "m5 m6 m7 m7");
    assert_eq!(seen("a.b0/b.b1").await, "m5 m6 m7 m7");
    assert_eq!(seen("a.b100").await, ALL);
    assert_eq!(seen("none/a.b2").await, "m6 m7");
}

/// OLD-11, OLD-12: deleted in between or not, a cursor finds what follows it.
#[tokio::test]
async fn a_cursor_whose_message_is_gone() {
    let nginx = Nginx::builder()
        .http("push_stream_max_messages_stored_per_channel 2;")
        .subscriber("stamps", "push_stream_message_template \"~time~|~tag~\\n\";")
        .start()
        .await;
    let mut live = nginx.stream("/stamps/a").await;
    nginx.publish("a", "m1").await;
    let line = live.line().await;
    let (time, tag) = line.split_once('|').expect("a stamp");
    for n in 2..=4 {
        nginx.publish("a", format!("m{n}")).await;
    }
    let call = nginx
        .call("GET", "/sub/a")
        .header("If-Modified-Since", time)
        .header("If-None-Match", &format!("W/{tag}"));
    assert_eq!(history(&nginx, call, "a").await, ["m3", "m4"]);
}

/// A replay of many pages: everything in order, with what is published meanwhile behind it.
#[tokio::test]
async fn a_long_replay() {
    let nginx = Nginx::builder().zone("64m").start().await;
    let mut publisher = crate::support::Client::connect(nginx.port).await.expect("connect");
    for n in 1..=3000 {
        let text = format!("{n}{}", ".".repeat(1000));
        publisher.post("/pub?id=long", text).await.expect("a publish");
    }
    let mut stream = nginx.stream("/sub/long.b3000").await;
    for n in 3001..=3100 {
        publisher.post("/live?id=long", format!("{n}.")).await.expect("a publish");
    }
    for n in 1..=3100 {
        let line = stream.line().await;
        assert!(line.starts_with(&format!("{n} long {n}.")), "{line} instead of {n}");
    }
}

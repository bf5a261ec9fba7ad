//! Beyond the C module: gaps are told, and an event stream resumes without the publisher's help.

use crate::support::{Call, Nginx, Stream};

async fn start(directives: &str, http: &str) -> Nginx {
    let mut builder = Nginx::builder().http(http);
    for (name, mode) in
        [("ev", "eventsource"), ("poll", "polling"), ("lp", "long-polling"), ("st", "streaming")]
    {
        builder = builder.location(
            &format!("~ ^/{name}/(.*)$"),
            &format!(
                "push_stream_subscriber {mode}; push_stream_channels_path $1;
                 push_stream_longpolling_connection_ttl 300ms; {directives}"
            ),
        );
    }
    builder.start().await
}

const EPOCH: &str = "Thu, 01 Jan 1970 00:00:01 GMT";

fn since(call: Call, time: &str, tag: &str) -> Call {
    call.header("If-Modified-Since", time).header("If-None-Match", tag)
}

/// A cursor older than the newest message that is gone is a gap, whatever took it; a channel without
/// losses, one created anew, an own backtrack and a client without cursor have none.
#[tokio::test]
async fn gaps_are_reported() {
    let nginx =
        start("push_stream_gap_report on;", "push_stream_max_messages_stored_per_channel 2;").await;
    let gap = async |target: &str, cursor: Option<(&str, &str)>| {
        let call = nginx.call("GET", target);
        let call = cursor.iter().fold(call, |call, (time, tag)| since(call, time, tag));
        let stream = call.try_stream().await.expect("an answer");
        stream.header("x-nginx-pushstream-gap").map(str::to_owned)
    };
    for n in 1..=2 {
        nginx.publish("a%20%C3%A9", &format!("{n}")).await;
        nginx.publish("b,c", &format!("{n}")).await;
    }
    let modes = ["poll", "lp", "st", "ev"];
    for mode in modes {
        assert_eq!(gap(&format!("/{mode}/a%20%C3%A9"), Some((EPOCH, "0"))).await, None, "{mode}");
    }
    nginx.publish_live("a%20%C3%A9", "an unstored one").await;
    let second = nginx.get("/poll/a%20%C3%A9.b1").await;
    for mode in modes {
        assert_eq!(gap(&format!("/{mode}/a%20%C3%A9"), Some((EPOCH, "0"))).await, None, "{mode}");
    }
    nginx.publish("a%20%C3%A9", "3").await;
    for mode in modes {
        let told = gap(&format!("/{mode}/a%20%C3%A9/b,c"), Some((EPOCH, "0"))).await;
        assert_eq!(told.as_deref(), Some("a%20%C3%A9"), "{mode}");
        assert_eq!(gap(&format!("/{mode}/a%20%C3%A9.b1/b,c"), Some((EPOCH, "0"))).await, None);
    }
    for mode in ["poll", "st", "ev"] {
        assert_eq!(gap(&format!("/{mode}/a%20%C3%A9"), None).await, None, "{mode}");
    }
    nginx.publish("b,c", "3").await;
    let both = gap("/poll/b,c/a%20%C3%A9", Some((EPOCH, "0"))).await;
    assert_eq!(both.as_deref(), Some("b%2Cc,a%20%C3%A9"));
    // A client that had the last one that went has no gap.
    let (time, tag) = (second.header("last-modified"), second.header("etag"));
    let cursor = (time.expect("a time"), tag.expect("a tag"));
    assert_eq!(gap("/poll/a%20%C3%A9", Some(cursor)).await, None);
    nginx.delete("/pub?id=a%20%C3%A9").await;
    nginx.publish("a%20%C3%A9", "again").await;
    assert_eq!(gap("/poll/a%20%C3%A9", Some((EPOCH, "0"))).await, None);
}

/// What expired is gone as well, and a poll that has nothing else to say says so, at once or later.
#[tokio::test]
async fn expired_messages_are_a_gap() {
    let nginx = start("push_stream_gap_report on;", "push_stream_message_ttl 1s;").await;
    nginx.publish("x", "short-lived").await;
    nginx.wait_channel_stat("x", "stored_messages", 0).await;
    for mode in ["poll", "lp"] {
        let answer = since(nginx.call("GET", &format!("/{mode}/x")), EPOCH, "0").send().await;
        assert_eq!((answer.status, answer.header("x-nginx-pushstream-gap")), (304, Some("x")));
    }
}

/// Off by default, and events are for event streams only.
#[tokio::test]
async fn gap_events() {
    let http = "push_stream_max_messages_stored_per_channel 1;";
    let nginx =
        start("push_stream_gap_events on; push_stream_eventsource_retry 1500ms;", http).await;
    for n in 1..=3 {
        nginx.publish("g%2C", &n.to_string()).await;
    }
    let mut stream = since(nginx.call("GET", "/ev/g,/h"), EPOCH, "0").stream().await;
    assert_eq!(stream.header("x-nginx-pushstream-gap"), None);
    stream.expect(": \nretry: 1500\nevent: gap\ndata: g%2C\n\ndata: 3\n\n").await;
    let mut stream = nginx.stream("/ev/g,.b1").await;
    stream.expect(": \nretry: 1500\ndata: 3\n\n").await;
    let mut stream = since(nginx.call("GET", "/st/g,"), EPOCH, "0").stream().await;
    stream.expect("3").await;
    let nginx = start("", http).await;
    for n in 1..=3 {
        nginx.publish("g", &n.to_string()).await;
    }
    let mut stream = since(nginx.call("GET", "/ev/g"), EPOCH, "0").stream().await;
    assert_eq!(stream.header("x-nginx-pushstream-gap"), None);
    stream.expect(": \ndata: 3\n\n").await;
}

/// An EventSource as far as coming back goes.
struct Source {
    target: String,
    last_id: Option<String>,
}

impl Source {
    async fn open(&self, nginx: &Nginx) -> Stream {
        let call = nginx.call("GET", &self.target);
        let id = self.last_id.iter();
        let mut stream = id.fold(call, |call, id| call.header("Last-Event-ID", id)).stream().await;
        stream.expect(": \n").await;
        stream
    }

    /// The next event's data; an event without data only tells where the stream is.
    async fn next(&mut self, stream: &mut Stream) -> Option<String> {
        let mut data = None;
        loop {
            let line = stream.line().await;
            match line.split_once(": ") {
                Some(("id", id)) => self.last_id = Some(id.to_owned()),
                Some(("data", text)) => data = Some(text.to_owned()),
                None => return data,
                other => panic!("a line '{other:?}'"),
            }
        }
    }
}

/// `push_stream_event_id auto`: however often the connection breaks, in history or live, over several
/// channels, with backtracks and with publishers' own ids among them: every message once, in order.
#[tokio::test]
async fn an_event_stream_resumes_by_itself() {
    let nginx = start("push_stream_event_id auto;", "").await;
    for own_ids in [false, true] {
        let [a, b, c] = ["a", "b", "c"].map(|name| format!("{name}{own_ids}"));
        let mut source = Source { target: format!("/ev/{c}/{a}.b3/{b}"), last_id: None };
        let mut stream = source.open(&nginx).await;
        // Where it is, before anything has come: even now it can come back.
        assert_eq!(source.next(&mut stream).await, None);
        drop(stream);
        let mut seen = Vec::new();
        for round in 0..12u32 {
            for (i, channel) in [&a, &b, &c, &b].iter().enumerate() {
                let n = round * 4 + i as u32;
                let call = nginx.call("POST", &format!("/pub?id={channel}")).body(n.to_string());
                let call = match own_ids && n % 5 == 0 {
                    true => call.header("Event-Id", &format!("own {n}")),
                    false => call,
                };
                assert_eq!(call.send().await.status, 200);
            }
            let mut stream = source.open(&nginx).await;
            // Breaks in the middle of the history, but for some rounds that go on live.
            for _ in 0..(1 + round % 5) {
                if seen.len() as u32 == (round + 1) * 4 {
                    break;
                }
                seen.extend(source.next(&mut stream).await);
            }
        }
        let mut stream = source.open(&nginx).await;
        while seen.len() < 48 {
            seen.extend(source.next(&mut stream).await);
        }
        nginx.publish(&c, "live").await;
        seen.extend(source.next(&mut stream).await);
        let expected = (0..48).map(|n| n.to_string()).chain(["live".to_owned()]);
        assert_eq!(seen, expected.collect::<Vec<_>>());
    }
}

/// A new client's backtrack is sent, with ids; other modes and other locations know no such ids.
#[tokio::test]
async fn who_gets_ids() {
    let nginx = start("push_stream_event_id auto;", "").await;
    nginx.publish("w", "1").await;
    nginx.publish("w", "2").await;
    let mut source = Source { target: "/ev/w.b2".into(), last_id: None };
    let mut stream = source.open(&nginx).await;
    assert_eq!(source.next(&mut stream).await.as_deref(), Some("1"));
    assert!(source.last_id.as_deref().is_some_and(|id| id.contains(':')), "{:?}", source.last_id);
    let mut stream = source.open(&nginx).await;
    assert_eq!(source.next(&mut stream).await.as_deref(), Some("2"));
    assert_eq!(nginx.get("/poll/w.b2").await.body, b"12");
    nginx.delete("/pub?id=w").await;
    assert_eq!(source.next(&mut stream).await.as_deref(), Some("Channel deleted"));
    let nginx = start("", "").await;
    nginx.publish("w", "1").await;
    let mut stream = nginx.stream("/ev/w.b1").await;
    stream.expect(": \ndata: 1\n\n").await;
    let call = nginx.call("GET", "/ev/w").header("Last-Event-ID", "1:0");
    let mut stream = call.stream().await;
    nginx.publish("w", "2").await;
    stream.expect(": \ndata: 2\n\n").await;
}

/// A client whose id leads nowhere, because its message is gone or its time has not come, is told where it is:
/// what it misses from then on it gets.
#[tokio::test]
async fn an_id_that_leads_nowhere() {
    let nginx = start("push_stream_event_id auto;", "").await;
    nginx.publish("n", "before").await;
    for id in ["gone", "99999999999:1"] {
        let mut source = Source { target: "/ev/n".into(), last_id: Some(id.into()) };
        let mut stream = source.open(&nginx).await;
        assert_eq!(source.next(&mut stream).await, None, "{id}");
        drop(stream);
        nginx.publish("n", id).await;
        let mut stream = source.open(&nginx).await;
        assert_eq!(source.next(&mut stream).await.as_deref(), Some(id));
    }
}

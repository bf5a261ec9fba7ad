//! Polling and long polling: what is answered, when, and where the client goes on.

use crate::support::{Answer, Call, DEADLINE, Nginx, Raw, RawAnswer, next_second};

const LOCATIONS: [(&str, &str); 3] = [
    ("poll", "push_stream_subscriber polling;"),
    ("lp", "push_stream_subscriber long-polling; push_stream_longpolling_connection_ttl 20s;"),
    ("short", "push_stream_subscriber long-polling; push_stream_longpolling_connection_ttl 300ms;"),
];

async fn start(directives: &str) -> Nginx {
    let mut builder = Nginx::builder();
    for (name, mode) in LOCATIONS {
        builder = builder.location(
            &format!("~ ^/{name}/(.*)$"),
            &format!(
                "{mode} push_stream_channels_path $1;
                 push_stream_message_template \"~id~ ~channel~ ~text~\\n\"; {directives}"
            ),
        );
    }
    builder.start().await
}

/// A client that comes back with what it was told.
#[derive(Clone)]
struct Poller {
    target: String,
    time: Option<String>,
    tag: Option<String>,
}

impl Poller {
    fn new(target: &str) -> Self {
        Self { target: target.into(), time: None, tag: None }
    }

    fn from_start(target: &str) -> Self {
        let time = Some("Thu, 01 Jan 1970 00:00:00 GMT".into());
        Self { time, tag: Some("W/0".into()), ..Self::new(target) }
    }

    fn call(&self, nginx: &Nginx) -> Call {
        let mut call = nginx.call("GET", &self.target);
        if let Some(time) = &self.time {
            call = call.header("If-Modified-Since", time);
        }
        if let Some(tag) = &self.tag {
            call = call.header("If-None-Match", tag);
        }
        call
    }

    fn learn(&mut self, answer: &Answer) {
        self.time = answer.header("last-modified").map(str::to_owned);
        self.tag = answer.header("etag").map(str::to_owned);
    }

    /// Asks once: the status and the lines.
    async fn ask(&mut self, nginx: &Nginx) -> (u16, String) {
        let answer = self.call(nginx).send().await;
        self.learn(&answer);
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    }
}

async fn waiting(nginx: &Nginx, channel: &str, count: u64) {
    nginx.wait_channel_stat(channel, "subscribers", count).await;
}

/// MODE-1..3: the header decides, whatever the location is; other words are ignored.
#[tokio::test]
async fn the_header_names_the_mode() {
    let nginx = start("").await;
    nginx.publish("m", "old").await;
    for location in ["sub", "poll", "lp"] {
        for word in ["polling", "POLLING", "long-polling", "Long-Polling"] {
            let call = nginx.call("GET", &format!("/{location}/m.b1"));
            let answer = call.header("X-Nginx-PushStream-Mode", word).send().await;
            assert_eq!((answer.status, answer.body.as_slice()), (200, b"1 m old\n".as_slice()));
        }
        let call = nginx.call("GET", &format!("/{location}/m"));
        let answer = call.header("x-nginx-pushstream-mode", "polling").send().await;
        assert_eq!(answer.status, 304, "{location}: nothing, and at once");
    }
    let mut stream =
        nginx.call("GET", "/sub/m.b1").header("X-Nginx-PushStream-Mode", "polling ").stream().await;
    stream.expect("1 m old\n").await;
    let mut stream = nginx
        .call("GET", "/sub/m.b1")
        .header("X-Nginx-PushStream-Mode", "websocket")
        .stream()
        .await;
    stream.expect("1 m old\n").await;
    nginx.publish("m", "new").await;
    stream.expect("2 m new\n").await;
}

/// LP-1, HDR-2, HDR-8: a polling client hears its own words when there is nothing.
#[tokio::test]
async fn nothing_to_say() {
    let nginx = start("").await;
    for (time, tag) in [
        (None, None),
        (Some("Sat, 21 Nov 2026 19:29:35 GMT"), None),
        (Some("Sat, 21 Nov 2026 19:29:35 GMT"), Some("W/7")),
        (None, Some("W/7")),
        (Some("Thu, 01 Jan 1970 00:00:00 GMT"), Some("7")),
    ] {
        let poller = Poller {
            time: time.map(str::to_owned),
            tag: tag.map(str::to_owned),
            ..Poller::new("/poll/n")
        };
        let answer = poller.call(&nginx).send().await;
        assert_eq!(answer.status, 304);
        assert_eq!(answer.header("last-modified"), time.filter(|time| !time.contains("1970")));
        assert_eq!(answer.header("etag").map(|tag| tag.replace("W/", "")), tag.map(|_| "7".into()));
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        assert_eq!(answer.header("content-length"), Some("0"));
        assert_eq!(answer.header("expires"), Some(crate::support::EXPIRES));
    }
    // ADM-13, ADM-15: it made the channel and is no subscriber.
    assert_eq!(nginx.channel_stat("n", "subscribers").await, 0);
    assert!(nginx.channel("n").await.is_some());
}

/// LP-2, LP-4, OLD-15, TPL-7, TPL-8: all there is, between the templates, and where to go on.
#[tokio::test]
async fn all_there_is_in_one_answer() {
    let templates = "push_stream_header_template HEAD; push_stream_footer_template FOOT;";
    let nginx = start(templates).await;
    for location in ["poll", "lp"] {
        let (a, b) = (format!("a{location}"), format!("b{location}"));
        let mut poller = Poller::from_start(&format!("/{location}/{b}/{a}"));
        for text in ["one", "two", "three"] {
            nginx.publish(&a, text).await;
        }
        nginx.publish(&b, "other").await;
        let expected = format!("HEAD1 {b} other\n1 {a} one\n2 {a} two\n3 {a} three\nFOOT");
        assert_eq!(poller.ask(&nginx).await, (200, expected));
        nginx.publish(&a, "four").await;
        assert_eq!(poller.ask(&nginx).await, (200, format!("HEAD4 {a} four\nFOOT")));
    }
    assert_eq!(nginx.stat("subscribers").await, 0);
}

/// LP-5..7, HDR-6, LP-20: a wait ends with the first message alone; a channel named twice is one.
#[tokio::test]
async fn the_first_message_ends_the_wait() {
    let templates = "push_stream_header_template HEAD; push_stream_footer_template FOOT;";
    let nginx = start(templates).await;
    let mut poller = Poller::new("/lp/x/y/x");
    let call = poller.call(&nginx);
    let answer = tokio::spawn(call.send());
    waiting(&nginx, "x", 1).await;
    waiting(&nginx, "y", 1).await;
    nginx.post("/pub?id=y/x/y", "one").await;
    let answer = answer.await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"HEAD1 y one\nFOOT".as_slice()));
    assert!(answer.header("etag").is_some_and(|tag| tag.starts_with("W/")));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    poller.learn(&answer);
    // The rest is found by the next request.
    let (status, rest) = poller.ask(&nginx).await;
    assert_eq!((status, rest.as_str()), (200, "HEAD1 x one\n2 y one\nFOOT"));
    assert_eq!(nginx.stat("subscribers").await, 0);
}

/// LP-7, LP-21: whatever is published between two polls, in the same second or while an answer
/// travels, is found once.
#[tokio::test]
async fn nothing_is_lost_between_polls() {
    let nginx = start("").await;
    let mut poller = Poller::from_start("/lp/p/q");
    let mut seen = Vec::new();
    for round in 0..30 {
        for channel in ["p", "q"] {
            nginx.publish(channel, &round.to_string()).await;
        }
        while seen.len() < 2 * (round + 1) {
            let (status, body) = poller.ask(&nginx).await;
            assert_eq!(status, 200);
            seen.extend(body.lines().map(str::to_owned));
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 60);
}

/// LP-8..10: the time is up; what else is published in that second is found.
#[tokio::test]
async fn a_wait_in_vain() {
    let nginx = start("").await;
    let mut poller = Poller::new("/short/v");
    let answer = poller.call(&nginx).send().await;
    assert_eq!((answer.status, answer.header("etag")), (304, Some("W/0")));
    assert_eq!(answer.header("content-length"), Some("0"));
    poller.learn(&answer);
    nginx.publish("v", "now").await;
    assert_eq!(poller.ask(&nginx).await, (200, "1 v now\n".into()));
    // What it has of the second it is not given again.
    for _ in 0..3 {
        let before = poller.clone();
        let (status, body) = poller.ask(&nginx).await;
        assert_eq!((status, body.as_str()), (304, ""));
        if poller.time == before.time {
            assert_eq!(poller.tag, before.tag);
        }
    }
    nginx.publish("v", "more").await;
    assert_eq!(poller.ask(&nginx).await, (200, "2 v more\n".into()));
}

/// LP-11, LP-12 and the sane reading of LP-14.
#[tokio::test]
async fn a_wait_in_vain_with_a_body() {
    let nginx = Nginx::builder()
        .http("push_stream_timeout_with_body on;")
        .location(
            "/t",
            "push_stream_subscriber long-polling; push_stream_channels_path $arg_id;
             push_stream_subscriber_connection_ttl 300ms;
             push_stream_header_template H; push_stream_footer_template F;
             push_stream_message_template
                 \"~id~|~channel~|~text~|~time~|~tag~|~event-id~|~event-type~\";",
        )
        .start()
        .await;
    let answer = nginx.get("/t?id=a").await;
    let time = answer.header("last-modified").expect("a time").to_owned();
    assert_eq!((answer.status, answer.header("etag")), (200, Some("W/0")));
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(body, format!("H-3||Timed out|{time}|0||F"));
    let answer = nginx.get("/t?id=a&callback=f").await;
    let time = answer.header("last-modified").expect("a time").to_owned();
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(body, format!("f([-3||Timed out|{time}|0||]);"));
}

/// LP-15, DEL-1..3, the sane reading of DEL-4: the message says what the head says, and the client
/// goes on from there.
#[tokio::test]
async fn a_deleted_channel_ends_the_wait() {
    let nginx = start("").await;
    let mut poller = Poller::new("/lp/d/e");
    let answer = tokio::spawn(poller.call(&nginx).send());
    waiting(&nginx, "d", 1).await;
    waiting(&nginx, "e", 1).await;
    assert_eq!(nginx.delete("/pub?id=d").await.status, 200);
    let answer = answer.await.expect("an answer");
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, body.as_str()), (200, "-2 d Channel deleted\n"));
    assert_eq!(answer.header("etag"), Some("W/0"));
    poller.learn(&answer);
    nginx.publish("e", "still").await;
    nginx.publish("d", "again").await;
    assert_eq!(poller.ask(&nginx).await, (200, "1 d again\n1 e still\n".into()));
}

/// DEL-4: time and tag of the message about a deletion are a position as good as any message's.
#[tokio::test]
async fn a_deletion_is_a_position() {
    let nginx = Nginx::builder()
        .location(
            "~ ^/stamps/(.*)$",
            "push_stream_subscriber; push_stream_channels_path $1;
             push_stream_message_template \"~time~|~tag~|~text~\\n\";",
        )
        .location("~ ^/poll/(.*)$", "push_stream_subscriber polling; push_stream_channels_path $1;")
        .start()
        .await;
    let mut stream = nginx.stream("/stamps/d/e").await;
    nginx.publish("d", "before").await;
    nginx.publish("e", "before").await;
    nginx.delete("/pub?id=d").await;
    nginx.publish("e", "after").await;
    nginx.publish("d", "after").await;
    let lines = stream.lines(4).await;
    assert!(lines[2].ends_with("|Channel deleted"), "{lines:?}");
    let (time, rest) = lines[2].split_once('|').expect("a time");
    let (tag, _) = rest.split_once('|').expect("a tag");
    let call = nginx.call("GET", "/poll/d/e").header("If-Modified-Since", time);
    assert_eq!(call.header("If-None-Match", tag).send().await.body, b"afterafter");
}

/// LP-16, LIFE-94: a reload answers those that wait.
#[tokio::test]
async fn a_reload_ends_the_wait() {
    let nginx = start("").await;
    let answer = tokio::spawn(nginx.call("GET", "/lp/r").send());
    waiting(&nginx, "r", 1).await;
    nginx.reload().await;
    let answer = answer.await.expect("an answer");
    assert_eq!((answer.status, answer.header("etag")), (304, Some("W/0")));
    nginx.wait_stat("subscribers", 0).await;
}

/// SUB-45: a client that goes away is no subscriber any more, and nothing of it is left.
#[tokio::test]
async fn a_client_that_goes_while_it_waits() {
    let nginx = start("").await;
    let mut raw = nginx.raw().await;
    raw.request("GET /lp/g", &[]).await;
    waiting(&nginx, "g", 1).await;
    drop(raw);
    waiting(&nginx, "g", 0).await;
    nginx.publish("g", "nobody").await;
}

async fn answers(raw: &mut Raw, count: usize) -> Vec<RawAnswer> {
    let mut answers = Vec::new();
    for _ in 0..count {
        answers.push(raw.answer().await);
    }
    answers
}

/// LP-18, SUB-20, SUB-60: pipelined requests are answered in order on one connection, whatever kind of
/// answer each gets.
#[tokio::test]
async fn pipelined_polls() {
    let nginx = start("").await;
    nginx.publish("k", "one").await;
    let mut raw = nginx.raw().await;
    for target in ["/poll/k.b1", "/short/k", "/poll/k", "/lp/k", "/stats?id=k", "/lp/k.b2"] {
        raw.request(&format!("GET {target}"), &[]).await;
    }
    let first = answers(&mut raw, 3).await;
    assert_eq!(first.iter().map(RawAnswer::status).collect::<Vec<_>>(), [200, 304, 304]);
    assert_eq!(first[0].body, b"1 k one\n");
    waiting(&nginx, "k", 1).await;
    nginx.publish("k", "two").await;
    let rest = answers(&mut raw, 3).await;
    assert_eq!(rest[0].body, b"2 k two\n");
    assert_eq!(rest[1].status(), 200);
    assert_eq!(rest[2].body, b"1 k one\n2 k two\n");
}

/// SUB-60: HTTP/1.0, with and without keep-alive.
#[tokio::test]
async fn http_1_0() {
    let nginx = start("").await;
    nginx.publish("o", "one").await;
    let mut raw = nginx.raw().await;
    raw.send("GET /poll/o HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    let answer = raw.answer().await;
    assert_eq!((answer.status(), answer.header("connection")), (304, Some("keep-alive")));
    raw.send("GET /poll/o.b1 HTTP/1.0\r\n\r\n").await;
    let head = raw.head().await;
    assert_eq!((head.status(), head.header("transfer-encoding")), (200, None));
    assert_eq!(raw.until_close().await, b"1 o one\n");
}

/// TPL-13: a message that is nothing still ends the wait, and leaves no comma.
#[tokio::test]
async fn empty_messages() {
    let nginx = Nginx::builder()
        .location(
            "/e",
            "push_stream_subscriber long-polling; push_stream_channels_path $arg_id;
             push_stream_message_template ~event-id~;",
        )
        .start()
        .await;
    for (text, event) in [("1", None), ("2", Some("'b'")), ("3", None), ("4", Some("'d'"))] {
        let call = nginx.call("POST", "/pub?id=e").body(text);
        let call = event.into_iter().fold(call, |call, id| call.header("Event-Id", id));
        assert_eq!(call.send().await.status, 200);
    }
    assert_eq!(nginx.get("/e?id=e.b9&callback=f").await.body, b"f(['b','d']);");
    let answer = tokio::spawn(nginx.call("GET", "/e?id=e").send());
    waiting(&nginx, "e", 1).await;
    nginx.publish("e", "nothing").await;
    let answer = answer.await.expect("an answer");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

/// JP-1..8: names, wrapping, types.
#[tokio::test]
async fn jsonp() {
    let nginx = Nginx::builder()
        .location(
            "/j",
            "push_stream_subscriber polling; push_stream_channels_path $arg_id;
             push_stream_message_template \"{'id':~id~,'text':'~text~'}\";
             push_stream_header_template HEAD; push_stream_footer_template FOOT;",
        )
        .start()
        .await;
    nginx.publish("a", "one").await;
    nginx.publish("a", "two").await;
    nginx.publish("b", "three").await;
    let mut raw = nginx.raw().await;
    raw.request("GET /j?id=a.b2/b.b1&Callback=cb%5B0%5D.f", &[]).await;
    let head = raw.head().await;
    assert_eq!((head.status(), head.header("content-type")), (200, Some("application/javascript")));
    for chunk in [
        "cb[0].f",
        "([",
        "{'id':1,'text':'one'}",
        ",",
        "{'id':2,'text':'two'}",
        ",",
        "{'id':1,'text':'three'}",
        "]);",
    ] {
        raw.expect_chunk(chunk).await;
    }
    assert_eq!(raw.chunk().await, None);
    raw.request("GET /j?id=a&callback=f", &[]).await;
    let answer = raw.answer().await;
    assert_eq!(answer.status(), 304);
    assert_eq!(answer.header("content-type"), Some("application/javascript"));
    raw.request("GET /j?id=a.b1&callback=", &[]).await;
    assert_eq!(raw.answer().await.body, b"HEAD{'id':2,'text':'two'}FOOT");
    for name in ["alert(1)//%0d%0a", "a;b", "%3Cscript%3E"] {
        let answer = nginx.get(&format!("/j?id=new&callback={name}")).await;
        answer.assert_refused(400, Some("Callback is not a JavaScript name."));
    }
    assert!(nginx.channel("new").await.is_none(), "a refused request makes nothing");
    let mut stream = nginx.stream("/sub/a.b1?callback=f").await;
    stream.expect("2 a two\n").await;
}

/// HDR-12, HDR-13: conditions are cursors or nothing, in every mode.
#[tokio::test]
async fn conditions_are_ignored() {
    let nginx = start("").await;
    let workers = nginx.worker_pids();
    nginx.publish("c", "old").await;
    let tag = nginx.get("/poll/c.b1").await.header("etag").expect("a tag").to_owned();
    for (name, value) in [
        ("If-Match", "*"),
        ("If-Match", "\"x\""),
        ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("If-None-Match", "*"),
        ("If-None-Match", tag.as_str()),
        ("Range", "bytes=0-1"),
    ] {
        for location in ["poll", "lp"] {
            let call = nginx.call("GET", &format!("/{location}/c.b1"));
            let answer = call.header(name, value).send().await;
            assert_eq!((answer.status, answer.body.as_slice()), (200, b"1 c old\n".as_slice()));
        }
    }
    assert_eq!(nginx.worker_pids(), workers);
}

/// A long history goes out in pages, and live messages meanwhile are found by the next poll.
#[tokio::test]
async fn a_long_answer() {
    let nginx = start("").await;
    for _ in 0..300 {
        nginx.publish("l", "x".repeat(2000)).await;
    }
    let mut poller = Poller::from_start("/lp/l");
    let (status, body) = poller.ask(&nginx).await;
    assert_eq!((status, body.lines().count()), (200, 300));
    nginx.publish("l", "end").await;
    assert_eq!(poller.ask(&nginx).await, (200, "301 l end\n".into()));
}

/// SUB-22..25: answers of polls carry the headers too, and a page may send and read what it needs.
#[tokio::test]
async fn cross_origin_polls() {
    let nginx = start("push_stream_allowed_origins http://a.example;").await;
    nginx.publish("o", "one").await;
    for (target, status) in
        [("/poll/o", 304), ("/poll/o.b1", 200), ("/lp/o.b1", 200), ("/short/o", 304)]
    {
        let answer = nginx.get(target).await;
        assert_eq!(answer.status, status, "{target}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://a.example"));
        let allowed = answer.header("access-control-allow-headers").unwrap_or_default();
        assert!(allowed.ends_with(",X-Nginx-PushStream-Mode"), "{allowed}");
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        assert!(exposed.starts_with("Etag,Last-Modified"), "{exposed}");
    }
}

/// OLD-17: a time that has not come is nobody's position.
#[tokio::test]
async fn a_time_that_has_not_come() {
    let nginx = start("").await;
    next_second().await;
    let call = nginx.call("POST", "/pub?id=f").body("one").header("Event-Id", "e1");
    assert_eq!(call.send().await.status, 200);
    nginx.publish("f", "two").await;
    let call = nginx.call("GET", "/poll/f").header("Last-Event-Id", "e1");
    let answer = call.header("If-Modified-Since", "Thu, 01 Jan 2037 00:00:00 GMT").send().await;
    assert_eq!(answer.body, b"2 f two\n");
    let mut poller = Poller::new("/poll/f");
    poller.learn(&answer);
    nginx.publish("f", "three").await;
    assert_eq!(poller.ask(&nginx).await, (200, "3 f three\n".into()));
    // A client whose clock is ahead gets what comes after it first asked.
    let mut ahead = Poller::new("/poll/f");
    ahead.time = Some("Thu, 01 Jan 2037 00:00:00 GMT".into());
    assert_eq!(ahead.ask(&nginx).await, (304, String::new()));
    nginx.publish("f", "four").await;
    assert_eq!(ahead.ask(&nginx).await, (200, "4 f four\n".into()));
}

/// Many wait at once, and each gets its answer; the deadline is that of every test.
#[tokio::test]
async fn many_wait_for_one_message() {
    let nginx = start("").await;
    let calls = (0..200).map(|_| tokio::spawn(nginx.call("GET", "/lp/many").send()));
    let calls: Vec<_> = calls.collect();
    waiting(&nginx, "many", 200).await;
    nginx.publish("many", "all").await;
    for call in calls {
        let answer =
            tokio::time::timeout(DEADLINE, call).await.expect("in time").expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"1 many all\n".as_slice()));
    }
    nginx.wait_stat("subscribers", 0).await;
}

//! JSONP: polled answers as a call of the script's function.

use crate::support::{Nginx, Raw};

const TEMPLATES: &str = r#"push_stream_header_template "HEAD|"; push_stream_footer_template "|FOOT";
    push_stream_message_template '{"id":~id~,"text":"~text~"}';"#;

async fn start() -> Nginx {
    let quick = format!("{TEMPLATES} push_stream_longpolling_connection_ttl 300ms;");
    let nginx = Nginx::builder()
        .mode("polling", "poll", TEMPLATES)
        .mode("long-polling", "quick", &quick)
        .mode("long-polling", "lp", TEMPLATES)
        .mode("streaming", "stream", "push_stream_subscriber_connection_ttl 1s;")
        .mode("eventsource", "es", "push_stream_subscriber_connection_ttl 1s;")
        .start()
        .await;
    for text in ["one", "two"] {
        nginx.publish("a", text).await;
    }
    nginx.publish("b", "three").await;
    nginx
}

async fn waiting(nginx: &Nginx, target: &str, channel: &str) -> Raw {
    let mut raw = nginx.raw().await;
    raw.request(&format!("GET {target}"), &[]).await;
    nginx.wait_channel_stat(channel, "subscribers", 1).await;
    raw
}

/// JP-1, JP-3, JP-4, JP-5, HDR-4: messages of all channels as one array, and nothing around the call.
#[tokio::test]
async fn stored_messages() {
    let nginx = start().await;
    let two = r#"{"id":1,"text":"one"},{"id":2,"text":"two"}"#;
    for location in ["poll", "lp"] {
        for (path, messages) in [
            ("a.b1", r#"{"id":2,"text":"two"}"#.to_owned()),
            ("a.b2", two.to_owned()),
            ("a.b2/b.b1", format!(r#"{two},{{"id":1,"text":"three"}}"#)),
        ] {
            let answer = nginx.get(&format!("/{location}/{path}?callback=cb")).await;
            assert_eq!(
                (answer.status, answer.text()),
                (200, format!("cb([{messages}]);").as_str())
            );
            assert_eq!(answer.header("content-type"), Some("application/javascript"));
            assert!(answer.header("etag").is_some() && answer.header("last-modified").is_some());
        }
    }
}

/// JP-1, JP-3, LP-7: the message that ends a wait, in a location that waits and in one that is asked to.
#[tokio::test]
async fn a_live_message() {
    let nginx = start().await;
    for (location, header) in
        [("lp", "X-Any: 1"), ("poll", "X-Nginx-PushStream-Mode: long-polling")]
    {
        let mut raw = nginx.raw().await;
        raw.request(&format!("GET /{location}/live?callback=cb"), &[header]).await;
        nginx.wait_channel_stat("live", "subscribers", 1).await;
        nginx.publish_live("live", location).await;
        let answer = raw.answer().await;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(body.starts_with(r#"cb([{"id":"#), "{body}");
        assert!(body.ends_with(&format!(r#","text":"{location}"}}]);"#)), "{body}");
        assert_eq!(answer.header("content-type"), Some("application/javascript"));
    }
}

/// JP-6: no messages, no call, but the script's content type.
#[tokio::test]
async fn nothing_to_call_with() {
    let nginx = start().await;
    for target in ["/poll/empty?callback=cb", "/quick/empty?callback=cb"] {
        let answer = nginx.get(target).await;
        assert_eq!((answer.status, answer.text()), (304, ""), "{target}");
        assert_eq!(answer.header("content-type"), Some("application/javascript"), "{target}");
    }
}

/// JP-2: which argument names the function.
#[tokio::test]
async fn the_argument() {
    let nginx = start().await;
    let call = r#"cb([{"id":2,"text":"two"}]);"#;
    for query in [
        "callback=cb",
        "CALLBACK=cb",
        "x=1&callback=cb",
        "&callback=cb&_=1764000000000",
        "callback=cb&callback=second",
        "callback=%63%62",
    ] {
        let answer = nginx.get(&format!("/poll/a.b1?{query}")).await;
        assert_eq!((answer.status, answer.text()), (200, call), "{query}");
    }
    // JP-8: an empty name is none.
    let plain = r#"HEAD|{"id":2,"text":"two"}|FOOT"#;
    for query in ["callback", "xcallback=cb", "x=callback=cb", "callback=", "callback=&x=1"] {
        let answer = nginx.get(&format!("/poll/a.b1?{query}")).await;
        assert_eq!((answer.status, answer.text()), (200, plain), "{query}");
        assert_eq!(answer.header("content-type"), Some("text/plain"), "{query}");
    }
}

/// JP-7: a name is a path of identifiers and indices; anything else could be a script of its own.
#[tokio::test]
async fn the_name() {
    let nginx = start().await;
    for name in ["f", "$", "_f0", "a.b.c", "a[0]", "PushStreamManager_0_onmessage_1764000000000"] {
        let answer = nginx.get(&format!("/poll/a.b1?callback={name}")).await;
        assert_eq!(answer.text(), format!(r#"{name}([{{"id":2,"text":"two"}}]);"#));
    }
    for name in [
        "alert(1)//",
        "a%0d%0aX-Injected:%201",
        "a%0A",
        "a%00",
        "a;b",
        "a%20b",
        "%3Cscript%3E",
        "a%22b%22",
        "a=b",
        "a-b",
        "%C3%A9",
        "a,b",
        "a/**/",
        "a%60b",
    ] {
        for location in ["poll", "lp"] {
            let answer = nginx.get(&format!("/{location}/a.b1?callback={name}")).await;
            assert_eq!((answer.status, answer.text()), (400, ""), "{name}");
            assert_eq!(answer.header("content-length"), Some("0"), "{name}");
            assert_eq!(answer.header("x-injected"), None, "{name}");
            let text = "Callback is not a JavaScript name.";
            assert_eq!(answer.explanation(), Some(text), "{name}");
        }
    }
}

/// JP-1: streams take no notice.
#[tokio::test]
async fn streams_ignore_it() {
    let nginx = start().await;
    let mut stream = nginx.stream("/stream/a.b1?callback=cb").await;
    stream.expect("two").await;
    stream.ends_with("").await;
    let mut stream = nginx.stream("/es/a.b1?callback=alert(1)").await;
    assert_eq!(stream.header("content-type"), Some("text/event-stream; charset=utf-8"));
    stream.expect(": \ndata: two\n\n").await;
    stream.ends_with("").await;
}

/// SUB-45: a script that is removed from its page leaves nothing behind.
#[tokio::test]
async fn a_client_that_leaves() {
    let nginx = start().await;
    drop(waiting(&nginx, "/lp/gone?callback=cb", "gone").await);
    nginx.wait_channel_stat("gone", "subscribers", 0).await;
}

//! Event stream framing that no text can break, and what templates become in it.

use crate::support::{EventSource, Nginx};

/// What a message looks like on the wire, without the header comment before it and the notice of the
/// channel's deletion behind it.
async fn framed(nginx: &Nginx, location: &str, text: &[u8]) -> String {
    let mut stream = nginx.stream(&format!("/{location}/a")).await;
    stream.expect(": \n").await;
    nginx.publish_live("a", text).await;
    nginx.delete("/pub?id=a").await;
    let all = String::from_utf8(stream.rest().await.0).expect("UTF-8");
    let end = all.rfind("data: ").expect("the notice");
    assert!(all[end..].contains("Channel deleted") && all.ends_with("\n\n"), "{all}");
    all[..end].to_owned()
}

/// ES-3..5, ES-7, ES-8: every line of a text is a line of data, however it ends and whatever it holds.
#[tokio::test]
async fn lines() {
    let nginx = Nginx::builder().mode("eventsource", "es", "").start().await;
    for (text, expected) in [
        ("one", "data: one\n\n"),
        ("two\r\nlines", "data: two\ndata: lines\n\n"),
        ("two\nlines", "data: two\ndata: lines\n\n"),
        ("two\rlines", "data: two\ndata: lines\n\n"),
        ("a\rb\nc\r\nd", "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        ("a\n\nb", "data: a\ndata: \ndata: b\n\n"),
        ("a\n\rb", "data: a\ndata: \ndata: b\n\n"),
        ("\na", "data: \ndata: a\n\n"),
        (" a ", "data:  a \n\n"),
        ("nul\0x\ny", "data: nul\0x\ndata: y\n\n"),
        (
            "event: x\nid: y\n: z\nretry: 1",
            "data: event: x\ndata: id: y\ndata: : z\ndata: retry: 1\n\n",
        ),
        ("data: data", "data: data: data\n\n"),
        ("\u{feff}ä€😀", "data: \u{feff}ä€😀\n\n"),
    ] {
        assert_eq!(framed(&nginx, "es", text.as_bytes()).await, expected, "{text:?}");
    }
}

/// ES-3, ES-6, ES-9, TPL-1, TPL-3, TPL-6: the template stands in every line, with the size of that line, and
/// always ends lines and the event.
#[tokio::test]
async fn message_templates() {
    let nginx = Nginx::builder()
        .mode("eventsource", "size", r#"push_stream_message_template "~size~:~text~;";"#)
        .mode("eventsource", "own", r#"push_stream_message_template "data: ~text~";"#)
        .mode("eventsource", "ended", r#"push_stream_message_template "data: ~text~\n";"#)
        .mode("eventsource", "blank", r#"push_stream_message_template "";"#)
        .mode("eventsource", "json", r#"push_stream_message_template '{"text":"~text~"}';"#)
        .start()
        .await;
    for (location, text, expected) in [
        ("size", "a\nbcd", "data: 1:a;\ndata: 3:bcd;\n\n"),
        ("size", "~text~ ~id~", "data: 11:~text~ ~id~;\n\n"),
        ("own", "two\nlines", "data: two\ndata: lines\n\n"),
        ("own", "one", "data: one\n\n"),
        ("blank", "one", "data: one\n\n"),
        ("json", "a\nb", "data: {\"text\":\"a\"}\ndata: {\"text\":\"b\"}\n\n"),
    ] {
        assert_eq!(framed(&nginx, location, text.as_bytes()).await, expected, "{location}");
    }
    let ended = framed(&nginx, "ended", b"two\nlines").await;
    assert_eq!(ended, "data: two\ndata: lines\n\n");
}

/// ES-1, ES-2: header and footer as comments; one that is a comment already stays as it is.
#[tokio::test]
async fn header_and_footer_templates() {
    let cases = [
        ("none", "", ": \n", ""),
        ("empty", r#"push_stream_header_template ""; push_stream_footer_template "";"#, ": \n", ""),
        (
            "lines",
            r#"push_stream_header_template "one\r\n\ntwo"; push_stream_footer_template "x\ny\n";"#,
            ": one\n: two\n",
            ": x\n: y\n",
        ),
        (
            "comment",
            r#"push_stream_header_template ": done\n"; push_stream_footer_template ": gone\n\n";"#,
            ": done\n",
            ": gone\n\n",
        ),
        (
            "event",
            r#"push_stream_header_template "data: x\n\n"; push_stream_footer_template "data: y";"#,
            ": data: x\n",
            ": data: y\n",
        ),
    ];
    let mut nginx = Nginx::builder();
    for (name, directives, _, _) in cases {
        let ttl = "push_stream_subscriber_connection_ttl 300ms;";
        nginx = nginx.mode("eventsource", name, &format!("{ttl} {directives}"));
    }
    let nginx = nginx.start().await;
    for (name, _, header, footer) in cases {
        let mut stream = nginx.stream(&format!("/{name}/a")).await;
        stream.expect(header).await;
        stream.ends_with(footer).await;
    }
}

/// ES-10: ids and types as published; a message without them resets nothing. Two templates at once do
/// not disturb each other (TPL-10, TPL-12).
#[tokio::test]
async fn ids_and_types() {
    let nginx = Nginx::builder().mode("eventsource", "es", "").start().await;
    let mut plain = nginx.stream("/raw?id=a").await;
    let mut events = nginx.stream("/es/a").await;
    for (id, kind) in
        [(Some("1"), None), (None, Some("news")), (Some("ä b"), Some("x: y")), (None, None)]
    {
        let mut call = nginx.call("POST", "/live?id=a").body("text");
        if let Some(id) = id {
            call = call.header("Event-Id", id);
        }
        if let Some(kind) = kind {
            call = call.header("Event-Type", kind);
        }
        assert_eq!(call.send().await.status, 200);
    }
    events.expect(": \nid: 1\ndata: text\n\nevent: news\ndata: text\n\n").await;
    events.expect("id: ä b\nevent: x: y\ndata: text\n\ndata: text\n\n").await;
    plain.expect("texttexttexttext").await;
}

/// ES-4, ES-5, ES-7, ES-8: a client library reads back what was published, line ends of any kind as line
/// feeds, stored and live.
#[tokio::test]
async fn read_back() {
    let nginx = Nginx::builder().mode("eventsource", "es", "").start().await;
    let texts = [
        "plain",
        "a\nb",
        "a\r\nb",
        "a\rb",
        "a\n\nb",
        "\r\r",
        "\n\r\n",
        "x\n",
        "x\r",
        "x\r\n",
        "\nx",
        ":",
        ": c",
        "data:",
        "id: 1\n\nevent: x",
        "ä\n€\r😀",
        "  two  spaces ",
        "retry: 1\n",
    ];
    let mut live = EventSource::new(&nginx, "/es/a");
    live.opened().await;
    nginx.wait_channel_stat("a", "subscribers", 1).await;
    for text in texts {
        nginx.publish("a", text).await;
    }
    let mut stored = EventSource::new(&nginx, &format!("/es/a.b{}", texts.len()));
    for text in texts {
        let expected = text.replace("\r\n", "\n").replace('\r', "\n");
        assert_eq!(live.data().await, expected, "{text:?}");
        assert_eq!(stored.data().await, expected, "{text:?}");
    }
}

/// ES-15, ADM-14: the events channel shows each event under its type.
#[tokio::test]
async fn the_events_channel() {
    let nginx = Nginx::builder()
        .http("push_stream_events_channel_id events;")
        .mode("eventsource", "es", "push_stream_allow_connections_to_events_channel on;")
        .start()
        .await;
    let mut client = EventSource::new(&nginx, "/es/events");
    client.opened().await;
    nginx.wait_channel_stat("events", "subscribers", 1).await;
    nginx.publish("new", "text").await;
    loop {
        let event = client.event().await;
        if event.data.contains("\"new\"") {
            assert_eq!(event.kind, "channel_created");
            assert_eq!(event.data, r#"{"type": "channel_created", "channel": "new"}"#);
            break;
        }
    }
}

//! Header, message and footer templates.

use crate::support::stream::End;
use crate::support::{Nginx, next_second};

/// TPL-1..6, DIR-107..119: each template and what the message `T~id~` makes of it, published to
/// [`CHANNEL`] with event id `ev~id~` and event type `type`.
const RENDERED: &[(&str, &str)] = &[
    ("~text~", "T~id~"),
    ("~id~", "1"),
    ("~ID~ ~Text~ ~Event-ID~ ~SIZE~", "1 T~id~ ev~id~ 5"),
    ("~channel~ ~event-id~ ~event-type~", "tpl-~text~ ev~id~ type"),
    ("~text~~text~", "T~id~T~id~"),
    ("~id~text~", "1text~"),
    ("~foo~text~", "~fooT~id~"),
    ("~~text~", "~T~id~"),
    ("~text", "~text"),
    ("~", "~"),
    ("x~id~~", "x1~"),
    ("constant", "constant"),
    ("$host ${x} %s \\\\ é", "$host ${x} %s \\ é"),
    ("{'t':'~text~','s':~size~}", "{'t':'T~id~','s':5}"),
];
const CHANNEL: &str = "tpl-~text~";

#[tokio::test]
async fn message_templates() {
    let mut builder = Nginx::builder();
    for (n, (template, _)) in RENDERED.iter().enumerate() {
        let template = format!("push_stream_message_template \"{template}\";");
        builder = builder.subscriber(&format!("t{n}"), &template);
    }
    let nginx = builder.start().await;
    let mut streams = Vec::new();
    for n in 0..RENDERED.len() {
        streams.push(nginx.stream(&format!("/t{n}/{CHANNEL}")).await);
    }
    let call = nginx.call("POST", &format!("/pub?id={CHANNEL}")).body("T~id~");
    let answer = call.header("Event-Id", "ev~id~").header("Event-Type", "type").send().await;
    assert_eq!(answer.status, 200);
    for (n, (live, (template, expected))) in streams.iter_mut().zip(RENDERED).enumerate() {
        let mut replay = nginx.stream(&format!("/t{n}/{CHANNEL}.b1")).await;
        for stream in [live, &mut replay] {
            let seen = stream.exactly(expected.len()).await;
            assert_eq!(String::from_utf8_lossy(&seen), *expected, "{template}");
        }
    }
}

/// TPL-1, DIR-113, DIR-114: `~time~` and `~tag~` agree with what a cursor needs.
#[tokio::test]
async fn time_and_tag() {
    let nginx = Nginx::builder()
        .subscriber("stamp", "push_stream_message_template \"~time~|~tag~\\n\";")
        .start()
        .await;
    let mut live = nginx.stream("/stamp/s").await;
    let before = next_second().await;
    nginx.publish("s", "x").await;
    let line = live.line().await;
    let (time, tag) = line.split_once('|').expect("a time and a tag");
    assert_eq!(tag, "1");
    let time = httpdate::parse_http_date(time).expect("an HTTP date");
    let seconds = time.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    assert!((before..before + 30).contains(&seconds), "{seconds} is not soon after {before}");
    assert_eq!(nginx.stream("/stamp/s.b1").await.line().await, line);
}

/// TPL-2, TPL-5: bytes pass unchanged, NUL and invalid UTF-8 included, and count in `~size~`.
#[tokio::test]
async fn binary_text() {
    let nginx = Nginx::builder()
        .subscriber("sized", "push_stream_message_template \"~size~:~text~\";")
        .start()
        .await;
    let text: Vec<u8> = (0..=255).chain([0, b'"', b'\\', b'<']).collect();
    let mut live = nginx.stream("/sized/bin").await;
    nginx.publish("bin", &text).await;
    let mut replay = nginx.stream("/sized/bin.b1").await;
    for stream in [&mut live, &mut replay] {
        stream.expect([b"260:".as_slice(), &text].concat()).await;
    }
}

/// TPL-6, TPL-7, DIR-41, DIR-108, DIR-126, DIR-128, DIR-129, SUB-15: header and footer go as they are, at
/// begin and end.
#[tokio::test]
async fn header_and_footer() {
    let nginx = Nginx::builder()
        .subscriber(
            "framed",
            "push_stream_header_template \"~id~ $host\\r\\n\";
             push_stream_footer_template \"~text~ $uri\";
             push_stream_message_template \"(~text~)\";",
        )
        .start()
        .await;
    nginx.publish("f", "old").await;
    let mut stream = nginx.stream("/framed/f.b1").await;
    stream.expect("~id~ $host\r\n(old)").await;
    nginx.delete("/pub?id=f").await;
    stream.ends_with("(Channel deleted)~text~ $uri").await;
    // TPL-7: never with a refusal.
    nginx.get("/framed/ALL").await.assert_empty();
}

/// DIR-60, DIR-61, DIR-144, TPL-9: the innermost value, and an empty one hides the outer.
#[tokio::test]
async fn merging() {
    let nginx = Nginx::builder()
        .http("push_stream_header_template HTTP; push_stream_footer_template FOOT;")
        .server("push_stream_header_template SERVER; push_stream_message_template \"[~text~]\";")
        .subscriber("inherit", "")
        .subscriber("own", "push_stream_header_template OWN; push_stream_message_template ~text~!;")
        .subscriber("none", "push_stream_header_template \"\"; push_stream_footer_template \"\";")
        .start()
        .await;
    for (location, expected) in [
        ("inherit", "SERVER[hi][Channel deleted]FOOT"),
        ("own", "OWNhi!Channel deleted!FOOT"),
        ("none", "[hi][Channel deleted]"),
    ] {
        let mut stream = nginx.stream(&format!("/{location}/m")).await;
        nginx.publish_live("m", "hi").await;
        nginx.delete("/pub?id=m").await;
        stream.ends_with(expected).await;
    }
}

/// SUB-12, DIR-122, DIR-123, DIR-124: a header from a file, byte for byte; a relative name is
/// looked for where nginx looks; an empty file is an empty header.
#[tokio::test]
async fn header_from_a_file() {
    let nginx = Nginx::start().await;
    let content = b"<!-- from \0 a file -->\r\n~id~ $host\n".as_slice();
    std::fs::write(nginx.dir().join("header.html"), content).expect("a file");
    std::fs::write(nginx.dir().join("empty.html"), "").expect("a file");
    let absolute = nginx.dir().join("header.html");
    nginx
        .reload_with(|builder| {
            builder
                .server("push_stream_header_template OUTER;")
                .subscriber("relative", "push_stream_header_template_file header.html;")
                .subscriber("empty", "push_stream_header_template_file empty.html;")
                .subscriber(
                    "absolute",
                    &format!("push_stream_header_template_file {};", absolute.display()),
                )
        })
        .await;
    std::fs::write(&absolute, "changed afterwards").expect("a file");
    for (location, header) in [("relative", content), ("absolute", content), ("empty", b"")] {
        let mut stream = nginx.stream(&format!("/{location}/f")).await;
        nginx.publish_live("f", "|").await;
        stream.expect([header, b"|"].concat()).await;
    }
}

/// SUB-13, DIR-125: a header from a file may hold any byte, in every mode; a line of it is a comment in
/// eventsource, and the whole a frame in WebSocket.
#[tokio::test]
async fn any_byte_in_a_header_from_a_file() {
    let nginx = Nginx::start().await;
    let content: Vec<u8> = (0..=255).collect();
    let file = nginx.dir().join("header");
    std::fs::write(&file, &content).expect("a file");
    nginx
        .reload_with(|builder| {
            let header = format!("push_stream_header_template_file {};", file.display());
            let modes = ["streaming", "polling", "long-polling", "eventsource"];
            let builder = builder.websocket("websocket", &header);
            modes.into_iter().fold(builder, |builder, mode| builder.mode(mode, mode, &header))
        })
        .await;
    nginx.publish("a", "text").await;
    let plain = [&content, b"text".as_slice()].concat();
    nginx.stream("/streaming/a.b1").await.expect(&plain).await;
    for mode in ["polling", "long-polling"] {
        assert_eq!(nginx.get(&format!("/{mode}/a.b1")).await.body, plain, "{mode}");
    }
    let lines = [&content[..10], &content[11..13], &content[14..]];
    let comments = lines.map(|line| [b": ", line, b"\n"].concat()).concat();
    let events = [&comments, b"data: text\n\n".as_slice()].concat();
    nginx.stream("/eventsource/a.b1").await.expect(&events).await;
    let mut socket = nginx.socket("/websocket/a.b1").await;
    // It is no UTF-8 (WS-56).
    socket.expect(0x82, &content).await;
    socket.text("text").await;
}

/// SUB-53, TPL-13, DIR-146: what renders to nothing is skipped, and the stream goes on.
#[tokio::test]
async fn empty_renderings() {
    let nginx = Nginx::builder()
        .http("push_stream_ping_message_text \"\"; push_stream_channel_deleted_message_text \"\";")
        .subscriber("events", "push_stream_message_template ~event-id~;")
        .subscriber("pinged", "push_stream_ping_message_interval 100ms;")
        .start()
        .await;
    let mut events = nginx.stream("/events/e").await;
    let mut pinged = nginx.stream("/pinged/e").await;
    nginx.publish("e", "no event id").await;
    let call = nginx.call("POST", "/pub?id=e").header("Event-Id", "E7").body("!");
    assert_eq!(call.send().await.status, 200);
    events.expect("E7").await;
    pinged.expect("no event id!").await;
    // Several pings fall into this; none may show or break anything.
    next_second().await;
    nginx.publish_live("e", "?").await;
    pinged.expect("?").await;
    let mut replay = nginx.stream("/events/e.b2").await;
    replay.expect("E7").await;
    nginx.delete("/pub?id=e").await;
    for stream in [&mut events, &mut pinged, &mut replay] {
        assert_eq!(stream.rest().await, (Vec::new(), End::Clean));
    }
}

//! Padding by user agent.

use crate::support::{Builder, Nginx, Stream};

const AGENTS: &str = r#""[T|t]est 1,4097,0:[T|t]est 2,100,700:^Any,1000,1000:Any,1,1""#;

fn padded(groups: &str) -> Builder {
    Nginx::builder().http(&format!("push_stream_padding_by_user_agent {groups};"))
}

async fn open(nginx: &Nginx, target: &str, agent: &str) -> Stream {
    nginx.call("GET", target).header("User-Agent", agent).stream().await
}

/// What fills `len` bytes between messages of a stream (PAD-8).
fn crlf(len: usize) -> String {
    format!("{}{}", "\n".repeat(len % 2), "\r\n".repeat(len / 2))
}

/// What fills `len` bytes between events (PAD-8).
fn comment(len: usize) -> String {
    format!("{}\n", ":".repeat(len - 1))
}

/// PAD-4, PAD-6, PAD-7, PAD-8: after the header template and after every message, ping and notice of a
/// deletion.
#[tokio::test]
async fn a_stream() {
    let nginx = padded(AGENTS)
        .mode(
            "streaming",
            "str",
            r#"push_stream_header_template "12345"; push_stream_message_template "<~text~>";
               push_stream_footer_template "FOOT"; push_stream_ping_message_interval 500ms;"#,
        )
        .start()
        .await;
    nginx.publish("a", "old").await;
    let mut stream = open(&nginx, "/str/a.b1", "a test 2 agent").await;
    stream.expect(format!("12345{}<old>{}", crlf(100), crlf(700))).await;
    nginx.publish("a", "x".repeat(598)).await;
    stream.expect(format!("<{}>{}", "x".repeat(598), crlf(200))).await;
    // Large enough, so nothing is added.
    nginx.publish("a", "x".repeat(698)).await;
    stream.expect(format!("<{}>< >{}", "x".repeat(698), crlf(700))).await;
    nginx.delete("/pub?id=a").await;
    let (rest, _) = stream.rest().await;
    let rest = String::from_utf8(rest).expect("UTF-8");
    let end = format!("<Channel deleted>{}FOOT", crlf(700));
    let pings = rest.strip_suffix(&end).unwrap_or_else(|| panic!("{rest:?}"));
    assert_eq!(pings.replace(&format!("< >{}", crlf(700)), ""), "");
}

/// PAD-6, PAD-7, PAD-8: the same for events, as one comment line; `id:` and `event:` lines do not count,
/// pings are not padded.
#[tokio::test]
async fn an_event_source() {
    let nginx = padded(AGENTS)
        .mode("eventsource", "es", "push_stream_ping_message_interval 500ms;")
        .start()
        .await;
    let mut stream = open(&nginx, "/es/a", "Test 2").await;
    stream.expect(format!(": \n{}", comment(100))).await;
    let call = nginx.call("POST", "/pub?id=a").header("Event-Id", "i").header("Event-Type", "t");
    assert_eq!(call.body("text").send().await.status, 200);
    let event = format!("id: i\nevent: t\ndata: text\n\n{}", comment(700));
    stream.expect(format!("{event}: -1\n: -1\n")).await;
}

/// PAD-7, PAD-9: the amounts, of which the largest minimum of the configuration is one.
#[tokio::test]
async fn amounts() {
    let nginx = padded(r#""small,0,100:largest,0,4097""#)
        .mode("streaming", "str", "")
        .mode("streaming", "own", r#"push_stream_padding_by_user_agent "medium,0,150";"#)
        .start()
        .await;
    for (agent, len, amount) in [
        ("largest", 4097 - 97, 100),
        ("largest", 4097 - 100, 200),
        ("largest", 4097 - 199, 200),
        ("largest", 4097 - 1022, 1100),
        ("largest", 4097 - 4000, 4097),
        ("largest", 4097 - 4087, 4097),
        ("largest", 4097 - 1, 100),
        ("largest", 4097, 0),
        // It may be one of another location.
        ("medium", 10, 200),
        ("small", 99, 100),
        ("small", 1, 100),
        ("small", 100, 0),
    ] {
        let target = if agent == "medium" { "/own/a" } else { "/str/a" };
        let mut stream = open(&nginx, target, agent).await;
        let text = "x".repeat(len);
        nginx.publish_live("a", &text).await;
        nginx.publish_live("a", "END").await;
        stream.expect(format!("{text}{}END", crlf(amount))).await;
    }
}

/// PAD-1, PAD-4, DIR-149, DIR-156, DIR-171: the first group that matches, case-sensitively, anywhere in
/// the name; none, or an empty one by directive, gets no padding.
#[tokio::test]
async fn agents() {
    let nginx = padded(r#""^Moz,0,200:zil[l,a]{2},0,300:Other,0,400:""#)
        .mode("streaming", "str", "push_stream_message_template \"~text~\";")
        .mode("streaming", "arg", "push_stream_user_agent $arg_agent;")
        .mode("streaming", "any", r#"push_stream_padding_by_user_agent ".*,0,500";"#)
        .start()
        .await;
    for (agent, amount) in
        [("Mozilla", 200), ("xMozilla", 300), ("an Other one", 400), ("other", 0), ("", 0)]
    {
        let mut by_header = open(&nginx, "/str/a", agent).await;
        let target = format!("/arg/a?agent={}", agent.replace(' ', "%20"));
        let mut by_argument = open(&nginx, &target, "Other").await;
        nginx.publish_live("a", "x").await;
        nginx.publish_live("a", "y").await;
        let expected = format!("x{}y", crlf(amount));
        by_header.expect(&expected).await;
        by_argument.expect(&expected).await;
    }
    // A name that is missing or empty is found by no expression.
    for (header, amount) in [("X: y", 0), ("User-Agent:", 0), ("User-Agent: x", 500)] {
        let mut raw = nginx.raw().await;
        raw.request("GET /any/a", &[header]).await;
        raw.head().await;
        nginx.publish_live("a", "xyz").await;
        raw.expect_chunk("xyz").await;
        if amount > 0 {
            raw.expect_chunk(crlf(amount)).await;
        }
        nginx.publish_live("a", "END").await;
        raw.expect_chunk("END").await;
    }
}

/// PAD-5, DIR-157: polled answers are never padded, nor are WebSockets.
#[tokio::test]
async fn what_is_never_padded() {
    let header = "push_stream_header_template HEAD;";
    let nginx = padded(r#"".,500,500""#)
        .mode("polling", "poll", header)
        .mode("long-polling", "lp", header)
        .mode("eventsource", "es", header)
        .websocket("ws", header)
        .start()
        .await;
    nginx.publish("a", "text").await;
    let mut socket = nginx.socket_with("/ws/a.b1", &["User-Agent: any"]).await;
    for text in ["HEAD", "text"] {
        socket.text(text).await;
    }
    nginx.delete("/pub?id=a").await;
    socket.text("Channel deleted").await;
    socket.closes().await;
    nginx.publish("a", "text").await;
    for (location, body) in
        [("poll", "HEADtext"), ("lp", "HEADtext"), ("es", ": HEAD\ndata: text\n\n")]
    {
        let call = nginx.call("GET", &format!("/{location}/a.b1")).header("User-Agent", "any");
        let answer = match location {
            "es" => call.header("X-Nginx-PushStream-Mode", "polling").send().await,
            _ => call.send().await,
        };
        assert_eq!((answer.status, answer.text()), (200, body), "{location}");
    }
}

/// PAD-6: no header, no padding for it. PAD-10: a reload changes amounts for new clients, up and down.
#[tokio::test]
async fn reloads() {
    let with = |groups: &'static str| {
        move |builder: Builder| {
            let directive = format!("push_stream_padding_by_user_agent {groups};");
            builder.without_http().http(&directive)
        }
    };
    let nginx = with("\"x,0,150\"")(Nginx::builder()).mode("streaming", "str", "").start().await;
    for (groups, amount) in [
        (r#""x,300,5000""#, 5000),
        (r#""x,0,100""#, 100),
        (r#""x,0,9010:y,0,20000""#, 9100),
        (r#""x,0,150""#, 150),
    ] {
        nginx.reload_with(with(groups)).await;
        let mut stream = open(&nginx, "/str/a", "x").await;
        nginx.publish_live("a", "z".repeat(10)).await;
        nginx.publish_live("a", "END").await;
        stream.expect(format!("{}{}END", "z".repeat(10), crlf(amount))).await;
    }
}

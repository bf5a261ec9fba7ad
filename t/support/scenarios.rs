//! What clients do over WebSockets, for any client: the same is played by a library and by a browser.

use std::fmt::Debug;

use super::{Builder, Nginx, wait_for};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
}

/// A client that is not ours.
pub trait Visitor {
    type Socket;

    /// An open connection; `protocols` are offered.
    async fn open(&self, target: &str, protocols: &[&str]) -> Self::Socket;
    /// The subprotocol that the server chose, or nothing.
    async fn protocol(&self, socket: &Self::Socket) -> String;
    async fn send(&self, socket: &mut Self::Socket, message: Message);
    async fn receive(&self, socket: &mut Self::Socket) -> Message;
    async fn close(&self, socket: &mut Self::Socket, code: u16, reason: &str);
    /// Code and reason of an orderly end that comes next; 1005 for no code.
    async fn closed(&self, socket: &mut Self::Socket) -> (u16, String);

    async fn text(&self, socket: &mut Self::Socket, text: &str) {
        let seen = self.receive(socket).await;
        let wanted = Message::Text(text.into());
        assert!(seen == wanted, "{} instead of {}", brief(&seen), brief(&wanted));
    }

    async fn say(&self, socket: &mut Self::Socket, text: &str) {
        self.send(socket, Message::Text(text.into())).await;
    }
}

fn brief(message: &impl Debug) -> String {
    format!("{message:?}").chars().take(200).collect()
}

/// The locations that the scenarios need.
pub fn locations(builder: Builder) -> Builder {
    let template = "push_stream_message_template \"~id~ ~channel~ ~text~\";";
    let say = "push_stream_websocket_allow_publish on; push_stream_store_messages on;
               push_stream_subscriber_max_pending 8m;";
    let foot = "push_stream_header_template HEAD; push_stream_footer_template FOOT;";
    let coded = "push_stream_websocket_close_codes on;";
    builder
        .websocket("say", &format!("{template} {say} push_stream_websocket_subprotocol v1 v2;"))
        .websocket("whole", say)
        .websocket("zip", &format!("{say} push_stream_websocket_deflate on;"))
        .websocket("bin", &format!("{say} push_stream_websocket_binary on;"))
        .websocket("foot", &format!("{template} {foot}"))
        .websocket("coded", &format!("{template} {coded}"))
        .websocket("brief", &format!("{foot} push_stream_subscriber_connection_ttl 300ms;"))
        .websocket(
            "pinged",
            &format!(
                "{template} {coded} push_stream_ping_message_interval 20ms;
                 push_stream_websocket_pong_timeout 2s; push_stream_subscriber_connection_ttl 6s;"
            ),
        )
        .websocket(
            "back",
            &format!(
                "push_stream_message_template \"~time~|~tag~|~text~\"; {coded}
                 push_stream_last_received_message_time $arg_time;
                 push_stream_last_received_message_tag $arg_tag;"
            ),
        )
}

/// All scenarios, one after another, each with channels of its own.
pub async fn play(nginx: &Nginx, visitor: &impl Visitor) {
    history_and_live(nginx, visitor).await;
    conversation(nginx, visitor).await;
    binary(nginx, visitor).await;
    subprotocols(visitor).await;
    any_text(visitor).await;
    refusals(visitor).await;
    goodbye(nginx, visitor).await;
    deletion(nginx, visitor).await;
    time_to_live(nginx, visitor).await;
    pings(nginx, visitor).await;
    reload_and_return(nginx, visitor).await;
}

/// WS-44, WS-46: header, backtrack of each channel, then live messages.
async fn history_and_live(nginx: &Nginx, visitor: &impl Visitor) {
    for n in 1..=3 {
        nginx.publish("h1", format!("m{n}")).await;
        nginx.publish("h2", format!("m{n}")).await;
    }
    let mut socket = visitor.open("/foot/h2.b2/h1.b1/h3", &[]).await;
    for text in ["HEAD", "2 h2 m2", "3 h2 m3", "3 h1 m3"] {
        visitor.text(&mut socket, text).await;
    }
    nginx.publish_live("h3", "live").await;
    visitor.text(&mut socket, "1 h3 live").await;
    nginx.publish_live("h1", "live").await;
    visitor.text(&mut socket, "4 h1 live").await;
}

/// WS-91, WS-96: what one says all hear.
pub async fn conversation<V: Visitor>(nginx: &Nginx, visitor: &V) {
    let mut one = visitor.open("/say/talk", &[]).await;
    let mut two = visitor.open("/say/talk", &[]).await;
    for n in 0..10 {
        let (from, text) = if n % 2 == 0 { (&mut one, "ping") } else { (&mut two, "pong") };
        visitor.say(from, text).await;
        for socket in [&mut one, &mut two] {
            visitor.text(socket, &format!("{} talk {text}", n + 1)).await;
        }
    }
    assert_eq!(nginx.channel_stat("talk", "stored_messages").await, 10);
}

/// WS-107, WS-95: in both directions, and over HTTP.
async fn binary(nginx: &Nginx, visitor: &impl Visitor) {
    let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
    // A browser has two kinds of binary messages, in turn.
    for n in 0..2 {
        let mut socket = visitor.open(&format!("/bin/b{n}"), &[]).await;
        visitor.send(&mut socket, Message::Binary(bytes.clone())).await;
        assert_eq!(visitor.receive(&mut socket).await, Message::Binary(bytes.clone()));
        visitor.say(&mut socket, "text").await;
        visitor.text(&mut socket, "text").await;
        let call = nginx.call("POST", &format!("/pub?id=b{n}"));
        call.header("Content-Type", "image/png").body(b"\x89PNG").send().await;
        assert_eq!(visitor.receive(&mut socket).await, Message::Binary(b"\x89PNG".into()));
    }
    let mut unwelcome = visitor.open("/say/b", &[]).await;
    visitor.send(&mut unwelcome, Message::Binary(b"x".into())).await;
    assert_eq!(visitor.closed(&mut unwelcome).await, (1003, String::new()));
}

/// WS-GAP-18: the first of the client's that the server has.
async fn subprotocols(visitor: &impl Visitor) {
    let socket = visitor.open("/say/p", &["v3", "v2", "v1"]).await;
    assert_eq!(visitor.protocol(&socket).await, "v2");
    let socket = visitor.open("/say/p", &[]).await;
    assert_eq!(visitor.protocol(&socket).await, "");
}

/// WS-51, WS-82, WS-108: characters of all planes, controls, and 1 MiB of them; plain, and compressed
/// if the client wants that.
pub async fn any_text(visitor: &impl Visitor) {
    let planes: String = (0..=16_u32)
        .flat_map(|plane| {
            [0, 1, 0x41, 0xe4, 0x20ac, 0xfeff, 0xfffd, 0xffff].map(|c| plane << 16 | c)
        })
        .filter_map(char::from_u32)
        .collect();
    let long = planes.repeat((1 << 20) / planes.len() + 1);
    assert!(long.len() > 1 << 20);
    for (target, text) in
        [("/whole/u", &planes), ("/whole/u", &long), ("/zip/u", &planes), ("/zip/u", &long)]
    {
        let mut socket = visitor.open(target, &[]).await;
        visitor.say(&mut socket, text).await;
        visitor.text(&mut socket, text).await;
    }
}

/// WS-40, WS-41: 1008 with the reason.
async fn refusals(visitor: &impl Visitor) {
    let mut refused = visitor.open("/say/ALL", &[]).await;
    let reason = r#"{"http_status": 403, "explain":"Channel id not authorized for this method."}"#;
    assert_eq!(visitor.closed(&mut refused).await, (1008, reason.into()));
}

/// WS-78, WS-79: the client goes with a code and a reason, and hears its code.
async fn goodbye(nginx: &Nginx, visitor: &impl Visitor) {
    for (code, reason) in [(1000, ""), (4000, "done"), (3999, "\u{20ac}\u{1f600}")] {
        let channel = format!("bye{code}");
        let mut socket = visitor.open(&format!("/foot/{channel}"), &[]).await;
        visitor.text(&mut socket, "HEAD").await;
        visitor.close(&mut socket, code, reason).await;
        assert_eq!(visitor.closed(&mut socket).await, (code, String::new()));
        nginx.wait_channel_stat(&channel, "subscribers", 0).await;
    }
}

/// WS-63, WS-65, WS-66: the deleted message, the footer, and no code, or 1000.
pub async fn deletion(nginx: &Nginx, visitor: &impl Visitor) {
    let mut plain = visitor.open("/foot/d1/d2", &[]).await;
    let mut coded = visitor.open("/coded/d1", &[]).await;
    visitor.text(&mut plain, "HEAD").await;
    nginx.delete("/pub?id=d1").await;
    visitor.text(&mut coded, "-2 d1 Channel deleted").await;
    assert_eq!(visitor.closed(&mut coded).await, (1000, String::new()));
    visitor.text(&mut plain, "-2 d1 Channel deleted").await;
    nginx.publish_live("d2", "still here").await;
    visitor.text(&mut plain, "1 d2 still here").await;
    nginx.delete("/pub?id=d2").await;
    visitor.text(&mut plain, "-2 d2 Channel deleted").await;
    visitor.text(&mut plain, "FOOT").await;
    assert_eq!(visitor.closed(&mut plain).await, (1005, String::new()));
}

/// WS-64, WS-66.
async fn time_to_live(nginx: &Nginx, visitor: &impl Visitor) {
    let mut socket = visitor.open("/brief/t", &[]).await;
    visitor.text(&mut socket, "HEAD").await;
    visitor.text(&mut socket, "FOOT").await;
    assert_eq!(visitor.closed(&mut socket).await, (1005, String::new()));
    nginx.wait_channel_stat("t", "subscribers", 0).await;
}

/// WS-58, WS-60: pings between messages. Without pongs the end would be 1008, not the time to live's.
async fn pings(nginx: &Nginx, visitor: &impl Visitor) {
    let mut socket = visitor.open("/pinged/p", &[]).await;
    for n in 1..=20 {
        nginx.publish_live("p", format!("m{n}")).await;
        visitor.text(&mut socket, &format!("{n} p m{n}")).await;
    }
    assert_eq!(visitor.closed(&mut socket).await, (1000, String::new()));
}

/// WS-47, WS-63: a reload sends everybody away, without a code or with 1001; who comes back with time and
/// tag of the last message misses none.
async fn reload_and_return(nginx: &Nginx, visitor: &impl Visitor) {
    let mut plain = visitor.open("/foot/r", &[]).await;
    let mut coded = visitor.open("/back/r", &[]).await;
    visitor.text(&mut plain, "HEAD").await;
    nginx.publish("r", "before").await;
    visitor.text(&mut plain, "1 r before").await;
    let Message::Text(last) = visitor.receive(&mut coded).await else { panic!("no text") };
    nginx.reload().await;
    visitor.text(&mut plain, "FOOT").await;
    assert_eq!(visitor.closed(&mut plain).await, (1005, String::new()));
    assert_eq!(visitor.closed(&mut coded).await, (1001, String::new()));
    nginx.publish("r", "missed").await;
    nginx.publish("r", "missed too").await;
    let (time, rest) = last.split_once('|').expect("a time");
    let (tag, text) = rest.split_once('|').expect("a tag");
    assert_eq!(text, "before");
    let target = format!("/back/r?time={}&tag={tag}", time.replace(' ', "%20"));
    let mut again = visitor.open(&target, &[]).await;
    for text in ["missed", "missed too"] {
        let Message::Text(seen) = visitor.receive(&mut again).await else { panic!("no text") };
        assert!(seen.ends_with(&format!("|{text}")), "{seen}");
    }
    // Nothing of those who left keeps the old workers.
    wait_for("the old workers to leave", || async {
        nginx.retiring_pids().is_empty().then_some(())
    })
    .await;
}

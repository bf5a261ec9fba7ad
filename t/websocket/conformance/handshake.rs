//! RFC 6455 section 4: what a client must ask, and what it is answered; by HTTP/1.0 nothing else.

use crate::support::websocket::{ACCEPT, KEY, handshake};
use crate::support::{Nginx, RawAnswer};

const UPGRADE: &str = "The Upgrade header does not ask for websocket.";
const CONNECTION: &str = "The Connection header does not ask for an upgrade.";
const BAD_KEY: &str = "The Sec-WebSocket-Key header is not 16 bytes in base64.";
const VERSION: &str = "Version not supported. Supported versions: 8, 13";
/// What section 4.1 gives as an example.
const RFC_KEY: &str = "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==";
const SAME_KEY: &str = "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==";
const MISSING: &str = "Don't have at least one of the mandatory headers: Connection, Upgrade, \
                       Sec-WebSocket-Key and Sec-WebSocket-Version";

const VERSIONS: [&str; 2] = ["HTTP/1.1", "HTTP/1.0"];

struct Case {
    name: &'static str,
    start: &'static str,
    versions: &'static [&'static str],
    /// Instead of the lines of these names in a good handshake; a name alone leaves its line out.
    lines: Vec<String>,
    status: u16,
    /// Header lines of the answer, by name.
    wanted: Vec<(&'static str, Option<&'static str>)>,
}

fn asked(name: &'static str, lines: &[&str]) -> Case {
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    let (start, versions) = ("GET /ws/a", &VERSIONS);
    Case { name, start, versions, lines, status: 101, wanted: Vec::new() }
}

impl Case {
    fn start(mut self, start: &'static str) -> Self {
        self.start = start;
        self
    }

    /// By these versions of HTTP alone.
    fn by(mut self, versions: &'static [&'static str]) -> Self {
        self.versions = versions;
        self
    }

    fn gets(mut self, name: &'static str, value: impl Into<Option<&'static str>>) -> Self {
        self.wanted.push((name, value.into()));
        self
    }

    fn refused(mut self, status: u16) -> Self {
        self.status = status;
        self.gets("sec-websocket-accept", None)
    }

    fn bad(self, explanation: &'static str) -> Self {
        let refused = self.refused(400).gets(crate::support::EXPLAIN, explanation);
        refused.gets("connection", "close").gets("content-length", "0")
    }

    async fn fails(&self, nginx: &Nginx, version: &str) -> Option<String> {
        let name = |line: &str| line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let mut lines = vec!["Host: localhost".to_owned()];
        lines.extend(handshake());
        lines.retain(|old| !self.lines.iter().any(|new| name(new) == name(old)));
        lines.extend(self.lines.iter().filter(|line| line.contains(':')).cloned());
        let mut raw = nginx.raw().await;
        raw.send(format!("{} {version}\r\n{}\r\n\r\n", self.start, lines.join("\r\n"))).await;
        let answer = raw.head().await;
        let wrong = self.wanted.iter().find(|(name, value)| answer.header(name) != *value);
        let twice = answer.headers.iter().find(|(name, _)| answer.count(name) > 1);
        let said = |what: String| Some(format!("{}, {version}: {what} in {answer:?}", self.name));
        match (wrong, twice) {
            _ if !answer.status_line.starts_with("HTTP/1.1 ") => said("not HTTP/1.1".into()),
            _ if answer.status() != self.status => said(format!("not {}", self.status)),
            (Some((name, value)), _) => said(format!("not {name}: {value:?}")),
            (_, Some((name, _))) => said(format!("{name} twice")),
            _ => None,
        }
    }
}

fn requests() -> Vec<Case> {
    vec![
        asked("4.2.2, WS-19: the RFC's example", &[]).gets("sec-websocket-accept", ACCEPT),
        asked("4.2.2: another key", &["Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw=="])
            .gets("sec-websocket-accept", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
        asked("4.2.2: what the answer says", &[])
            .gets("upgrade", "WebSocket")
            .gets("connection", "Upgrade")
            .gets("sec-websocket-protocol", None)
            .gets("sec-websocket-extensions", None)
            .gets("content-length", None)
            .gets("transfer-encoding", None),
        asked("4.1: a resource name with arguments", &[]).start("GET /ws/a?x=1&y=%20"),
        asked("4.2.1: POST, WS-12", &["Content-Length: 0"])
            .start("POST /ws/a")
            .refused(405)
            .gets("allow", "GET"),
        asked("4.1: a later version", &[]).by(&["HTTP/1.2"]),
        asked("4.2.1: no Host", &["Host"]).by(&["HTTP/1.1"]).refused(400),
        asked("WS-18, WS-GAP-1: no Host in HTTP/1.0", &["Host"])
            .by(&["HTTP/1.0"])
            .gets("sec-websocket-accept", ACCEPT),
        asked("WS-18, WS-GAP-1: another Host", &["Host: elsewhere.example"]),
        asked(
            "4.2.1: other headers do not matter",
            &["Cookie: a=b", "X-Other: y", "User-Agent: z"],
        ),
        asked(
            "4.2.1, WS-17, WS-GAP-2: names and tokens in capitals",
            &["UPGRADE: WEBSOCKET", "CONNECTION: UPGRADE"],
        ),
        asked("4.2.1, WS-13: no Upgrade", &["Upgrade"]).bad(MISSING),
        asked("4.2.1, WS-17, WS-GAP-2: another Upgrade", &["Upgrade: h2c"]).bad(UPGRADE),
        asked("4.2.1, WS-GAP-2: nearly the token", &["Upgrade: websockets"]).bad(UPGRADE),
        asked("4.2.1, WS-GAP-2: a version of the protocol", &["Upgrade: websocket/13"])
            .bad(UPGRADE),
        asked("4.2.1, WS-GAP-2: a list", &["Upgrade: h2c ,WebSocket"]),
        asked("4.2.1, WS-GAP-2: two lines", &["Upgrade: h2c", "Upgrade: websocket"]),
        asked("4.2.1, WS-13: no Connection", &["Connection"]).bad(MISSING),
        asked("4.2.1, WS-GAP-3: another Connection", &["Connection: keep-alive"]).bad(CONNECTION),
        asked("4.2.1, WS-GAP-3: nearly the token", &["Connection: upgraded"]).bad(CONNECTION),
        asked("4.2.1, WS-GAP-3: a list", &["Connection: keep-alive, Upgrade"]),
        asked("4.2.1, WS-GAP-3: two lines", &["Connection: keep-alive", "Connection: upgrade"]),
    ]
}

fn keys_and_versions() -> Vec<Case> {
    vec![
        asked("4.2.1, WS-13: no key", &["Sec-WebSocket-Key"]).bad(MISSING),
        asked("4.2.1, WS-GAP-4: an empty key", &["Sec-WebSocket-Key: "]).bad(BAD_KEY),
        asked("4.1, WS-17, WS-GAP-4: the RFC's key with an unused bit", &[RFC_KEY])
            .gets("sec-websocket-accept", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
        asked("4.1, WS-19: the same 16 bytes without it", &[SAME_KEY])
            .gets("sec-websocket-accept", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
        asked("WS-GAP-4: all unused bits", &["Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEP=="]),
        asked("4.2.1, WS-GAP-4: no base64", &["Sec-WebSocket-Key: ######################=="])
            .bad(BAD_KEY),
        asked("WS-GAP-4: base64 of URLs", &["Sec-WebSocket-Key: AQIDBAUG-wgJCgsMDQ4P_A=="])
            .bad(BAD_KEY),
        asked("WS-GAP-4: too much padding", &["Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PE==="])
            .bad(BAD_KEY),
        asked("4.2.1: 15 bytes", &["Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0O"]).bad(BAD_KEY),
        asked("4.2.1: 17 bytes", &["Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODxA="]).bad(BAD_KEY),
        asked("4.2.1: no padding", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"]).bad(BAD_KEY),
        asked(
            "4.1, 11.3.1, WS-GAP-4: two keys",
            &[&format!("Sec-WebSocket-Key: {KEY}"), &format!("Sec-WebSocket-Key: {KEY}")],
        )
        .bad(BAD_KEY),
        asked("4.2.1: blanks around the key", &[&format!("Sec-WebSocket-Key:   {KEY}  ")])
            .gets("sec-websocket-accept", ACCEPT),
        asked("4.2.1, WS-13: no version", &["Sec-WebSocket-Version"]).bad(MISSING),
        asked("4.4, WS-15, WS-GAP-17: a later version", &["Sec-WebSocket-Version: 14"])
            .bad(VERSION)
            .gets("sec-websocket-version", "8, 13"),
        asked("4.4: an early version", &["Sec-WebSocket-Version: 0"])
            .bad(VERSION)
            .gets("sec-websocket-version", "8, 13"),
        asked("4.2.1, WS-14: a list of versions", &["Sec-WebSocket-Version: 13, 8"]).bad(VERSION),
        asked("4.4, WS-14: two lines", &["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"])
            .bad(VERSION),
        asked("4.4: no number", &["Sec-WebSocket-Version: thirteen"]).bad(VERSION),
        asked("4.4: above any number", &["Sec-WebSocket-Version: 4294967309"]).bad(VERSION),
        asked("4.4, WS-14: 13", &["Sec-WebSocket-Version: 13"]).gets("sec-websocket-version", None),
        asked("4.4, WS-14: 8", &["Sec-WebSocket-Version: 8"]),
    ]
}

fn choices() -> Vec<Case> {
    let chosen = |case: Case, value| case.gets("sec-websocket-protocol", value);
    let chat = |name, lines: &[&str]| asked(name, lines).start("GET /chat/a");
    vec![
        chosen(chat("4.2.2, WS-GAP-18: none offered", &[]), None),
        chosen(chat("4.2.2, WS-GAP-18: one", &["Sec-WebSocket-Protocol: v1"]), Some("v1")),
        chosen(
            chat("4.1: in the client's order", &["Sec-WebSocket-Protocol: x,v2 , v1"]),
            Some("v2"),
        ),
        chosen(
            chat(
                "11.3.4: over several lines",
                &["Sec-WebSocket-Protocol: x", "Sec-WebSocket-Protocol: v1, v2"],
            ),
            Some("v1"),
        ),
        chosen(chat("4.2.2: none that is known", &["Sec-WebSocket-Protocol: V1, v"]), None),
        asked("4.2.2, WS-21: none configured", &["Sec-WebSocket-Protocol: v1"])
            .gets("sec-websocket-protocol", None),
        asked("9.1, WS-21: unknown extensions", &["Sec-WebSocket-Extensions: x-a; b=c, x-d"])
            .gets("sec-websocket-extensions", None),
        asked(
            "4.2.2, 10.2, WS-21: any Origin where none is listed",
            &["Origin: http://evil.example"],
        ),
        asked("4.2.1: no Origin where some are listed", &[]).start("GET /own/a"),
        asked("4.2.2, 10.2, WS-GAP-19: an Origin that is listed", &["Origin: https://a.example"])
            .start("GET /own/a"),
        asked("4.2.2, 10.2, WS-GAP-19: another", &["Origin: https://b.example"])
            .start("GET /own/a")
            .refused(403)
            .gets(crate::support::EXPLAIN, "Origin not allowed."),
        asked("4.2.2, WS-GAP-19: the scheme counts", &["Origin: http://a.example"])
            .start("GET /own/a")
            .refused(403),
    ]
}

#[tokio::test]
async fn handshakes() {
    let nginx = Nginx::builder()
        .websocket("ws", "")
        .websocket("own", "push_stream_websocket_allowed_origins https://a.example;")
        .websocket("chat", "push_stream_websocket_subprotocol v1 v2;")
        .expect_log("is not among push_stream_websocket_allowed_origins")
        .start()
        .await;
    let mut failed = Vec::new();
    let cases = [requests(), keys_and_versions(), choices()].into_iter().flatten();
    for case in cases {
        for version in case.versions {
            failed.extend(case.fails(&nginx, version).await);
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    nginx.wait_stat("subscribers", 0).await;
}

/// 4.2.2: what was refused is over: what follows it on the connection is no request any more.
#[tokio::test]
async fn nothing_follows_a_refusal() {
    let nginx = Nginx::builder().websocket("ws", "").start().await;
    let mut raw = nginx.raw().await;
    let request = "GET /ws/a HTTP/1.1\r\nHost: a\r\n\r\n";
    raw.send(format!("{request}POST /pub?id=a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"))
        .await;
    let answer: RawAnswer = raw.answer().await;
    assert_eq!(answer.status(), 400);
    raw.expect_close().await;
    assert!(nginx.channel("a").await.is_none());
}

//! The recipes of docs/security.md, taken from the page.

use crate::support::nginx::free_port;
use crate::support::{Builder, Call, Nginx, Socket, Stream};

const PAGE: &str = include_str!("../../docs/security.md");
/// What stands around a recipe. The second server is the test's own way to publish.
const AROUND: &str = "worker_processes 2;
load_module modules/ngx_http_push_stream_module.so;
error_log stderr warn;
events {}
http {
    access_log off;
    push_stream_shared_memory_size 8m;
    server {
        listen 127.0.0.1:INSIDE;
        location = /pub {
            push_stream_publisher;
            push_stream_channels_path $arg_id;
            push_stream_channel_info_on_publish off;
        }
    }
RECIPE
}
";

/// The blocks in `language`, each with the heading above it.
pub fn blocks(language: &str) -> Vec<(&'static str, String)> {
    let start = format!("```{language}");
    let mut blocks = Vec::new();
    let mut heading = "";
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix("### ") {
            heading = text;
        } else if line == start {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((heading, block.join("\n")));
        }
    }
    blocks
}

/// The one block in `language` below this heading.
pub fn block(language: &str, heading: &str) -> String {
    let mut found = blocks(language).into_iter().filter(|(of, _)| *of == heading);
    let (_, block) = found.next().unwrap_or_else(|| panic!("no {language} below '{heading}'"));
    assert_eq!(found.count(), 0, "more than one below '{heading}'");
    block
}

/// A recipe and what it takes to run it.
pub struct Recipe {
    pub builder: Builder,
    inside: u16,
}

impl Recipe {
    pub fn below(heading: &str) -> Self {
        Self::of(&block("nginx", heading))
    }

    pub fn of(recipe: &str) -> Self {
        let inside = free_port();
        let text = AROUND.replace("INSIDE", &inside.to_string()).replace("RECIPE", recipe);
        Self { builder: Nginx::builder().workers(2).whole(text), inside }
    }

    pub fn with(mut self, old: &str, new: &str) -> Self {
        self.builder = self.builder.with(old, new);
        self
    }

    pub fn expect_log(mut self, text: &str) -> Self {
        self.builder = self.builder.expect_log(text);
        self
    }

    pub async fn start(self) -> Running {
        Running { nginx: self.builder.start().await, inside: self.inside }
    }
}

/// A recipe that runs.
pub struct Running {
    pub nginx: Nginx,
    inside: u16,
}

impl Running {
    /// Publishes to the channel, whatever the recipe says of publishers.
    pub async fn publish(&self, id: &str, text: &str) {
        let call = Call::new(self.inside, "POST", &format!("/pub?id={id}")).body(text);
        assert_eq!(call.send().await.status, 200);
    }

    /// A stream and a WebSocket of the channel `news` are subscribed indeed.
    pub async fn are_served(&self, stream: &mut Stream, socket: &mut Socket) {
        self.publish("news", "hello").await;
        assert_eq!(stream.line().await, "hello");
        socket.text("hello").await;
    }

    /// The statuses with which a stream and a WebSocket are refused.
    pub async fn refusals(&self, stream: &str, socket: &str) -> [u16; 2] {
        let mut raw = self.nginx.raw().await;
        let lines = crate::support::websocket::handshake();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        raw.request(&format!("GET {socket}"), &lines).await;
        [self.nginx.get(stream).await.status, raw.head().await.status()]
    }
}

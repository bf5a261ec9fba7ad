//! `WebSocket` in a browser.

use serde_json::json;

use crate::support::scenarios::{self, Message, Visitor};
use crate::support::{Nginx, Page};

const SCRIPT: &str = r#"<script>
    const sockets = [];
    function open_socket(target, protocols) {
        const socket = new WebSocket(location.origin.replace("http", "ws") + target, protocols);
        const it = { socket, seen: [], opened: null, closed: null };
        // Both kinds of binary data, in turn.
        socket.binaryType = sockets.length % 2 ? "blob" : "arraybuffer";
        socket.onopen = () => it.opened = true;
        socket.onclose = event => it.closed = [event.code, event.reason, event.wasClean];
        socket.onmessage = async event => {
            const at = it.seen.push(null) - 1;
            if (typeof event.data == "string") return it.seen[at] = { text: event.data };
            const bytes = event.data instanceof Blob ? await event.data.arrayBuffer() : event.data;
            it.seen[at] = { bytes: [...new Uint8Array(bytes)] };
        };
        return sockets.push(it) - 1;
    }
    function send_bytes(index, bytes) {
        const array = new Uint8Array(bytes);
        sockets[index].socket.send(index % 2 ? new Blob([array]) : array.buffer);
    }
</script>"#;

pub struct Socket {
    index: u64,
    read: u64,
}

impl Visitor for Page {
    type Socket = Socket;

    async fn open(&self, target: &str, protocols: &[&str]) -> Socket {
        let index = start(self, target, protocols).await;
        self.ready(&format!("sockets[{index}].opened")).await;
        Socket { index, read: 0 }
    }

    async fn protocol(&self, socket: &Socket) -> String {
        let value = self.value(&format!("sockets[{}].socket.protocol", socket.index)).await;
        value.as_str().expect("a string").into()
    }

    async fn send(&self, socket: &mut Socket, message: Message) {
        let index = socket.index;
        let script = match message {
            Message::Text(text) => format!("sockets[{index}].socket.send({})", json!(text)),
            Message::Binary(bytes) => format!("send_bytes({index}, {})", json!(bytes)),
        };
        self.value(&script).await;
    }

    async fn receive(&self, socket: &mut Socket) -> Message {
        let expression = format!("sockets[{}].seen[{}]", socket.index, socket.read);
        socket.read += 1;
        let seen = self.ready(&expression).await;
        match seen["text"].as_str() {
            Some(text) => Message::Text(text.into()),
            None => Message::Binary(serde_json::from_value(seen["bytes"].clone()).expect("bytes")),
        }
    }

    async fn close(&self, socket: &mut Socket, code: u16, reason: &str) {
        let index = socket.index;
        self.value(&format!("sockets[{index}].socket.close({code}, {})", json!(reason))).await;
    }

    async fn closed(&self, socket: &mut Socket) -> (u16, String) {
        let index = socket.index;
        let event = self.ready(&format!("sockets[{index}].closed")).await;
        let (code, reason, clean): (u16, String, bool) =
            serde_json::from_value(event).expect("code, reason and wasClean");
        assert!(clean, "an end with {code} that is not clean");
        let seen = self.value(&format!("sockets[{index}].seen.length")).await;
        assert_eq!(seen, socket.read, "messages before the end");
        (code, reason)
    }
}

async fn start(page: &Page, target: &str, protocols: &[&str]) -> u64 {
    let call = format!("open_socket({}, {})", json!(target), json!(protocols));
    page.value(&call).await.as_u64().expect("an index")
}

/// WS-44, WS-58, WS-63, WS-66, WS-91 and what else [`scenarios`] names.
#[tokio::test]
async fn the_scenarios_of_every_client() {
    let nginx = scenarios::locations(Nginx::builder()).pages().start().await;
    let page = Page::open(&nginx, "sockets", SCRIPT).await;
    scenarios::play(&nginx, &page).await;
}

/// WS-108: what the browser offers is taken, and long messages come through compressed both ways.
#[tokio::test]
async fn compression_is_agreed_on() {
    let nginx = scenarios::locations(Nginx::builder())
        .http("log_format sizes '$uri $bytes_sent';")
        .server("access_log logged sizes;")
        .pages()
        .start()
        .await;
    let page = Page::open(&nginx, "compression", SCRIPT).await;
    let text = "compressible ".repeat(10_000);
    for (target, extensions) in [("/zip/c", "permessage-deflate"), ("/whole/c", "")] {
        let mut socket = page.open(target, &[]).await;
        let value = page.value(&format!("sockets[{}].socket.extensions", socket.index)).await;
        let name = value.as_str().and_then(|value| value.split(';').next());
        assert_eq!(name, Some(extensions), "{value}");
        page.say(&mut socket, &text).await;
        page.text(&mut socket, &text).await;
        page.close(&mut socket, 1000, "").await;
        page.closed(&mut socket).await;
    }
    let log = nginx.dir().join("logged");
    let sent = crate::support::wait_for("two lines of the access log", || async {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let of = |uri: &str| {
            let line = text.lines().find(|line| line.starts_with(uri))?;
            line.split(' ').nth(1)?.parse::<usize>().ok()
        };
        of("/zip/c").zip(of("/whole/c"))
    })
    .await;
    assert!(sent.0 < text.len() / 10 && sent.1 > text.len(), "{sent:?}");
}

/// WS-21, WS-22, WS-GAP-19: pages of origins that are listed, and of others.
#[tokio::test]
async fn origins() {
    let nginx = Nginx::builder()
        .websocket("foreign", "push_stream_websocket_allowed_origins https://a.example;")
        .websocket("plain", "push_stream_websocket_refuse http;")
        .pages()
        .expect_log("is not among push_stream_websocket_allowed_origins")
        .start()
        .await;
    // The port is not known before.
    let own = format!("push_stream_websocket_allowed_origins http://127.0.0.1:{};", nginx.port);
    nginx.reload_with(|builder| builder.websocket("own", &own)).await;
    let page = Page::open(&nginx, "origins", SCRIPT).await;
    let mut socket = page.open("/own/o", &[]).await;
    nginx.publish_live("o", "welcome").await;
    page.text(&mut socket, "welcome").await;
    // A browser does not tell its pages why a handshake failed.
    for target in ["/foreign/o", "/plain/ALL"] {
        let index = start(&page, target, &[]).await;
        let closed = page.ready(&format!("sockets[{index}].closed")).await;
        assert_eq!(closed, json!([1006, "", false]), "{target}");
        assert_eq!(page.value(&format!("sockets[{index}].opened")).await, json!(null));
    }
}

/// A page over TLS, which came by HTTP/2: its sockets have connections of their own, by HTTP/1.1.
#[tokio::test]
async fn over_tls() {
    let nginx = scenarios::locations(Nginx::builder()).tls().pages().start().await;
    let origin = format!("https://localhost:{}", nginx.tls_port());
    let page = Page::open_at(&nginx, &origin, "secure", SCRIPT).await;
    let by = "performance.getEntriesByType('navigation')[0].nextHopProtocol";
    page.wait(by, "h2").await;
    scenarios::conversation(&nginx, &page).await;
    scenarios::any_text(&page).await;
    scenarios::deletion(&nginx, &page).await;
}

/// WS-63: a connection that breaks is 1006 to a page, and not clean.
#[tokio::test]
async fn a_worker_dies() {
    let nginx = scenarios::locations(Nginx::builder()).workers(1).pages().start().await;
    let page = Page::open(&nginx, "broken", SCRIPT).await;
    let mut socket = page.open("/say/k", &[]).await;
    page.say(&mut socket, "alive").await;
    page.text(&mut socket, "1 k alive").await;
    nginx.kill_worker(*nginx.worker_pids().first().expect("a worker"));
    let closed = page.ready(&format!("sockets[{}].closed", socket.index)).await;
    assert_eq!(closed, json!([1006, "", false]));
    nginx.all_workers().await;
    let mut again = page.open("/say/k.b1", &[]).await;
    page.text(&mut again, "1 k alive").await;
}

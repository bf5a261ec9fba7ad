//! `EventSource` in a browser.

use crate::support::{Nginx, Page};

/// Sends texts as they are.
const PLAIN: &str =
    "location = /plain { push_stream_subscriber eventsource; push_stream_channels_path a;
                     push_stream_message_template ''; }";

async fn publish(nginx: &Nginx, id: &str, kind: Option<&str>, text: &str) {
    let mut call = nginx.call("POST", "/pub?id=a").header("Event-Id", id).body(text);
    if let Some(kind) = kind {
        call = call.header("Event-Type", kind);
    }
    assert_eq!(call.send().await.status, 200);
}

/// CLI-57..59, CLI-67, CLI-79, ES-10, ES-14: messages with their ids, types on request; a reload ends the
/// connection, and the browser comes back with `Last-Event-ID` to find what it missed, each once.
#[tokio::test]
async fn messages_and_reconnection() {
    let nginx = Nginx::builder().sample("browser-client.conf").start().await;
    let page = Page::open(
        &nginx,
        "events",
        r#"<script>
            const seen = [], opened = [];
            const source = new EventSource("/ev/a");
            source.onopen = () => opened.push(source.readyState);
            const note = event => {
                const message = JSON.parse(event.data);
                seen.push([event.type, event.lastEventId, message.id, message.channel,
                           decodeURIComponent(message.text), message.eventid].join());
            };
            source.onmessage = note;
            source.addEventListener("news", note);
        </script>"#,
    )
    .await;
    nginx.wait_channel_stat("a", "subscribers", 1).await;
    publish(&nginx, "e0", None, "first%20one").await;
    page.wait("seen.join(' ')", "message,e0,1,a,first one,e0").await;
    publish(&nginx, "e1", Some("news"), "typed").await;
    publish(&nginx, "e2", Some("nobody listens"), "x").await;
    publish(&nginx, "e3", None, "%C3%A4%22%0A").await;
    page.wait("seen.slice(1).join(' ')", "news,e1,2,a,typed,e1 message,e3,4,a,ä\"\n,e3").await;
    assert_eq!(page.value("opened.join()").await, "1");

    nginx.reload().await;
    // While the browser waits before it comes back.
    for n in 4..=6 {
        publish(&nginx, &format!("e{n}"), None, &format!("missed{n}")).await;
    }
    let missed = (4..=6).map(|n| format!("message,e{n},{},a,missed{n},e{n}", n + 1));
    let missed = missed.collect::<Vec<_>>();
    page.wait("seen.slice(3)", missed.clone()).await;
    publish(&nginx, "e7", None, "live").await;
    page.wait("seen.length", 7).await;
    assert_eq!(page.value("seen[6]").await, "message,e7,8,a,live,e7");
    // More than twice if the browser comes back through a spare connection to a worker that is leaving.
    assert!(page.value("opened.length").await.as_u64() >= Some(2));
}

/// ES-4..8: what a browser reads is what was published, with a line feed for each line break.
#[tokio::test]
async fn any_text() {
    let nginx = Nginx::builder()
        .sample("browser-client.conf")
        .with("location = /stats {", &format!("{PLAIN} location = /stats {{"))
        .start()
        .await;
    let page = Page::open(
        &nginx,
        "texts",
        r#"<script>
            const seen = [];
            const source = new EventSource("/plain");
            source.onmessage = event => seen.push(event.data);
            source.onopen = () => seen.push("open");
        </script>"#,
    )
    .await;
    page.wait("seen", vec!["open"]).await;
    let texts = [
        "a\nb",
        "a\r\nb",
        "a\rb",
        "a\n\nb",
        "\rx",
        "x\n",
        "nul\0a\nb",
        ": c",
        "id: 1\n\nevent: x",
        "ä€😀",
    ];
    let mut expected = vec!["open".to_owned()];
    for text in texts {
        nginx.publish("a", text).await;
        expected.push(text.replace("\r\n", "\n").replace('\r', "\n"));
    }
    page.wait("seen", expected).await;
}

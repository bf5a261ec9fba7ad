//! What things take of the zone, to the byte, and that they take nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::Nginx;

/// What a message of so many bytes takes, and a channel with an id of so many.
const fn message(len: u64) -> u64 {
    (64 + len).next_multiple_of(16)
}

const fn channel(len: u64) -> u64 {
    (116 + len).next_multiple_of(16)
}

/// LIFE-10, LIFE-13, LIFE-14, LIFE-17, LIFE-18, DIR-181: channels and stored messages, and that they give
/// back all of it at once. The events channel is none of them (LIFE-79).
#[tokio::test]
async fn channels_and_messages() {
    let nginx = Nginx::builder().workers(1).start().await;
    let empty = nginx.zone_used().await;
    let mut used = empty;
    for (id, len) in [("a", 100), ("b", 1), ("a-much-longer-name", 100), ("c", 400)] {
        nginx.publish(id, vec![b'x'; len as usize]).await;
        used += channel(id.len() as u64) + message(len);
        assert_eq!(nginx.zone_used().await, used, "{id}");
        for _ in 0..10 {
            nginx.publish(id, vec![b'x'; len as usize]).await;
        }
        used += 10 * message(len);
        assert_eq!(nginx.zone_used().await, used, "{id}");
    }
    assert_eq!(message(100), 176);

    // With its event id and event type a message takes as many bytes more.
    let call = nginx.call("POST", "/pub?id=a").body("x".repeat(100));
    call.header("Event-Id", "an-id").header("Event-Type", "a-type").send().await;
    used += message(100 + 5 + 6);
    assert_eq!(nginx.zone_used().await, used);

    for id in ["a", "b", "a-much-longer-name", "c"] {
        nginx.delete(&format!("/pub?id={id}")).await;
    }
    assert_eq!(nginx.zone_used().await, empty);
}

/// LIFE-15, LIFE-16, DIR-121: a text is stored once, whatever templates there are and whoever reads it.
#[tokio::test]
async fn templates() {
    let nginx = Nginx::builder()
        .workers(1)
        .subscriber("one", "push_stream_message_template '<b>~text~</b>\\n';")
        .subscriber("two", "push_stream_message_template '{\"text\":\"~text~\"}\\n';")
        .mode("eventsource", "es", "push_stream_message_template '~id~ ~text~ ~text~';")
        .websocket("ws", "push_stream_message_template '~text~ ~channel~';")
        .start()
        .await;
    let empty = nginx.zone_used().await;
    for _ in 0..20 {
        nginx.publish("a", "x".repeat(100)).await;
    }
    assert_eq!(nginx.zone_used().await, empty + channel(1) + 20 * message(100));

    let mut one = nginx.stream("/one/a.b20").await;
    let mut two = nginx.stream("/two/a.b20").await;
    let mut socket = nginx.socket("/ws/a.b20").await;
    for _ in 0..20 {
        one.line().await;
        two.line().await;
        socket.frame().await;
    }
    drop((one, two, socket));
    nginx.wait_stat("subscribers", 0).await;
    assert_eq!(nginx.zone_used().await, empty + channel(1) + 20 * message(100));
}

/// LIFE-11, LIFE-13, LIFE-19: a worker's first subscriber of a channel takes a node, the others nothing.
#[tokio::test]
async fn subscribers() {
    const NODE: u64 = 32;
    let nginx = Nginx::builder().workers(1).start().await;
    nginx.publish("a", "x").await;
    let before = nginx.zone_used().await;
    let mut streams = Vec::new();
    for n in 1..=20 {
        streams.push(nginx.stream("/sub/a").await);
        assert_eq!(nginx.stat("subscribers").await, n);
        assert_eq!(nginx.zone_used().await, before + NODE, "{n} subscribers");
    }
    drop(streams);
    nginx.wait_stat("subscribers", 0).await;
    assert_eq!(nginx.zone_used().await, before);
}

fn files(dir: &Path, found: &mut BTreeSet<(String, u64)>) {
    for entry in std::fs::read_dir(dir).expect("a directory of nginx's") {
        let entry = entry.expect("an entry");
        let (path, what) = (entry.path(), entry.metadata().expect("what it is"));
        if what.is_dir() {
            files(&path, found);
        } else if path.extension().is_none_or(|extension| extension != "log") {
            found.insert((path.display().to_string(), what.len()));
        }
    }
}

/// LIFE-12: nothing is on disk but the logs, though messages that were longer than a request's buffer had
/// been there on their way in.
#[tokio::test]
async fn nothing_is_on_disk() {
    let nginx = Nginx::builder().server("client_body_buffer_size 1k;").start().await;
    let all = || {
        let mut found = BTreeSet::new();
        files(nginx.dir(), &mut found);
        found
    };
    let before = all();
    assert!(!before.is_empty(), "not even a configuration");
    for n in 0..50 {
        nginx.publish(&format!("c{n}"), "x".repeat(10_000)).await;
    }
    assert_eq!(nginx.stat("stored_messages").await, 50);
    assert_eq!(all(), before);
}

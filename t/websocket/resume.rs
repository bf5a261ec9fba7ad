//! Coming back with an event id that the module gave (`push_stream_event_id auto`, WS-47).

use crate::support::{Builder, Nginx, Socket};

fn builder() -> Builder {
    let auto = "push_stream_event_id auto; push_stream_last_event_id $arg_last;
                push_stream_message_template \"~event-id~ ~channel~ ~text~\";";
    Nginx::builder()
        .websocket("auto", &auto.replace("push_stream_last_event_id $arg_last;", ""))
        .websocket("url", auto)
        .websocket("plain", "push_stream_message_template \"~event-id~ ~channel~ ~text~\";")
}

/// Event id and the rest of the next message.
async fn message(socket: &mut Socket) -> (String, String) {
    let seen = String::from_utf8(socket.frame().await.payload).expect("text");
    let (id, rest) = seen.split_once(' ').expect("an id");
    (id.to_owned(), rest.to_owned())
}

/// Each message has an id, and every one of them leads on in all channels, by header or by argument.
#[tokio::test]
async fn each_message_is_a_place_to_come_back_to() {
    let nginx = builder().start().await;
    let mut first = nginx.socket("/auto/a/b").await;
    let published = ["a one", "b two", "a three", "b four", "a five"];
    for line in published {
        let (channel, text) = line.split_once(' ').expect("two words");
        nginx.publish(channel, text).await;
    }
    let mut ids = Vec::new();
    for line in published {
        let (id, rest) = message(&mut first).await;
        assert_eq!(rest, line);
        ids.push(id);
    }
    for (n, id) in ids.iter().enumerate() {
        let last = format!("Last-Event-Id: {id}");
        // The backtrack was for the first time.
        let mut by_header = nginx.socket_with("/auto/a.b5/b.b5", &[&last]).await;
        let mut by_argument = nginx.socket(&format!("/url/a/b?last={id}")).await;
        for (id, line) in ids.iter().zip(published).skip(n + 1) {
            let expected = (id.clone(), line.to_owned());
            assert_eq!(message(&mut by_header).await, expected, "after {n}");
            assert_eq!(message(&mut by_argument).await, expected, "after {n}");
        }
        let live = format!("live {n}");
        nginx.publish_live("b", &live).await;
        assert_eq!(message(&mut by_header).await.1, format!("b {live}"));
        assert_eq!(message(&mut by_argument).await.1, format!("b {live}"));
    }
}

/// An id of the publisher's stays, and is a place too: in all channels, not in its own alone.
#[tokio::test]
async fn ids_of_the_publisher() {
    let nginx = builder().start().await;
    nginx.publish("b", "before").await;
    nginx.call("POST", "/pub?id=a").header("Event-Id", "mine").body("own").send().await;
    nginx.publish("b", "after").await;
    let mut socket = nginx.socket_with("/auto/a/b", &["Last-Event-Id: mine"]).await;
    assert_eq!(message(&mut socket).await.1, "b after");
    let mut all = nginx.socket("/auto/a.b1").await;
    assert_eq!(message(&mut all).await, ("mine".into(), "a own".into()));
    // WS-48: an unknown one replays nothing.
    let mut unknown = nginx.socket_with("/auto/a/b", &["Last-Event-Id: other"]).await;
    nginx.publish_live("a", "live").await;
    assert_eq!(message(&mut unknown).await.1, "a live");
}

/// WS-54: without the setting, a message has the publisher's id or none.
#[tokio::test]
async fn not_unless_it_is_wanted() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/plain/a").await;
    nginx.publish("a", "x").await;
    assert_eq!(message(&mut socket).await, (String::new(), "a x".into()));
}

/// A deletion is no message: it has no id.
#[tokio::test]
async fn notices_have_no_id() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/auto/a").await;
    nginx.publish("a", "x").await;
    nginx.delete("/pub?id=a").await;
    assert_eq!(message(&mut socket).await.1, "a x");
    assert_eq!(message(&mut socket).await, (String::new(), "a Channel deleted".into()));
}

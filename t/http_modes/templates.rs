//! Templates in polled answers and in locations of different modes side by side.

use crate::support::{Builder, LongPoll, Nginx};

const EVERYTHING: &str = r#"push_stream_message_template
    "~id~|~channel~|~text~|~size~|~event-id~|~event-type~|~ID~|~nothing~|~\n";"#;

/// TPL-1..4, TPL-6: the tokens, in a poll, at the end of a wait and as a script's argument.
#[tokio::test]
async fn tokens() {
    let nginx = Nginx::builder()
        .mode("polling", "poll", EVERYTHING)
        .mode("long-polling", "lp", EVERYTHING)
        .start()
        .await;
    let publish = async |id: &str| {
        let call = nginx.call("POST", &format!("/pub?id={id}")).header("Event-Id", "~text~");
        let call = call.header("Event-Type", "kind").body("~id~ \"x\"</script>");
        assert_eq!(call.send().await.status, 200);
    };
    let line = |id: &str| format!("1|{id}|~id~ \"x\"</script>|17|~text~|kind|1|~nothing~|~\n");
    publish("a").await;
    assert_eq!(nginx.get("/poll/a.b1").await.text(), line("a"));
    assert_eq!(nginx.get("/poll/a.b1?callback=f").await.text(), format!("f([{}]);", line("a")));
    let mut raw = nginx.raw().await;
    raw.request("GET /lp/b", &[]).await;
    nginx.wait_channel_stat("b", "subscribers", 1).await;
    publish("b").await;
    assert_eq!(raw.answer().await.body, line("b").into_bytes());
}

/// TPL-5, CLI-92: any byte passes, stored and live.
#[tokio::test]
async fn binary_text() {
    let nginx = Nginx::builder()
        .mode("long-polling", "lp", r#"push_stream_message_template "~size~:~text~";"#)
        .start()
        .await;
    let text = (0..=255).chain((0..=255).rev()).collect::<Vec<u8>>();
    let expected = [b"512:", text.as_slice()].concat();
    let mut raw = nginx.raw().await;
    raw.request("GET /lp/a", &[]).await;
    nginx.wait_channel_stat("a", "subscribers", 1).await;
    nginx.publish("a", &text).await;
    assert_eq!(raw.answer().await.body, expected);
    assert_eq!(nginx.get("/lp/a.b1").await.body, expected);
}

/// TPL-10, TPL-12, DIR-120: one message for locations of every mode, each in its own format, although they
/// share the template's text.
#[tokio::test]
async fn the_same_template_in_every_mode() {
    let same = r#"push_stream_message_template "[~text~]";"#;
    let nginx = Nginx::builder()
        .mode("streaming", "str", same)
        .mode("eventsource", "es", same)
        .mode("polling", "poll", same)
        .mode("long-polling", "lp", same)
        .start()
        .await;
    let mut stream = nginx.stream("/str/a").await;
    let mut events = nginx.stream("/es/a").await;
    let mut waiting = nginx.raw().await;
    waiting.request("GET /lp/a", &[]).await;
    nginx.wait_channel_stat("a", "subscribers", 3).await;
    nginx.publish("a", "x\ny").await;
    stream.expect("[x\ny]").await;
    events.expect(": \ndata: [x]\ndata: [y]\n\n").await;
    assert_eq!(waiting.answer().await.body, b"[x\ny]");
    assert_eq!(nginx.get("/poll/a.b1").await.text(), "[x\ny]");
}

/// TPL-11: what was stored under another configuration is served in the format of this one.
#[tokio::test]
async fn a_reload_with_other_templates() {
    let template = |text: &str| format!("push_stream_message_template \"{text}\";");
    let nginx = Nginx::builder()
        .mode("polling", "poll", &template("one ~text~"))
        .mode("eventsource", "es", "")
        .start()
        .await;
    nginx.publish("a", "x").await;
    assert_eq!(nginx.get("/poll/a.b1").await.text(), "one x");
    let other = |builder: Builder| {
        builder
            .without_server()
            .mode("eventsource", "es", &template("<~text~>"))
            .mode("eventsource", "new", "")
            .mode("polling", "poll", &template("two ~id~ ~text~"))
    };
    nginx.reload_with(other).await;
    assert_eq!(nginx.get("/poll/a.b1").await.text(), "two 1 x");
    nginx.stream("/es/a.b1").await.expect(": \ndata: <x>\n\n").await;
    nginx.stream("/new/a.b1").await.expect(": \ndata: x\n\n").await;
}

/// TPL-13, SUB-53: what renders to nothing is left out, without a trace in the array of a script, and the
/// client's cursor moves past it.
#[tokio::test]
async fn empty_renderings() {
    let only_ids = r#"push_stream_message_template "~event-id~";"#;
    let nginx = Nginx::builder()
        .mode("polling", "poll", only_ids)
        .mode("long-polling", "lp", only_ids)
        .start()
        .await;
    nginx.publish("a", "no id").await;
    let call = nginx.call("POST", "/pub?id=a").header("Event-Id", "e2");
    assert_eq!(call.body("text").send().await.status, 200);
    nginx.publish("a", "no id either").await;

    let mut raw = nginx.raw().await;
    raw.request("GET /poll/a.b3", &[]).await;
    assert_eq!(raw.answer().await.body, b"e2");
    raw.request("GET /poll/a.b3?callback=f", &[]).await;
    assert_eq!(raw.answer().await.body, b"f([e2]);");
    raw.request("GET /poll/a.b1", &[]).await;
    assert_eq!(raw.answer().await.body, b"");
    raw.request("GET /stats", &[]).await;
    assert_eq!(raw.answer().await.status(), 200);

    let mut client = LongPoll::new(&nginx, "/lp/a").since_long_ago();
    assert_eq!(client.poll().await.text(), "e2");
    let publish = async {
        nginx.wait_channel_stat("a", "subscribers", 1).await;
        let call = nginx.call("POST", "/pub?id=a").header("Event-Id", "e4");
        assert_eq!(call.body("text").send().await.status, 200);
    };
    let (answer, ()) = tokio::join!(client.poll(), publish);
    assert_eq!(answer.text(), "e4");
}

//! DELETE, and channels that vanish under a slow upload.

use crate::support::stream::End;
use crate::support::{Nginx, wait_for};

const DELETED: Option<&str> = Some("Channel deleted.");

/// PUB-84, PUB-85, PUB-92, LIFE-27, LIFE-33.
#[tokio::test]
async fn answers_to_delete() {
    let nginx = Nginx::start().await;
    nginx.delete("/pub?id=none/nothing").await.assert_refused(404, None);
    assert_eq!(nginx.stat("channels").await, 0);
    nginx.publish("a/b", "x").await;
    nginx.delete("/pub?id=missing/a/a").await.assert_refused(200, DELETED);
    nginx.get("/pub?id=a").await.assert_refused(404, None);
    nginx.delete("/pub?id=a").await.assert_refused(404, None);
    assert_eq!(nginx.get("/stats?id=ALL").await.json()["infos"].as_array().map(Vec::len), Some(1));
    assert_eq!(nginx.stat("channels").await, 1);
    nginx.delete("/pub?id=b.b3").await.assert_refused(200, DELETED);
}

/// PUB-86..89, PUB-75, DEL-1..3, DIR-144: the text is the body or the configured one, rendered through the
/// subscriber's template as system message -2.
#[tokio::test]
async fn subscribers_are_told() {
    let nginx = Nginx::builder()
        .http("push_stream_channel_deleted_message_text \"bye bye\";")
        .subscriber(
            "tokens",
            "push_stream_footer_template \"FOOT\"; push_stream_message_template
                 \"~id~|~tag~|~time~|~channel~|~event-id~|~event-type~|~size~|~text~\\n\";",
        )
        .start()
        .await;
    let texts: [(&str, &str); 3] = [
        ("DELETE /pub?id=d HTTP/1.1\r\nHost: x\r\n\r\n", "7|bye bye"),
        (
            "DELETE /pub?id=d HTTP/1.1\r\nHost: x\r\nEvent-Id: 5\r\nEvent-Type: t\r\n\
             Content-Length: 4\r\n\r\nover",
            "4|over",
        ),
        (
            "DELETE /pub?id=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\na\0\r\n1\r\nb\r\n0\r\n\r\n",
            "3|a\0b",
        ),
    ];
    for (request, shown) in texts {
        let mut only = nginx.stream("/tokens/d").await;
        let mut both = nginx.stream("/tokens/d/other").await;
        let mut raw = nginx.raw().await;
        raw.send(request).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.explanation()), (200, DELETED));
        // DEL-4: its time and tag are its place among the messages.
        let line = both.line().await;
        let parts: Vec<&str> = line.splitn(4, '|').collect();
        assert_eq!((parts[0], parts[3]), ("-2", format!("d|||{shown}").as_str()), "{line}");
        assert!(parts[1].parse::<u32>().is_ok() && !parts[2].contains("1970"), "{line}");
        only.ends_with(&format!("{line}\nFOOT")).await;
        // The other channel goes on, and the new channel of the same id is not theirs (SUB-48).
        nginx.publish("d", "not for the old subscribers").await;
        nginx.publish_live("other", "still here").await;
        assert!(both.line().await.ends_with("|other|||10|still here"));
        nginx.delete("/pub?id=d").await;
    }
    nginx.wait_channel_stat("other", "subscribers", 0).await;
}

/// PUB-81, PUB-86, LIFE-56: any bytes, through a file as well; the configured text stands in for one
/// that finds no room, and for none.
#[tokio::test]
async fn farewells_of_any_size() {
    let nginx = Nginx::builder().zone("512k").subscriber("text", "").start().await;
    let long = [b"\0\r\n\xff".as_slice(), &[b'z'; 100_000]].concat();
    let cases: [(&[u8], &[u8]); 3] =
        [(&long, &long), (&[b'x'; 600_000], b"Channel deleted"), (b"", b"Channel deleted")];
    for (text, shown) in cases {
        let mut stream = nginx.stream("/text/d").await;
        let answer = nginx.call("DELETE", "/pub?id=d").body(text).send().await;
        answer.assert_refused(200, DELETED);
        let (seen, end) = stream.rest().await;
        assert!(seen == shown && end == End::Clean, "{} bytes: {end:?}", seen.len());
    }
    // Bytes without a length are no body in HTTP/1.0.
    let mut stream = nginx.stream("/text/d").await;
    let mut raw = nginx.raw().await;
    raw.send("DELETE /pub?id=d HTTP/1.0\r\n\r\nbytes").await;
    assert_eq!(raw.answer().await.explanation(), DELETED);
    stream.ends_with("Channel deleted").await;
}

/// A subscriber of several channels that are deleted one after another ends with the last one.
#[tokio::test]
async fn the_last_channel_ends_the_stream() {
    let nginx = Nginx::start().await;
    let mut stream = nginx.stream("/sub/x/y/z").await;
    for id in ["y", "x", "z"] {
        nginx.delete(&format!("/pub?id={id}")).await.assert_refused(200, DELETED);
        assert_eq!(stream.line().await, format!("-2 {id} Channel deleted"));
    }
    assert_eq!(stream.rest().await, (Vec::new(), End::Clean));
    nginx.wait_stat("subscribers", 0).await;
}

/// PUB-88, PUB-101, LIFE-34: many subscribers in all workers hear of it once each, in one DELETE of several
/// channels as well.
#[tokio::test]
async fn every_worker_is_told() {
    let nginx = Nginx::start().await;
    let mut streams = Vec::new();
    for n in 0..24 {
        streams.push(nginx.stream(if n % 2 == 0 { "/sub/p/q" } else { "/sub/q/p" }).await);
    }
    nginx.delete("/pub?id=p/q").await.assert_refused(200, DELETED);
    for stream in &mut streams {
        let (rest, end) = stream.rest().await;
        assert_eq!(String::from_utf8_lossy(&rest), "-2 p Channel deleted\n-2 q Channel deleted\n");
        assert_eq!(end, End::Clean);
    }
    nginx.wait_stat("subscribers", 0).await;
}

/// PUB-93, STAT-53, STAT-54, LIFE-35, LIFE-36: the counters that tell of deleted channels move and
/// return to zero.
#[tokio::test]
async fn counters_of_deleted_channels() {
    let nginx = Nginx::start().await;
    nginx.publish("c/c/c", "x").await;
    assert_eq!(nginx.stat("stored_messages").await, 3);
    nginx.delete("/pub?id=c").await;
    nginx.wait_stat("stored_messages", 0).await;
    nginx.wait_stat("channels_in_trash", 1).await;
    assert_eq!(nginx.stat("channels_in_delete").await, 0);
    nginx.wait_stat("channels_in_trash", 0).await;
    nginx.wait_stat("messages_in_trash", 0).await;
    assert_eq!(nginx.stat("published_messages").await, 3);
}

/// PUB-97 (a): a channel deleted during an upload is made again, and the message is in it.
#[tokio::test]
async fn deleted_during_an_upload() {
    let nginx = Nginx::start().await;
    nginx.publish("slow", "old").await;
    let mut raw = nginx.raw().await;
    raw.begin_upload("/pub?id=slow", 10).await;
    raw.send("01234").await;
    nginx.delete("/pub?id=slow").await.assert_refused(200, DELETED);
    raw.send("56789").await;
    let answer = raw.answer().await;
    assert_eq!(answer.status(), 200);
    let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(
        (body["published_messages"].as_u64(), body["stored_messages"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(nginx.stream("/sub/slow.b9").await.line().await, "1 slow 0123456789");
    nginx.wait_stat("stored_messages", 1).await;
}

/// PUB-97 (b): so is one that was dropped for inactivity and whose memory went to others.
#[tokio::test]
async fn dropped_during_an_upload() {
    let nginx = Nginx::builder().http("push_stream_channel_inactivity_time 1s;").start().await;
    nginx.publish_live("idle", "x").await;
    let mut raw = nginx.raw().await;
    raw.begin_upload("/pub?id=idle", 4).await;
    raw.send("la").await;
    nginx.wait_gone("idle").await;
    for n in 0..50 {
        nginx.publish(&format!("reuse{n}"), "some memory").await;
    }
    raw.send("te").await;
    assert_eq!(raw.answer().await.status(), 200);
    assert_eq!(nginx.channel_stat("idle", "stored_messages").await, 1);
    assert_eq!(nginx.stat("stored_messages").await, 51);
    assert_eq!(nginx.stream("/sub/idle.b9").await.line().await, "1 idle late");
}

/// LIFE-72: publishing and deleting the same channel from many connections never wedges anything.
#[tokio::test]
async fn deletion_against_publishing() {
    let nginx = Nginx::start().await;
    let tasks = (0..8).map(|n| {
        let calls = (0..100).map(|_| match n % 2 {
            0 => nginx.call("POST", "/pub?id=fight").body("x"),
            _ => nginx.call("DELETE", "/pub?id=fight"),
        });
        let calls = calls.collect::<Vec<_>>();
        tokio::spawn(async move {
            for call in calls {
                let answer = call.send().await;
                assert!(matches!(answer.status, 200 | 404), "{answer:?}");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("a client");
    }
    nginx.delete("/pub?id=fight").await;
    wait_for("no stored message", || async {
        let stats = nginx.stats().await;
        (stats["stored_messages"] == 0 && stats["channels"] == 0).then_some(())
    })
    .await;
    assert_eq!(nginx.publish("fight", "x").await.json()["published_messages"], 1);
}

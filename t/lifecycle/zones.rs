//! A zone at its smallest, and full.

use crate::support::stream::End;
use crate::support::{Client, EXPLAIN, Nginx};

/// Publishes `size` bytes to `prefix0`, `prefix1`, ... until the zone is full; returns how many
/// fit.
async fn fill(nginx: &Nginx, prefix: &str, size: usize) -> usize {
    let mut client = Client::connect(nginx.port).await.expect("connect");
    for count in 0.. {
        let target = format!("/pub?id={prefix}{}", count % 50);
        let answer = client.post(&target, vec![b'x'; size]).await.expect("an answer");
        if answer.status != 200 {
            assert_eq!(answer.status, 500, "{answer:?}");
            answer.assert_empty();
            assert!(answer.explanation().is_some_and(|text| !text.is_empty()), "{answer:?}");
            return count;
        }
    }
    unreachable!("the zone is never full")
}

/// LIFE-3, DIR-96: the minimum size works.
#[tokio::test]
async fn the_smallest_zone() {
    // SAFETY: sysconf only reads.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let nginx = Nginx::builder().zone(&format!("{}", 32 * page)).start().await;
    let mut stream = nginx.stream("/sub/s").await;
    for n in 1..=20 {
        nginx.publish("s", format!("m{n}")).await;
        assert_eq!(stream.line().await, format!("{n} s m{n}"));
    }
    assert_eq!(nginx.stream("/sub/s.b20").await.lines(20).await[19], "20 s m20");
}

/// LIFE-51..56, LIFE-58, LIFE-59, PUB-79..83, ADM-9, ADM-16: in a full zone everything that needs
/// no memory goes on, what needs some is refused before an answer is begun, and deletion frees.
#[tokio::test]
async fn a_full_zone() {
    let nginx = Nginx::builder().zone("256k").expect_log("unable to allocate").start().await;
    let mut stream = nginx.stream("/sub/f0").await;
    assert!(fill(&nginx, "f", 1000).await > 20);
    fill(&nginx, "f", 50).await;
    fill(&nginx, "f", 1).await;

    // Channels cannot be created any more; what is answered 200 exists, what is refused does not.
    let mut refused = 0;
    for n in 0..2000 {
        let id = format!("new-channel-with-a-long-name-{n}");
        let answer =
            nginx.call("GET", &format!("/sub/{id}")).try_stream().await.expect("an answer");
        if answer.status == 500 {
            assert!(answer.header(EXPLAIN).is_some_and(|text| !text.is_empty()));
            assert_eq!(answer.header("content-length"), Some("0"));
            assert!(nginx.channel(&id).await.is_none(), "half a channel stayed: {id}");
            refused += 1;
            if refused == 3 {
                break;
            }
        }
    }
    assert_eq!(refused, 3);

    // A subscriber of an existing channel either streams or is refused; none hangs half-made.
    let mut admitted = Vec::new();
    for _ in 0..40 {
        let answer = nginx.call("GET", "/sub/f1.b1").try_stream().await.expect("an answer");
        match answer.status {
            200 => admitted.push(answer),
            500 => assert!(answer.header(EXPLAIN).is_some_and(|text| !text.is_empty())),
            other => panic!("{other}"),
        }
    }
    for stream in &mut admitted {
        assert!(stream.line().await.contains(" f1 x"));
    }
    let count = admitted.len() as u64;
    nginx.wait_channel_stat("f1", "subscribers", count).await;

    // Asking and deleting need nothing.
    assert_eq!(nginx.get("/stats?id=ALL").await.status, 200);
    let deleted = nginx.call("DELETE", "/pub?id=f1").body("the end").send().await;
    deleted.assert_refused(200, Some("Channel deleted."));
    for stream in &mut admitted {
        // The configured text stands in for one that finds no room.
        let line = stream.line().await;
        assert!(["-2 f1 the end", "-2 f1 Channel deleted"].contains(&line.as_str()), "{line}");
        assert_eq!(stream.rest().await, (Vec::new(), End::Clean));
    }
    // As much as was deleted fits again.
    assert_eq!(nginx.publish("f1", vec![b'x'; 1000]).await.json()["published_messages"], 1);
    let stored = nginx.channel_stat("f2", "stored_messages").await;
    let mut replay = nginx.stream(&format!("/sub/f2.b{stored}")).await;
    replay.lines(usize::try_from(stored).expect("a count")).await;

    // The subscriber that was there all along has every message of its channel, in order.
    let published = nginx.channel_stat("f0", "published_messages").await;
    for id in 1..=published {
        let line = stream.line().await;
        assert!(line.starts_with(&format!("{id} f0 x")), "{line} instead of {id}");
    }
    // LIFE-59, PUB-102.
    assert!(!nginx.log_lines("unable to allocate").is_empty());
}

/// LIFE-44: unstored messages use the zone only until they are taken.
#[tokio::test]
async fn unstored_messages_take_no_room() {
    let nginx = Nginx::builder().zone("256k").start().await;
    let mut client = Client::connect(nginx.port).await.expect("connect");
    for n in 1..=500 {
        let answer = client.post("/live?id=u", vec![b'x'; 2000]).await.expect("an answer");
        assert_eq!(answer.status, 200, "message {n} of {} bytes in all", n * 2000);
    }
}

/// LIFE-22, LIFE-85, LIFE-92, PING-5: neither reloads nor killed workers leave anything behind in
/// the zone.
#[tokio::test]
async fn generations_leave_nothing_in_the_zone() {
    let nginx = Nginx::builder()
        .zone("256k")
        .server("push_stream_ping_message_interval 50ms;")
        .expect_log("unable to allocate")
        .start()
        .await;
    let before = fill(&nginx, "m", 200).await;
    let all = (0..50).map(|n| format!("m{n}")).collect::<Vec<_>>().join("/");
    for round in 0..16 {
        nginx.delete(&format!("/pub?id={all}")).await;
        let mut streams = Vec::new();
        for n in 0..8 {
            streams.push(nginx.stream(&format!("/sub/m{n}/m{}", n + 8)).await);
        }
        for n in 0..16 {
            nginx.publish_live(&format!("m{n}"), "x").await;
        }
        if round % 2 == 0 {
            nginx.reload().await;
        } else {
            for pid in nginx.worker_pids().into_iter().take(2) {
                nginx.kill_worker(pid);
            }
            nginx.all_workers().await;
        }
    }
    nginx.wait_stat("subscribers", 0).await;
    nginx.delete(&format!("/pub?id={all}")).await;
    nginx.wait_stat("channels", 0).await;
    let after = fill(&nginx, "m", 200).await;
    assert!(after >= before, "{before} messages fitted before, {after} after");
}

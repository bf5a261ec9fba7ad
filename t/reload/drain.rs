//! `push_stream_reload_drain`: old workers go on with their subscribers (LIFE-94, its sane form).

use crate::support::process::send_signal;
use crate::support::stream::End;
use crate::support::{LongPoll, Stream, wait_for};
use crate::{builder, long_drain, old_workers, old_workers_gone};

/// LIFE-94, LIFE-95: after a reload subscribers of every mode get what is published to the new workers, and
/// old ones publish to new ones; a long poll is answered; deletions and the end of a time are told. With the
/// last subscriber the old workers go, however much of their time is left.
#[tokio::test]
async fn served_after_a_reload() {
    let nginx = long_drain()
        .subscriber(
            "brief",
            "push_stream_subscriber_connection_ttl 2s; push_stream_footer_template FOOT;",
        )
        .subscriber("pinged", "push_stream_ping_message_interval 200ms;")
        .websocket("say", "push_stream_websocket_allow_publish on;")
        .start()
        .await;
    let mut streams = [nginx.stream("/stream/c").await, nginx.stream("/stream/c").await];
    let mut events = nginx.stream("/events/c").await;
    assert_eq!(events.line().await, ": ");
    let mut socket = nginx.socket("/ws/c").await;
    let mut speaker = nginx.socket("/say/said").await;
    let mut brief = nginx.stream("/brief/b").await;
    let mut pinged = nginx.stream("/pinged/p").await;
    let mut poll = LongPoll::new(&nginx, "/poll/c");
    let polled = tokio::spawn(async move { (poll.poll().await, poll) });
    nginx.wait_stat("subscribers", 8).await;

    nginx.reload().await;
    old_workers(&nginx).await;
    for n in 1..=20 {
        nginx.publish("c", format!("m{n}")).await;
        for stream in &mut streams {
            assert_eq!(stream.line().await, format!("{n} m{n}"));
        }
        assert_eq!(events.lines(2).await, [format!("data: m{n}"), String::new()]);
        socket.text(&format!("{n} m{n}")).await;
    }
    let (answer, mut poll) = polled.await.expect("no panic");
    assert_eq!((answer.status, answer.text()), (200, "1 m1\nFOOT"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(poll.poll().await.text().lines().last(), Some("FOOT"));
    assert_eq!(poll.connections(), 2);
    pinged.expect("    ").await;
    let mut listener = nginx.stream("/stream/said").await;
    speaker.send(0x81, "from an old worker").await;
    assert_eq!(listener.line().await, "1 from an old worker");

    assert_eq!(nginx.delete("/pub?id=c").await.status, 200);
    for stream in &mut streams {
        stream.ends_with("-2 Channel deleted\nFOOT").await;
    }
    socket.text("-2 Channel deleted").await;
    socket.text("FOOT").await;
    socket.closes().await;
    brief.ends_with("FOOT").await;
    drop((events, pinged, speaker, listener));
    nginx.wait_stat("subscribers", 0).await;
    old_workers_gone(&nginx).await;
}

/// Every subscriber of a worker ends within the time, each mode in its normal way, and not all at once: what
/// the last one got before its end differs.
#[tokio::test]
async fn ended_one_after_the_other() {
    let nginx = builder().workers(1).http("push_stream_reload_drain 3s;").start().await;
    let mut streams = Vec::new();
    for _ in 0..30 {
        streams.push(nginx.stream("/stream/c").await);
    }
    let mut socket = nginx.socket("/ws/c").await;
    let mut poll = LongPoll::new(&nginx, "/poll/quiet");
    let polled = tokio::spawn(async move { poll.poll().await });
    nginx.wait_stat("subscribers", 32).await;
    nginx.reload().await;
    let publisher = async {
        for n in 1.. {
            nginx.publish_live("c", format!("m{n}")).await;
            if nginx.channel_stat("c", "subscribers").await == 0 {
                break;
            }
        }
    };
    let readers = async {
        let mut last = std::collections::BTreeSet::new();
        for stream in &mut streams {
            let (text, end) = stream.rest().await;
            let text = String::from_utf8(text).expect("UTF-8");
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!((lines.last(), end), (Some(&"FOOT"), End::Clean));
            for (n, line) in (1..).zip(&lines[..lines.len() - 1]) {
                assert_eq!(*line, format!("{n} m{n}"));
            }
            last.insert(lines.len());
        }
        last
    };
    let talker = async {
        let mut n = 0;
        loop {
            n += 1;
            let frame = socket.frame().await;
            if frame.payload == b"FOOT" {
                break;
            }
            assert_eq!(String::from_utf8_lossy(&frame.payload), format!("{n} m{n}"));
        }
        socket.closes().await;
    };
    let ((), last, ()) = tokio::join!(publisher, readers, talker);
    assert!(last.len() >= 5, "all ended after {last:?} lines");
    let answer = polled.await.expect("no panic");
    assert_eq!((answer.status, answer.header("connection")), (304, Some("close")));
    old_workers_gone(&nginx).await;
    nginx.wait_stat("subscribers", 0).await;
}

/// LIFE-101: a further reload leaves old workers their own time; each generation is served.
#[tokio::test]
async fn reloads_during_a_drain() {
    let nginx = builder().http("push_stream_reload_drain 3s;").workers(2).start().await;
    let mut brief = nginx.stream("/stream/c").await;
    nginx.reload_with(|builder| builder.without_http().http("push_stream_reload_drain 10m;")).await;
    let first = old_workers(&nginx).await;
    let mut long = nginx.stream("/stream/c").await;
    nginx.reload_with(|builder| builder.without_http().http("push_stream_reload_drain 10m;")).await;
    wait_for("a second generation of old workers", || async {
        nginx.retiring_pids().iter().any(|pid| !first.contains(pid)).then_some(())
    })
    .await;
    nginx.publish("c", "for three generations").await;
    assert_eq!(brief.line().await, "1 for three generations");
    assert_eq!(long.line().await, "1 for three generations");
    brief.ends_with("FOOT").await;
    wait_for("the first to be gone", || async {
        nginx.retiring_pids().iter().all(|pid| !first.contains(pid)).then_some(())
    })
    .await;
    nginx.publish("c", "for two").await;
    assert_eq!(long.line().await, "2 for two");
}

/// LIFE-96: a request whose head was half received when the reload came is joined, served and ended.
#[tokio::test]
async fn a_request_that_comes_late() {
    let nginx = builder()
        .workers(1)
        .location("/stub", "stub_status;")
        .http("push_stream_reload_drain 3s;")
        .start()
        .await;
    let mut held = nginx.stream("/stream/held").await;
    let mut late = nginx.raw().await;
    late.send("GET /stream/late HTTP/1.1\r\nHost: localhost\r\n").await;
    wait_for("a head that is being read", || async {
        nginx.get("/stub").await.text().contains("Reading: 1").then_some(())
    })
    .await;
    nginx.reload().await;
    old_workers(&nginx).await;
    late.send("\r\n").await;
    let head = late.head().await;
    assert_eq!((head.status(), head.header("connection")), (200, Some("close")));
    nginx.publish_live("late", "x").await;
    late.expect_chunk("1 x\n").await;
    late.expect_chunk("FOOT").await;
    assert_eq!(late.chunk().await, None);
    late.expect_close().await;
    held.ends_with("FOOT").await;
    old_workers_gone(&nginx).await;
}

/// LIFE-89: a fast stop during a drain ends all at once, in every generation.
#[tokio::test]
async fn stopped_during_a_drain() {
    let nginx = long_drain().start().await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(nginx.stream("/stream/c").await);
        nginx.reload().await;
    }
    streams.push(nginx.stream("/stream/c").await);
    nginx.publish("c", "to all").await;
    for stream in &mut streams {
        assert_eq!(stream.line().await, "1 to all");
    }
    send_signal(nginx.master_pid(), libc::SIGTERM);
    all_end(&mut streams).await;
}

/// LIFE-90, LIFE-108: a graceful stop has no successor: who is held by serving workers is ended at once, and
/// by old ones when they see that nobody serves the zone any more.
#[tokio::test]
async fn a_graceful_stop_drains_nothing() {
    let nginx = long_drain().start().await;
    let mut streams = vec![nginx.stream("/stream/c").await];
    nginx.reload().await;
    old_workers(&nginx).await;
    streams.push(nginx.stream("/stream/c").await);
    send_signal(nginx.master_pid(), libc::SIGQUIT);
    all_end(&mut streams).await;
    wait_for("the master to go", || async { nginx.has_exited().then_some(()) }).await;
}

/// LIFE-98, LIFE-99: nobody publishes to a zone that a reload leaves.
#[tokio::test]
async fn a_zone_that_is_left_drains_nothing() {
    let nginx = long_drain().location("/x", "return 200 x;").start().await;
    let mut streams = vec![nginx.stream("/stream/c").await];
    nginx.reload_with(|builder| builder.zone("1m other")).await;
    all_end(&mut streams).await;
    let mut streams = vec![nginx.stream("/stream/c").await];
    nginx
        .reload_with(|builder| {
            builder.bare().no_zone().without_server().without_http().location("/x", "return 200 x;")
        })
        .await;
    all_end(&mut streams).await;
    old_workers_gone(&nginx).await;
}

async fn all_end(streams: &mut [Stream]) {
    for stream in streams {
        stream.ends_with("FOOT").await;
    }
}

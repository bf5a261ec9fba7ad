//! What a reload keeps, changes and ends.

use crate::support::process::open_files;
use crate::support::stream::End;
use crate::support::{Nginx, wait_for};

/// LIFE-95, DIR-99: channels, messages, ids, counters and subscribers' cursors survive.
#[tokio::test]
async fn everything_survives() {
    let nginx = Nginx::start().await;
    nginx.publish("a/b", "one").await;
    nginx.publish_live("a", "two").await;
    for round in 0..5u64 {
        nginx.reload().await;
        let stats = nginx.stats().await;
        assert_eq!(stats["channels"], 2);
        assert_eq!(stats["published_messages"], 3 + round);
        assert_eq!(nginx.stream("/sub/a.b1").await.line().await, "1 a one");
        let answer = nginx.publish_live("a", "more").await;
        assert_eq!(answer.json()["published_messages"], 3 + round);
    }
}

/// LIFE-101: reloads in quick succession and changing numbers of workers.
#[tokio::test]
async fn rapid_reloads() {
    let nginx = Nginx::builder().listen("").workers(3).start().await;
    nginx.publish("r", "kept").await;
    for count in [1, 5, 3] {
        for _ in 0..5 {
            crate::support::process::send_signal(nginx.master_pid(), libc::SIGHUP);
        }
        nginx.reload_with(|builder| builder.workers(count)).await;
        wait_for("old workers to leave", || async {
            nginx.retiring_pids().is_empty().then_some(())
        })
        .await;
        assert_eq!(nginx.stream("/sub/r.b1").await.line().await, "1 r kept");
        // One of the signals may still be on its way and end this stream.
        wait_for("a stream", || async {
            let mut stream = nginx.stream("/sub/live").await;
            nginx.publish_live("live", "x").await;
            let line = stream.next_line().await.ok()?;
            assert!(line.ends_with(" live x"), "{line}");
            Some(())
        })
        .await;
    }
}

/// Reloads leak no descriptors, neither in the master nor in the workers it starts.
#[tokio::test]
async fn descriptors_over_reloads() {
    let nginx = Nginx::start().await;
    let count = async || {
        nginx.reload().await;
        wait_for("old workers to leave", || async {
            nginx.retiring_pids().is_empty().then_some(())
        })
        .await;
        let workers = nginx.worker_pids().into_iter().map(open_files);
        (open_files(nginx.master_pid()), workers.max().expect("a worker"))
    };
    let (master, worker) = count().await;
    for _ in 0..5 {
        let _stream = nginx.stream("/sub/d").await;
        count().await;
    }
    let (master_now, worker_now) = count().await;
    assert!(master_now <= master && worker_now <= worker, "{master_now} {worker_now} descriptors");
}

/// LIFE-97, DIR-98: another size is ignored with a warning, in both directions.
#[tokio::test]
async fn another_zone_size() {
    let warning = "Cannot change memory area size without restart, ignoring change on zone: \
                   push_stream_module";
    let nginx = Nginx::builder().zone("1m").expect_log(warning).start().await;
    nginx.publish("z", "kept").await;
    for (round, size) in ["2m", "512k"].into_iter().enumerate() {
        nginx.reload_with(|builder| builder.zone(size)).await;
        assert_eq!(nginx.log_lines(warning).len(), round + 1);
        assert_eq!(nginx.stream("/sub/z.b1").await.line().await, "1 z kept");
    }
}

/// LIFE-98, DIR-100, DIR-101: another name starts an empty zone; the old subscribers get their
/// normal ending, nobody crashes, and the next reload works.
#[tokio::test]
async fn another_zone_name() {
    let nginx = Nginx::builder()
        .zone("1m first")
        .subscriber("framed", "push_stream_footer_template FOOT;")
        .start()
        .await;
    nginx.publish("n", "old").await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(nginx.stream("/framed/n").await);
    }
    nginx.reload_with(|builder| builder.zone("1m second")).await;
    for stream in &mut streams {
        stream.ends_with("FOOT").await;
    }
    assert!(nginx.channel("n").await.is_none());
    assert_eq!(nginx.publish("n", "new").await.json()["published_messages"], 1);
    nginx.reload_with(|builder| builder.zone("1m second")).await;
    assert_eq!(nginx.stream("/sub/n.b9").await.line().await, "1 n new");
    nginx.reload_with(|builder| builder.zone("1m first")).await;
    let mut stream = nginx.stream("/sub/n").await;
    nginx.publish_live("n", "again").await;
    assert!(stream.line().await.ends_with(" n again"));
}

/// LIFE-8, LIFE-99, DIR-103: all locations removed and added again.
#[tokio::test]
async fn without_locations_and_back() {
    let nginx = Nginx::builder()
        .location("/x", "return 200 x;")
        .subscriber("framed", "push_stream_footer_template FOOT;")
        .start()
        .await;
    let mut streams = [nginx.stream("/framed/g").await, nginx.stream("/framed/g").await];
    nginx
        .reload_with(|builder| {
            builder.bare().no_zone().without_server().location("/x", "return 200 x;")
        })
        .await;
    for stream in &mut streams {
        stream.ends_with("FOOT").await;
    }
    assert_eq!(nginx.get("/x").await.text(), "x");
    assert_eq!(nginx.get("/stats").await.status, 404);
    nginx.expect_log("/stats\" failed (2: No such file or directory)");
    nginx.reload().await;
    let mut stream = nginx.stream("/framed/g").await;
    nginx.publish_live("g", "x").await;
    stream.expect("x").await;
    nginx.reload().await;
    stream.ends_with("FOOT").await;
}

/// LIFE-8: locations added to a server that had none.
#[tokio::test]
async fn first_used_after_a_reload() {
    let nginx = Nginx::builder().bare().no_zone().location("/x", "return 200 x;").start().await;
    nginx
        .reload_with(|builder| {
            builder
                .zone("1m")
                .location("/p", "push_stream_publisher; push_stream_channels_path a;")
                .location("/s", "push_stream_subscriber; push_stream_channels_path a;")
        })
        .await;
    let mut streams = [nginx.stream("/s").await, nginx.stream("/s").await];
    for _ in 0..4 {
        assert_eq!(nginx.post("/p", "hello").await.status, 200);
    }
    for stream in &mut streams {
        stream.expect("hello".repeat(4)).await;
    }
}

/// LIFE-100, TPL-11, DIR-104: stored messages are rendered with the templates of today.
#[tokio::test]
async fn templates_changed_by_a_reload() {
    let template = |name: &str, text: &str| {
        (name.to_owned(), format!("push_stream_message_template \"{text}\";"))
    };
    let old = [template("a", "A ~text~\\n"), template("b", "B ~text~\\n")];
    let new = [
        template("c", "C ~id~\\n"),
        template("b", "b2 ~text~\\n"),
        template("a", "B ~text~\\n"),
        template("d", "~size~\\n"),
    ];
    let with = |builder: crate::support::Builder, list: &[(String, String)]| {
        list.iter().fold(builder, |builder, (name, line)| builder.subscriber(name, line))
    };
    let nginx = with(Nginx::builder(), &old).start().await;
    nginx.publish("t", "text").await;
    assert_eq!(nginx.stream("/b/t.b1").await.line().await, "B text");
    nginx.reload_with(|builder| with(builder.without_server(), &new)).await;
    for (name, expected) in [("a", "B text"), ("b", "b2 text"), ("c", "C 1"), ("d", "4")] {
        let mut stream = nginx.stream(&format!("/{name}/t.b1")).await;
        nginx.publish_live("t", "text").await;
        assert_eq!(stream.line().await, expected);
        let live = stream.line().await;
        assert!(live == expected || name == "c", "{live}");
    }
}

/// DIR-102: a limit lowered below the present number holds.
#[tokio::test]
async fn a_limit_below_the_present_number() {
    let nginx = Nginx::start().await;
    nginx.publish("a/b/c", "x").await;
    nginx.reload_with(|builder| builder.http("push_stream_max_number_of_channels 2;")).await;
    let refused = nginx.post("/pub?id=d", "x").await;
    refused.assert_refused(403, Some("Number of channels were exceeded."));
    let refused = nginx.get("/sub/e").await;
    refused.assert_refused(403, Some("Number of channels were exceeded."));
    nginx.publish("a", "y").await;
}

/// A configuration that does not load changes nothing for anybody.
#[tokio::test]
async fn a_refused_reload() {
    let nginx = Nginx::start().await;
    let before = nginx.worker_pids();
    let mut stream = nginx.stream("/sub/s").await;
    nginx
        .reload_refused(
            |builder| builder.http("push_stream_message_ttl 0;"),
            "push_stream_message_ttl cannot be zero",
        )
        .await;
    nginx.publish_live("s", "still").await;
    assert_eq!(stream.line().await, "1 s still");
    assert_eq!(nginx.worker_pids(), before);
    nginx.reload().await;
    assert_eq!(stream.rest().await, (Vec::new(), End::Clean));
}

//! Little memory, slow readers, many visitors.

mod support;

use support::process::private_memory;
use support::{Call, Client, Nginx, Raw, next_second};
use tokio::task::JoinSet;

/// Waits until a subscription that was only written to the socket is in force.
async fn subscribed(nginx: &Nginx, id: &str, count: u64) {
    nginx.wait_channel_stat(id, "subscribers", count).await;
}

/// LIFE-51..56: a 1 MiB zone filled until 500. Live delivery never stops, DELETE works and frees,
/// publishing works again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_zone_recovers() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder().zone("1m").expect_log("unable to allocate").start().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(nginx.stream("/sub/f0").await);
    }
    let mut client = Client::connect(nginx.port).await.expect("connect");
    let mut expected = 0;
    for round in 0..3 {
        let mut count = 0;
        loop {
            let target = format!("/pub?id=f{}", count % 20);
            let answer = client.post(&target, vec![b'x'; 500]).await.expect("an answer");
            if answer.status != 200 {
                assert_eq!(answer.status, 500, "{answer:?}");
                break;
            }
            if count % 20 == 0 {
                expected += 1;
                for stream in &mut streams {
                    assert!(stream.line().await.starts_with(&format!("{expected} f0 x")));
                }
            }
            count += 1;
        }
        assert!(count > 500, "only {count} messages of 500 bytes fit");
        // The worker that is told 500 still serves everyone else.
        assert_eq!(nginx.get("/stats?id=ALL").await.status, 200);
        for channel in 1..20 {
            let answer = nginx.delete(&format!("/pub?id=f{channel}")).await;
            assert_eq!(answer.status, 200, "round {round}: {answer:?}");
        }
        // The memory is free at once: as much as before fits again.
        for n in 0..count * 17 / 20 {
            let target = format!("/pub?id=again{}", n % 10);
            let answer = client.post(&target, vec![b'y'; 500]).await.expect("an answer");
            assert_eq!(answer.status, 200, "round {round}: message {n} of {count} after deletion");
        }
        for channel in 0..10 {
            assert_eq!(nginx.delete(&format!("/pub?id=again{channel}")).await.status, 200);
        }
        for n in 0..50 {
            nginx.publish_live("f0", format!("still here {n}")).await;
            expected += 1;
            for stream in &mut streams {
                assert_eq!(stream.line().await, format!("{expected} f0 still here {n}"));
            }
        }
        // f0 itself must leave room for the next round.
        if round < 2 {
            assert_eq!(nginx.delete("/pub?id=f0").await.status, 200);
            streams.clear();
            for _ in 0..8 {
                streams.push(nginx.stream("/sub/f0").await);
            }
            expected = 0;
        }
    }
}

/// One numbered message of `channel`, recognisable in every byte.
fn block(channel: u8, number: usize) -> Vec<u8> {
    let mut text = format!("<{}{number:06}>", char::from(channel)).into_bytes();
    text.resize(64 * 1024, channel);
    text
}

/// SUB-51, SUB-52, LIFE-46: a subscriber that stops reading while 16 MB go by, then reads: its own
/// channel's messages, whole and in order, and a clean end. The others miss nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder()
        .location(
            "/framed",
            "push_stream_subscriber; push_stream_channels_path $arg_id;
             push_stream_footer_template FOOT;",
        )
        .expect_log("slow-reader-channel")
        .start()
        .await;
    let mut slow = Raw::with_small_window(nginx.port).await;
    slow.request("GET /framed?id=slow-reader-channel", &[]).await;
    subscribed(&nginx, "slow-reader-channel", 1).await;
    let mut quick = nginx.stream("/raw?id=slow-reader-channel").await;
    let reading = tokio::spawn(async move {
        for n in 0..256 {
            assert!(
                quick.exactly(64 * 1024).await == block(b's', n),
                "message {n} for the quick one"
            );
        }
        quick
    });
    let mut own = Client::connect(nginx.port).await.expect("connect");
    let mut other = Client::connect(nginx.port).await.expect("connect");
    for n in 0..256 {
        let answer = own.post("/live?id=slow-reader-channel", block(b's', n)).await;
        assert_eq!(answer.expect("an answer").status, 200);
        let answer = other.post("/live?id=other", block(b'o', n)).await;
        assert_eq!(answer.expect("an answer").status, 200);
    }
    let quick = reading.await.expect("the quick reader");

    assert_eq!(slow.head().await.status(), 200);
    let mut received = 0;
    let footer = loop {
        match slow.chunk().await {
            Some(chunk) if chunk.len() == 64 * 1024 => {
                assert!(chunk == block(b's', received), "message {received} is not what was sent");
                received += 1;
            }
            other => break other,
        }
    };
    assert_eq!(footer.as_deref(), Some(b"FOOT".as_slice()), "after {received} messages");
    assert_eq!(slow.chunk().await, None);
    slow.expect_close().await;
    // More than the bound was on its way, less than everything.
    assert!((16..256).contains(&received), "{received} messages");
    nginx.wait_channel_stat("slow-reader-channel", "subscribers", 1).await;
    let loud = ["[warn]", "[error]", "[notice]", "[alert]", "[crit]"];
    let mut lines = nginx.log_lines("slow-reader-channel");
    lines.retain(|line| loud.iter().any(|level| line.contains(level)));
    lines.retain(|line| !line.contains("buffered to a temporary file"));
    assert_eq!(lines.len(), 1, "logged once: {lines:?}");
    drop(quick);
}

/// SUB-52: the bound counts what waits behind the message being sent, so one message of any size
/// reaches a slow reader; and a smaller bound is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bound_of_a_slow_reader() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder()
        .zone("64m")
        .listen("reuseport sndbuf=16k")
        .location(
            "/tight",
            "push_stream_subscriber; push_stream_channels_path $arg_id;
             push_stream_subscriber_max_pending 128k; push_stream_footer_template FOOT;",
        )
        .expect_log("tight-channel")
        .start()
        .await;
    let large: Vec<u8> = (0..10_000_000u32).map(|n| (n % 251) as u8).collect();
    let mut slow = Raw::with_small_window(nginx.port).await;
    slow.request("GET /tight?id=tight-channel", &[]).await;
    subscribed(&nginx, "tight-channel", 1).await;
    nginx.publish_live("tight-channel", &large).await;
    nginx.publish_live("tight-channel", "small").await;
    // Published and delivered to the worker's queue before anything is read.
    let mut witness = nginx.stream("/raw?id=tight-channel").await;
    nginx.publish_live("tight-channel", "tiny").await;
    witness.expect("tiny").await;
    slow.head().await;
    assert!(slow.chunk().await.is_some_and(|chunk| chunk == large), "the large message changed");
    slow.expect_chunk("small").await;
    slow.expect_chunk("tiny").await;

    // Now more than 128 KiB behind a message in progress.
    for n in 0..40 {
        nginx.publish_live("tight-channel", block(b't', n)).await;
    }
    let mut received = 0;
    let footer = loop {
        match slow.chunk().await {
            Some(chunk) if chunk.len() == 64 * 1024 => {
                assert!(chunk == block(b't', received));
                received += 1;
            }
            other => break other,
        }
    };
    assert_eq!(footer.as_deref(), Some(b"FOOT".as_slice()), "after {received} messages");
    assert!(received < 40);
    assert_eq!(slow.chunk().await, None);
}

/// LIFE-20, LIFE-44: 8,000 unstored 80-byte messages through a 1 MiB zone from four
/// publishers, each sending after its last answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unstored_messages_through_a_small_zone() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder().zone("1m").start().await;
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        let mut stream = nginx.stream("/sub/small").await;
        readers.spawn(async move {
            for id in 1..=8000 {
                let line = stream.line().await;
                assert!(line.starts_with(&format!("{id} small ")), "{line} instead of {id}");
            }
        });
    }
    let mut writers = JoinSet::new();
    for publisher in 0..4 {
        let port = nginx.port;
        writers.spawn(async move {
            let mut client = Client::connect(port).await.expect("connect");
            for n in 0..2000 {
                let text = format!("{publisher:040}{n:040}");
                let answer = client.post("/live?id=small", text).await.expect("an answer");
                assert_eq!(answer.status, 200, "message {n} of {publisher}: {answer:?}");
            }
        });
    }
    writers.join_all().await;
    readers.join_all().await;
}

async fn workers_memory(nginx: &Nginx) -> u64 {
    nginx.worker_pids().into_iter().map(private_memory).sum()
}

/// `count` subscribers come, get one message each, and leave.
async fn visit(nginx: &Nginx, count: usize) {
    let mut visitors = JoinSet::new();
    for n in 0..count {
        let call = Call::new(nginx.port, "GET", &format!("/sub/v{}/w", n % 10));
        visitors.spawn(call.stream());
    }
    let mut streams = visitors.join_all().await;
    nginx.publish_live("w", "hello").await;
    for stream in &mut streams {
        assert!(stream.line().await.ends_with(" w hello"));
    }
    drop(streams);
    nginx.wait_stat("subscribers", 0).await;
}

/// LIFE-19, LIFE-21, LIFE-22, PING-5: two thousand subscribers connect and leave in a loop; what
/// the workers' memory was after the first ones, it is after the last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_returns() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder()
        .server("keepalive_timeout 0;")
        .server("push_stream_ping_message_interval 60s; push_stream_subscriber_connection_ttl 60s;")
        .start()
        .await;
    // More at once than later, so that no worker has a new high tide afterwards.
    for _ in 0..3 {
        visit(&nginx, 1000).await;
    }
    let before = workers_memory(&nginx).await;
    for _ in 0..4 {
        visit(&nginx, 500).await;
    }
    // 64 bytes lost per visitor would show. The allocator may need a moment to give back.
    let most = before + 2000 * 64;
    let mut after = u64::MAX;
    for _ in 0..10 {
        after = workers_memory(&nginx).await;
        if after <= most {
            return;
        }
        next_second().await;
    }
    panic!("{before} bytes before, {after} after two thousand more visitors");
}

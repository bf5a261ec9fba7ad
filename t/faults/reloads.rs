//! Reloads in the middle of a request.

use crate::support::stream::End;
use crate::support::{self, Nginx, next_second};

/// LIFE-69..71, LIFE-94..96, SUB-46: a reload while a POST is half received: it is answered, the
/// subscribers of the new workers get it and everything later, and an old subscriber gets its
/// ending and, with its cursor, every message exactly once. From 4 workers to 4, and from 1 to 8
/// with few descriptors.
async fn reload_during_a_slow_post(before: usize, after: usize, open_files: Option<u64>) {
    let mut builder = Nginx::builder().workers(before).listen("").subscriber(
        "cursor",
        "push_stream_footer_template \"FOOT\\n\";
             push_stream_message_template \"~time~|~tag~|~id~|~text~\\n\";",
    );
    if let Some(limit) = open_files {
        builder = builder.open_files(limit, 500);
    }
    let nginx = builder.start().await;
    next_second().await;

    for round in 0..3 {
        let channel = format!("r{round}");
        let mut old = Vec::new();
        for _ in 0..6 {
            old.push(nginx.stream(&format!("/cursor/{channel}")).await);
        }
        nginx.publish(&channel, "first").await;
        let mut slow = nginx.raw().await;
        slow.begin_upload(&format!("/pub?id={channel}"), 10).await;
        slow.send("01234").await;
        nginx.publish(&channel, "second").await;
        nginx.reload_with(|builder| builder.workers(after)).await;

        let mut new = Vec::new();
        for _ in 0..16 {
            new.push(nginx.stream(&format!("/sub/{channel}")).await);
        }
        let mut cursors = Vec::new();
        for stream in &mut old {
            let lines = stream.lines(3).await;
            assert!(lines[0].ends_with("|1|first") && lines[1].ends_with("|2|second"), "{lines:?}");
            assert_eq!(lines[2], "FOOT");
            assert_eq!(stream.rest().await, (Vec::new(), End::Clean));
            let mut cursor = lines[1].split('|').map(str::to_owned);
            cursors.push((cursor.next().expect("a time"), cursor.next().expect("a tag")));
        }
        slow.send("56789").await;
        assert_eq!(slow.answer().await.status(), 200);
        for n in 4..=40 {
            nginx.publish(&channel, format!("m{n}")).await;
        }
        for stream in &mut new {
            assert_eq!(stream.line().await, format!("3 {channel} 0123456789"));
            for n in 4..=40 {
                assert_eq!(stream.line().await, format!("{n} {channel} m{n}"));
            }
        }
        for (time, tag) in cursors {
            let call = nginx.call("GET", &format!("/sub/{channel}"));
            let call = call.header("If-Modified-Since", &time);
            let mut back = call.header("If-None-Match", &format!("W/{tag}")).stream().await;
            assert_eq!(back.line().await, format!("3 {channel} 0123456789"));
            for n in 4..=40 {
                assert_eq!(back.line().await, format!("{n} {channel} m{n}"));
            }
        }
        drop(new);
        nginx.wait_stat("subscribers", 0).await;
        // Back to the number that the next round starts with.
        nginx.reload_with(|builder| builder.workers(before)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_during_a_slow_post_with_as_many_workers() {
    let _alone = support::alone().await;
    reload_during_a_slow_post(4, 4, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_during_a_slow_post_with_more_workers() {
    let _alone = support::alone().await;
    reload_during_a_slow_post(1, 8, Some(1024)).await;
}

/// LIFE-70, LIFE-71: many slow posts over many reloads, all answered, none lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_posts_over_several_generations() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder().listen("").start().await;
    let mut posts = Vec::new();
    for n in 0..4 {
        let mut slow = nginx.raw().await;
        slow.begin_upload("/pub?id=gen", 4).await;
        slow.send(format!("p{n}")).await;
        nginx.reload().await;
        posts.push(slow);
    }
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(nginx.stream("/sub/gen").await);
    }
    for (n, slow) in posts.iter_mut().enumerate() {
        slow.send("..").await;
        assert_eq!(slow.answer().await.status(), 200);
        for stream in &mut streams {
            assert_eq!(stream.line().await, format!("{} gen p{n}..", n + 1));
        }
    }
}

//! Subscribers over HTTP/2 (without TLS, which takes the same way through nginx).

use super::support::http2::Http2;
use super::support::{self, Nginx};

/// SUB-63: messages in order, the notice of a deletion, the footer, and the end of the stream, each
/// as it comes and while another stream of the same connection goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_in_data_frames() {
    let nginx = Nginx::builder()
        .http2()
        .subscriber(
            "framed",
            r#"push_stream_message_template "~id~ ~text~\n"; push_stream_header_template HEAD\n;
               push_stream_footer_template FOOT\n;"#,
        )
        .start()
        .await;
    nginx.publish("a", "old").await;
    let mut client = Http2::connect(&nginx).await;

    client.get(1, "/framed/a.b1").await;
    client.expect_ok(1).await;
    client.expect(1, "HEAD\n1 old\n").await;
    client.get(3, "/framed/b").await;
    client.expect_ok(3).await;
    client.expect(3, "HEAD\n").await;

    for n in 2..=200 {
        nginx.publish("a", format!("message {n}")).await;
        client.expect(1, &format!("{n} message {n}\n")).await;
    }
    // Larger than a frame of nginx, a socket buffer and a first flow control window.
    let large = "x".repeat(3_000_000);
    nginx.publish("a", &large).await;
    client.expect(1, &format!("201 {large}\n")).await;
    nginx.publish("b", "for the other").await;
    client.expect(3, "1 for the other\n").await;

    assert_eq!(nginx.delete("/pub?id=a").await.status, 200);
    client.expect(1, "-2 Channel deleted\nFOOT\n").await;
    assert_eq!(client.data(1).await, None);
    nginx.publish("b", "still there").await;
    client.expect(3, "2 still there\n").await;
    client.reset(3).await;
    nginx.wait_stat("subscribers", 0).await;
}

/// SUB-51, LIFE-46: a client stops reading in the middle of one channel's messages and resets the
/// stream. Frames that were being sent still leave; what they show is that channel's text, not the
/// text of another that was published afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_stream_shows_no_other_channel() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder()
        .workers(1)
        .zone("64m")
        .http2()
        .listen("sndbuf=64k")
        // So that nobody is ended for reading too slowly: only the resets end subscriptions here.
        .subscriber(
            "patient",
            r#"push_stream_message_template "~text~"; push_stream_subscriber_max_pending 64m;"#,
        )
        .start()
        .await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Http2::with_small_window(&nginx).await;
        client.get(1, "/patient/own").await;
        clients.push(client);
    }
    nginx.wait_channel_stat("own", "subscribers", 8).await;
    // Reads nothing either, so that what is formatted for it stays in memory.
    let mut idle = support::Raw::with_small_window(nginx.port).await;
    idle.request("GET /patient/other", &[]).await;
    nginx.wait_channel_stat("other", "subscribers", 1).await;

    for _ in 0..60 {
        nginx.publish_live("own", [b'A'; 100_000]).await;
    }
    for client in &mut clients {
        client.reset(1).await;
    }
    nginx.wait_stat("subscribers", 1).await;
    for _ in 0..60 {
        nginx.publish_live("other", "SECRET".repeat(16_667)).await;
    }

    for client in &mut clients {
        let seen = client.everything().await;
        let own = seen.iter().filter(|&&byte| byte == b'A').count();
        assert!(own > 0, "nothing of its own channel among {} bytes", seen.len());
        // Frame heads and the answer to the PING are in there too.
        let foreign = seen.windows(3).filter(|part| b"SECRETSECRET".windows(3).any(|w| w == *part));
        assert_eq!(foreign.count(), 0, "another channel's text among {} bytes", seen.len());
        let other = seen.len() - own;
        assert!(other < 16_384, "{other} of {} bytes are not its channel's text", seen.len());
    }
}

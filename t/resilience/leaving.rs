//! How a subscription ends when something else than the module takes part in it.

use super::support::process::send_signal;
use super::support::{self, Nginx, Raw};

/// LIFE-19: clients that send their request and the end of their side in one go are gone, as far as
/// nginx can tell. They leave without a message that would find them out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_closes_with_its_request() {
    let _alone = support::alone().await;
    let nginx = Nginx::builder().workers(1).start().await;
    let worker = *nginx.worker_pids().first().expect("a worker");
    // While the worker stands still, so that it finds request and end together.
    send_signal(worker, libc::SIGSTOP);
    let mut clients = Vec::new();
    for n in 0..20 {
        let mut client = Raw::connect(nginx.port).await;
        client.request(&format!("GET /sub/c{}/all", n % 3), &[]).await;
        client.half_close().await;
        clients.push(client);
    }
    send_signal(worker, libc::SIGCONT);
    nginx.wait_stat("subscribers", 0).await;
    for client in &mut clients {
        client.until_close().await;
    }
    // The counter above may have been read before they came.
    nginx.wait_stat("subscribers", 0).await;
    for id in ["all", "c0", "c1", "c2"] {
        assert_eq!(nginx.channel_stat(id, "subscribers").await, 0, "{id}");
    }
}

/// SUB-43, SUB-46: the footer is the module's last word, not the response's: what `add_after_body`
/// adds comes behind it, then the last chunk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_added_after_the_body() {
    let nginx = Nginx::builder()
        .location("/before", "return 200 BEFORE;")
        .location("/after", "return 200 AFTER;")
        .subscriber(
            "added",
            r#"default_type text/html; add_before_body /before; add_after_body /after;
               push_stream_subscriber_connection_ttl 1s; push_stream_message_template "~text~";
               push_stream_header_template HEAD; push_stream_footer_template FOOT;"#,
        )
        .start()
        .await;
    nginx.publish("a", "one").await;
    nginx.publish("a", "two").await;
    let mut client = nginx.raw().await;
    for _ in 0..2 {
        client.request("GET /added/a.b2", &[]).await;
        let answer = client.answer().await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert_eq!(String::from_utf8_lossy(&answer.body), "BEFOREHEADonetwoFOOTAFTER");
    }
    // The connection is as good as after any other answer.
    client.request("GET /stats", &["Connection: close"]).await;
    assert_eq!(client.answer().await.status(), 200);
    client.expect_close().await;
    nginx.wait_stat("subscribers", 0).await;
}

/// LIFE-89, LP-2, LP-16: a request that a worker is reading when it is told to go is answered in full,
/// however many turns of its event loop that takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_a_worker_that_leaves() {
    const HISTORY: usize = 300;
    let nginx = Nginx::builder().workers(1).location("/stub", "stub_status;").start().await;
    for n in 1..=HISTORY {
        nginx.publish("old", format!("<{n}>")).await;
    }
    for (mode, target, status, messages) in [
        ("polling", "old.b300", 200, HISTORY),
        ("long-polling", "old.b300", 200, HISTORY),
        ("long-polling", "new", 304, 0),
        ("streaming", "new", 200, 0),
    ] {
        let mut client = nginx.raw().await;
        let mode = format!("X-Nginx-PushStream-Mode: {mode}\r\n");
        client.send(format!("GET /sub/{target} HTTP/1.1\r\nHost: localhost\r\n{mode}")).await;
        support::wait_for("a head that is being read", || async {
            nginx.get("/stub").await.text().contains("Reading: 1").then_some(())
        })
        .await;
        nginx.reload().await;
        client.send("\r\n").await;
        let answer = client.answer().await;
        client.expect_close().await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!((answer.status(), text.matches('<').count()), (status, messages), "{text}");
    }
    nginx.wait_stat("subscribers", 0).await;
}

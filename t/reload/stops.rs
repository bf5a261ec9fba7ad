//! Fast and graceful stops: every mode's ending (LIFE-89, LIFE-90).

use crate::builder;
use crate::support::process::send_signal;
use crate::support::{Builder, Client, wait_for};

/// Every mode gets its ending, over HTTP/2 too, and the master goes.
async fn all_modes_end(builder: Builder, signal: i32, timeout_with_body: &str) {
    let line = format!("push_stream_timeout_with_body {timeout_with_body};");
    let nginx = builder.http(&line).http2().start().await;
    let mut stream = nginx.stream("/stream/c").await;
    let mut events = nginx.stream("/events/c").await;
    let mut socket = nginx.socket("/ws/c").await;
    let (_, http2) = nginx.ways().swap_remove(1);
    let mut framed = Client::connect(http2).await.expect("a connection");
    let mut framed = framed.stream("/stream/c").await.expect("a stream");
    let mut polls = Vec::new();
    for target in ["/poll/quiet", "/poll/quiet?callback=f"] {
        let mut poll = nginx.raw().await;
        poll.request(&format!("GET {target}"), &[]).await;
        polls.push(poll);
    }
    nginx.wait_stat("subscribers", 6).await;
    nginx.publish("c", "x").await;
    send_signal(nginx.master_pid(), signal);

    stream.ends_with("1 x\nFOOT").await;
    framed.ends_with("1 x\nFOOT").await;
    events.ends_with(": \ndata: x\n\n: FOOT\n").await;
    for (start, payload) in [(0x81, "1 x"), (0x81, "FOOT"), (0x88, "")] {
        socket.expect(start, payload).await;
    }
    if signal == libc::SIGQUIT {
        // Else it is waited for (WS-GAP-16).
        socket.send(0x88, b"").await;
    }
    socket.raw.expect_close().await;
    for poll in &mut polls {
        let answer = poll.answer().await;
        let expected = if timeout_with_body == "on" { 200 } else { 304 };
        assert_eq!((answer.status(), answer.header("connection")), (expected, Some("close")));
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(text.contains("-3 Timed out"), expected == 200, "{text}");
        poll.expect_close().await;
    }
    wait_for("the master to go", || async { nginx.has_exited().then_some(()) }).await;
}

/// LIFE-89, LP-16
#[tokio::test]
async fn fast() {
    all_modes_end(builder(), libc::SIGTERM, "off").await;
    all_modes_end(builder(), libc::SIGINT, "on").await;
}

/// LIFE-90, LP-17: at once, unlike the original, which waits for the ends of their times.
#[tokio::test]
async fn graceful() {
    all_modes_end(builder(), libc::SIGQUIT, "off").await;
    all_modes_end(builder(), libc::SIGQUIT, "on").await;
}

/// LIFE-88, LIFE-89: without a master.
#[tokio::test]
async fn a_single_process() {
    all_modes_end(builder().single_process(), libc::SIGTERM, "off").await;
    all_modes_end(builder().single_process(), libc::SIGQUIT, "off").await;
}

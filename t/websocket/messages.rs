//! What goes out (WS-50..57, WS-GAP-20), and what both sides may agree on beyond that.

use crate::builder;
use crate::support::Nginx;

/// WS-50, WS-51, WS-52: one frame with the shortest length.
#[tokio::test]
async fn sizes() {
    let nginx = Nginx::builder().websocket("raw", "").start().await;
    let mut live = nginx.socket("/raw/s").await;
    for size in [1, 125, 126, 65_535, 65_536, 3_000_000] {
        let text = "x".repeat(size);
        nginx.publish("s", &text).await;
        let mut replay = nginx.socket("/raw/s.b1").await;
        for socket in [&mut live, &mut replay] {
            let head = socket.raw.exactly(2).await;
            let rest = match size {
                0..=125 => socket.raw.exactly(size).await,
                126..=65_535 => {
                    assert_eq!(socket.raw.exactly(2).await, (size as u16).to_be_bytes());
                    socket.raw.exactly(size).await
                }
                _ => {
                    assert_eq!(socket.raw.exactly(8).await, (size as u64).to_be_bytes());
                    socket.raw.exactly(size).await
                }
            };
            let len = match size {
                0..=125 => size as u8,
                126..=65_535 => 126,
                _ => 127,
            };
            assert_eq!(head, [0x81, len]);
            assert!(rest == text.as_bytes());
        }
    }
}

/// WS-53, WS-54, WS-55: the template, with the text as it is.
#[tokio::test]
async fn templates() {
    let nginx = Nginx::builder()
        .websocket(
            "full",
            "push_stream_message_template
                 '{\"id\":~ID~,\"c\":\"~channel~\",\"t\":\"~text~\",\"s\":~size~,\"e\":\"~event-id~\",\
                  \"k\":\"~event-type~\",\"x\":\"~x~\"}';",
        )
        .start()
        .await;
    let mut socket = nginx.socket("/full/t").await;
    nginx.publish_live("t", "say \"~id~\"").await;
    socket
        .text("{\"id\":1,\"c\":\"t\",\"t\":\"say \"~id~\"\",\"s\":10,\"e\":\"\",\"k\":\"\",\"x\":\"~x~\"}")
        .await;
}

/// WS-56, WS-GAP-20: what is not UTF-8 is no text frame.
#[tokio::test]
async fn bytes_that_are_no_text() {
    let nginx = builder().start().await;
    let mut socket = nginx.socket("/ws/u").await;
    nginx.publish("u", b"\xff\xfe").await;
    socket.expect(0x82, b"1 u \xff\xfe").await;
    nginx.publish("u", "\u{20ac}").await;
    socket.text("2 u \u{20ac}").await;
    let mut replay = nginx.socket("/ws/u.b2").await;
    replay.expect(0x82, b"1 u \xff\xfe").await;
}

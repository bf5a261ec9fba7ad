//! The same bytes whichever way they leave: straight to the connection or through nginx's filters.

use std::io::Write as _;

use crate::support::stream::End;
use crate::support::{Nginx, Stream};

const FRAMES: &str = "push_stream_header_template HEAD; push_stream_footer_template FOOT;
                      push_stream_message_template \"~id~ ~text~\\n\";";

/// Each way with a directive that forces it, or that the direct way must respect.
const WAYS: &[(&str, &str)] = &[
    ("auto", ""),
    ("on", "push_stream_direct_output on;"),
    ("off", "push_stream_direct_output off;"),
    ("limited", "limit_rate 20m;"),
    ("unbuffered", "postpone_output 0; tcp_nopush on; sendfile on;"),
    ("small", "output_buffers 1 1k;"),
    ("charset", "charset utf-8; charset_types *;"),
];

/// SUB-40, SUB-41, SUB-64 over every way; small and large messages, history and live.
#[tokio::test]
async fn every_way_sends_the_same() {
    let mut builder = Nginx::builder();
    for (name, directives) in WAYS {
        builder = builder.subscriber(name, &format!("{FRAMES} {directives}"));
    }
    let nginx = builder.start().await;
    for (name, _) in WAYS {
        let large = "x".repeat(700_000);
        nginx.publish("o", "old").await;
        let mut stream = nginx.stream(&format!("/{name}/o.b1")).await;
        nginx.publish_live("o", "small").await;
        nginx.publish_live("o", &large).await;
        nginx.publish_live("o", "after").await;
        stream.expect("HEAD1 old\n2 small\n3 ").await;
        stream.expect(&large).await;
        stream.expect("\n4 after\n").await;
        nginx.delete("/pub?id=o").await;
        stream.ends_with("-2 Channel deleted\nFOOT").await;
    }
}

/// nginx can be told not to chunk; then the body is plain and ends with the connection.
#[tokio::test]
async fn without_chunks() {
    let nginx = Nginx::builder()
        .subscriber("plain", &format!("{FRAMES} chunked_transfer_encoding off;"))
        .start()
        .await;
    nginx.publish("p", "old").await;
    let mut raw = nginx.raw().await;
    raw.request("GET /plain/p.b1", &[]).await;
    let head = raw.head().await;
    assert_eq!(
        (head.header("transfer-encoding"), head.header("connection")),
        (None, Some("close"))
    );
    raw.until("HEAD1 old\n").await;
    nginx.publish_live("p", "new").await;
    assert_eq!(raw.until("new\n").await, b"2 new\n");
    nginx.delete("/pub?id=p").await;
    assert_eq!(raw.until_close().await, b"-2 Channel deleted\nFOOT");
}

/// The direct way must keep out of a content coding's way: each message can be decoded when it
/// comes, and everything together is whole.
#[tokio::test]
async fn through_gzip() {
    let nginx = Nginx::builder()
        .subscriber("packed", &format!("{FRAMES} gzip on; gzip_types *; gzip_min_length 0;"))
        .start()
        .await;
    let call = nginx.call("GET", "/packed/z").header("Accept-Encoding", "gzip");
    let mut stream = call.stream().await;
    assert_eq!(stream.header("content-encoding"), Some("gzip"));
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    decode_until(&mut stream, &mut decoder, "HEAD").await;
    for n in 1..=20 {
        nginx.publish_live("z", format!("message {n}")).await;
        decode_until(&mut stream, &mut decoder, &format!("{n} message {n}\n")).await;
    }
    nginx.delete("/pub?id=z").await;
    let (rest, end) = stream.rest().await;
    decoder.write_all(&rest).expect("gzip");
    let all = String::from_utf8(decoder.finish().expect("a complete gzip stream")).expect("UTF-8");
    assert!(all.starts_with("HEAD1 message 1\n"), "{all}");
    assert!(all.ends_with("20 message 20\n-2 Channel deleted\nFOOT"), "{all}");
    assert_eq!(end, End::Clean);
}

async fn decode_until(
    stream: &mut Stream,
    decoder: &mut flate2::write::GzDecoder<Vec<u8>>,
    mark: &str,
) {
    while !decoder.get_ref().ends_with(mark.as_bytes()) {
        let byte = stream.exactly(1).await;
        decoder.write_all(&byte).expect("gzip");
        decoder.flush().expect("gzip");
    }
}

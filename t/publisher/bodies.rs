//! Request bodies of every kind arrive whole; none and too large ones are refused.

use crate::support::Nginx;

async fn stored_text(nginx: &Nginx, id: &str, size: usize) -> Vec<u8> {
    let mut replay = nginx.stream(&format!("/raw?id={id}.b1")).await;
    replay.exactly(size).await
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n % 251) as u8).collect()
}

/// PUB-36, PUB-38: any bytes, any size, through a temporary file which is gone afterwards.
#[tokio::test]
async fn sizes_and_bytes() {
    let nginx = Nginx::start().await;
    let all_bytes: Vec<u8> = (0..=255).collect();
    for body in [
        vec![b'x'],
        b"line\r\nline\n\0nul\0".to_vec(),
        all_bytes,
        pattern(16 * 1024 - 1),
        pattern(16 * 1024 + 1),
        pattern(200_000),
        pattern(5_000_000),
    ] {
        nginx.publish("sizes", &body).await;
        let seen = stored_text(&nginx, "sizes", body.len()).await;
        assert!(seen == body, "a body of {} bytes changed", body.len());
    }
    let temporary = nginx.dir().join("client_body");
    assert_eq!(std::fs::read_dir(temporary).expect("the temporary folder").count(), 0);
}

/// PUB-37, PUB-38: a body that comes in several network reads.
#[tokio::test]
async fn a_body_in_pieces() {
    let nginx = Nginx::start().await;
    let body = pattern(100_000);
    let mut raw = nginx.raw().await;
    raw.request("POST /pub?id=pieces", &["Content-Length: 100000"]).await;
    for piece in body.chunks(7_001) {
        raw.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.answer().await.status(), 200);
    assert!(stored_text(&nginx, "pieces", body.len()).await == body);
}

/// PUB-37: chunked, in memory and in a file, with many tiny chunks.
#[tokio::test]
async fn chunked_bodies() {
    let nginx = Nginx::start().await;
    for (size, chunk) in [(10, 3), (30_000, 11), (1_000_000, 65_000)] {
        let body = pattern(size);
        let mut raw = nginx.raw().await;
        raw.request("PUT /pub?id=chunked", &["Transfer-Encoding: chunked"]).await;
        let mut wire = Vec::new();
        for piece in body.chunks(chunk) {
            wire.extend(format!("{:x}\r\n", piece.len()).into_bytes());
            wire.extend(piece);
            wire.extend(b"\r\n");
        }
        wire.extend(b"0\r\n\r\n");
        raw.send(wire).await;
        assert_eq!(raw.answer().await.status(), 200);
        assert!(stored_text(&nginx, "chunked", size).await == body, "{size} in {chunk}");
    }
}

/// PUB-37.
#[tokio::test]
async fn expect_continue_and_http_1_0() {
    let nginx = Nginx::start().await;
    let mut raw = nginx.raw().await;
    raw.request("POST /pub?id=e", &["Expect: 100-continue", "Content-Length: 5"]).await;
    assert_eq!(raw.head().await.status(), 100);
    raw.send("hello").await;
    assert_eq!(raw.answer().await.status(), 200);
    assert_eq!(stored_text(&nginx, "e", 5).await, b"hello");

    let mut raw = nginx.raw().await;
    raw.send("POST /pub?id=o HTTP/1.0\r\nContent-Length: 3\r\n\r\nold").await;
    assert_eq!(raw.answer().await.status(), 200);
    raw.expect_close().await;
    assert_eq!(stored_text(&nginx, "o", 3).await, b"old");
}

/// PUB-39, PUB-40, PUB-41: no body, no channel.
#[tokio::test]
async fn empty_bodies() {
    let nginx = Nginx::start().await;
    for headers in [
        "POST /pub?id=empty HTTP/1.1\r\nHost: x\r\n\r\n",
        "PUT /pub?id=empty HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST /pub?id=empty HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /pub?id=empty HTTP/1.0\r\n\r\nbytes without a length",
    ] {
        let mut raw = nginx.raw().await;
        raw.send(headers).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status(), 400, "{headers}");
        assert_eq!(answer.explanation(), Some("Empty post requests are not allowed."));
        assert_eq!(
            (answer.header("content-length"), answer.header("content-type")),
            (Some("0"), None)
        );
        assert!(nginx.channel("empty").await.is_none(), "{headers}");
    }
    // PUB-102.
    assert_eq!(nginx.log_lines("Post request was sent with no message").len(), 4);
}

/// PUB-42, with the sane side of PUB-40: nothing is created before the body is there.
#[tokio::test]
async fn too_large_and_malformed_bodies() {
    let nginx = Nginx::builder()
        .location(
            "/small",
            "client_max_body_size 1k; push_stream_publisher; push_stream_channels_path $arg_id;",
        )
        .expect_log("client intended to send too large")
        .expect_log("client sent invalid chunked body")
        .start()
        .await;
    let large = "x".repeat(2000);
    let answer = nginx.post("/small?id=large", &large).await;
    assert_eq!((answer.status, answer.header("content-type")), (413, Some("text/html")));
    assert_eq!(answer.header("expires"), None);
    assert!(nginx.channel("large").await.is_none());

    for (body, status) in [(format!("7d0\r\n{large}\r\n0\r\n\r\n"), 413), ("zz\r\n".into(), 400)] {
        let mut raw = nginx.raw().await;
        raw.request("POST /small?id=large", &["Transfer-Encoding: chunked"]).await;
        raw.send(body).await;
        assert_eq!(raw.answer().await.status(), status);
        assert!(nginx.channel("large").await.is_none());
    }
}

/// A client that leaves in the middle of its body publishes nothing and harms nobody.
#[tokio::test]
async fn an_upload_that_is_given_up() {
    let nginx = Nginx::start().await;
    let workers = nginx.worker_pids();
    for _ in 0..20 {
        let mut raw = nginx.raw().await;
        raw.request("POST /pub?id=gone", &["Content-Length: 100000"]).await;
        raw.send(pattern(20_000)).await;
    }
    nginx.publish("after", "x").await;
    assert!(nginx.channel("gone").await.is_none());
    assert_eq!(nginx.worker_pids(), workers);
}

//! Request bodies of every kind arrive whole; none and too large ones are refused.

use crate::support::{EXPIRES, Nginx};

async fn stored_text(nginx: &Nginx, id: &str, size: usize) -> Vec<u8> {
    let mut replay = nginx.stream(&format!("/raw?id={id}.b1")).await;
    replay.exactly(size).await
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n % 251) as u8).collect()
}

/// PUB-36, PUB-38: any bytes, any size, in memory or through a temporary file.
#[tokio::test]
async fn sizes_and_bytes() {
    let nginx = Nginx::builder()
        .location(
            "/single",
            "client_body_in_single_buffer on; client_body_in_file_only clean;
             push_stream_publisher; push_stream_channels_path sizes; push_stream_store_messages on;",
        )
        .start()
        .await;
    let all_bytes: Vec<u8> = (0..=255).collect();
    for body in [
        vec![b'x'],
        vec![0],
        b"line\r\nline\n\0nul\0".to_vec(),
        b"\r\n\r\n".to_vec(),
        all_bytes,
        pattern(16 * 1024 - 1),
        pattern(16 * 1024),
        pattern(16 * 1024 + 1),
        pattern(200_000),
        pattern(5_000_000),
    ] {
        for target in ["/pub?id=sizes", "/single"] {
            assert_eq!(nginx.post(target, &body).await.status, 200);
            let seen = stored_text(&nginx, "sizes", body.len()).await;
            assert!(seen == body, "a body of {} bytes changed", body.len());
        }
    }
    nginx
        .post("/single", "")
        .await
        .assert_refused(400, Some("Empty post requests are not allowed."));
}

/// PUB-36, PUB-45: what the request says about its body is the subscribers' business.
#[tokio::test]
async fn described_bodies() {
    let nginx = Nginx::start().await;
    for (name, value) in [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Type", "multipart/form-data; boundary=x"),
        ("Content-Encoding", "gzip"),
        ("Content-Range", "bytes 0-3/8"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Accept-Encoding", "gzip"),
    ] {
        let text = "id=other&a%20b+c";
        let call = nginx.call("POST", "/pub?id=described").header(name, value);
        assert_eq!(call.body(text).send().await.status, 200, "{name}");
        assert_eq!(stored_text(&nginx, "described", text.len()).await, text.as_bytes());
    }
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
    for (size, chunk) in [(10, 3), (20_000, 1), (30_000, 11), (1_000_000, 65_000)] {
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

/// PUB-42, with the sane side of PUB-40: the largest body that `client_max_body_size` allows goes, one
/// byte more is nginx's 413, and nothing is created before the body is there.
#[tokio::test]
async fn the_largest_body() {
    let nginx = Nginx::builder()
        .location(
            "/small",
            "client_max_body_size 20k; push_stream_publisher admin; push_stream_channels_path $arg_id;
             push_stream_store_messages on; push_stream_allowed_origins *;",
        )
        .expect_log("client intended to send too large")
        .start()
        .await;
    let limit = 20 * 1024;
    for size in [limit, limit + 1] {
        let body = String::from_utf8(vec![b'x'; size]).expect("ASCII");
        let length = format!("Content-Length: {size}\r\n\r\n{body}");
        // In one chunk, and in chunks of which the last one is a byte too much.
        let chunk = format!("Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n");
        let chunks = format!(
            "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n1\r\nx\r\n0\r\n\r\n",
            size - 1,
            &body[1..]
        );
        for (n, rest) in [length, chunk, chunks].into_iter().enumerate() {
            for method in ["POST", "PUT", "DELETE"] {
                let id = format!("{method}{n}{size}");
                if method == "DELETE" {
                    nginx.publish(&id, "stays").await;
                }
                let mut raw = nginx.raw().await;
                raw.send(format!("{method} /small?id={id} HTTP/1.1\r\nHost: x\r\n{rest}")).await;
                let answer = raw.answer().await;
                if size == limit {
                    assert_eq!(answer.status(), 200, "{method} {n}");
                    let channel = nginx.channel(&id).await;
                    assert_eq!(channel.is_none(), method == "DELETE");
                    continue;
                }
                assert_eq!(answer.status(), 413, "{method} {n}");
                assert_eq!(answer.header("content-type"), Some("text/html"));
                // A body with a length is refused before the module sees the request.
                let seen = (n > 0).then_some(EXPIRES);
                assert_eq!(answer.header("expires"), seen);
                assert_eq!(answer.header("access-control-allow-origin"), seen.map(|_| "*"));
                let count = nginx.channel_stat(&id, "published_messages").await;
                assert_eq!(count, u64::from(method == "DELETE"), "{method} {n}");
            }
        }
    }
}

/// PUB-42: a body that breaks the rules of chunks is nginx's 400 and leaves nothing behind.
#[tokio::test]
async fn malformed_chunks() {
    let nginx = Nginx::builder().expect_log("client sent invalid chunked body").start().await;
    for body in [
        "zz\r\n",
        "-1\r\nx\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nx",
        "3\r\nabc\r\n\r\n0\r\n\r\n",
    ] {
        for method in ["POST", "PUT", "DELETE"] {
            let mut raw = nginx.raw().await;
            raw.request(&format!("{method} /pub?id=bad"), &["Transfer-Encoding: chunked"]).await;
            raw.send(body).await;
            let answer = raw.answer().await;
            assert_eq!((answer.status(), answer.header("expires")), (400, Some(EXPIRES)), "{body}");
            assert_eq!(answer.explanation(), None);
            raw.until_close().await;
        }
    }
    assert_eq!(nginx.stat("channels").await, 0);
    assert_eq!(nginx.stat("published_messages").await, 0);
}

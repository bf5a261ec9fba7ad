//! Requests that are up to something: bodies that read like requests, conditions on what has happened.

use super::{Nginx, RawAnswer};

/// Conditions and ranges that nginx itself would obey (PUB-14..16, STAT-24, 25).
pub const CONDITIONS: [&str; 7] = [
    "If-Match: *",
    "If-Match: \"x\"",
    "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
    "If-None-Match: *",
    "If-None-Match: W/1",
    "If-Modified-Since: Thu, 01 Jan 2037 00:00:00 GMT",
    "Range: bytes=0-3",
];

/// Sends `start` with a body that reads like a publish to the channel `smuggled`, once with a
/// length and once chunked, each followed by a real request on the same connection. Returns the
/// two answers to `start`.
pub async fn smuggle(nginx: &Nginx, start: &str) -> [RawAnswer; 2] {
    let hidden = "POST /pub?id=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nevil";
    let length = format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len());
    let chunks =
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    let mut answers = Vec::new();
    for body in [length, chunks] {
        let mut raw = nginx.raw().await;
        raw.send(format!("{start} HTTP/1.1\r\nHost: localhost\r\n{body}")).await;
        answers.push(raw.answer().await);
        raw.request("GET /stats?id=no-such-channel", &[]).await;
        assert_eq!(raw.answer().await.status(), 404, "the request that follows '{start}'");
        raw.request("GET /stats", &["Connection: close"]).await;
        assert_eq!(raw.answer().await.status(), 200, "the last request after '{start}'");
        raw.expect_close().await;
    }
    assert!(nginx.channel("smuggled").await.is_none(), "a body was read as a request: {start}");
    answers.try_into().expect("two answers")
}

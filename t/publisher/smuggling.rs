//! Whatever the answer, the body of a request is never taken for the next request (PUB-96).

use crate::support::hostile::smuggle;
use crate::support::{Builder, Nginx};

/// One start line for each answer that is given without looking at the body, and its status.
const REFUSALS: [(&str, u16); 17] = [
    ("GET /pub?id=here", 200),
    ("GET /pub?id=missing", 404),
    ("GET /pub", 400),
    ("GET /pub?id=ALL", 403),
    ("POST /pub", 400),
    ("POST /pub?id=ALL", 403),
    ("PUT /pub?id=a*", 403),
    ("POST /pub?id=a%0A", 400),
    ("POST /pub?id=longer-than-twenty-bytes", 400),
    ("PATCH /pub?id=here", 405),
    ("HEAD /pub?id=here", 405),
    ("FROBNICATE /pub?id=here", 405),
    ("OPTIONS /pub?id=here", 200),
    ("OPTIONS /pub", 200),
    ("DELETE /normal?id=here", 405),
    ("DELETE /pub?id=ALL", 403),
    ("DELETE /pub", 400),
];

fn with_limits() -> Builder {
    Nginx::builder()
        .location("/normal", "push_stream_publisher; push_stream_channels_path $arg_id;")
        .http("push_stream_max_channel_id_length 20;")
        .http("push_stream_max_number_of_channels 1;")
}

#[tokio::test]
async fn a_body_that_came_with_its_head() {
    let nginx = with_limits().start().await;
    nginx.publish("here", "x").await;
    // Those whose body is read belong here as well.
    let read = [("POST /pub?id=no-room", 403), ("DELETE /pub?id=missing", 404)];
    for (start, status) in REFUSALS.into_iter().chain(read) {
        for answer in smuggle(&nginx, start).await {
            assert_eq!(answer.status(), status, "{start}: {answer:?}");
        }
    }
}

/// A client that sends its body only when it has the answer, or when it is told to go on.
#[tokio::test]
async fn a_body_that_comes_after_the_answer() {
    let nginx = with_limits().start().await;
    nginx.publish("here", "x").await;
    let hidden = "POST /pub?id=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nevil";
    let length = format!("Content-Length: {}", hidden.len());
    for (start, status) in REFUSALS {
        for expect in [false, true] {
            let mut raw = nginx.raw().await;
            let headers = [&length, "Expect: 100-continue"];
            raw.request(start, &headers[..1 + usize::from(expect)]).await;
            let mut answer = raw.answer().await;
            if answer.status() == 100 {
                answer = raw.answer().await;
            }
            assert_eq!(answer.status(), status, "{start}");
            raw.send(hidden).await;
            raw.request("GET /pub?id=next", &["Connection: close"]).await;
            assert_eq!(raw.answer().await.status(), 404, "the request that follows '{start}'");
            raw.expect_close().await;
        }
    }
    assert_eq!(nginx.stat("channels").await, 1);
}

/// A body larger than every buffer on its way.
#[tokio::test]
async fn a_large_body() {
    let nginx = with_limits().start().await;
    nginx.publish("here", "x").await;
    let hidden = "POST /pub?id=here HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nevil";
    let hidden = hidden.repeat(20_000);
    for (start, status) in REFUSALS {
        let mut raw = nginx.raw().await;
        raw.request(start, &[&format!("Content-Length: {}", hidden.len())]).await;
        raw.send(&hidden).await;
        assert_eq!(raw.answer().await.status(), status, "{start}");
        raw.request("GET /pub?id=next", &["Connection: close"]).await;
        assert_eq!(raw.answer().await.status(), 404, "the request that follows '{start}'");
        raw.expect_close().await;
    }
    assert_eq!(nginx.channel_stat("here", "published_messages").await, 1);
}

/// A chunked body that is broken ends the connection; what follows in it is not looked at.
#[tokio::test]
async fn a_body_that_is_malformed() {
    let nginx = with_limits().expect_log("client sent invalid chunked body").start().await;
    nginx.publish("here", "x").await;
    let hidden = "POST /pub?id=here HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nevil";
    for (start, _) in REFUSALS {
        let mut raw = nginx.raw().await;
        let chunk = format!("zz\r\n{hidden}");
        raw.send(format!(
            "{start} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"
        ))
        .await;
        // The head alone: nginx's page goes with it only if the method allows.
        assert_eq!(raw.head().await.status(), 400, "{start}");
        raw.until_close().await;
    }
    assert_eq!(nginx.channel_stat("here", "published_messages").await, 1);
}

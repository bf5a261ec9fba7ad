//! What a request asks for, and what it may not (section 1).

use crate::support::Nginx;
use crate::support::hostile::smuggle;
use crate::workers;

/// STAT-1, STAT-2, STAT-20, STAT-21.
#[tokio::test]
async fn methods() {
    let nginx = Nginx::builder()
        .location(
            "/cors",
            "push_stream_channels_statistics; push_stream_channels_path $arg_id;
             push_stream_allowed_origins *;",
        )
        .start()
        .await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "FROBNICATE"] {
        for target in ["/stats", "/stats?id=a", "/cors"] {
            let answer = nginx.call(method, target).send().await;
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method}");
            assert_eq!(answer.header("x-nginx-pushstream-tag"), None);
            assert_eq!(answer.header("access-control-allow-origin"), None);
            answer.assert_refused(405, None);
        }
    }
    for method in ["GET", "HEAD"] {
        let answer = nginx.call(method, "/cors").header("Origin", "http://other").send().await;
        assert_eq!(answer.status, 200, "{method}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

/// STAT-18, STAT-19, and the same refusal of control bytes as everywhere.
#[tokio::test]
async fn hostile_requests() {
    let nginx = Nginx::start().await;
    let pids = nginx.worker_pids();
    for start in
        ["GET /stats", "GET /stats?id=none", "GET /stats?id=a%0A", "POST /stats", "OPTIONS /stats"]
    {
        smuggle(&nginx, start).await;
    }
    for id in ["x%0A", "%0A", "a/b%00", "ALL%7F", "a*%0A"] {
        let refused = nginx.get(&format!("/stats?id={id}")).await;
        refused.assert_refused(400, Some("Channel id contains control characters."));
    }
    assert_eq!(nginx.worker_pids(), pids);
}

/// STAT-3, STAT-4, STAT-12: an empty value is the summary; the length check comes first.
#[tokio::test]
async fn what_is_reported() {
    let nginx = Nginx::builder()
        .http("push_stream_max_channel_id_length 5;")
        .location("/empty", "push_stream_channels_statistics; push_stream_channels_path \"\";")
        .start()
        .await;
    for target in ["/stats", "/stats?id=", "/stats?other=x", "/empty?id=a"] {
        assert_eq!(workers(&nginx.get(target).await.json()).len(), 4, "{target}");
    }
    // The length comes first, control characters before everything.
    for id in ["123456", "a/123456", "123456/ALL"] {
        let answer = nginx.get(&format!("/stats?id={id}")).await;
        answer.assert_refused(400, Some("Channel id is too large."));
    }
}

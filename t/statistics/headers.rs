//! Response headers (section 2).

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::hostile::CONDITIONS;
use crate::support::{CACHE_CONTROL, EXPIRES, Nginx};
use crate::{FORMATS, get_as};

/// Whether git knows the commit of these sources.
fn is_repository() -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let asked = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root).output();
    root.join(".git").exists() && asked.is_ok_and(|output| output.status.success())
}

/// STAT-20..22, STAT-24, STAT-26.
#[tokio::test]
async fn of_every_status() {
    let nginx = Nginx::builder().http("push_stream_max_channel_id_length 5;").start().await;
    let is_repository = is_repository();
    nginx.publish("a", "x").await;
    for (target, status) in
        [("/stats", 200), ("/stats?id=a", 200), ("/stats?id=no", 404), ("/stats?id=123456", 400)]
    {
        for (accept, content_type) in FORMATS {
            let answer = get_as(&nginx, target, accept).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("expires"), Some(EXPIRES));
            assert_eq!(answer.header("cache-control"), Some(CACHE_CONTROL));
            assert_eq!(answer.header("x-nginx-pushstream-tag"), Some(env!("CARGO_PKG_VERSION")));
            let commit = answer.header("x-nginx-pushstream-commit").expect("a commit");
            let told = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(told || (commit == "unknown" && !is_repository), "{commit}");
            let length = answer.body.len().to_string();
            assert_eq!(answer.header("content-length"), Some(length.as_str()));
            assert_eq!(answer.header("content-type"), (status == 200).then_some(content_type));
            assert_eq!(answer.body.is_empty(), status != 200);
            assert_eq!(answer.explanation(), (status == 400).then_some("Channel id is too large."));
            for absent in ["last-modified", "etag", "accept-ranges"] {
                assert_eq!(answer.header(absent), None);
            }
        }
    }
}

/// STAT-24, STAT-25.
#[tokio::test]
async fn conditions_are_ignored() {
    let nginx = Nginx::start().await;
    let mut raw = nginx.raw().await;
    for header in CONDITIONS {
        raw.request("GET /stats?id=ALL", &[header]).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status(), 200, "{header}");
        assert!(answer.body.ends_with(b"]}\r\n"), "{header}");
    }
}

/// STAT-23, PUB-8: nginx may compress any format; what has no body stays as it is.
#[tokio::test]
async fn gzip() {
    let nginx = Nginx::builder()
        .http("gzip on; gzip_min_length 1; gzip_types text/plain application/json application/xml;")
        .start()
        .await;
    for (method, target, accept, status) in [
        ("GET", "/stats", "*/*", 200),
        ("POST", "/pub?id=a", "*/*", 200),
        ("GET", "/stats?id=a", "text/plain", 200),
        ("GET", "/stats?id=ALL", "application/xml", 200),
        ("GET", "/stats", "text/plain;version=0.0.4", 200),
        ("GET", "/stats?id=none", "*/*", 404),
    ] {
        let call = nginx.call(method, target).header("Accept", accept);
        let call = call.body(if method == "POST" { "x" } else { "" });
        let answer = call.clone().header("Accept-Encoding", "gzip").send().await;
        assert_eq!(answer.status, status);
        if status == 404 {
            answer.assert_refused(404, None);
            continue;
        }
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{target}");
        assert_eq!(answer.header("content-length"), None, "{target}");
        let mut text = String::new();
        let mut decoder = flate2::read::GzDecoder::new(answer.body.as_slice());
        std::io::Read::read_to_string(&mut decoder, &mut text).expect("gzip");
        match accept {
            "*/*" => drop(serde_json::from_str::<Value>(&text).expect("JSON")),
            "text/plain" => assert!(text.starts_with("channel: a\r\n"), "{text}"),
            "application/xml" => assert!(text.ends_with("</root>\r\n"), "{text}"),
            _ => assert!(text.contains("push_stream_messages_published_total 1\n"), "{text}"),
        }
    }
    // A type that is not named stays as it is.
    let yaml = nginx.call("GET", "/stats").header("Accept", "text/yaml");
    let yaml = yaml.header("Accept-Encoding", "gzip").send().await;
    assert_eq!(yaml.header("content-encoding"), None);
}

/// STAT-1, STAT-22: HEAD gets the head that GET would get, and nothing else.
#[tokio::test]
async fn head() {
    let nginx = Nginx::builder()
        .http("push_stream_max_channel_id_length 5;")
        .location(
            "/zone",
            "push_stream_channels_statistics prometheus; push_stream_channels_path x;",
        )
        .start()
        .await;
    for id in ["a", "b"] {
        nginx.publish(id, "x").await;
    }
    let mut raw = nginx.raw().await;
    for target in [
        "/stats",
        "/stats?id=a",
        "/stats?id=a/b",
        "/stats?id=ALL",
        "/stats?id=none*",
        "/stats?id=none",
        "/stats?id=123456",
        "/stats?id=%01",
        "/zone",
    ] {
        for (accept, _) in FORMATS {
            let accept = format!("Accept: {accept}");
            let get = loop {
                raw.request(&format!("GET {target}"), &[&accept]).await;
                let get = raw.answer().await;
                raw.request(&format!("HEAD {target}"), &[&accept]).await;
                let head = raw.head().await;
                assert_eq!(head.status_line, get.status_line, "{target}");
                // The length may change with the second: the time a worker or the zone has lived.
                if head.header("date") == get.header("date") {
                    assert_eq!(head.headers, get.headers, "{target}");
                    break get;
                }
            };
            assert_eq!(get.header("content-length"), Some(get.body.len().to_string().as_str()));
        }
    }
    // What follows a HEAD is the next answer.
    raw.request("GET /stats?id=a", &["Connection: close"]).await;
    assert_eq!(raw.answer().await.status(), 200);
    raw.expect_close().await;
}

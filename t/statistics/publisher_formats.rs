//! The formats of a publisher's answers (docs/spec/publisher.md, section 6).

use crate::bodies;
use crate::support::Nginx;

/// PUB-8, PUB-33, PUB-50, PUB-54..65: GET, POST and PUT in every format, to the byte.
#[tokio::test]
async fn every_answer_in_every_format() {
    let nginx = Nginx::start().await;
    let _subscriber = nginx.stream("/sub/a").await;
    let mut published = 0;
    for (accept, content_type) in [
        ("application/json", "application/json"),
        ("text/plain", "text/plain"),
        ("application/yaml", "application/yaml"),
        ("application/xml", "application/xml"),
        ("text/x-json", "text/x-json"),
        ("text/x-yaml", "text/x-yaml"),
        ("text/json", "application/json"),
        ("text/yaml", "application/yaml"),
        ("text/xml", "application/xml"),
        ("application/x-json", "text/x-json"),
        ("application/x-yaml", "text/x-yaml"),
        // Nobody scrapes a publisher.
        ("text/plain; version=0.0.4", "text/plain"),
        ("application/openmetrics-text", "application/json"),
    ] {
        for method in ["POST", "PUT", "GET"] {
            let (body, each) = if method == "GET" { ("", 0) } else { ("x", 1) };
            let call = |target| nginx.call(method, target).header("Accept", accept).body(body);
            published += each;
            let one = call("/pub?id=a").send().await;
            assert_eq!(one.status, 200);
            assert_eq!(one.header("content-type"), Some(content_type), "{accept}");
            let length = one.body.len().to_string();
            assert_eq!(one.header("content-length"), Some(length.as_str()));
            assert_eq!(one.text(), bodies::single(content_type, ("a", published, published, 1)));

            loop {
                published += 2 * each;
                let group = call("/pub?id=a/none.b1/a").send().await;
                let json = nginx.get("/pub?id=a/none/a").await;
                let infos = &json.json()["infos"];
                let none = infos[1]["published_messages"].as_u64().filter(|_| each == 1);
                let mut lines = vec![("a", published, published, 1); 2];
                if let Some(none) = none {
                    lines.insert(1, ("none", none, none, 0));
                }
                // The head tells the time.
                if group.header("date") == json.header("date") {
                    assert_eq!(group.text(), bodies::group(content_type, &json.json(), &lines));
                    break;
                }
            }
            nginx.delete("/pub?id=none").await;
        }
    }
}

/// PUB-7, PUB-51, PUB-84: what has no body has none in any format.
#[tokio::test]
async fn no_body_in_any_format() {
    let nginx = Nginx::builder()
        .location(
            "/quiet",
            "push_stream_publisher; push_stream_channels_path $arg_id;
             push_stream_channel_info_on_publish off;",
        )
        .start()
        .await;
    for accept in ["text/plain", "application/xml", "text/plain;version=0.0.4"] {
        for (method, target, status, explanation) in [
            ("POST", "/quiet?id=a", 200, None),
            ("OPTIONS", "/pub?id=a", 200, None),
            ("DELETE", "/pub?id=a", 200, Some("Channel deleted.")),
            ("GET", "/pub?id=a", 404, None),
            ("GET", "/pub?id=ALL", 403, Some("Channel id not authorized for this method.")),
            ("HEAD", "/pub?id=a", 405, None),
        ] {
            let call = nginx.call(method, target).header("Accept", accept);
            let answer = call.body(if method == "POST" { "x" } else { "" }).send().await;
            answer.assert_refused(status, explanation);
        }
    }
}

/// PUB-54, PUB-56: each request chooses for itself, also on a kept connection.
#[tokio::test]
async fn each_request_chooses() {
    let nginx = Nginx::start().await;
    let mut raw = nginx.raw().await;
    for accept in ["text/plain", "text/xml", "*/*", "application/json;q=0.5, text/yaml"] {
        let accept = format!("Accept: {accept}");
        raw.request("POST /pub?id=k", &["Content-Length: 1", &accept]).await;
        raw.send("x").await;
    }
    for content_type in ["text/plain", "application/xml", "application/json", "application/yaml"] {
        let answer = raw.answer().await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("content-type"), Some(content_type));
    }
}

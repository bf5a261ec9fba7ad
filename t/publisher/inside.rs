//! A publisher location that another request comes to: internal redirects and subrequests.

use crate::support::Nginx;

const COPY: &str = "internal; push_stream_publisher admin; push_stream_channels_path copy;
                    push_stream_store_messages on;";

fn text_of(nginx: &Nginx, id: &str) -> impl Future<Output = String> {
    let call = nginx.call("GET", &format!("/sub/{id}.b1"));
    async { call.stream().await.line().await }
}

/// PUB-104: a named location takes method and body of the request it takes over; a URI is asked with GET, as
/// nginx does.
#[tokio::test]
async fn internal_redirects() {
    let nginx = Nginx::builder()
        .location("/named", "error_page 418 = @copy; return 418;")
        .location("@copy", COPY)
        .location("/uri", "error_page 418 = /copy; return 418;")
        .location("/copy", COPY)
        .location("/rewritten", "rewrite ^ /copy last;")
        .start()
        .await;
    assert_eq!(nginx.get("/copy").await.status, 404);
    let mut count = 0;
    for target in ["/named", "/rewritten"] {
        for method in ["POST", "PUT"] {
            for size in [10, 100_000] {
                let body = vec![b'a' + count; size];
                let answer = nginx.call(method, target).body(&body).send().await;
                count += 1;
                assert_eq!(answer.status, 200, "{method} {target}");
                assert_eq!(answer.json()["published_messages"], count);
                let text = String::from_utf8(body).expect("ASCII");
                assert_eq!(text_of(&nginx, "copy").await, format!("{count} copy {text}"));
            }
        }
    }
    // A body is no request here either.
    let mut raw = nginx.raw().await;
    for (start, status) in [("POST /uri", 200), ("DELETE /named", 200), ("POST /uri", 404)] {
        raw.request(start, &["Content-Length: 12\r\n\r\nGET / HTTP/1"]).await;
        assert_eq!(raw.answer().await.status(), status, "{start}");
    }
}

/// PUB-105: nginx's mirror publishes a copy of what goes to another location.
#[tokio::test]
async fn a_mirrored_request() {
    let nginx = Nginx::builder()
        .location(
            "/both",
            "mirror /copy; push_stream_publisher admin; push_stream_channels_path $arg_id;
             push_stream_store_messages on;",
        )
        .location("/copy", COPY)
        .start()
        .await;
    let mut copies = nginx.stream("/sub/copy").await;
    let sizes = [5, 100_000];
    for (n, size) in sizes.into_iter().enumerate() {
        let text = "m".repeat(size);
        assert_eq!(nginx.post("/both?id=main", &text).await.status, 200);
        assert_eq!(text_of(&nginx, "main").await, format!("{} main {text}", n + 1));
        assert_eq!(copies.line().await, format!("{} copy {text}", n + 1));
    }
    // The copy goes its own way: here it deletes, whatever the other answer is.
    let answer = nginx.call("DELETE", "/both?id=missing").body("the end").send().await;
    assert_eq!(answer.status, 404);
    assert_eq!(copies.line().await, "-2 copy the end");
}

/// PUB-105: what a page includes is the information about the channels, or nothing.
#[tokio::test]
async fn an_included_answer() {
    let nginx = Nginx::builder().location("/page", "ssi on; ssi_types *; root html;").start().await;
    nginx.publish("a", "x").await;
    let page = nginx.dir().join("html/page");
    std::fs::create_dir_all(page.parent().expect("a folder")).expect("a folder");
    let include = |target: &str| format!("[<!--# include virtual=\"{target}\" -->]");
    let targets = ["/pub?id=a", "/pub?id=none", "/pub", "/pub?id=ALL", "/stats?id=a"];
    std::fs::write(page, targets.map(include).concat()).expect("a page");
    let info = "{\"channel\": \"a\", \"published_messages\": 1, \"stored_messages\": 1, \
                \"subscribers\": 0}\r\n";
    let answer = nginx.get("/page").await;
    assert_eq!(answer.text(), format!("[{info}][][][][{info}]"));
    assert_eq!((answer.status, answer.explanation()), (200, None));
}

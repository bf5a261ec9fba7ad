//! The samples without a browser: what stands on the wire, and what is not open to the world.

use crate::support::{Builder, Nginx};

const SAMPLES: [&str; 4] =
    ["quickstart.conf", "browser-client.conf", "forever-iframe.conf", "mjpeg.conf"];

fn sample(name: &str) -> Builder {
    Nginx::builder().sample(name)
}

/// Every sample starts, publishes and counts for this machine alone.
#[tokio::test]
async fn samples_are_closed() {
    for name in SAMPLES {
        let nginx = sample(name).start().await;
        nginx.publish("a", "text").await;
        assert_eq!(nginx.stat("published_messages").await, 1, "{name}");

        let closed = sample(name).with("allow 127.0.0.1;", "allow 127.0.0.2;");
        let closed = closed.expect_log("access forbidden by rule").start().await;
        assert_eq!(closed.post("/pub?id=a", "text").await.status, 403, "{name}");
        assert_eq!(closed.get("/stats").await.status, 403, "{name}");
    }
}

/// CLI-92: the parts of a motion JPEG, whatever bytes they hold.
#[tokio::test]
async fn parts_of_a_motion_jpeg() {
    let nginx = sample("mjpeg.conf").start().await;
    let mut stream = nginx.stream("/cam/door").await;
    let kind = stream.header("content-type");
    assert_eq!(kind, Some("multipart/x-mixed-replace; boundary=endofsection"));
    let image = (0..=255).cycle().take(100_000).collect::<Vec<u8>>();
    for _ in 0..3 {
        nginx.publish("door", &image).await;
        stream.expect("--endofsection\r\n").await;
        assert!(stream.line().await.starts_with("X-Timestamp: "));
        stream.expect("Content-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n").await;
        assert!(stream.exactly(image.len()).await == image);
        stream.expect("\r\n").await;
    }
}

/// CLI-80, CLI-81: the frame's document is complete when it ends.
#[tokio::test]
async fn document_of_a_forever_iframe() {
    let nginx = sample("forever-iframe.conf").start().await;
    let mut stream = nginx.stream("/sub/a").await;
    assert_eq!(stream.header("content-type"), Some("text/html; charset=utf-8"));
    nginx.publish("a", "text").await;
    nginx.delete("/pub?id=a").await;
    let (document, _) = stream.rest().await;
    let document = String::from_utf8(document).expect("UTF-8");
    assert!(document.starts_with("<!DOCTYPE html>\n<html>\n"), "{document}");
    let (head, body) = document.split_once("<body>\n").expect("a body");
    assert!(head.contains("parent.PushStream.register(this);"), "{head}");
    assert!(body.starts_with("<script>p(1,'a','text','','"), "{body}");
    assert!(body.contains("<script>p(-2,'a','Channel deleted','','"), "{body}");
    assert!(body.ends_with("</script>\n</body></html>"), "{body}");
}

/// CLI-84: with arguments in force the headers do not count, and without `qs=on` arguments do not.
#[tokio::test]
async fn cursors_of_the_browser_client() {
    let builder = sample("browser-client.conf");
    let quick = builder.with("longpolling_connection_ttl 30s", "longpolling_connection_ttl 200ms");
    let nginx = quick.start().await;
    nginx.publish("a", "text").await;
    let epoch = "Thu, 01 Jan 1970 00:00:00 GMT";
    let arguments = format!("tag=0&time={}&eventid=", epoch.replace(' ', "%20"));
    for (query, header, status) in [
        (format!("qs=on&{arguments}"), false, 200),
        (format!("&{arguments}"), false, 304),
        ("qs=on&tag=&time=&eventid=".to_owned(), true, 304),
        ("&tag=&time=&eventid=".to_owned(), true, 200),
    ] {
        let mut call = nginx.call("GET", &format!("/lp/a?{query}"));
        if header {
            call = call.header("If-Modified-Since", epoch).header("If-None-Match", "0");
        }
        assert_eq!(call.send().await.status, status, "{query}");
    }
}

//! Subscribers with curl, as the guide shows them.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::tls::CERTIFICATE;
use crate::support::{Nginx, in_time};

fn curl(arguments: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--no-buffer", "--max-time", "30"]).args(arguments);
    command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

async fn output(arguments: &[&str]) -> String {
    let output =
        in_time("curl", curl(arguments).output()).await.expect("curl runs: is it installed?");
    assert!(output.status.success(), "curl {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Streams and events line by line, until the server ends them.
#[tokio::test]
async fn streams() {
    let nginx = Nginx::builder().mode("eventsource", "es", "").start().await;
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", nginx.port);
    nginx.publish("a", "stored").await;
    for (path, stored, live, end) in [
        ("/sub/a.b1", vec!["1 a stored"], vec!["2 a live"], vec!["-2 a Channel deleted"]),
        (
            "/es/a.b1",
            vec![": ", "data: stored", ""],
            vec!["data: live", ""],
            vec!["data: Channel deleted", ""],
        ),
    ] {
        let mut child = curl(&[&url(path)]).spawn().expect("curl runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut expect = async |expected: Vec<&str>| {
            for expected in expected {
                let line = in_time("a line of curl", lines.next_line()).await.expect("a pipe");
                assert_eq!(line.as_deref(), Some(expected), "{path}");
            }
        };
        expect(stored).await;
        nginx.publish("a", "live").await;
        expect(live).await;
        nginx.delete("/pub?id=a").await;
        expect(end).await;
        assert_eq!(in_time("curl", lines.next_line()).await.expect("a pipe"), None);
        assert!(in_time("curl", child.wait()).await.expect("curl ends").success());
        nginx.publish("a", "stored").await;
    }
}

/// Polls over every transport that curl speaks, with curl's own way to keep the tag and the time.
#[tokio::test]
async fn polls() {
    let nginx = Nginx::builder()
        .http2()
        .tls()
        .mode("polling", "poll", r#"push_stream_message_template "~text~\n";"#)
        .start()
        .await;
    let (certificate, tag) = (nginx.dir().join(CERTIFICATE), nginx.dir().join("tag"));
    let (certificate, tag) = (certificate.to_string_lossy(), tag.to_string_lossy());
    let plain = format!("http://127.0.0.1:{}", nginx.port);
    let http2 = format!("http://127.0.0.1:{}", nginx.http2_port());
    let tls = format!("https://localhost:{}", nginx.tls_port());
    let ways: [(&str, &[&str]); 5] = [
        (&plain, &[]),
        (&plain, &["--http1.0"]),
        (&http2, &["--http2-prior-knowledge"]),
        (&tls, &["--http1.1", "--cacert", &certificate]),
        (&tls, &["--http2", "--cacert", &certificate]),
    ];
    for (n, (base, options)) in ways.into_iter().enumerate() {
        let url = format!("{base}/poll/a{n}");
        let since = "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT";
        nginx.publish(&format!("a{n}"), "one").await;
        let first = [options, &["--etag-save", &tag, "-H", since, &url]].concat();
        assert_eq!(output(&first).await, "one\n", "{options:?}");
        assert!(std::fs::read_to_string(&*tag).expect("a tag").starts_with("W/"), "{options:?}");
        let code = ["-o", "/dev/null", "-w", "%{http_code} %{http_version}", &url];
        // nginx says 1.1 to a request of 1.0, too.
        let version = ["1.1", "1.1", "2", "1.1", "2"][n];
        assert_eq!(output(&[options, &code].concat()).await, format!("304 {version}"));
    }
}

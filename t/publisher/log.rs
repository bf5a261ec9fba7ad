//! What the error log says of requests that are refused (PUB-102).

use crate::support::Nginx;

/// PUB-102: one line a refusal, with the channel that it is about and the limit that it met.
#[tokio::test]
async fn one_line_a_refusal() {
    let nginx = Nginx::builder()
        .zone("256k")
        .http("push_stream_max_channel_id_length 5; push_stream_max_number_of_channels 1;")
        .expect_log("unable to allocate")
        .start()
        .await;
    nginx.publish("a", "x").await;
    let large = "x".repeat(300_000);
    for (target, body, line) in [
        ("/pub", "x", r#"[warn] no channel id provided: """#),
        ("/pub?id=/", "x", r#"[warn] no channel id provided: "/""#),
        ("/pub?id=x%0Ay", "x", r#"[warn] channel id contains control characters: "x\ny""#),
        (
            "/pub?id=a/sixsix",
            "x",
            r#"[warn] channel id is larger than allowed 5: 6 bytes, "sixsix""#,
        ),
        ("/pub?id=a/b", "", r#"[error] Post request was sent with no message, channel "a""#),
        (
            "/pub?id=%22%C3%A9",
            "text",
            r#"[error] number of channels were exceeded, channel "\"\xc3\xa9", message of 4 bytes"#,
        ),
        (
            "/pub?id=b/c",
            "text",
            r#"[error] number of channels were exceeded, channel "b" (the first of 2), message of 4 bytes"#,
        ),
        (
            "/pub?id=a",
            &large,
            "[error] unable to allocate message in shared memory, channel \"a\", \
             message of 300000 bytes",
        ),
    ] {
        let before = nginx.log_lines("push stream module: ").len();
        assert_ne!(nginx.post(target, body).await.status, 200);
        let lines = nginx.log_lines("push stream module: ");
        assert_eq!(lines.len(), before + 1, "{target}: {lines:?}");
        let (level, text) = line.split_once(' ').expect("a level and a text");
        let last = &lines[before];
        assert!(last.contains(level), "{last}");
        assert!(last.contains(&format!("push stream module: {text}, client: ")), "{last}");
    }
}

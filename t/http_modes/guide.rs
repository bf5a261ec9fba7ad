//! The configuration that docs/subscribing.md begins with, and its table of modes.

use crate::support::Nginx;

const GUIDE: &str = include_str!("../../docs/subscribing.md");

/// The first configuration of the guide, which is whole.
async fn nginx() -> Nginx {
    let block = GUIDE.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next());
    let nginx = Nginx::builder().workers(1).whole(block.expect("a configuration").into());
    let quiet = nginx.with("events {}", "error_log stderr warn; events {}");
    quiet
        .with("push_stream_shared_memory_size", "access_log off; push_stream_shared_memory_size")
        .start()
        .await
}

/// What the table's last column says of the modes.
fn locations() -> Vec<&'static str> {
    let rows = GUIDE.lines().filter(|line| line.starts_with("| ")).skip(1);
    let cells = rows.map(|row| row.rsplit('|').nth(1).expect("a cell").trim());
    cells.take_while(|cell| cell.starts_with("`/")).map(|cell| cell.trim_matches('`')).collect()
}

/// MODE-2: each location of the table is one of the configuration, and serves what is published there.
#[tokio::test]
async fn of_each_mode() {
    let nginx = nginx().await;
    let answer = nginx.post("/pub?id=news", r#"{"headline":"It works"}"#).await;
    assert_eq!(answer.status, 200);
    let locations = locations();
    assert_eq!(locations.len(), 6, "{locations:?}");
    for location in locations {
        let query = if location == "/jsonp/" { "?callback=onPush" } else { "" };
        let mut raw = nginx.raw().await;
        raw.request(&format!("GET {location}news.b1{query}"), &[]).await;
        assert_eq!(raw.head().await.status(), 200, "{location}");
        raw.until("It works").await;
    }
}

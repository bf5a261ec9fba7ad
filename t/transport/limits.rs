//! Subscribers under `limit_conn` and `limit_rate`.

use crate::support::{Nginx, Raw};

async fn waiting(nginx: &Nginx, target: &str) -> Raw {
    let mut raw = nginx.raw().await;
    raw.request(&format!("GET {target}"), &[]).await;
    raw
}

/// A subscriber holds its place under `limit_conn` as long as it is one, and no longer.
#[tokio::test]
async fn limit_conn() {
    let mut nginx = Nginx::builder()
        .http("limit_conn_zone $arg_key zone=places:1m;")
        .expect_log("limiting connections by zone");
    for mode in ["streaming", "eventsource", "long-polling"] {
        nginx = nginx.mode(mode, mode, "limit_conn places 1;");
    }
    let nginx = nginx.start().await;
    for mode in ["streaming", "eventsource", "long-polling"] {
        let target = format!("/{mode}/{mode}?key={mode}");
        let mut first = waiting(&nginx, &target).await;
        nginx.wait_channel_stat(mode, "subscribers", 1).await;
        let second = nginx.get(&target).await;
        assert_eq!((second.status, second.explanation()), (503, None), "{mode}");
        let other =
            nginx.call("GET", &format!("{target}2")).header("X-Nginx-PushStream-Mode", "polling");
        assert!([200, 304].contains(&other.try_stream().await.expect("an answer").status));

        nginx.publish_live(mode, "text").await;
        let expected = if mode == "eventsource" { "data: text\n\n" } else { "text" };
        first.until(expected).await;
        if mode != "long-polling" {
            nginx.delete(&format!("/pub?id={mode}")).await;
        }
        first.until("\r\n0\r\n\r\n").await;
        let third = waiting(&nginx, &target).await;
        nginx.wait_channel_stat(mode, "subscribers", 1).await;
        drop(third);
        nginx.wait_channel_stat(mode, "subscribers", 0).await;
        let fourth = waiting(&nginx, &target).await;
        nginx.wait_channel_stat(mode, "subscribers", 1).await;
        drop(fourth);
    }
}

/// What exceeds a rate is sent later, whole and in order, and the connection goes on.
#[tokio::test]
async fn limit_rate() {
    let slow = "limit_rate 400k;";
    let nginx = Nginx::builder()
        .mode("eventsource", "es", slow)
        .mode("long-polling", "lp", slow)
        .mode("polling", "poll", slow)
        .start()
        .await;
    let large = (0..90_000).map(|n| format!("{n} ")).collect::<String>();
    let mut raw = waiting(&nginx, "/lp/a").await;
    let mut events = nginx.stream("/es/a").await;
    nginx.wait_channel_stat("a", "subscribers", 2).await;
    nginx.publish("a", &large).await;
    nginx.publish("a", "small").await;
    let (answer, polled, ()) = tokio::join!(raw.answer(), nginx.get("/poll/a.b1"), async {
        events.expect(format!(": \ndata: {large}\n\ndata: small\n\n")).await;
    });
    assert!(answer.body == large.as_bytes(), "{} bytes", answer.body.len());
    assert_eq!(polled.text(), "small");
    raw.request("GET /poll/a.b1", &[]).await;
    assert_eq!(raw.answer().await.body, b"small");
}

//! Bodies of requests that open something that lasts: read, and then forgotten.

use crate::support::process::open_files;
use crate::support::websocket::handshake;
use crate::support::{Nginx, Raw, wait_for};

const CLIENTS: usize = 10;
const LEN: usize = 900_000;

async fn waits_for_descriptors(nginx: &Nginx, count: usize) {
    let worker = *nginx.worker_pids().first().expect("a worker");
    let what = format!("{count} descriptors");
    wait_for(&what, || async { (open_files(worker) == count).then_some(()) }).await;
}

/// WS-11, SUB-21: however long the clients stay, their bodies do not: a connection is all that is open for
/// each, and it works.
#[tokio::test]
async fn bodies_are_forgotten() {
    let length = format!("Content-Length: {LEN}");
    let chunked = "Transfer-Encoding: chunked";
    let nginx = Nginx::builder()
        .http("log_format bodies '$request_body|$request_body_file|$status';")
        .server("access_log logged bodies;")
        .websocket("ws", "")
        .workers(1)
        .start()
        .await;
    nginx.stats().await;
    let worker = *nginx.worker_pids().first().expect("a worker");
    let poll = ["X-Nginx-PushStream-Mode: long-polling".to_owned()];
    for (target, lines) in [("/ws/b", &handshake()[..]), ("/sub/b", &[]), ("/sub/b", &poll)] {
        let before = open_files(worker);
        let mut raws: Vec<Raw> = Vec::new();
        for n in 0..CLIENTS {
            let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            lines.push(if n == 0 { chunked } else { &length });
            let mut raw = nginx.raw().await;
            raw.request(&format!("GET {target}"), &lines).await;
            if n == 0 {
                raw.send(format!("{LEN:x}\r\n{}\r\n0\r\n\r\n", "c".repeat(LEN))).await;
            } else {
                raw.send(vec![b'b'; LEN]).await;
            }
            raws.push(raw);
        }
        nginx.wait_stat("subscribers", CLIENTS as u64).await;
        waits_for_descriptors(&nginx, before + CLIENTS).await;
        nginx.publish_live("b", "after the bodies").await;
        for raw in &mut raws {
            raw.until("after the bodies").await;
        }
        drop(raws);
        nginx.wait_stat("subscribers", 0).await;
        waits_for_descriptors(&nginx, before).await;
    }
}

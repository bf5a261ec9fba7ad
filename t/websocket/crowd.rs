//! A full house that leaves at once (WS-78, WS-89, WS-103, WS-106).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::process::{open_files, private_memory};
use crate::support::websocket::{closing, frame, handshake};
use crate::support::{Client, Nginx, Raw, alone, raise_open_files, wait_for};

const CLIENTS: usize = 4000;

/// Connections to a location, each of them to `all` and one of fifty other channels.
async fn connected(nginx: &Nginx, location: &str, status: u16, count: usize) -> Vec<Raw> {
    let lines = handshake();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut all = Vec::with_capacity(count);
    for n in 0..count {
        let mut raw = nginx.raw().await;
        raw.request(&format!("GET /{location}/all/c{}", n % 50), &lines).await;
        all.push(raw);
    }
    for raw in &mut all {
        assert_eq!(raw.head().await.status(), status);
    }
    all
}

/// WS-106: a connection that waits takes little more than a streaming subscriber, which has no buffer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_those_who_wait() {
    const EACH: usize = 1000;
    let _alone = alone().await;
    let say = "push_stream_websocket_allow_publish on;";
    let nginx = Nginx::builder().workers(1).websocket("say", say).start().await;
    let worker = *nginx.worker_pids().first().expect("a worker");
    let _first = connected(&nginx, "say", 101, 50).await;
    let before = private_memory(worker);
    let _streams = connected(&nginx, "sub", 200, EACH).await;
    let between = private_memory(worker);
    let _sockets = connected(&nginx, "say", 101, EACH).await;
    let of_stream = between.saturating_sub(before) / EACH as u64;
    let of_socket = private_memory(worker).saturating_sub(between) / EACH as u64;
    assert!(of_socket < of_stream + 1000, "{of_socket} bytes, {of_stream} in a stream");
}

/// Messages to everybody, over HTTP and over a socket of its own, until told to stop.
async fn talk(port: u16, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) {
    let mut client = Client::connect(port).await.expect("a connection");
    while !stop.load(Ordering::Relaxed) {
        let answer = client.post("/live?id=all", "to everybody").await.expect("an answer");
        assert_eq!(answer.status, 200);
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// 4,000 clients, messages to all of them without a pause, and all leave at once: half with a close
/// frame, which is answered; a quarter resets the connection, a quarter closes one side of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_leaves() {
    let _alone = alone().await;
    raise_open_files();
    let nginx = Nginx::builder()
        .workers(2)
        .open_files(9000, 5000)
        .websocket("say", "push_stream_websocket_allow_publish on;")
        .location("/status", "stub_status;")
        .start()
        .await;
    let workers = nginx.worker_pids();
    let files = || workers.iter().copied().map(open_files).sum::<usize>();
    nginx.publish_live("all", "the first allocates").await;
    let files_before = files();
    let mut clients = connected(&nginx, "say", 101, CLIENTS).await;
    assert_eq!(nginx.stat("subscribers").await, CLIENTS as u64);
    assert_eq!(nginx.channel_stat("all", "subscribers").await, CLIENTS as u64);
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let talking = tokio::spawn(talk(nginx.port, stop.clone(), answered.clone()));
    let goes_on = |more| {
        let (goal, answered) = (answered.load(Ordering::Relaxed) + more, answered.clone());
        wait_for("messages to be published", move || {
            let done = answered.load(Ordering::Relaxed) >= goal;
            async move { done.then_some(()) }
        })
    };
    goes_on(3).await;
    clients[0].send(frame(0x81, "from one of them")).await;

    let mut waiting = Vec::with_capacity(CLIENTS);
    for (n, mut raw) in clients.into_iter().enumerate() {
        match n % 4 {
            1 => raw.reset(),
            3 => {
                raw.half_close().await;
                waiting.push((raw, &b""[..]));
            }
            _ => {
                raw.send(frame(0x88, closing(1000, "bye"))).await;
                waiting.push((raw, b"\x88\x02\x03\xe8"));
            }
        }
    }
    goes_on(3).await;
    for (raw, end) in &mut waiting {
        let rest = raw.until_close().await;
        assert!(rest.ends_with(end), "{:?}", rest[rest.len().saturating_sub(40)..].escape_ascii());
    }
    nginx.wait_stat("subscribers", 0).await;
    stop.store(true, Ordering::Relaxed);
    talking.await.expect("the publisher");
    for worker in nginx.stats().await["by_worker"].as_array().expect("workers") {
        assert_eq!(worker["subscribers"], 0);
    }
    assert_eq!(nginx.channel_stat("all", "subscribers").await, 0);
    assert_eq!(nginx.channel_stat("c7", "subscribers").await, 0);
    // The connection that asks is the only one that lives.
    wait_for("every connection to be closed", || async {
        let status = nginx.get("/status").await;
        status.text().starts_with("Active connections: 1 \n").then_some(())
    })
    .await;
    wait_for("every descriptor to be closed", || async { (files() <= files_before).then_some(()) })
        .await;
    nginx.socket("/say/all").await;
}

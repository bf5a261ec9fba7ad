//! Bodies on their way: given up, kept in a file, lost in the file system, without memory to read them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::support::process::{Pid, limit_memory};
use crate::support::{Nginx, in_time, wait_for};

/// Temporary body files that the workers have open; nginx has unlinked most of them by then.
fn open_body_files(nginx: &Nginx) -> Vec<PathBuf> {
    let folder = nginx.dir().join("client_body");
    let of_worker = |pid: Pid| std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a worker");
    let files = nginx.worker_pids().into_iter().flat_map(of_worker).flatten();
    files
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|path| path.starts_with(&folder))
        .collect()
}

async fn wait_body_files(nginx: &Nginx, count: usize) {
    wait_for(&format!("{count} body files"), || async {
        (open_body_files(nginx).len() == count).then_some(())
    })
    .await
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("a folder").next().is_none()
}

/// PUB-38: what does not fit the buffer waits in a file, which goes with the request.
#[tokio::test]
async fn a_body_in_a_file() {
    let nginx = Nginx::builder().http("client_body_buffer_size 1k;").start().await;
    for (method, status) in [("POST", 200), ("DELETE", 200), ("DELETE", 404)] {
        let mut raw = nginx.raw().await;
        raw.request(&format!("{method} /pub?id=file"), &["Content-Length: 100000"]).await;
        raw.send([b'a'; 50_000]).await;
        wait_body_files(&nginx, 1).await;
        raw.send([b'b'; 50_000]).await;
        assert_eq!(raw.answer().await.status(), status);
        wait_body_files(&nginx, 0).await;
    }
    assert!(is_empty(&nginx.dir().join("client_body")));
}

/// A client that leaves in the middle of its body publishes and deletes nothing, and nothing of it
/// stays.
#[tokio::test]
async fn a_body_that_is_given_up() {
    let nginx = Nginx::start().await;
    let workers = nginx.worker_pids();
    nginx.publish("kept", "x").await;
    for start in ["POST /pub?id=gone", "PUT /pub?id=kept", "DELETE /pub?id=kept"] {
        for kind in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
            let mut raws = Vec::new();
            for _ in 0..10 {
                let mut raw = nginx.raw().await;
                raw.request(start, &[kind]).await;
                raw.send(format!("{:x}\r\n", 90_000)).await;
                raw.send([b'x'; 50_000]).await;
                raws.push(raw);
            }
            wait_body_files(&nginx, 10).await;
            drop(raws);
            wait_body_files(&nginx, 0).await;
        }
    }
    assert!(nginx.channel("gone").await.is_none());
    assert_eq!(nginx.channel_stat("kept", "published_messages").await, 1);
    assert_eq!(nginx.worker_pids(), workers);
}

/// PUB-98: the file of a body is cut short before it is read. The request first waits for another
/// server with its body complete, and then comes to the publisher.
#[tokio::test]
async fn a_body_whose_file_is_damaged() {
    let backend = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = backend.local_addr().expect("an address").port();
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let signals = (arrived.clone(), go_on.clone());
    let serving = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut socket, _) = backend.accept().await.expect("a connection");
            let mut seen = Vec::new();
            while !seen.ends_with(b"the end") {
                assert!(socket.read_buf(&mut seen).await.expect("bytes") > 0, "too few bytes");
            }
            signals.0.notify_one();
            signals.1.notified().await;
        }
    });
    let nginx = Nginx::builder()
        .location(
            "/first",
            &format!(
                "client_body_in_file_only clean; proxy_pass http://127.0.0.1:{port};
                 error_page 502 = @publish;"
            ),
        )
        .location(
            "@publish",
            "push_stream_publisher; push_stream_channels_path $arg_id; push_stream_store_messages on;",
        )
        .expect_log("upstream prematurely closed connection")
        .expect_log("unable to read the request body for channel \"damaged\": failed to fill whole buffer")
        .start()
        .await;
    let folder = nginx.dir().join("client_body");
    for (id, cut, status) in [("whole", false, 200), ("damaged", true, 500)] {
        let mut raw = nginx.raw().await;
        let text = format!("{}the end", "x".repeat(3000));
        let length = format!("Content-Length: {}", text.len());
        raw.request(&format!("POST /first?id={id}"), &[&length]).await;
        raw.send(&text).await;
        in_time("the request at the other server", arrived.notified()).await;
        if cut {
            let file = std::fs::read_dir(&folder).expect("a folder").next().expect("a file");
            let file = std::fs::File::options().write(true).open(file.expect("a file").path());
            file.expect("the body's file").set_len(100).expect("ftruncate");
        }
        go_on.notify_one();
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.explanation()), (status, None));
        assert_eq!(answer.body.is_empty(), cut, "{answer:?}");
        assert_eq!(nginx.channel_stat(id, "stored_messages").await, u64::from(!cut));
        wait_for("no body file", || async { is_empty(&folder).then_some(()) }).await;
        // The connection goes on.
        raw.request("GET /pub?id=none", &["Connection: close"]).await;
        assert_eq!(raw.answer().await.status(), 404);
        raw.expect_close().await;
    }
    serving.await.expect("the other server");
}

/// PUB-104: a body that another location has passed on as it arrived is not to be had whole, and its
/// rest is not published.
#[tokio::test]
async fn a_body_that_went_elsewhere() {
    let backend = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = backend.local_addr().expect("an address").port();
    let serving = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut socket, _) = backend.accept().await.expect("a connection");
            let mut seen = Vec::new();
            while !seen.ends_with(b"now leave") {
                assert!(socket.read_buf(&mut seen).await.expect("bytes") > 0, "too few bytes");
            }
        }
    });
    let nginx = Nginx::builder()
        .location(
            "/first",
            &format!(
                "proxy_request_buffering off; proxy_http_version 1.1;
                 proxy_pass http://127.0.0.1:{port}; error_page 502 = @publish;"
            ),
        )
        .location(
            "@publish",
            "push_stream_publisher; push_stream_channels_path $arg_id; push_stream_store_messages on;",
        )
        .expect_log("upstream prematurely closed connection")
        .expect_log("the request body was passed on unbuffered, channel \"part\"")
        .start()
        .await;
    for rest in [1000, 0] {
        let mut raw = nginx.raw().await;
        let parts = ["x".repeat(20_000), "now leave".to_owned()];
        let length = parts.concat().len() + rest;
        raw.request("POST /first?id=part", &[&format!("Content-Length: {length}")]).await;
        for part in parts {
            raw.send(part).await;
        }
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.body.len()), (500, 0), "{answer:?}");
        assert!(nginx.channel("part").await.is_none());
    }
    serving.await.expect("the other server");
}

/// PUB-103: a worker that is to end serves the requests whose bodies it is still reading.
#[tokio::test]
async fn bodies_over_a_reload() {
    let nginx = Nginx::start().await;
    nginx.publish("doomed", "x").await;
    let mut uploads = Vec::new();
    for start in ["POST /pub?id=kept", "DELETE /pub?id=doomed", "POST /pub?id=*"] {
        let mut raw = nginx.raw().await;
        raw.request(start, &["Content-Length: 100000"]).await;
        raw.send([b'a'; 50_000]).await;
        uploads.push(raw);
    }
    wait_body_files(&nginx, 2).await;
    nginx.reload().await;
    let mut told = nginx.stream("/raw?id=doomed").await;
    let mut reads = nginx.stream("/raw?id=kept").await;
    let text = [[b'a'; 50_000], [b'b'; 50_000]].concat();
    for (raw, status) in uploads.iter_mut().zip([200, 200, 403]) {
        raw.send([b'b'; 50_000]).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status(), status);
        raw.expect_close().await;
    }
    assert!(reads.exactly(100_000).await == text);
    assert!(told.rest().await.0 == text);
    wait_for("the old workers to end", || async { nginx.retiring_pids().is_empty().then_some(()) })
        .await;
}

/// PUB-98: a worker without memory for the body answers 500, keeps nothing of it, and goes on.
#[tokio::test]
async fn a_body_larger_than_memory() {
    let nginx = Nginx::builder()
        .workers(1)
        .zone("64m")
        .expect_log("unable to read the request body for channel \"large\": out of memory")
        .start()
        .await;
    let workers = nginx.worker_pids();
    let worker = *workers.first().expect("a worker");
    let body = vec![b'x'; 20_000_000];
    limit_memory(worker, Some(4_000_000));
    nginx.post("/pub?id=large", &body).await.assert_refused(500, None);
    assert!(nginx.channel("large").await.is_none());
    nginx.publish("small", "x").await;
    wait_body_files(&nginx, 0).await;
    limit_memory(worker, None);
    assert_eq!(nginx.publish("large", &body).await.json()["published_messages"], 1);
    assert_eq!(nginx.worker_pids(), workers);
}

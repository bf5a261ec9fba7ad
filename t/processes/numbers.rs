//! From one process to sixteen workers, however they share the listening socket, and as whom they run.

use crate::support::process::send_signal;
use crate::support::stream::End;
use crate::support::websocket::handshake;
use crate::support::{Builder, Nginx, wait_for};
use crate::watch;

/// Subscribers of every mode, messages stored and not, a deletion; all counts right.
async fn everything(nginx: &Nginx, round: usize) {
    let id = format!("all{round}");
    nginx.publish(&id, "old").await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(nginx.stream(&format!("/sub/{id}.b1")).await);
    }
    let mut others = Vec::new();
    for (mode, headers) in [("es", vec![]), ("lp", vec![]), ("ws", handshake())] {
        let mut raw = nginx.raw().await;
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        raw.request(&format!("GET /{mode}/{id}"), &headers).await;
        others.push(raw);
    }
    watch::wait_workers(nginx, 23).await;
    nginx.publish(&id, "stored").await;
    nginx.publish_live(&id, "live").await;
    for stream in &mut streams {
        let lines = [format!("1 {id} old"), format!("2 {id} stored"), format!("3 {id} live")];
        assert_eq!(stream.lines(3).await, lines);
    }
    others[0].until("data: live").await;
    others[1].until("stored").await;
    others[2].until("live").await;
    drop(others);
    assert_eq!(nginx.delete(&format!("/pub?id={id}")).await.status, 200);
    for stream in &mut streams {
        assert_eq!(stream.rest().await, (format!("-2 {id} Channel deleted\n").into(), End::Clean));
    }
    drop(streams);
    watch::wait_workers(nginx, 0).await;
}

fn builder() -> Builder {
    Nginx::builder()
        .mode("eventsource", "es", "")
        .mode("long-polling", "lp", "")
        .websocket("ws", "")
}

/// LIFE-23, LIFE-64, LIFE-75, LIFE-101: 1 to 16 workers; one socket for all, one each, and turns with
/// `accept_mutex`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_workers() {
    for (listen, main) in [("reuseport", ""), ("", ""), ("", "accept_mutex on;")] {
        let builder = builder().listen(listen).events(main);
        let nginx = builder.workers(1).start().await;
        for (round, workers) in [1, 2, 3, 7, 16, 5].into_iter().enumerate() {
            if round > 0 {
                nginx.reload_with(|builder| builder.workers(workers)).await;
                wait_for("the old workers to be gone", || async {
                    nginx.retiring_pids().is_empty().then_some(())
                })
                .await;
            }
            everything(&nginx, round).await;
            assert_eq!(watch::by_worker(&nginx).await.len(), workers);
            assert_eq!(nginx.worker_pids(), watch::by_worker(&nginx).await.into_keys().collect());
        }
    }
}

/// LIFE-82, LIFE-87: workers that are nobody in particular, with a priority of their own: uploads that go
/// to a file, messages from worker to worker, and what a killed one held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_without_rights() {
    let output = std::process::Command::new("id").args(["-gn", "nobody"]).output();
    let group = String::from_utf8(output.expect("the command id").stdout).expect("a name");
    let nginx = builder()
        .user(&format!("nobody {}", group.trim()))
        .main("worker_priority 5;")
        .start()
        .await;
    everything(&nginx, 0).await;
    let large = vec![b'n'; 1_000_000];
    nginx.publish("large", &large).await;
    let mut stream = nginx.stream("/raw?id=large.b1").await;
    assert!(stream.exactly(large.len()).await == large);

    for round in 1..3 {
        for pid in nginx.worker_pids() {
            nginx.kill_worker(pid);
        }
        nginx.all_workers().await;
        nginx.wait_stat("subscribers", 0).await;
        everything(&nginx, round).await;
    }
    nginx.reload().await;
    everything(&nginx, 3).await;
}

/// LIFE-88: one process without a master does all of it, and ends its subscribers when it is told to stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process() {
    let nginx = builder().single_process().start().await;
    for round in 0..2 {
        everything(&nginx, round).await;
    }
    let mut stream = nginx.stream("/sub/end").await;
    nginx.publish("end", "last").await;
    send_signal(nginx.master_pid(), libc::SIGQUIT);
    assert_eq!(stream.line().await, "1 end last");
    assert_eq!(stream.rest().await, (Vec::new(), End::Clean));
}

/// A daemon, as distributions start it: the process that was started ends, and its server works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon() {
    let nginx = Nginx::builder().workers(2).daemon().start().await;
    let mut stream = nginx.stream("/sub/d").await;
    nginx.publish("d", "by a daemon").await;
    assert_eq!(stream.line().await, "1 d by a daemon");
    nginx.reload().await;
    assert_eq!(stream.rest().await, (Vec::new(), End::Clean));
    assert_eq!(nginx.channel_stat("d", "stored_messages").await, 1);
}

//! Panics when a process begins or ends, and while a configuration is read.

use super::{Scene, builder};
use crate::support::process::send_signal;
use crate::support::stream::End;
use crate::support::{Builder, Nginx, wait_for};

/// A worker that has got no place in the zone tries again until it has.
#[tokio::test]
async fn a_worker_begins() {
    let mut scene = Scene::start(builder()).await;
    for place in ["init_process: begin", "init_process: a store section"] {
        let victim = *scene.workers.first().expect("a worker");
        scene.nginx.provoke(place);
        scene.nginx.kill_worker(victim);
        scene.has_panicked(place).await;
        scene.workers = scene.nginx.all_workers().await;
        scene.witnesses.clear();
        scene.nginx.wait_stat("subscribers", 0).await;
        wait_for("a place for the worker", || async {
            (scene.nginx.stats().await["by_worker"].as_array().expect("a list").len() == 2)
                .then_some(())
        })
        .await;
        scene.meet_all_workers().await;
        scene.serves().await;
    }
}

/// So does one for which there was none, when it panics in the attempt.
#[tokio::test]
async fn a_worker_waits() {
    let workers = 40;
    let nginx = builder()
        .workers(workers)
        .zone("128k")
        .expect_log("is too small for so many workers")
        .expect_log("unable to allocate message in shared memory")
        .start()
        .await;
    nginx.wait_log("is too small for so many workers").await;
    nginx.provoke("the wait for a slot: begin");
    nginx.wait_log("panic in the wait for a slot").await;
    let places = |nginx: &Nginx| nginx.log_lines("this one answers 500").len();
    assert!(places(&nginx) < workers);
    nginx.reload_with(|builder| builder.workers(2)).await;
    wait_for("a place for the new workers", || async {
        (nginx.post("/pub?id=x", "text").await.status == 200).then_some(())
    })
    .await;
}

/// What a worker had that ends so is given back by another.
#[tokio::test]
async fn a_worker_ends() {
    for place in [
        "exit_process: begin",
        "exit_process: the slot is given back",
        "the end of a process: begin",
    ] {
        let mut scene = Scene::start(builder().websocket("ws", "")).await;
        // A stream has ended when the process does, but a socket waits for the client's goodbye.
        let _socket = scene.nginx.socket("/ws/x").await;
        scene.nginx.wait_channel_stat("x", "subscribers", 1).await;
        scene.nginx.provoke(place);
        let old = scene.workers.clone();
        old.iter().for_each(|pid| send_signal(*pid, libc::SIGTERM));
        scene.has_panicked(place).await;
        wait_for("other workers", || async {
            let now = scene.nginx.worker_pids();
            (now.len() == 2 && now.is_disjoint(&old)).then_some(())
        })
        .await;
        scene.witnesses.clear();
        scene.nginx.wait_stat("subscribers", 0).await;
        scene.meet_all_workers().await;
        scene.serves().await;
    }
}

/// One subscriber of a worker that leaves is cut, the others end properly.
#[tokio::test]
async fn a_worker_leaves() {
    for place in ["the end of a worker: begin", "the last delivery of a worker: begin"] {
        leaves(builder(), place).await;
    }
}

/// All but the one that the panic concerned, if it concerned one, get their footer.
async fn leaves(builder: Builder, place: &str) {
    let mut scene = Scene::start(builder.http("push_stream_footer_template 'that was all';")).await;
    scene.nginx.provoke(place);
    scene.nginx.reload().await;
    scene.has_panicked(place).await;
    let mut cut = 0;
    for witness in &mut scene.witnesses {
        match witness.rest().await {
            (rest, End::Clean) => assert!(rest.ends_with(b"that was all")),
            (_, End::Cut) => cut += 1,
        }
    }
    assert_eq!(cut, usize::from(place == "the end of a worker: begin"), "{place}");
    scene.nginx.wait_stat("subscribers", 0).await;
}

/// So it is when a worker ends them little by little; the drain itself goes on after its own panic.
#[tokio::test]
async fn a_worker_drains() {
    for place in ["the drain of a worker: begin", "the end of a worker: begin"] {
        leaves(builder().http("push_stream_reload_drain 1s;"), place).await;
    }
}

/// A reload that panics in the configuration is refused, and nothing changes for anybody.
#[tokio::test]
async fn a_configuration() {
    let mut scene = Scene::start(builder()).await;
    for place in [
        "preconfiguration: begin",
        "create_main_conf: begin",
        "create_loc_conf: begin",
        "reading a directive: begin",
        "init_main_conf: begin",
        "merge_loc_conf: begin",
        "postconfiguration: begin",
        "init_zone: begin",
    ] {
        scene.nginx.provoke(place);
        send_signal(scene.nginx.master_pid(), libc::SIGHUP);
        scene.goes_on(place).await;
    }
}

/// What the master does before it starts workers is no reason to fail: it would end with all that runs.
#[tokio::test]
async fn a_master() {
    let mut scene = Scene::start(builder()).await;
    scene.nginx.provoke("init_module: begin");
    scene.nginx.reload().await;
    scene.has_panicked("init_module: begin").await;
    scene.witnesses.clear();
    scene.workers = scene.nginx.worker_pids();
    scene.nginx.wait_stat("subscribers", 0).await;
    scene.meet_all_workers().await;
    scene.serves().await;
}

//! A panic in any callback that nginx makes: the worker lives, the zone's lock is free, one line of the
//! log names the callback, the request or connection concerned ends, and nobody else notices.
//!
//! These tests take a module of their own, which panics where they ask for it (`src/failpoints.rs`);
//! `scripts/test` builds it.

#[path = "../support/mod.rs"]
mod support;

mod coverage;
mod deliveries;
mod processes;
mod requests;
mod sockets;

use std::collections::BTreeSet;

use support::process::Pid;
use support::{Builder, Call, Client, Nginx, Stream, wait_for};

/// What this module says at its start, and no other does.
const MARK: &str = "built to panic where tests ask for it, not to be used";

/// A server of two workers, and clients of both that are to notice nothing.
struct Scene {
    nginx: Nginx,
    workers: BTreeSet<Pid>,
    witnesses: Vec<Stream>,
    /// A kept connection to each worker.
    publishers: Vec<Client>,
    panics: usize,
}

fn builder() -> Builder {
    Nginx::builder()
        .provoked()
        .workers(2)
        .location("= /pid", "return 200 $pid;")
        .expect_log("panic in ")
        .expect_log(MARK)
}

impl Scene {
    async fn start(builder: Builder) -> Scene {
        let nginx = builder.start().await;
        nginx.wait_log(MARK).await;
        let workers = nginx.worker_pids();
        let mut scene =
            Scene { nginx, workers, witnesses: Vec::new(), publishers: Vec::new(), panics: 0 };
        scene.meet_all_workers().await;
        scene
    }

    /// Makes witnesses and publishers for the workers that there are.
    async fn meet_all_workers(&mut self) {
        let nginx = &self.nginx;
        self.publishers.clear();
        let mut pids = BTreeSet::new();
        while pids.len() < 2 {
            let mut client = Client::connect(nginx.port).await.expect("a connection");
            let pid = client.get("/pid").await.expect("an answer").text().to_owned();
            if pids.insert(pid) {
                self.publishers.push(client);
            }
        }
        while !all_workers_have_some(nginx).await {
            self.witnesses.push(nginx.stream("/sub/witness").await);
            let there = self.witnesses.len() as u64;
            nginx.wait_channel_stat("witness", "subscribers", there).await;
        }
    }

    /// The panic that was asked for has come, and all else is as it was.
    async fn goes_on(&mut self, place: &str) {
        self.has_panicked(place).await;
        self.serves().await;
        assert_eq!(panics(&self.nginx).len(), self.panics, "one line a panic");
        assert_eq!(self.nginx.worker_pids(), self.workers, "a worker died of {place}");
    }

    /// One line of the log names the callback.
    async fn has_panicked(&mut self, place: &str) {
        let (callback, point) = place.split_once(": ").expect("a callback and a point");
        let nginx = &self.nginx;
        self.panics += 1;
        wait_for(&format!("the line in the log about {place}"), || async {
            (panics(nginx).len() >= self.panics).then_some(())
        })
        .await;
        assert!(!nginx.is_to_come(place), "{place}");
        let lines = panics(nginx);
        let line = format!(
            "push stream module: panic in {callback}: \"provoked at {point}\" at src/failpoints.rs:"
        );
        assert!(lines.len() == self.panics, "one line a panic: {lines:?}");
        assert!(lines[self.panics - 1].contains(&line), "{line}: {lines:?}");
    }

    /// Every worker publishes on a connection it had before, and everybody who subscribed before gets it:
    /// no lock is held, no connection lost, and nobody is counted who is not there.
    async fn serves(&mut self) {
        for (n, publisher) in self.publishers.iter_mut().enumerate() {
            let call = Call::new(self.nginx.port, "POST", "/live?id=witness").body(n.to_string());
            assert_eq!(publisher.send(call).await.expect("an answer").status, 200);
            for witness in &mut self.witnesses {
                let line = witness.line().await;
                assert!(line.ends_with(&format!(" witness {n}")), "{line}");
            }
        }
        self.nginx.wait_stat("subscribers", self.witnesses.len() as u64).await;
    }
}

/// Lines of the log about panics, ours or Rust's own.
fn panics(nginx: &Nginx) -> Vec<String> {
    let mut lines = nginx.log_lines("panic");
    lines.retain(|line| !line.contains(MARK));
    lines
}

async fn all_workers_have_some(nginx: &Nginx) -> bool {
    let stats = nginx.stats().await;
    let workers = stats["by_worker"].as_array().expect("a list");
    let has_some = |worker: &serde_json::Value| worker["subscribers"].as_u64() != Some(0);
    workers.len() == 2 && workers.iter().all(has_some)
}

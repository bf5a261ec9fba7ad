//! Workers whose master was killed.

use std::collections::BTreeSet;

use crate::support::process::{Pid, is_alive, send_signal};
use crate::support::stream::End;
use crate::support::{Nginx, wait_for};
use crate::watch;

/// Workers that nobody else would end.
struct Orphans(BTreeSet<Pid>);

impl Drop for Orphans {
    fn drop(&mut self) {
        self.0.iter().for_each(|&pid| send_signal(pid, libc::SIGKILL));
    }
}

/// The workers serve on, from one to the other; told to go one by one, they end their subscribers as ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_master() {
    let nginx = Nginx::builder().workers(3).start().await;
    let workers = Orphans(nginx.worker_pids());
    let mut before = nginx.stream("/sub/m").await;
    send_signal(nginx.master_pid(), libc::SIGKILL);
    wait_for("the end of the master", || async { (!is_alive(nginx.master_pid())).then_some(()) })
        .await;
    let mut streams = Vec::new();
    for _ in 0..12 {
        streams.push(nginx.stream("/sub/m").await);
    }
    watch::wait_workers(&nginx, 13).await;
    for n in 1..=20 {
        nginx.publish("m", "still here").await;
        for stream in streams.iter_mut().chain([&mut before]) {
            assert_eq!(stream.line().await, format!("{n} m still here"));
        }
    }
    assert_eq!(nginx.delete("/pub?id=m").await.status, 200);
    assert_eq!(before.line().await, "-2 m Channel deleted");
    drop((before, streams));
    watch::wait_workers(&nginx, 0).await;

    let mut last = Vec::new();
    for _ in 0..6 {
        last.push(nginx.stream("/sub/end").await);
    }
    for &pid in &workers.0 {
        send_signal(pid, libc::SIGQUIT);
    }
    for stream in &mut last {
        assert_eq!(stream.rest().await, (Vec::new(), End::Clean));
    }
    wait_for("the end of the workers", || async {
        workers.0.iter().all(|&pid| !is_alive(pid)).then_some(())
    })
    .await;
}

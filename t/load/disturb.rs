//! What is done to the server while it works.

use std::time::Duration;

use super::conf;
use super::random::Random;
use crate::support::process::send_signal;
use crate::support::{Client, Nginx, Raw};

/// Kills workers with SIGKILL at random moments, each when the one before was replaced.
pub async fn kill(nginx: &Nginx, count: usize, random: &mut Random) {
    for _ in 0..count {
        random.pause(60).await;
        let workers: Vec<_> = nginx.all_workers().await.into_iter().collect();
        nginx.kill_worker(random.pick(&workers));
    }
    nginx.all_workers().await;
}

/// Lets workers stand still for a second, which is not long enough for their subscribers to miss anything
/// (LIFE-58).
pub async fn stall(nginx: &Nginx, count: usize, random: &mut Random) {
    for _ in 0..count {
        let workers: Vec<_> = nginx.all_workers().await.into_iter().collect();
        let victim = random.pick(&workers);
        send_signal(victim, libc::SIGSTOP);
        tokio::time::sleep(Duration::from_secs(1)).await;
        send_signal(victim, libc::SIGCONT);
    }
}

/// Reloads with other templates and other numbers of workers; the last time with `workers`.
pub async fn reload(nginx: &Nginx, count: usize, workers: usize, random: &mut Random) {
    for round in 0..count {
        random.pause(500).await;
        let next = if round + 1 == count { workers } else { 1 + random.below(6) };
        nginx.reload_with(|builder| conf::changed(builder.workers(next), round)).await;
    }
}

/// Fills the zone until nothing more fits, lets the others meet that, and makes room again.
pub async fn fill(nginx: &Nginx) {
    let mut client = Client::connect(nginx.port).await.expect("connect");
    for size in [1_000_000, 50_000, 2_000, 100] {
        let body = vec![b'f'; size];
        loop {
            let answer = client.post("/pub?id=bulk", &body).await.expect("an answer");
            if answer.status != 200 {
                assert_eq!(answer.status, 500, "{answer:?}");
                break;
            }
        }
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(nginx.delete("/pub?id=bulk").await.status, 200);
}

/// So many idle connections that no worker has a descriptor left, for a moment.
pub async fn exhaust(nginx: &Nginx, connections: usize) {
    let mut idle = Vec::new();
    for _ in 0..connections {
        idle.push(Raw::connect(nginx.port).await);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
}

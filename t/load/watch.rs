//! What nginx and the kernel say of the server, beside what the module says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::support::process::{Pid, private_memory};
use crate::support::{Nginx, wait_for};

/// The figures of `stub_status`, without the connection that asked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Stub {
    pub active: i64,
    pub reading: i64,
    pub writing: i64,
    pub waiting: i64,
}

pub async fn stub(nginx: &Nginx) -> Stub {
    let answer = nginx.get("/stub").await;
    let numbers: Vec<i64> =
        answer.text().split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [active, _, _, _, reading, writing, waiting] = numbers[..] else { panic!("{answer:?}") };
    Stub { active: active - 1, reading, writing: writing - 1, waiting }
}

/// The same when no connection is left; that of the last question may take a moment to close.
pub async fn stub_when_empty(nginx: &Nginx) -> Stub {
    wait_for("the end of all connections", || async {
        let mut workers = nginx.worker_pids().into_iter();
        workers.all(|pid| descriptors(pid).connections == 0).then_some(())
    })
    .await;
    stub(nginx).await
}

impl std::ops::Sub for Stub {
    type Output = Stub;

    fn sub(self, other: Stub) -> Stub {
        Stub {
            active: self.active - other.active,
            reading: self.reading - other.reading,
            writing: self.writing - other.writing,
            waiting: self.waiting - other.waiting,
        }
    }
}

/// Waits until the figures differ from `before` by exactly this; but for those who wait, whom nginx does not
/// always count back when workers were killed between their requests.
pub async fn wait_stub(nginx: &Nginx, before: Stub, difference: Stub) {
    let start = std::time::Instant::now();
    loop {
        let seen = Stub { waiting: difference.waiting, ..stub(nginx).await - before };
        if seen == difference {
            return;
        }
        assert!(start.elapsed() < crate::support::DEADLINE, "{seen:?} instead of {difference:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// What a worker that was sent a message keeps, so that the next one needs no memory.
const MAIL_BLOCK: u64 = 128;

/// Waits until exactly so many bytes are in use, and what the mailboxes of the workers keep.
pub async fn wait_used(nginx: &Nginx, bytes: u64) {
    let mailboxes = nginx.worker_pids().len() as u64;
    for _ in 0..1000 {
        let more = nginx.zone_used().await.checked_sub(bytes);
        if more.is_some_and(|more| more % MAIL_BLOCK == 0 && more / MAIL_BLOCK <= mailboxes) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let used = nginx.zone_used().await;
    panic!("{used} bytes of the zone are in use instead of {bytes}: {}", nginx.stats().await);
}

/// What the descriptors of a worker are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// TCP connections.
    pub connections: u64,
    /// Everything else: logs, listening sockets, channels to the other workers, events.
    pub others: usize,
}

pub fn descriptors(worker: Pid) -> Descriptors {
    let connected = connected_sockets(worker);
    let mut found = Descriptors::default();
    for entry in fs::read_dir(format!("/proc/{worker}/fd")).into_iter().flatten().flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default().display().to_string();
        match connected.contains(&target) {
            true => found.connections += 1,
            false => found.others += 1,
        }
    }
    found
}

/// As /proc/PID/fd names them. Listening sockets have state 0A.
fn connected_sockets(worker: Pid) -> BTreeSet<String> {
    let table = fs::read_to_string(format!("/proc/{worker}/net/tcp")).unwrap_or_default();
    table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields[3] != "0A")
        .map(|fields| format!("socket:[{}]", fields[9]))
        .collect()
}

/// Subscribers by worker, as the statistics say.
pub async fn by_worker(nginx: &Nginx) -> BTreeMap<Pid, u64> {
    let stats = nginx.stats().await;
    let workers = stats["by_worker"].as_array().expect("workers").iter();
    let number = |value: &serde_json::Value| {
        value.as_u64().or_else(|| value.as_str()?.parse().ok()).expect("a number")
    };
    workers.map(|worker| (number(&worker["pid"]) as Pid, number(&worker["subscribers"]))).collect()
}

/// Waits until each worker counts as many subscribers as it has connections, in sum `total` (STAT-59,
/// STAT-60, LIFE-76): every connection but the one that asks is a subscriber's.
pub async fn wait_workers(nginx: &Nginx, total: u64) {
    wait_for(&format!("{total} subscribers, each counted where it is"), || async {
        let counted = by_worker(nginx).await;
        let exact = counted.iter().all(|(&pid, &n)| descriptors(pid).connections == n);
        (exact && counted.values().sum::<u64>() == total).then_some(())
    })
    .await
}

/// The largest private memory of a worker, in bytes.
pub fn largest_worker(nginx: &Nginx) -> u64 {
    nginx.worker_pids().into_iter().map(private_memory).max().expect("workers")
}

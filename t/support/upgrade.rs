//! Binary upgrades: a second master on the sockets of the first.

use std::collections::BTreeSet;

use super::process::{self, Pid};
use super::{Nginx, wait_for};

impl Nginx {
    /// Has the master, which must be a daemon, start another one (USR2), with the same binary and configuration file; its workers
    /// accept connections when this returns, like those of the old one.
    pub async fn upgrade(&self) -> Pid {
        let workers = self.worker_pids().len();
        process::send_signal(self.master_pid(), libc::SIGUSR2);
        let master = wait_for("a new master", || async {
            self.pid_file().filter(|&pid| pid != self.master_pid())
        })
        .await;
        self.adopt(master);
        wait_for("the workers of the new master", || async {
            (self.workers_of(master).len() == workers).then_some(())
        })
        .await;
        master
    }

    /// Ends this master of an upgrade with the server, whoever asked for it.
    pub fn adopt(&self, master: Pid) {
        self.newer.lock().expect("no panic while held").push(master);
    }

    /// Waits until the process that was started has left a daemon behind; false if it has not.
    pub(super) async fn find_daemon(&mut self) -> bool {
        if !self.ended_well() {
            return false;
        }
        let pid = wait_for("the daemon's pid file", || async { self.pid_file() }).await;
        self.daemon = Some(pid);
        true
    }

    /// What the pid file says.
    pub fn pid_file(&self) -> Option<Pid> {
        std::fs::read_to_string(self.dir().join("nginx.pid")).ok()?.trim().parse().ok()
    }

    /// Workers of a master that an upgrade started; those that are shutting down are left out.
    pub fn newer_workers(&self, master: Pid) -> BTreeSet<Pid> {
        self.workers_of(master)
    }

    /// Masters of this server but the first, as far as they live: also one that has not said yet that it is
    /// there.
    pub(super) fn newer_masters(&self) -> Vec<Pid> {
        let mut pids = process::children(self.master_pid(), "");
        pids.extend(self.newer.lock().expect("no panic while held").iter().copied());
        pids.into_iter().filter(|&pid| self.is_ours(pid)).collect()
    }

    /// A process of this server that lives. A number may have been given to another one since.
    pub(super) fn is_ours(&self, pid: Pid) -> bool {
        let dir = self.dir().display().to_string();
        process::is_alive(pid) && process::title_of(pid).contains(&dir)
    }
}

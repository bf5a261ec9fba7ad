//! One running nginx: start, reload, kill a worker, stop, and what its error log may hold.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::builder::{Builder, nginx_binary};
use super::process::{self, Pid};
use super::tls::Trust;
use super::{Answer, Call, Raw, Stream, Way, wait_for};

const WORKER: &str = "nginx: worker process";
const RETIRING: &str = "nginx: worker process is shutting down";
/// Lines at level warn or error that any test may cause: what the module logs about requests that
/// it refuses (PUB-102), and nginx about large bodies.
const HARMLESS: [&str; 8] = [
    "push stream module: subscription refused",
    "push_stream_allowed_origins has control characters",
    "a client request body is buffered to a temporary file",
    "channel id contains control characters",
    "no channel id provided",
    "channel id is larger than allowed",
    "Post request was sent with no message",
    "number of channels were exceeded",
];
const LOUD: [&str; 5] = ["[emerg]", "[alert]", "[crit]", "[error]", "[warn]"];

pub struct Nginx {
    pub port: u16,
    builder: Builder,
    /// The process that was started: the master, unless that is a daemon.
    started: Child,
    pub(super) daemon: Option<Pid>,
    expected: Mutex<Vec<String>>,
    /// Masters that a binary upgrade started.
    pub(super) newer: Mutex<Vec<Pid>>,
    dir: tempfile::TempDir,
}

impl Nginx {
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Four workers, a 32 MiB zone and the standard locations.
    pub async fn start() -> Self {
        Builder::default().start().await
    }

    pub(super) async fn start_with(builder: Builder) -> Self {
        // Another test may take the port between the choice and nginx's bind: then try again.
        for _ in 0..10 {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let port = free_port();
            let mut builder = builder.clone();
            builder.http2_port = builder.http2_port.map(|_| free_port());
            builder.tls_port = builder.tls_port.map(|_| free_port());
            let conf = builder.write(dir.path(), port);
            let started = spawn(&builder, dir.path(), &conf);
            let expected = Mutex::new(builder.expected.clone());
            let newer = Mutex::default();
            let daemon = None;
            let mut nginx = Self { port, builder, started, daemon, expected, newer, dir };
            if nginx.came_up().await {
                return nginx;
            }
        }
        panic!("no free port for nginx");
    }

    /// The process that was started has ended, and without an error.
    pub(super) fn ended_well(&mut self) -> bool {
        self.started.wait().is_ok_and(|status| status.success())
    }

    /// False if the port was taken.
    async fn came_up(&mut self) -> bool {
        let went_on = !self.builder.daemon || self.find_daemon().await;
        let up = went_on
            && wait_for("nginx to start", || async {
                if !process::is_alive(self.master_pid())
                    || self.log().contains("still could not bind")
                {
                    return Some(false);
                }
                if self.builder.single {
                    let socket = std::net::TcpStream::connect(("127.0.0.1", self.port));
                    return socket.is_ok().then_some(true);
                }
                (self.worker_pids().len() == self.builder.workers).then_some(true)
            })
            .await;
        if !up {
            let log = self.log();
            assert!(log.contains("bind() to"), "nginx did not start:\n{log}");
            self.expect_log("bind()");
        }
        up
    }

    /// The port that [`Builder::http2`] asked for.
    pub fn http2_port(&self) -> u16 {
        self.builder.http2_port.expect("Builder::http2 was called")
    }

    /// The port that [`Builder::tls`] asked for.
    pub fn tls_port(&self) -> u16 {
        self.builder.tls_port.expect("Builder::tls was called")
    }

    /// Ways to reach it: HTTP/1.1, both over TLS, and HTTP/2 without, as far as it listens.
    pub fn ways(&self) -> Vec<(&'static str, Way)> {
        let mut ways = vec![("HTTP/1.1", Way::from(self.port))];
        if let Some(port) = self.builder.http2_port {
            ways.push(("HTTP/2", Way { http2: true, ..Way::from(port) }));
        }
        if let Some(port) = self.builder.tls_port {
            let tls = Some(Trust::in_certificate_of(self.dir()));
            ways.push(("HTTP/1.1 over TLS", Way { tls: tls.clone(), ..Way::from(port) }));
            ways.push(("HTTP/2 over TLS", Way { tls, http2: true, port }));
        }
        ways
    }

    pub fn master_pid(&self) -> Pid {
        self.daemon.unwrap_or(self.started.id() as Pid)
    }

    /// Workers of the running configuration; those that are shutting down are left out.
    pub fn worker_pids(&self) -> BTreeSet<Pid> {
        self.workers_of(self.master_pid())
    }

    pub(super) fn workers_of(&self, master: Pid) -> BTreeSet<Pid> {
        // Looked for first: one that exits between the two is in neither.
        let retiring = process::children(master, RETIRING);
        let mut pids = process::children(master, WORKER);
        pids.retain(|pid| !retiring.contains(pid));
        pids
    }

    pub fn retiring_pids(&self) -> BTreeSet<Pid> {
        process::children(self.master_pid(), RETIRING)
    }

    /// The master has ended; nobody has to have waited for it.
    pub fn has_exited(&self) -> bool {
        match self.daemon {
            Some(pid) => !self.is_ours(pid),
            None => !process::is_alive(self.master_pid()),
        }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn conf_path(&self) -> PathBuf {
        self.dir.path().join("nginx.conf")
    }

    pub fn log(&self) -> String {
        let raw = std::fs::read(self.dir.path().join("error.log")).unwrap_or_default();
        String::from_utf8_lossy(&raw).into_owned()
    }

    pub fn log_lines(&self, text: &str) -> Vec<String> {
        self.log().lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }

    pub async fn wait_log(&self, text: &str) {
        wait_for(&format!("the log line '{text}'"), || async {
            self.log().contains(text).then_some(())
        })
        .await
    }

    /// Asks for a panic, `CALLBACK: POINT`, of the module of [`Builder::provoked`].
    pub fn provoke(&self, place: &str) {
        std::fs::write(self.dir.path().join(place), "").expect("the wish is written");
    }

    /// Whether a panic that was asked for has not happened.
    pub fn is_to_come(&self, place: &str) -> bool {
        self.dir.path().join(place).exists()
    }

    /// From now on lines of level warn or worse may contain `text`.
    pub fn expect_log(&self, text: &str) {
        self.expected.lock().expect("no panic while held").push(text.into());
    }

    /// Reloads the same configuration; returns when only new workers accept connections.
    pub async fn reload(&self) {
        self.reload_with(|builder| builder).await
    }

    /// Reloads with a changed configuration.
    pub async fn reload_with(&self, change: impl FnOnce(Builder) -> Builder) {
        let builder = change(self.builder.clone());
        builder.write(self.dir.path(), self.port);
        let old = self.worker_pids();
        process::send_signal(self.master_pid(), libc::SIGHUP);
        wait_for("the workers of the new configuration", || async {
            let now = self.worker_pids();
            (now.len() == builder.workers && now.is_disjoint(&old)).then_some(())
        })
        .await;
    }

    /// Reloads with a configuration that nginx must refuse; `line` is what it says.
    pub async fn reload_refused(&self, change: impl FnOnce(Builder) -> Builder, line: &str) {
        change(self.builder.clone()).write(self.dir.path(), self.port);
        self.expect_log(line);
        process::send_signal(self.master_pid(), libc::SIGHUP);
        self.wait_log(line).await;
        self.builder.write(self.dir.path(), self.port);
    }

    /// SIGKILL to one worker, which is gone when this returns; the alert about it is expected from now on.
    pub fn kill_worker(&self, pid: Pid) {
        let lives = || process::children(self.master_pid(), WORKER).contains(&pid);
        assert!(lives(), "{pid} is no worker");
        self.expect_log(&format!("worker process {pid} exited on signal 9"));
        process::send_signal(pid, libc::SIGKILL);
        let killed = Instant::now();
        while lives() {
            assert!(killed.elapsed() < super::DEADLINE, "{pid} survived");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the master has replaced what was killed.
    pub async fn all_workers(&self) -> BTreeSet<Pid> {
        wait_for("a full set of workers", || async {
            let pids = self.worker_pids();
            (pids.len() == self.builder.workers).then_some(pids)
        })
        .await
    }

    // Clients.

    pub fn call(&self, method: &str, target: &str) -> Call {
        Call::new(self.port, method, target)
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.call("GET", target).send().await
    }

    pub async fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.call("POST", target).body(body).send().await
    }

    pub async fn delete(&self, target: &str) -> Answer {
        self.call("DELETE", target).send().await
    }

    /// Publishes with storing on; the id is written as in a URL.
    pub async fn publish(&self, id: &str, text: impl AsRef<[u8]>) -> Answer {
        let answer = self.post(&format!("/pub?id={id}"), text).await;
        assert_eq!(answer.status, 200, "publish to {id}: {answer:?}");
        answer
    }

    /// Publishes with storing off.
    pub async fn publish_live(&self, id: &str, text: impl AsRef<[u8]>) -> Answer {
        let answer = self.post(&format!("/live?id={id}"), text).await;
        assert_eq!(answer.status, 200, "unstored publish to {id}: {answer:?}");
        answer
    }

    pub async fn stream(&self, target: &str) -> Stream {
        self.call("GET", target).stream().await
    }

    pub async fn raw(&self) -> Raw {
        Raw::connect(self.port).await
    }

    // The end.

    /// Asks the masters to stop and waits; false if one had to be killed.
    fn stop(&mut self) -> bool {
        if self.builder.daemon {
            self.daemon = self.daemon.or(self.pid_file());
        }
        let mut masters = self.newer_masters();
        if !self.has_exited() {
            masters.push(self.master_pid());
        }
        masters.iter().for_each(|&master| process::send_signal(master, libc::SIGTERM));
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            let first_has = matches!(self.started.try_wait(), Ok(Some(_))) && self.has_exited();
            if first_has && self.newer_masters().is_empty() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Each master first, so that it starts no further worker.
        for master in masters {
            let workers = process::children(master, "nginx: ");
            process::send_signal(master, libc::SIGKILL);
            if master == self.master_pid() {
                let _ = self.started.wait();
            }
            workers.into_iter().for_each(|pid| process::send_signal(pid, libc::SIGKILL));
        }
        false
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines = log.lines().collect::<Vec<_>>();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn unexpected_lines(&self) -> Vec<String> {
        let expected = self.expected.lock().expect("no panic while held");
        self.log()
            .lines()
            .filter(|line| {
                let failed = line.contains("exited with code") && !line.contains("code 0");
                let is_loud = failed || LOUD.iter().any(|level| line.contains(level));
                let is_harmless = HARMLESS.iter().any(|text| line.contains(text))
                    || expected.iter().any(|text| line.contains(text.as_str()));
                let names_module_twice = line.matches("push stream module: ").count() > 1;
                (is_loud && !is_harmless) || names_module_twice
            })
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let stopped = self.stop();
        let lines = self.unexpected_lines();
        if std::thread::panicking() {
            eprintln!("the error log ended with:\n{}", self.log_tail());
            return;
        }
        assert!(stopped, "nginx did not stop within its deadline:\n{}", self.log_tail());
        assert!(
            lines.is_empty(),
            "the error log holds\n{}\nand ended with\n{}",
            lines.join("\n"),
            self.log_tail()
        );
    }
}

fn spawn(builder: &Builder, dir: &Path, conf: &Path) -> Child {
    let open_files = builder.open_files;
    let mut command = Command::new(nginx_binary());
    if builder.bare_name {
        command.arg0("nginx");
    }
    let variables = builder.environment.iter().map(|(name, value)| (name, value));
    command
        .env("PUSH_STREAM_PROVOKED", dir)
        .envs(variables)
        .args(builder.arguments(dir, conf))
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: only async-signal-safe calls between fork and exec.
    unsafe {
        command.pre_exec(move || {
            // A test binary that is killed takes its servers with it.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            if let Some(limit) = open_files {
                let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
                libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
            }
            Ok(())
        });
    }
    command.spawn().expect("nginx runs")
}

/// A port below the range from which outgoing connections take theirs.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let start = (std::process::id().wrapping_mul(131) % 20_000) as u16;
        let port = 11_000 + (start + offset) % 20_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

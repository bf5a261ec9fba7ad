//! The nginx that a measurement measures: one worker, errors on standard error.

// Each measurement uses its own part.
#![allow(dead_code)]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Nginx {
    pub port: u16,
    master: Child,
    worker: u32,
    _prefix: tempfile::TempDir,
}

impl Nginx {
    /// With `http` inside the block of that name; `PORT` in it is a free one.
    pub fn start(http: &str) -> Nginx {
        let variable = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let (binary, module) = (variable("PUSH_STREAM_NGINX"), variable("PUSH_STREAM_MODULE"));
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a port").port();
        let http = http.replace("PORT", &port.to_string());
        let prefix = tempfile::tempdir().expect("a directory");
        let conf = prefix.path().join("nginx.conf");
        let text = format!(
            "load_module {module}; daemon off; worker_processes 1; worker_rlimit_nofile 20000;
             pid nginx.pid; error_log stderr error; events {{ worker_connections 12000; }}
             http {{ access_log off; push_stream_shared_memory_size 32m;
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                 uwsgi_temp_path uwsgi; scgi_temp_path scgi; {http} }}"
        );
        fs::write(&conf, text).expect("a file");
        let master = Command::new(binary)
            .args(["-e", "stderr", "-p"])
            .arg(prefix.path())
            .arg("-c")
            .arg(&conf)
            .env_remove("NGINX")
            .spawn()
            .expect("nginx starts");
        let worker = wait_for(|| {
            TcpStream::connect(("127.0.0.1", port)).ok()?;
            let children = format!("/proc/{0}/task/{0}/children", master.id());
            fs::read_to_string(children).ok()?.split_whitespace().next()?.parse().ok()
        });
        Nginx { port, master, worker, _prefix: prefix }
    }

    /// Seconds of the worker's processor, from the scheduler's own account.
    pub fn worker_cpu(&self) -> f64 {
        let schedstat = fs::read_to_string(format!("/proc/{}/schedstat", self.worker));
        let nanos = schedstat.expect("the worker lives");
        nanos.split(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("a number") / 1e9
    }

    pub fn private_kib(&self) -> u64 {
        let rollup = Path::new("/proc").join(self.worker.to_string()).join("smaps_rollup");
        let text = fs::read_to_string(rollup).expect("the worker lives");
        let line = text.lines().find(|line| line.starts_with("Private_Dirty:")).expect("a line");
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SAFETY: a signal to our own child.
        unsafe { libc::kill(self.master.id() as libc::pid_t, libc::SIGTERM) };
        self.master.wait().expect("nginx ends");
    }
}

pub fn wait_for<T>(mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "nginx does not start");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A subscriber whose response has begun.
pub fn subscribe(port: u16, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    read_head(&mut stream);
    stream
}

pub fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a response head");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
}

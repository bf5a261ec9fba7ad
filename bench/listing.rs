//! What publishers in one worker feel while another lists 100,000 channels again and again, and what such
//! a list costs. Needs nginx and the module: `bench/listing.sh` says where they are.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CHANNELS: usize = 100_000;
/// Channels created by one request.
const AT_ONCE: usize = 200;
const PUBLISHES: usize = 20_000;
const ROUNDS: usize = 5;
const FORMATS: [&str; 4] =
    ["application/json", "text/plain", "application/yaml", "application/xml"];
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    // `cargo test --all-targets` asks benches to do nothing.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let nginx = Nginx::start();
    let (mut publisher, mut lister) = nginx.connections_to_two_workers();
    for page in 0..CHANNELS / AT_ONCE {
        let ids: Vec<_> =
            (0..AT_ONCE).map(|i| format!("channel-{:06}", page * AT_ONCE + i)).collect();
        publisher.publish(&ids.join("/"));
    }

    for format in FORMATS {
        let mut spent = Vec::new();
        let mut len = 0;
        for _ in 0..ROUNDS {
            let before = lister.worker_cpu();
            len = lister.list(format);
            spent.push((lister.worker_cpu() - before) * 1e3);
        }
        println!(
            "{format}: {:.1} MB, {:.0} ms of the worker",
            len as f64 / 1e6,
            median(&mut spent)
        );
    }
    println!("most memory the listing worker ever had: {} MB", lister.most_private_memory() / 1000);

    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let idle = publisher.median_latency();
        let done = AtomicBool::new(false);
        let (busy, lists) = thread::scope(|scope| {
            let listing = scope.spawn(|| {
                let mut lists = 0;
                while !done.load(Ordering::Relaxed) {
                    lister.list(FORMATS[0]);
                    lists += 1;
                }
                lists
            });
            let busy = publisher.median_latency();
            done.store(true, Ordering::Relaxed);
            (busy, listing.join().expect("the listing thread"))
        });
        ratios.push(busy / idle);
        println!(
            "publish: idle {idle:.0} us, during {lists} lists {busy:.0} us, ratio {:.2}",
            busy / idle
        );
    }
    println!("median ratio: {:.2}", median(&mut ratios));
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A kept connection, and the worker that serves it.
struct Connection {
    stream: TcpStream,
    worker: u32,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(port: u16) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        stream.set_nodelay(true).expect("a socket option");
        let mut connection = Connection { stream, worker: 0, buffer: vec![0; 1 << 20] };
        connection.send("GET /stats HTTP/1.1\r\nHost: x\r\n\r\n");
        let (head, _) = connection.answer();
        connection.worker = header(&head, "X-Worker").expect("a worker");
        connection
    }

    fn publish(&mut self, ids: &str) {
        self.send(&format!(
            "POST /pub?id={ids} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        ));
        self.answer();
    }

    /// The length of the list.
    fn list(&mut self, format: &str) -> usize {
        self.send(&format!("GET /stats?id=ALL HTTP/1.1\r\nHost: x\r\nAccept: {format}\r\n\r\n"));
        self.answer().1
    }

    /// Microseconds from a publish to its answer.
    fn median_latency(&mut self) -> f64 {
        let mut times: Vec<_> = (0..PUBLISHES)
            .map(|i| {
                let id = format!("channel-{:06}", i * (CHANNELS / PUBLISHES));
                let start = Instant::now();
                self.publish(&id);
                start.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        median(&mut times)
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("sent");
    }

    /// Reads an answer; its head, and the length of its body.
    fn answer(&mut self) -> (String, usize) {
        let mut seen = 0;
        let end = loop {
            let n = self.stream.read(&mut self.buffer[seen..]).expect("an answer");
            assert!(n > 0, "closed");
            seen += n;
            let head = &self.buffer[..seen];
            if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let len = header(&head, "Content-Length").expect("a length") as usize;
        let mut left = len - (seen - end);
        while left > 0 {
            let n = self.stream.read(&mut self.buffer).expect("a body");
            assert!(n > 0, "closed");
            left -= n;
        }
        (head, len)
    }

    /// Seconds, from the scheduler's own account.
    fn worker_cpu(&self) -> f64 {
        let schedstat = fs::read_to_string(format!("/proc/{}/schedstat", self.worker));
        let nanos = schedstat.expect("the worker lives");
        nanos.split(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("a number") / 1e9
    }

    /// KiB, what it shares with other processes left out.
    fn most_private_memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.worker));
        let text = text.expect("the worker lives");
        let field = |name: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
            line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
        };
        field("VmHWM:") - field("RssShmem:") - field("RssFile:")
    }
}

fn header(head: &str, name: &str) -> Option<u32> {
    let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))?;
    line.trim().parse().ok()
}

struct Nginx {
    master: Child,
    port: u16,
    _prefix: tempfile::TempDir,
}

impl Nginx {
    fn start() -> Nginx {
        let variable = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let (binary, module) = (variable("PUSH_STREAM_NGINX"), variable("PUSH_STREAM_MODULE"));
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let prefix = tempfile::tempdir().expect("a directory");
        let conf = prefix.path().join("nginx.conf");
        let text = format!(
            "load_module {module}; daemon off; worker_processes 2;
             pid nginx.pid; error_log stderr error; events {{ worker_connections 100; }}
             http {{ access_log off; push_stream_shared_memory_size 128m;
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                 uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                 keepalive_requests 1000000; push_stream_channels_path $arg_id;
                 add_header X-Worker $pid;
                 server {{ listen 127.0.0.1:{port} reuseport;
                     location /pub {{ push_stream_publisher; push_stream_store_messages on; }}
                     location /stats {{ push_stream_channels_statistics; }} }} }}"
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
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "nginx does not start");
            thread::sleep(Duration::from_millis(20));
        }
        Nginx { master, port, _prefix: prefix }
    }

    fn connections_to_two_workers(&self) -> (Connection, Connection) {
        let one = Connection::open(self.port);
        loop {
            let other = Connection::open(self.port);
            if other.worker != one.worker {
                return (one, other);
            }
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SAFETY: a signal to our own child.
        unsafe { libc::kill(self.master.id() as libc::pid_t, libc::SIGTERM) };
        self.master.wait().expect("nginx ends");
    }
}

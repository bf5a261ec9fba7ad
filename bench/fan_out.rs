//! What a delivered message costs the worker, against a bare `send` loop in the same run, and what an idle
//! subscriber costs in memory. Needs nginx and the module: `bench/fan_out.sh` says where they are.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

const SUBSCRIBERS: usize = 2000;
const MESSAGES: usize = 200;
const ROUNDS: usize = 5;
const TEXT: [u8; 100] = [b'x'; 100];
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    // `cargo test --all-targets` asks benches to do nothing.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let nginx = Nginx::start(port);
    let before = nginx.private_kib();
    let mut readers: Vec<TcpStream> = (0..SUBSCRIBERS).map(|_| subscribe(port)).collect();
    let idle = nginx.private_kib() - before;
    println!("private memory of an idle subscriber: {:.1} KiB", idle as f64 / SUBSCRIBERS as f64);

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (mut senders, mut sinks) = (Vec::new(), Vec::new());
    for _ in 0..SUBSCRIBERS {
        sinks.push(TcpStream::connect(listener.local_addr().expect("bound")).expect("connected"));
        let sender = listener.accept().expect("accepted").0;
        sender.set_nodelay(true).expect("a socket option");
        senders.push(sender);
    }

    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let bare = bare_send(&mut senders, &mut sinks);
        let ours = fan_out(&nginx, port, &mut readers);
        ratios.push(ours / bare);
        println!(
            "bare send {bare:.2} us, delivered message {ours:.2} us, ratio {:.2}",
            ours / bare
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio: {:.2}", ratios[ROUNDS / 2]);
}

/// Microseconds of this thread's CPU for one `send` of a message as it goes on the wire.
fn bare_send(senders: &mut [TcpStream], sinks: &mut [TcpStream]) -> f64 {
    let wire = [b"65\r\n".as_slice(), &TEXT, b"\n\r\n"].concat();
    let mut spent = 0.0;
    for _ in 0..MESSAGES {
        let start = cpu_of_this_thread();
        for sender in senders.iter_mut() {
            sender.write_all(&wire).expect("sent");
        }
        spent += cpu_of_this_thread() - start;
        sinks.iter_mut().for_each(|sink| read_exactly(sink, wire.len()));
    }
    spent * 1e6 / (MESSAGES * senders.len()) as f64
}

/// Microseconds of the worker's CPU for one delivered message, publishing included.
fn fan_out(nginx: &Nginx, port: u16, readers: &mut [TcpStream]) -> f64 {
    let mut publisher = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let wire = TEXT.len() + "65\r\n\n\r\n".len();
    let start = nginx.worker_cpu();
    for _ in 0..MESSAGES {
        let head =
            format!("POST /pub HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", TEXT.len());
        publisher.write_all(&[head.as_bytes(), &TEXT].concat()).expect("sent");
        read_head(&mut publisher);
        readers.iter_mut().for_each(|reader| read_exactly(reader, wire));
    }
    (nginx.worker_cpu() - start) * 1e6 / (MESSAGES * readers.len()) as f64
}

fn subscribe(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
    stream.write_all(b"GET /sub HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    read_head(&mut stream);
    stream
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a response head");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
}

fn read_exactly(stream: &mut TcpStream, len: usize) {
    let mut bytes = [0; 256];
    stream.read_exact(&mut bytes[..len]).expect("a message");
}

fn cpu_of_this_thread() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the time to where it is told.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

struct Nginx {
    master: Child,
    worker: u32,
    _prefix: tempfile::TempDir,
}

impl Nginx {
    fn start(port: u16) -> Nginx {
        let variable = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let (binary, module) = (variable("PUSH_STREAM_NGINX"), variable("PUSH_STREAM_MODULE"));
        let prefix = tempfile::tempdir().expect("a directory");
        let conf = prefix.path().join("nginx.conf");
        let text = format!(
            "load_module {module}; daemon off; worker_processes 1; worker_rlimit_nofile 20000;
             pid nginx.pid; error_log stderr error; events {{ worker_connections 9000; }}
             http {{ access_log off; push_stream_shared_memory_size 32m;
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                 uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                 keepalive_requests 1000000; push_stream_channels_path bench;
                 server {{ listen 127.0.0.1:{port};
                     location /pub {{ push_stream_publisher; push_stream_channel_info_on_publish off; }}
                     location /sub {{ push_stream_subscriber; push_stream_message_template \"~text~\\n\"; }} }} }}"
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
        Nginx { master, worker, _prefix: prefix }
    }

    /// Seconds, from the scheduler's own account.
    fn worker_cpu(&self) -> f64 {
        let schedstat = fs::read_to_string(format!("/proc/{}/schedstat", self.worker));
        let nanos = schedstat.expect("the worker lives");
        nanos.split(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("a number") / 1e9
    }

    fn private_kib(&self) -> u64 {
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

fn wait_for<T>(mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "nginx does not start");
        thread::sleep(Duration::from_millis(20));
    }
}

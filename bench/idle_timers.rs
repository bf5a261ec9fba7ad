//! What subscribers that only wait cost the worker's processor: many and few, each with a ping and a time to
//! live to come. Needs nginx and the module: `bench/idle_timers.sh` says where they are.

mod server;

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use server::{Nginx, subscribe, wait_for};

/// Few and many, of each kind in equal parts.
const SUBSCRIBERS: [usize; 2] = [30, 10_000];
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(4);
const CONF: &str = "push_stream_channels_path bench; push_stream_ping_message_interval 10m;
    push_stream_subscriber_connection_ttl 1h; server { listen 127.0.0.1:PORT backlog=4096;
    location /stream { push_stream_subscriber; }
    location /events { push_stream_subscriber eventsource; }
    location /wait { push_stream_subscriber long-polling; }
    location /stats { push_stream_channels_statistics; } }";

fn main() {
    // `cargo test --all-targets` asks benches to do nothing.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let nginx = Nginx::start(CONF);
    let mut clients = Vec::new();
    let mut medians = Vec::new();
    for count in SUBSCRIBERS {
        while clients.len() < count {
            clients.push(match clients.len() % 3 {
                0 => subscribe(nginx.port, "/stream"),
                1 => subscribe(nginx.port, "/events"),
                _ => wait(nginx.port),
            });
        }
        subscribed(nginx.port, count);
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let before = nginx.worker_cpu();
            thread::sleep(ROUND);
            rounds.push((nginx.worker_cpu() - before) * 1e3 / ROUND.as_secs_f64());
        }
        rounds.sort_by(f64::total_cmp);
        let median = rounds[ROUNDS / 2];
        println!("{count} subscribers: {median:.3} ms of processor time a second, median");
        medians.push(median);
    }
    println!("ratio: {:.2}", medians[1] / medians[0]);
}

/// A long poll, which is answered nothing as long as it waits.
fn wait(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    stream
}

/// Waits until the worker counts that many.
fn subscribed(port: u16, count: usize) {
    wait_for(|| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        let request = b"GET /stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).expect("sent");
        let answer = std::io::read_to_string(&mut stream).expect("statistics");
        let expected = format!("\"subscribers\": {count}");
        answer.contains(&expected).then_some(())
    });
}

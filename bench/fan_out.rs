//! What a delivered message costs the worker, against a bare `send` loop in the same run, and what an idle
//! subscriber costs in memory. Needs nginx and the module: `bench/fan_out.sh` says where they are.

mod server;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use rustix::time::{ClockId, clock_gettime};
use server::{Nginx, read_head, subscribe};

const SUBSCRIBERS: usize = 2000;
const MESSAGES: usize = 200;
const ROUNDS: usize = 5;
const TEXT: [u8; 100] = [b'x'; 100];
const CONF: &str =
    "keepalive_requests 1000000; push_stream_channels_path bench; server { listen 127.0.0.1:PORT;
    location /pub { push_stream_publisher; push_stream_channel_info_on_publish off; }
    location /sub { push_stream_subscriber; push_stream_message_template \"~text~\\n\"; } }";

fn main() {
    // `cargo test --all-targets` asks benches to do nothing.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let nginx = Nginx::start(CONF);
    let port = nginx.port;
    let before = nginx.private_kib();
    let mut readers: Vec<TcpStream> = (0..SUBSCRIBERS).map(|_| subscribe(port, "/sub")).collect();
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

fn read_exactly(stream: &mut TcpStream, len: usize) {
    let mut bytes = [0; 256];
    stream.read_exact(&mut bytes[..len]).expect("a message");
}

fn cpu_of_this_thread() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

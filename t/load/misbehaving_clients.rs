//! Clients that close, reset, half-close, stall, and vanish in the middle of a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::random::Random;
use super::{DOOMED, KEPT};
use crate::support::websocket::{frame, request as handshake, unmasked};

/// How long one waits for a server that has no reason to say anything.
const PATIENCE: Duration = Duration::from_millis(300);

/// One after the other until told to stop.
pub async fn misbehave(port: u16, mut random: Random, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        // Whether anything fails does not matter here: nobody waits for this client.
        let _ = visit(port, &mut random).await;
    }
}

async fn visit(port: u16, random: &mut Random) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
    let mut request = request(random);
    if random.below(4) == 0 {
        request.truncate(random.below(request.len()));
    }
    socket.write_all(&request).await?;
    let mut buffer = [0; 512];
    match random.below(7) {
        0 => {}
        1 => reset(&socket),
        2 => {
            socket.shutdown().await?;
            random.pause(100).await;
        }
        // Reads nothing.
        3 => random.pause(1000).await,
        4 => {
            drop(tokio::time::timeout(PATIENCE, socket.read(&mut buffer)).await);
            reset(&socket);
        }
        // Goes away with something unread, which its kernel tells with a reset.
        5 => drop(tokio::time::timeout(PATIENCE, socket.readable()).await),
        _ => {
            let reading = async { while socket.read(&mut buffer).await.is_ok_and(|n| n > 0) {} };
            drop(tokio::time::timeout(PATIENCE, reading).await);
        }
    }
    Ok(())
}

/// Whatever closes this socket resets the connection.
fn reset(socket: &TcpStream) {
    use std::os::fd::AsRawFd as _;
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    let option = (&raw const linger).cast();
    // SAFETY: the option's value is a `linger` of the size said; the socket is open.
    unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, option, size);
    }
}

fn request(random: &mut Random) -> Vec<u8> {
    let (kept, doomed) = (random.pick(&KEPT), random.pick(&DOOMED));
    let get = |target: &str, headers: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").into_bytes()
    };
    match random.below(9) {
        0 => get(&format!("/st/{kept}.b9/{doomed}"), ""),
        1 => get(&format!("/es/{doomed}/{kept}.b3"), ""),
        2 => get(&format!("/lp/{doomed}"), ""),
        3 => get(&format!("/poll/{kept}.b20"), ""),
        4 => get("/stats?id=ALL", ""),
        5 | 6 => {
            let version = random.pick(&["HTTP/1.1", "HTTP/1.0"]);
            let mut bytes =
                handshake(version, &format!("/ws/{kept}.b9/{doomed}"), &[]).into_bytes();
            for (start, payload) in [(0x89, "ping".to_owned()), (0x81, "x".repeat(200))] {
                match random.below(2) {
                    0 => bytes.extend(frame(start, payload)),
                    _ => bytes.extend(unmasked(start, payload)),
                }
            }
            bytes
        }
        _ => {
            let body = "y".repeat(1 + random.below(30_000));
            let length = body.len();
            let head = format!("POST /pub?id={doomed} HTTP/1.1\r\nHost: x\r\n");
            format!("{head}Content-Length: {length}\r\n\r\n{body}").into_bytes()
        }
    }
}

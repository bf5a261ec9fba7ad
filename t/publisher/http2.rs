//! Publishing over HTTP/2 (without TLS, which takes the same way through nginx).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::{Body, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::support::{Answer, Nginx, in_time};

/// A body in pieces, whose length nobody knows beforehand.
struct Pieces(VecDeque<Bytes>);

impl Pieces {
    fn of(body: &[u8], size: usize) -> Self {
        Self(body.chunks(size).map(Bytes::copy_from_slice).collect())
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

struct Client(http2::SendRequest<Pieces>);

impl Client {
    async fn connect(nginx: &Nginx) -> Self {
        let address = (Ipv4Addr::LOCALHOST, nginx.http2_port());
        let socket = in_time("connect", TcpStream::connect(address)).await.expect("connect");
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .expect("a handshake");
        // The task ends with the connection; how it ended shows in the answers.
        tokio::spawn(async move { drop(connection.await) });
        Self(sender)
    }

    async fn send(&mut self, call: &str, headers: &[(&str, &str)], body: Pieces) -> Answer {
        let (method, target) = call.split_once(' ').expect("a method and a target");
        let uri = format!("http://localhost{target}");
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).expect("a request");
        in_time(call, async {
            let answer = self.0.send_request(request).await.expect("an answer");
            let (head, body) = answer.into_parts();
            let body = body.collect().await.expect("a body").to_bytes().to_vec();
            Answer { status: head.status.as_u16(), headers: head.headers, body }
        })
        .await
    }
}

/// PUB-37, PUB-38: with and without `content-length`, in memory and through a file.
#[tokio::test]
async fn bodies() {
    let nginx = Nginx::builder().http2().start().await;
    let mut client = Client::connect(&nginx).await;
    let mut count = 0;
    for (size, piece) in [(1, 1), (10, 3), (3_000, 1), (200_000, 9_000), (3_000_000, 16_384)] {
        let body: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let length = size.to_string();
        for headers in [&[("content-length", length.as_str())][..], &[]] {
            let pieces = Pieces::of(&body, piece);
            let answer = client.send("POST /pub?id=two", headers, pieces).await;
            count += 1;
            assert_eq!((answer.status, &answer.json()["published_messages"]), (200, &count.into()));
            let mut replay = nginx.stream("/raw?id=two.b1").await;
            assert!(replay.exactly(size).await == body, "{size} bytes with {headers:?}");
        }
    }
}

/// PUB-39: nothing to publish, said in three ways.
#[tokio::test]
async fn empty_bodies() {
    let nginx = Nginx::builder().http2().start().await;
    let mut client = Client::connect(&nginx).await;
    for (headers, body) in [
        (&[][..], Pieces::of(b"", 1)),
        (&[("content-length", "0")], Pieces::of(b"", 1)),
        (&[], Pieces(VecDeque::from([Bytes::new(), Bytes::new()]))),
    ] {
        let answer = client.send("PUT /pub?id=none", headers, body).await;
        answer.assert_refused(400, Some("Empty post requests are not allowed."));
    }
    assert!(nginx.channel("none").await.is_none());
}

/// PUB-3, PUB-11, PUB-43, PUB-84, PUB-96: refusals with and without their bodies read, event id and
/// type, deletion, all on one connection, which goes on.
#[tokio::test]
async fn everything_else() {
    let nginx = Nginx::builder()
        .http2()
        .location(
            "/cors",
            "push_stream_publisher; push_stream_channels_path $arg_id;
             push_stream_allowed_origins *;",
        )
        .subscriber(
            "events",
            "push_stream_message_template \"~id~|~event-id~|~event-type~|~text~\\n\";",
        )
        .start()
        .await;
    let mut events = nginx.stream("/events/e").await;
    let mut client = Client::connect(&nginx).await;
    let body = || Pieces::of(&[b'x'; 50_000], 10_000);
    for round in 1..=10 {
        let headers = [("event-id", "17"), ("event-type", "news")];
        let answer = client.send("POST /pub?id=e", &headers, Pieces::of(b"text", 2)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(events.line().await, format!("{round}|17|news|text"));

        let answer = client.send("PATCH /cors?id=e", &[], body()).await;
        assert_eq!(answer.header("allow"), Some("GET, POST, PUT"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        answer.assert_refused(405, None);
        let reserved = Some("Channel id not authorized for this method.");
        client.send("POST /pub?id=ALL", &[], body()).await.assert_refused(403, reserved);
        let answer = client.send("GET /pub", &[], body()).await;
        answer.assert_refused(400, Some("No channel id provided."));
        client.send("OPTIONS /pub", &[], body()).await.assert_refused(200, None);
        client.send("DELETE /pub?id=none", &[], body()).await.assert_refused(404, None);
    }
    let answer = client.send("DELETE /pub?id=e", &[], Pieces::of(b"the end", 3)).await;
    answer.assert_refused(200, Some("Channel deleted."));
    assert_eq!(events.line().await, "-2|||the end");
}

//! An HTTP client: one request and its answer, or a kept connection for many.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Stream, in_time};

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a printable header"))
    }

    pub fn explanation(&self) -> Option<&str> {
        self.header(super::EXPLAIN)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// A refusal: status, explanation, no body, cache headers (PUB-6, PUB-7, ADM-1).
    #[track_caller]
    pub fn assert_refused(&self, status: u16, explanation: Option<&str>) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.explanation(), explanation, "{self:?}");
        self.assert_empty();
    }

    /// No body and everything that goes with it.
    #[track_caller]
    pub fn assert_empty(&self) {
        assert_eq!(self.header("content-length"), Some("0"), "{self:?}");
        assert_eq!(self.header("content-type"), None, "{self:?}");
        assert_eq!(self.header("expires"), Some(super::EXPIRES), "{self:?}");
        assert_eq!(self.header("cache-control"), Some(super::CACHE_CONTROL), "{self:?}");
        assert!(self.body.is_empty(), "{self:?}");
    }
}

/// One request to be sent on a connection of its own.
#[derive(Clone)]
pub struct Call {
    port: u16,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
}

impl Call {
    pub fn new(port: u16, method: &str, target: &str) -> Self {
        Self { port, method: method.into(), target: target.into(), headers: vec![], body: None }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(Bytes::copy_from_slice(body.as_ref()));
        self
    }

    pub async fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.target);
        self.try_send().await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    pub async fn try_send(self) -> Result<Answer, Failure> {
        let mut client = Client::connect(self.port).await?;
        client.send(self).await
    }

    /// Opens a stream, which must be answered 200.
    pub async fn stream(self) -> Stream {
        let what = format!("{} {}", self.method, self.target);
        let stream = self.try_stream().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(stream.status, 200, "{what}: {:?}", stream.headers);
        stream
    }

    pub async fn try_stream(self) -> Result<Stream, Failure> {
        let mut client = Client::connect(self.port).await?;
        let response = client.begin(self).await?;
        Ok(Stream::new(response))
    }

    fn into_request(self) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder().method(self.method.as_str()).uri(self.target);
        request = request.header("Host", "localhost");
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(self.body.unwrap_or_default()))?)
    }
}

/// One kept connection.
pub struct Client {
    port: u16,
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Client {
    pub async fn connect(port: u16) -> Result<Self, Failure> {
        let socket = in_time("connect", TcpStream::connect((Ipv4Addr::LOCALHOST, port))).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        // The task ends with the connection; how it ended shows in the answers.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { port, sender })
    }

    pub async fn post(&mut self, target: &str, body: impl AsRef<[u8]>) -> Result<Answer, Failure> {
        self.send(Call::new(self.port, "POST", target).body(body)).await
    }

    pub async fn send(&mut self, call: Call) -> Result<Answer, Failure> {
        let (head, body) = self.begin(call).await?.into_parts();
        let body = in_time("the body of an answer", body.collect()).await?.to_bytes().to_vec();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    async fn begin(&mut self, call: Call) -> Result<Response<Incoming>, Failure> {
        let what = format!("the answer to {} {}", call.method, call.target);
        let request = call.into_request()?;
        in_time(&what, async {
            self.sender.ready().await?;
            Ok(self.sender.send_request(request).await?)
        })
        .await
    }
}

//! An HTTP client: one request and its answer, or a kept connection for many.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::tls::Trust;
use super::{Stream, in_time};

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How a request travels.
#[derive(Clone)]
pub struct Way {
    pub port: u16,
    pub http2: bool,
    /// With TLS, and with whose certificate.
    pub tls: Option<Trust>,
}

impl From<u16> for Way {
    /// HTTP/1.1 without TLS.
    fn from(port: u16) -> Self {
        Self { port, http2: false, tls: None }
    }
}

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
    way: Way,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
}

impl Call {
    pub fn new(way: impl Into<Way>, method: &str, target: &str) -> Self {
        let (method, target) = (method.into(), target.into());
        Self { way: way.into(), method, target, headers: vec![], body: None }
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
        let mut client = Client::connect(self.way.clone()).await?;
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
        let mut client = Client::connect(self.way.clone()).await?;
        let response = client.begin(self).await?;
        Ok(Stream::new(response))
    }

    fn into_request(self) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder().method(self.method.as_str());
        request = match self.way.http2 {
            true => request.uri(format!("https://localhost{}", self.target)),
            false => request.uri(self.target).header("Host", "localhost"),
        };
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(self.body.unwrap_or_default()))?)
    }
}

/// One kept connection.
pub struct Client {
    way: Way,
    sender: Sender,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub async fn connect(way: impl Into<Way>) -> Result<Self, Failure> {
        let way = way.into();
        let address = (Ipv4Addr::LOCALHOST, way.port);
        let socket = in_time("connect", TcpStream::connect(address)).await?;
        socket.set_nodelay(true)?;
        let sender = match &way.tls {
            None => Sender::over(socket, way.http2).await?,
            Some(trust) => {
                Sender::over(trust.handshake(socket, way.http2).await?, way.http2).await?
            }
        };
        Ok(Self { way, sender })
    }

    /// Another handle of the same connection, for requests at the same time; HTTP/2 only.
    pub fn again(&self) -> Self {
        let Sender::Http2(sender) = &self.sender else { panic!("one request at a time") };
        Self { way: self.way.clone(), sender: Sender::Http2(sender.clone()) }
    }

    pub async fn get(&mut self, target: &str) -> Result<Answer, Failure> {
        self.send(Call::new(self.way.clone(), "GET", target)).await
    }

    pub async fn post(&mut self, target: &str, body: impl AsRef<[u8]>) -> Result<Answer, Failure> {
        self.send(Call::new(self.way.clone(), "POST", target).body(body)).await
    }

    pub async fn send(&mut self, call: Call) -> Result<Answer, Failure> {
        let (head, body) = self.begin(call).await?.into_parts();
        let body = in_time("the body of an answer", body.collect()).await?.to_bytes().to_vec();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// False as soon as it is known that the server has closed.
    pub fn is_open(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Opens a stream on this connection.
    pub async fn stream(&mut self, target: &str) -> Result<Stream, Failure> {
        Ok(Stream::new(self.begin(Call::new(self.way.clone(), "GET", target)).await?))
    }

    async fn begin(&mut self, call: Call) -> Result<Response<Incoming>, Failure> {
        let what = format!("the answer to {} {}", call.method, call.target);
        let request = call.into_request()?;
        in_time(&what, self.sender.send(request)).await
    }
}

impl Sender {
    // The tasks end with the connection; how it ended shows in the answers.
    async fn over<S>(socket: S, http2: bool) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let socket = TokioIo::new(socket);
        if http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), socket).await?;
            tokio::spawn(async move { drop(connection.await) });
            return Ok(Self::Http2(sender));
        }
        let (sender, connection) = http1::handshake(socket).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self::Http1(sender))
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        Ok(match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        })
    }
}

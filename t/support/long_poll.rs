//! A long-polling client as browsers' scripts are: each request echoes what the last answer said.

use super::client::Failure;
use super::{Answer, Call, Client, Nginx, Way};

/// Echoes `Last-Modified` and `Etag` in `If-Modified-Since` and `If-None-Match` (CLI-36).
pub struct LongPoll {
    way: Way,
    target: String,
    client: Option<Client>,
    cursor: Cursor,
    connections: usize,
}

/// Time and tag, as they stand in the headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    pub time: Option<String>,
    pub tag: Option<String>,
}

impl Cursor {
    pub fn of(answer: &Answer) -> Self {
        let header = |name| answer.header(name).map(str::to_owned);
        Self { time: header("last-modified"), tag: header("etag") }
    }
}

impl LongPoll {
    /// Knows nothing yet, so that its first answer is the next message or a timeout.
    pub fn new(nginx: &Nginx, target: &str) -> Self {
        let (way, target) = (nginx.port.into(), target.into());
        Self { way, target, client: None, cursor: Cursor::default(), connections: 0 }
    }

    pub fn over(mut self, way: &Way) -> Self {
        self.way = way.clone();
        self
    }

    pub fn starting_at(mut self, time: &str, tag: &str) -> Self {
        self.cursor = Cursor { time: Some(time.into()), tag: Some(tag.into()) };
        self
    }

    /// Knows of a time long ago, so that it gets everything that is stored. (The epoch itself is no time
    /// that an answer without messages could echo, LP-1.)
    pub fn since_long_ago(self) -> Self {
        self.starting_at("Thu, 01 Jan 1970 00:00:01 GMT", "W/0")
    }

    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.connections
    }

    pub async fn poll(&mut self) -> Answer {
        self.try_poll().await.unwrap_or_else(|error| panic!("GET {}: {error}", self.target))
    }

    /// On a kept connection while it holds. A failure changes no cursor.
    pub async fn try_poll(&mut self) -> Result<Answer, Failure> {
        let mut client = match self.client.take() {
            Some(client) if client.is_open() => client,
            _ => {
                self.connections += 1;
                Client::connect(self.way.clone()).await?
            }
        };
        let mut call = Call::new(self.way.clone(), "GET", &self.target);
        if let Some(time) = &self.cursor.time {
            call = call.header("If-Modified-Since", time);
        }
        if let Some(tag) = &self.cursor.tag {
            call = call.header("If-None-Match", tag);
        }
        let answer = client.send(call).await?;
        if matches!(answer.status, 200 | 304) {
            self.cursor = Cursor::of(&answer);
        }
        self.client = Some(client);
        Ok(answer)
    }
}

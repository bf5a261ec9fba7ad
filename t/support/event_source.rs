//! An EventSource client: LaunchDarkly's library, which parses, reconnects and resumes by itself.

use std::time::Duration;

use eventsource_client::{BoxStream, Client as _, ClientBuilder, ReconnectOptions, SSE};
use futures_util::StreamExt as _;

use super::{Nginx, in_time};

pub struct EventSource {
    stream: BoxStream<eventsource_client::Result<SSE>>,
}

/// A dispatched event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub kind: String,
    pub data: String,
    pub id: Option<String>,
}

impl EventSource {
    /// Connects at the first [`EventSource::event`] or [`EventSource::opened`].
    pub fn new(nginx: &Nginx, target: &str) -> Self {
        Self::with(nginx, target, None)
    }

    /// As if the event `id` had been the last one of an earlier connection.
    pub fn resuming(nginx: &Nginx, target: &str, id: &str) -> Self {
        Self::with(nginx, target, Some(id))
    }

    fn with(nginx: &Nginx, target: &str, id: Option<&str>) -> Self {
        let again = ReconnectOptions::reconnect(true)
            .retry_initial(true)
            .delay(Duration::from_millis(50))
            .backoff_factor(1)
            .build();
        let url = format!("http://127.0.0.1:{}{target}", nginx.port);
        let mut client = ClientBuilder::for_url(&url).expect("a URL").reconnect(again);
        if let Some(id) = id {
            client = client.last_event_id(id.into());
        }
        Self { stream: client.build_http().stream() }
    }

    /// Waits until a connection is made, the first or another; events before it are passed over.
    pub async fn opened(&mut self) {
        in_time("an EventSource to open", async {
            while !matches!(self.next().await, Ok(SSE::Connected(_))) {}
        })
        .await
    }

    /// The next event; the ends of connections before it are passed over.
    pub async fn event(&mut self) -> Event {
        in_time("an event", async {
            loop {
                if let Ok(SSE::Event(event)) = self.next().await {
                    let (kind, data, id) = (event.event_type, event.data, event.id);
                    return Event { kind, data, id };
                }
            }
        })
        .await
    }

    pub async fn data(&mut self) -> String {
        self.event().await.data
    }

    async fn next(&mut self) -> eventsource_client::Result<SSE> {
        self.stream.next().await.expect("a client that reconnects does not end")
    }
}

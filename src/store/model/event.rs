//! What is told on the events channel.

use crate::protocol::json;

/// What an event tells (EVT-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    ChannelCreated,
    ChannelDestroyed,
    ClientSubscribed,
    ClientUnsubscribed,
}

impl Event {
    /// The type word (EVT-5).
    pub fn name(self) -> &'static str {
        match self {
            Event::ChannelCreated => "channel_created",
            Event::ChannelDestroyed => "channel_destroyed",
            Event::ClientSubscribed => "client_subscribed",
            Event::ClientUnsubscribed => "client_unsubscribed",
        }
    }

    /// DIR-188, with the id escaped (DIR-192).
    pub(in crate::store) fn text(self, channel_id: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(64 + channel_id.len());
        text.extend_from_slice(b"{\"type\": \"");
        text.extend_from_slice(self.name().as_bytes());
        text.extend_from_slice(b"\", \"channel\": ");
        json::append_string(channel_id, &mut text);
        text.push(b'}');
        text
    }
}

//! What the operator wrote, level by level, before any default or check.

use std::time::Duration;

use crate::protocol::websocket::rules::Masking;

/// A value with nginx variables, compiled when the configuration is read (DIR-40).
#[cfg(feature = "nginx")]
pub use crate::ngx_ext::complex_value::ComplexValue;
/// Without nginx there are no variables: the value as written.
#[cfg(not(feature = "nginx"))]
pub type ComplexValue = Vec<u8>;

/// How a stream's bytes leave: `auto` writes straight to the connection when nothing stands in
/// between, `on` does so whatever modules are loaded, `off` always uses the filter chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectOutput {
    Auto,
    On,
    Off,
}

/// Where the event ids come from that a subscriber sees: `publisher` sends those that the publisher
/// gave, `auto` gives an id to every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventIdSource {
    Auto,
    Publisher,
}

/// How a WebSocket location refuses a request that shook hands properly: `close` agrees to the
/// WebSocket and closes it with the reason (WS-40), `http` answers plainly instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refuse {
    #[default]
    Close,
    Http,
}

/// What happens when the zone is full: what needs room is refused, or the oldest stored messages make
/// room for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryFull {
    #[default]
    Refuse,
    Evict,
}

/// Settings of the `http` level; there is one value per configuration (DIR-59).
#[derive(Clone, Debug, Default)]
pub struct MainSettings {
    pub channel_deleted_message_text: Option<Vec<u8>>,
    pub channel_inactivity_time: Option<u64>,
    pub ping_message_text: Option<Vec<u8>>,
    pub message_ttl: Option<u64>,
    pub max_subscribers_per_channel: Option<u64>,
    pub max_messages_stored_per_channel: Option<u64>,
    pub max_channel_id_length: Option<u64>,
    pub max_number_of_channels: Option<u64>,
    pub max_number_of_wildcard_channels: Option<u64>,
    pub wildcard_channel_prefix: Option<Vec<u8>>,
    pub timeout_with_body: Option<bool>,
    pub events_channel_id: Option<Vec<u8>>,
    pub reload_drain: Option<Duration>,
    pub memory_full: Option<MemoryFull>,
}

/// Declares settings that an inner level takes from the outer one unless it sets them itself.
macro_rules! inherited_settings {
    ($(#[$meta:meta])* pub struct $name:ident { $(pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        pub struct $name { $(pub $field: Option<$type>,)* }

        impl $name {
            /// The innermost level that sets a value wins, an empty value included (DIR-60, 61).
            pub fn inherit(&mut self, outer: &Self) {
                $(self.$field = self.$field.take().or_else(|| outer.$field.clone());)*
            }
        }
    };
}

inherited_settings! {
    /// Settings of `http`, `server`, `location` and `if` in `location`.
    #[derive(Clone, Debug, Default)]
    pub struct LocationSettings {
        pub channels_path: ComplexValue,
        pub store_messages: bool,
        pub channel_info_on_publish: bool,
        pub authorized_channels_only: bool,
        pub header_template: Vec<u8>,
        pub message_template: Vec<u8>,
        pub footer_template: Vec<u8>,
        pub wildcard_channel_max_qtd: u64,
        pub ping_message_interval: Duration,
        pub subscriber_connection_ttl: Duration,
        pub longpolling_connection_ttl: Duration,
        pub websocket_allow_publish: bool,
        pub last_received_message_time: ComplexValue,
        pub last_received_message_tag: ComplexValue,
        pub last_event_id: ComplexValue,
        pub user_agent: ComplexValue,
        pub padding_by_user_agent: Vec<u8>,
        pub allowed_origins: ComplexValue,
        pub allow_connections_to_events_channel: bool,
        pub subscriber_max_pending: usize,
        pub direct_output: DirectOutput,
        pub gap_report: bool,
        pub gap_events: bool,
        pub eventsource_retry: Duration,
        pub event_ids: EventIdSource,
        pub websocket_refuse: Refuse,
        pub websocket_masking: Masking,
        pub websocket_close_codes: bool,
        pub websocket_max_message_size: usize,
        pub websocket_pong_timeout: Duration,
        pub websocket_binary: bool,
        pub websocket_deflate: bool,
        pub websocket_subprotocols: Vec<Vec<u8>>,
        pub websocket_allowed_origins: Vec<Vec<u8>>,
    }
}

#[cfg(all(test, not(feature = "nginx")))]
mod tests {
    use super::*;

    #[test]
    fn an_inner_value_hides_the_outer_one_even_if_empty() {
        let outer = LocationSettings {
            header_template: Some(b"outer".to_vec()),
            store_messages: Some(true),
            channels_path: Some(b"a".to_vec()),
            ..Default::default()
        };
        let mut inner = LocationSettings {
            header_template: Some(Vec::new()),
            channels_path: Some(b"b".to_vec()),
            ..Default::default()
        };
        inner.inherit(&outer);
        assert_eq!(inner.header_template, Some(Vec::new()));
        assert_eq!(inner.store_messages, Some(true));
        assert_eq!(inner.channels_path, Some(b"b".to_vec()));
        assert_eq!(inner.footer_template, None);
    }
}

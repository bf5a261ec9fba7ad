//! The limits that a configuration sets.

/// The zone-wide settings that operations obey.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    pub max_channels: Option<u64>,
    pub max_wildcard_channels: Option<u64>,
    /// Subscriptions per channel.
    pub max_subscribers: Option<u64>,
    /// Messages in a channel's history.
    pub max_stored: Option<u64>,
    /// Seconds.
    pub message_ttl: u64,
    /// Seconds.
    pub inactivity: u64,
    /// Empty: no channel is a wildcard channel.
    pub wildcard_prefix: Vec<u8>,
}

impl Limits {
    /// ADM-10, DIR-175.
    pub fn is_wildcard(&self, id: &[u8]) -> bool {
        !self.wildcard_prefix.is_empty() && id.starts_with(&self.wildcard_prefix)
    }
}

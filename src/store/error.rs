//! What operations refuse.

use crate::store::transaction::alloc::Full;

/// What an operation refuses, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The zone has no room (LIFE-51..54).
    #[error("not enough shared memory")]
    Full,
    /// A channel limit (PUB-78, ADM-8).
    #[error("the number of channels is exceeded")]
    TooManyChannels,
    /// `push_stream_authorized_channels_only` (ADM-4).
    #[error("the channel does not exist or stores no message")]
    NotAuthorized,
    /// `push_stream_max_subscribers_per_channel` (ADM-5).
    #[error("the number of subscribers of the channel is exceeded")]
    TooManySubscribers,
    /// `push_stream_wildcard_channel_max_qtd` (ADM-7).
    #[error("too many wildcard channels")]
    TooManyWildcards,
    /// A publish to the events channel (EVT-17).
    #[error("only internal routines can change events channel")]
    EventsChannel,
    /// A subscription to the events channel where that is not allowed (ADM-6).
    #[error("the events channel is not open here")]
    EventsNotAllowed,
}

impl From<Full> for StoreError {
    fn from(_: Full) -> Self {
        StoreError::Full
    }
}

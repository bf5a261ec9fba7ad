//! Why a request is refused: the status, and the text of `X-Nginx-PushStream-Explain`.

use crate::protocol::channel_path::PathError;
use crate::protocol::jsonp::BadName;
use crate::store::StoreError;

/// A refusal of PUB-3, STAT-26, ADM-2..8 or JP-7, or a full zone (PUB-79..81, LIFE-54).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("Channel id is too large.")]
    IdTooLarge,
    #[error("Channel id not authorized for this method.")]
    ReservedId,
    #[error(transparent)]
    Callback(#[from] BadName),
    #[error("Empty post requests are not allowed.")]
    EmptyPost,
    #[error("Number of channels were exceeded.")]
    TooManyChannels,
    #[error("Subscriber could not create channels.")]
    NotAuthorized,
    #[error("Subscribers limit per channel has been exceeded.")]
    TooManySubscribers,
    #[error("Subscribed too much wildcard channels.")]
    TooManyWildcards,
    #[error("Only internal routines can change events channel.")]
    EventsChannel,
    #[error("Subscription to events channel is not allowed.")]
    EventsNotAllowed,
    /// One form for every operation that finds the zone full, whatever it needed room for.
    #[error("Not enough shared memory.")]
    NoMemory,
}

impl RequestError {
    pub fn status(self) -> u32 {
        match self {
            Self::Path(_) | Self::IdTooLarge | Self::Callback(_) | Self::EmptyPost => 400,
            Self::ReservedId
            | Self::TooManyChannels
            | Self::NotAuthorized
            | Self::TooManySubscribers
            | Self::TooManyWildcards
            | Self::EventsChannel
            | Self::EventsNotAllowed => 403,
            Self::NoMemory => 500,
        }
    }
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::NoMemory,
            StoreError::TooManyChannels => Self::TooManyChannels,
            StoreError::NotAuthorized => Self::NotAuthorized,
            StoreError::TooManySubscribers => Self::TooManySubscribers,
            StoreError::TooManyWildcards => Self::TooManyWildcards,
            StoreError::EventsChannel => Self::EventsChannel,
            StoreError::EventsNotAllowed => Self::EventsNotAllowed,
        }
    }
}

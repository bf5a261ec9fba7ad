//! What a client may send (RFC 6455 sections 5, 6 and 8.1), and what is wrong with what it may not.

use super::close::{CloseError, Status};
use super::deflate;
use super::utf8::NotUtf8;

/// Whether a client's frames are masked: each as its own mask bit says, or all of them (WS-67, WS-GAP-5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Masking {
    #[default]
    Optional,
    Required,
}

/// What is accepted from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderLimits {
    /// The most bytes of one message, decompressed.
    pub max_message: u64,
    /// Whether messages are wanted; if not, they are checked and forgotten (WS-92).
    pub keep: bool,
    pub masking: Masking,
    /// Whether binary messages are accepted (WS-GAP-7).
    pub binary: bool,
    /// Whether permessage-deflate was agreed on (RFC 7692).
    pub deflate: bool,
}

impl ReaderLimits {
    /// The most bytes of a message as it comes.
    pub fn limit(&self, compressed: bool) -> u64 {
        match compressed {
            true => deflate::compressed_limit(self.max_message),
            false => self.max_message,
        }
    }
}

/// Why the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("a frame without mask")]
    Unmasked,
    #[error("a reserved bit is set")]
    ReservedBits,
    #[error("reserved opcode {0}")]
    ReservedOpcode(u8),
    #[error("binary messages are not accepted")]
    Binary,
    #[error("a control frame in fragments")]
    FragmentedControl,
    #[error("a control frame of more than 125 bytes")]
    LongControl,
    #[error("a length that is not in its shortest form")]
    Length,
    #[error("a continuation of nothing")]
    NothingToContinue,
    #[error("a new message inside of another")]
    Interrupted,
    #[error("a message of more than {0} bytes")]
    TooBig(u64),
    #[error("text that is not UTF-8")]
    NotUtf8,
    #[error("a compressed message that cannot be decompressed")]
    Compression,
    #[error(transparent)]
    Close(#[from] CloseError),
}

impl Violation {
    /// The code to close with.
    pub fn status(self) -> Status {
        match self {
            Self::Binary => Status::Unsupported,
            Self::TooBig(_) => Status::MessageTooBig,
            Self::NotUtf8 | Self::Compression | Self::Close(CloseError::Reason) => {
                Status::InvalidPayload
            }
            _ => Status::ProtocolError,
        }
    }
}

impl From<NotUtf8> for Violation {
    fn from(NotUtf8: NotUtf8) -> Self {
        Self::NotUtf8
    }
}

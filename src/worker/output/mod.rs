//! From a message to bytes on a connection: encoded once, queued where the socket is full, and written past
//! nginx's filters or through them.

pub mod body_wrapper;
pub mod deflate_cache;
pub mod encoded;
pub mod filter_bypass;
pub mod frames;
pub mod send_queue;

#[cfg(feature = "nginx")]
pub mod request_sink;
#[cfg(feature = "nginx")]
pub mod response_head;
#[cfg(feature = "nginx")]
pub mod sent;
#[cfg(feature = "nginx")]
pub mod sink;
#[cfg(feature = "nginx")]
pub mod writer;

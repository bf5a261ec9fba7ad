//! The wire formats: bytes in, bytes out.
//!
//! Nothing here knows nginx, a clock or shared memory, and nothing is `unsafe`. A handler evaluates
//! its variables, hands the bytes to this layer, and sends what comes back.

pub mod accept;
pub mod channel_path;
pub mod chunk;
pub mod content_type;
pub mod cursor;
pub mod date;
pub mod json;
pub mod jsonp;
pub mod metrics;
pub mod padding;
pub mod percent;
pub mod reserve;
pub mod sse;
pub mod sse_template;
pub mod statistics;
pub mod template;
pub mod websocket;
pub mod xml;
pub mod yaml;

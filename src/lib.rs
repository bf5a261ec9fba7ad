//! `ngx_http_push_stream_module`: nginx as a push server.
//!
//! This file is the module as nginx sees it: its record, its hooks, nothing else. `docs/architecture.md`
//! says where everything lives; every arrow there points down this list.

pub mod conf;
#[cfg(feature = "nginx")]
pub mod http;
pub mod worker;

pub mod store;

pub mod protocol;

mod failpoints;

#[cfg(feature = "nginx")]
pub mod ngx_ext;

#[cfg(feature = "nginx")]
mod module;

#[cfg(feature = "nginx")]
pub use module::ngx_http_push_stream_module;

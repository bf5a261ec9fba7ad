//! The few safe wrappers around nginx that the `ngx` crate does not have yet.

pub mod body;
pub mod complex_value;
pub mod conf;
pub mod connection;
mod core_settings;
pub mod eventfd;
pub mod filters;
pub mod guard;
pub mod headers;
pub mod log;
pub mod modules;
pub mod output;
#[cfg(planted_fault)]
pub mod planted_fault;
pub mod process;
pub mod raw_connection;
pub mod regex;
pub mod request;
pub mod request_bits;
mod request_lifecycle;
pub mod str;
pub mod substitution;
pub mod timer;

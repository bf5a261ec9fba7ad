//! Directives become typed settings.
//!
//! The pure part, which builds without nginx: [`directives`] is the table of all directives,
//! [`value`] holds the grammars of their arguments, [`settings`] what was written at each level
//! and how levels inherit, [`main`] and [`location`] what follows from it: defaults and checks, with
//! [`templates`], [`padding`] and [`websocket`] for what a subscriber's mode makes of them.
//! What nginx calls is in `commands` (one directive), `callbacks` (create, merge, check) and
//! `shared_zone` (the shared memory); `state` holds the result, and finds it again from a request or a cycle.

pub mod directives;
pub mod error;
pub mod header_file;
pub mod location;
pub mod main;
pub mod padding;
pub mod role;
pub mod settings;
pub mod source_location;
pub mod templates;
pub mod value;
pub mod websocket;

#[cfg(feature = "nginx")]
mod callbacks;
#[cfg(feature = "nginx")]
mod commands;
#[cfg(feature = "nginx")]
mod content_handler;
#[cfg(test)]
mod docs_test;
#[cfg(feature = "nginx")]
mod module_record;
#[cfg(feature = "nginx")]
mod shared_zone;
#[cfg(feature = "nginx")]
mod state;

pub use location::Location;
pub use main::Main;
pub use role::{PublisherMode, Role, StatisticsFormat, SubscriberMode};
pub use settings::{ComplexValue, DirectOutput, MemoryFull, Refuse};
pub use templates::{TemplateKind, TemplateRef};
pub use websocket::WebSocket;

#[cfg(feature = "nginx")]
pub use callbacks::{
    create_loc_conf, create_main_conf, init_main_conf, merge_loc_conf, postconfiguration,
};
#[cfg(feature = "nginx")]
pub use commands::commands;
#[cfg(feature = "nginx")]
pub use content_handler::{ContentHandler, install_content_handler};
#[cfg(feature = "nginx")]
pub use module_record::ctx_index;
#[cfg(feature = "nginx")]
pub use state::{MainConf, location_conf, main_conf, main_conf_of_cycle, notice_if_unused};

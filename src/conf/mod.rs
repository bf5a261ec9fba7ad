//! Directives become typed settings.
//!
//! The pure part, which builds without nginx: [`directives`] is the table of all directives,
//! [`value`] holds the grammars of their arguments, [`settings`] what was written at each level
//! and how levels inherit, [`main`] and [`location`] what follows from it: defaults and checks, with
//! [`templates`], [`padding`] and [`websocket`] for what a subscriber's mode makes of them.
//! What nginx calls is in `commands` (one directive), `callbacks` (create, merge, check) and
//! `zone` (the shared memory); `access` finds the result again from a request or a cycle.

pub mod directives;
pub mod error;
pub mod header_file;
pub mod location;
pub mod main;
pub mod padding;
pub mod place;
pub mod role;
pub mod settings;
pub mod templates;
pub mod value;
pub mod websocket;

#[cfg(feature = "nginx")]
mod access;
#[cfg(feature = "nginx")]
mod callbacks;
#[cfg(feature = "nginx")]
mod commands;
#[cfg(test)]
mod documentation;
#[cfg(feature = "nginx")]
mod zone;

pub use location::Location;
pub use main::Main;
pub use role::{PublisherMode, Role, StatisticsFormat, SubscriberMode};
pub use settings::{DirectOutput, Expanded, MemoryFull, Refuse};
pub use templates::{TemplateKind, TemplateRef};
pub use websocket::WebSocket;

#[cfg(feature = "nginx")]
pub use access::{
    MainConf, ctx_index, location_conf, main_conf, main_conf_of_cycle, notice_if_unused,
};
#[cfg(feature = "nginx")]
pub use callbacks::{
    ContentHandler, create_loc_conf, create_main_conf, init_main_conf, install_content_handler,
    merge_loc_conf, postconfiguration,
};
#[cfg(feature = "nginx")]
pub use commands::commands;

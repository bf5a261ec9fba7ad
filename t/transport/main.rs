//! Subscribers of every mode over every transport, and beside nginx's own modules.

#[path = "../support/mod.rs"]
mod support;

mod at_once;
mod curl;
mod filters;
mod limits;
mod output_paths;
mod parts;
mod routing;
mod versions;

//! The table of all directives, one line each: the documentation is tested against it, and
//! `commands` turns it into nginx's own table.

use std::ffi::CStr;

use super::error::DirectiveError;
use super::role::{self, Role, RoleError};
use super::settings::{ComplexValue, LocationSettings, MainSettings};
use super::source_location::{SourceLocation, SourceLocations};
use super::value::{self, ValueError};

bitflags::bitflags! {
    /// The blocks in which a directive may stand (DIR-2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Contexts: u8 {
        const HTTP = 1;
        const SERVER = 2;
        const LOCATION = 4;
        /// `if` in `location`.
        const IF = 8;
    }
}

const HTTP: Contexts = Contexts::HTTP;
const LOC: Contexts = Contexts::LOCATION;
const HSL: Contexts = Contexts::HTTP.union(Contexts::SERVER).union(Contexts::LOCATION);
const HSLI: Contexts = HSL.union(Contexts::IF);

/// How many arguments a directive takes; nginx refuses any other number (DIR-48).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    None,
    NoneOrOne,
    One,
    OneOrTwo,
    OneOrMore,
}

/// One directive.
pub struct Directive {
    name: &'static CStr,
    pub contexts: Contexts,
    pub arguments: Arguments,
    /// The arguments as the documentation writes them.
    pub syntax: &'static str,
    /// The default as the documentation writes it; empty: none.
    pub default: &'static str,
    pub set: Set,
}

/// Where a directive's value goes.
#[derive(Clone, Copy)]
pub enum Set {
    Role(fn(Option<&[u8]>) -> Result<Role, RoleError>),
    Main(fn(&mut MainSettings, &[u8]) -> Result<(), ValueError>),
    Location(fn(&mut LocationSettings, &[u8]) -> Result<(), ValueError>),
    /// One value or several.
    List(fn(&mut LocationSettings, &[&[u8]]) -> Result<(), ValueError>),
    /// A value with nginx variables (DIR-40).
    ComplexValue(fn(&mut LocationSettings) -> &mut Option<ComplexValue>),
    /// `push_stream_header_template_file`.
    HeaderFile,
    /// `push_stream_shared_memory_size`.
    SharedMemory,
}

macro_rules! directives {
    ($($name:literal $contexts:ident $arguments:ident $syntax:literal $default:literal $set:expr;)*) => {
        [$(Directive {
            name: $name,
            contexts: $contexts,
            arguments: Arguments::$arguments,
            syntax: $syntax,
            default: $default,
            set: $set,
        }),*]
    };
}

use Set::{HeaderFile, SharedMemory};

/// Every directive of the module (DIR-1).
pub static DIRECTIVES: [Directive; 53] = directives! {
    // name, contexts, number of arguments, syntax, default, setting
    c"push_stream_channels_statistics"                 LOC  NoneOrOne "[prometheus]"           ""                Set::Role(role::statistics);
    c"push_stream_publisher"                           LOC  NoneOrOne "[normal | admin]"       "normal"          Set::Role(role::publisher);
    c"push_stream_subscriber"                          LOC  NoneOrOne "[streaming | polling | long-polling | eventsource | websocket]" "streaming"       Set::Role(role::subscriber);

    c"push_stream_shared_memory_size"                  HTTP OneOrTwo  "size [name]"            ""                SharedMemory;
    c"push_stream_memory_full"                         HTTP One       "evict | refuse"         "refuse"          Set::Main(|s, v| put(&mut s.memory_full, value::memory_full(v)));
    c"push_stream_channel_deleted_message_text"        HTTP One       "text"                   "Channel deleted" Set::Main(|s, v| put(&mut s.channel_deleted_message_text, value::text(v)));
    c"push_stream_channel_inactivity_time"             HTTP One       "time"                   "30s"             Set::Main(|s, v| put(&mut s.channel_inactivity_time, value::seconds(v)));
    c"push_stream_ping_message_text"                   HTTP One       "text"                   "\" \""           Set::Main(|s, v| put(&mut s.ping_message_text, value::text(v)));
    c"push_stream_message_ttl"                         HTTP One       "time"                   "30m"             Set::Main(|s, v| put(&mut s.message_ttl, value::seconds(v)));
    c"push_stream_max_subscribers_per_channel"         HTTP One       "number"                 ""                Set::Main(|s, v| put(&mut s.max_subscribers_per_channel, value::number(v)));
    c"push_stream_max_messages_stored_per_channel"     HTTP One       "number"                 ""                Set::Main(|s, v| put(&mut s.max_messages_stored_per_channel, value::number(v)));
    c"push_stream_max_channel_id_length"               HTTP One       "number"                 ""                Set::Main(|s, v| put(&mut s.max_channel_id_length, value::number(v)));
    c"push_stream_max_number_of_channels"              HTTP One       "number"                 ""                Set::Main(|s, v| put(&mut s.max_number_of_channels, value::number(v)));
    c"push_stream_max_number_of_wildcard_channels"     HTTP One       "number"                 ""                Set::Main(|s, v| put(&mut s.max_number_of_wildcard_channels, value::number(v)));
    c"push_stream_wildcard_channel_prefix"             HTTP One       "text"                   ""                Set::Main(|s, v| put(&mut s.wildcard_channel_prefix, value::text(v)));
    c"push_stream_timeout_with_body"                   HTTP One       "on | off"               "off"             Set::Main(|s, v| put(&mut s.timeout_with_body, value::flag(v)));
    c"push_stream_events_channel_id"                   HTTP One       "id"                     ""                Set::Main(|s, v| put(&mut s.events_channel_id, value::text(v)));
    c"push_stream_reload_drain"                        HTTP One       "time"                   "0"               Set::Main(|s, v| put(&mut s.reload_drain, value::milliseconds(v)));

    c"push_stream_channels_path"                       HSLI One       "value"                  ""                Set::ComplexValue(|s| &mut s.channels_path);
    c"push_stream_store_messages"                      HSLI One       "on | off"               "off"             Set::Location(|s, v| put(&mut s.store_messages, value::flag(v)));
    c"push_stream_channel_info_on_publish"             HSL  One       "on | off"               "on"              Set::Location(|s, v| put(&mut s.channel_info_on_publish, value::flag(v)));
    c"push_stream_authorized_channels_only"            HSL  One       "on | off"               "off"             Set::Location(|s, v| put(&mut s.authorized_channels_only, value::flag(v)));
    c"push_stream_header_template_file"                HSL  One       "file"                   ""                HeaderFile;
    c"push_stream_header_template"                     HSL  One       "text"                   ""                Set::Location(|s, v| put(&mut s.header_template, value::text(v)));
    c"push_stream_message_template"                    HSL  One       "text"                   "~text~"          Set::Location(|s, v| put(&mut s.message_template, value::text(v)));
    c"push_stream_footer_template"                     HSL  One       "text"                   ""                Set::Location(|s, v| put(&mut s.footer_template, value::text(v)));
    c"push_stream_wildcard_channel_max_qtd"            HSL  One       "number"                 ""                Set::Location(|s, v| put(&mut s.wildcard_channel_max_qtd, value::number(v)));
    c"push_stream_ping_message_interval"               HSL  One       "time"                   ""                Set::Location(|s, v| put(&mut s.ping_message_interval, value::milliseconds(v)));
    c"push_stream_subscriber_connection_ttl"           HSL  One       "time"                   ""                Set::Location(|s, v| put(&mut s.subscriber_connection_ttl, value::milliseconds(v)));
    c"push_stream_longpolling_connection_ttl"          HSL  One       "time"                   ""                Set::Location(|s, v| put(&mut s.longpolling_connection_ttl, value::milliseconds(v)));
    c"push_stream_websocket_allow_publish"             HSL  One       "on | off"               "off"             Set::Location(|s, v| put(&mut s.websocket_allow_publish, value::flag(v)));
    c"push_stream_websocket_refuse"                    HSL  One       "close | http"           "close"           Set::Location(|s, v| put(&mut s.websocket_refuse, value::refuse(v)));
    c"push_stream_websocket_masking"                   HSL  One       "optional | required"    "optional"        Set::Location(|s, v| put(&mut s.websocket_masking, value::masking(v)));
    c"push_stream_websocket_close_codes"               HSL  One       "on | off"               "off"             Set::Location(|s, v| put(&mut s.websocket_close_codes, value::flag(v)));
    c"push_stream_websocket_max_message_size"          HSL  One       "size"                   "client_max_body_size" Set::Location(|s, v| put(&mut s.websocket_max_message_size, value::size(v)));
    c"push_stream_websocket_pong_timeout"              HSL  One       "time"                   ""                Set::Location(|s, v| put(&mut s.websocket_pong_timeout, value::milliseconds(v)));
    c"push_stream_websocket_binary"                    HSL  One       "on | off"               "off"             Set::Location(|s, v| put(&mut s.websocket_binary, value::flag(v)));
    c"push_stream_websocket_deflate"                   HSL  One       "on | off"               "off"             Set::Location(|s, v| put(&mut s.websocket_deflate, value::flag(v)));
    c"push_stream_websocket_subprotocol"               HSL  OneOrMore "name ..."               ""                Set::List(|s, v| put(&mut s.websocket_subprotocols, value::tokens(v)));
    c"push_stream_websocket_allowed_origins"           HSL  OneOrMore "origin ..."             ""                Set::List(|s, v| put(&mut s.websocket_allowed_origins, value::origins(v)));
    c"push_stream_subscriber_max_pending"              HSL  One       "size"                   "1m"              Set::Location(|s, v| put(&mut s.subscriber_max_pending, value::size(v)));
    c"push_stream_direct_output"                       HSL  One       "auto | on | off"        "auto"            Set::Location(|s, v| put(&mut s.direct_output, value::direct_output(v)));
    c"push_stream_gap_report"                          HSL  One       "on | off"               "off"             Set::Location(|s, v| put(&mut s.gap_report, value::flag(v)));
    c"push_stream_gap_events"                          HSL  One       "on | off"               "off"             Set::Location(|s, v| put(&mut s.gap_events, value::flag(v)));
    c"push_stream_eventsource_retry"                   HSL  One       "time"                   ""                Set::Location(|s, v| put(&mut s.eventsource_retry, value::milliseconds(v)));
    c"push_stream_event_id"                            HSL  One       "publisher | auto"       "publisher"       Set::Location(|s, v| put(&mut s.event_ids, value::event_id_source(v)));
    c"push_stream_last_received_message_time"          HSLI One       "value"                  ""                Set::ComplexValue(|s| &mut s.last_received_message_time);
    c"push_stream_last_received_message_tag"           HSLI One       "value"                  ""                Set::ComplexValue(|s| &mut s.last_received_message_tag);
    c"push_stream_last_event_id"                       HSLI One       "value"                  ""                Set::ComplexValue(|s| &mut s.last_event_id);
    c"push_stream_user_agent"                          HSL  One       "value"                  ""                Set::ComplexValue(|s| &mut s.user_agent);
    c"push_stream_padding_by_user_agent"               HSL  One       "regex,header,message[:...]" ""                Set::Location(|s, v| put(&mut s.padding_by_user_agent, value::text(v)));
    c"push_stream_allowed_origins"                     HSL  One       "value"                  ""                Set::ComplexValue(|s| &mut s.allowed_origins);
    c"push_stream_allow_connections_to_events_channel" HSLI One       "on | off"               "off"             Set::Location(|s, v| put(&mut s.allow_connections_to_events_channel, value::flag(v)));
};

fn put<T>(slot: &mut Option<T>, value: Result<T, ValueError>) -> Result<(), ValueError> {
    *slot = Some(value?);
    Ok(())
}

impl Directive {
    pub fn name(&self) -> &'static str {
        self.name.to_str().unwrap_or_default()
    }

    /// The name as nginx wants it, with a NUL behind it.
    pub const fn c_name(&self) -> &'static CStr {
        self.name
    }

    /// Notes that the directive was read here; a second time at the same level is refused, and so
    /// is a second kind of header (DIR-47, DIR-86).
    pub fn note(
        &self,
        places: &mut SourceLocations,
        place: SourceLocation,
    ) -> Result<(), DirectiveError> {
        const TEXT: &str = "push_stream_header_template";
        const FILE: &str = "push_stream_header_template_file";
        let name = self.name();
        let either_header = places.contains(TEXT) || places.contains(FILE);
        match name {
            FILE if either_header => return Err(DirectiveError::DuplicateHeader),
            TEXT if either_header => return Err(DirectiveError::Duplicate(name)),
            _ if places.contains(name) => return Err(DirectiveError::Duplicate(name)),
            _ => places.insert(name, place),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directive(name: &str) -> &'static Directive {
        DIRECTIVES.iter().find(|d| d.name() == name).expect("a known directive")
    }

    fn note(places: &mut SourceLocations, name: &str) -> Result<(), String> {
        let place = SourceLocation { file: "nginx.conf".into(), line: 1 };
        directive(name).note(places, place).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_unique_and_ours() {
        for (i, directive) in DIRECTIVES.iter().enumerate() {
            assert!(directive.name().starts_with("push_stream_"));
            assert!(!DIRECTIVES[..i].iter().any(|d| d.name() == directive.name()));
        }
    }

    #[test]
    fn every_value_directive_refuses_or_sets() {
        for directive in &DIRECTIVES {
            let samples: [&[u8]; 8] =
                [b"on", b"1", b"1k", b"auto", b"http", b"required", b"evict", b""];
            match directive.set {
                Set::Main(set) => {
                    let mut settings = MainSettings::default();
                    let before = format!("{settings:?}");
                    let taken = samples.iter().any(|v| set(&mut settings, v).is_ok());
                    assert!(taken && format!("{settings:?}") != before, "{}", directive.name());
                }
                Set::Location(set) => {
                    let mut settings = LocationSettings::default();
                    let taken = samples.iter().any(|v| set(&mut settings, v).is_ok());
                    assert!(taken, "{}", directive.name());
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_directive_is_taken_once_per_level() {
        let mut places = SourceLocations::default();
        assert_eq!(note(&mut places, "push_stream_message_ttl"), Ok(()));
        assert_eq!(
            note(&mut places, "push_stream_message_ttl"),
            Err("\"push_stream_message_ttl\" directive is duplicate".into())
        );
    }

    #[test]
    fn a_level_has_one_header() {
        let (text, file) = ("push_stream_header_template", "push_stream_header_template_file");
        let duplicate_file = "\"push_stream_header_template_file\" directive is duplicate or \
                              template set by 'push_stream_header_template'";
        let mut places = SourceLocations::default();
        assert_eq!(note(&mut places, text), Ok(()));
        assert_eq!(note(&mut places, file), Err(duplicate_file.into()));

        let mut places = SourceLocations::default();
        assert_eq!(note(&mut places, file), Ok(()));
        assert_eq!(note(&mut places, file), Err(duplicate_file.into()));
        assert_eq!(
            note(&mut places, text),
            Err("\"push_stream_header_template\" directive is duplicate".into())
        );
    }

    #[test]
    fn settings_stand_where_the_specification_puts_them() {
        let main = ["push_stream_shared_memory_size", "push_stream_ping_message_text"];
        assert!(main.iter().all(|name| directive(name).contexts == Contexts::HTTP));
        assert_eq!(directive("push_stream_publisher").contexts, Contexts::LOCATION);
        assert!(directive("push_stream_store_messages").contexts.contains(Contexts::IF));
        assert!(!directive("push_stream_allowed_origins").contexts.contains(Contexts::IF));
    }
}

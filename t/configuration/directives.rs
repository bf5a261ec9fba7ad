//! Each directive by itself: contexts, number of arguments, values.

use crate::support::{Builder, Nginx};
use crate::{PATH, accepted, in_http, in_subscriber, refusal, refused};

/// DIR-1, DIR-6..38: every directive but the roles and the zone, with a value that it takes.
const MAIN: &[(&str, &str)] = &[
    ("push_stream_channel_deleted_message_text", "\"\""),
    ("push_stream_channel_inactivity_time", "0"),
    ("push_stream_ping_message_text", "\"\""),
    ("push_stream_message_ttl", "1m30s"),
    ("push_stream_max_subscribers_per_channel", "9223372036854775807"),
    ("push_stream_max_messages_stored_per_channel", "1"),
    ("push_stream_max_channel_id_length", "1"),
    ("push_stream_max_number_of_channels", "1"),
    ("push_stream_max_number_of_wildcard_channels", "7"),
    ("push_stream_wildcard_channel_prefix", "w"),
    ("push_stream_timeout_with_body", "On"),
    ("push_stream_events_channel_id", "\"\""),
    ("push_stream_reload_drain", "1m500ms"),
];
const LEVELS: &[(&str, &str)] = &[
    ("push_stream_channels_path", "$arg_x"),
    ("push_stream_store_messages", "ON"),
    ("push_stream_channel_info_on_publish", "Off"),
    ("push_stream_authorized_channels_only", "on"),
    ("push_stream_header_template_file", "/dev/null"),
    ("push_stream_header_template", "\"$nothing ~id~\""),
    ("push_stream_message_template", "\"$nothing ~text~\""),
    ("push_stream_footer_template", "\"\""),
    ("push_stream_wildcard_channel_max_qtd", "7"),
    ("push_stream_ping_message_interval", "1500ms"),
    ("push_stream_subscriber_connection_ttl", "1w2d3h4m5s6ms"),
    ("push_stream_longpolling_connection_ttl", "20"),
    ("push_stream_websocket_allow_publish", "on"),
    ("push_stream_last_received_message_time", "$arg_t"),
    ("push_stream_last_received_message_tag", "$arg_g"),
    ("push_stream_last_event_id", "$arg_e"),
    ("push_stream_user_agent", "$http_user_agent"),
    ("push_stream_padding_by_user_agent", "MSIE,512,0"),
    ("push_stream_allowed_origins", "$http_origin"),
    ("push_stream_allow_connections_to_events_channel", "oN"),
    ("push_stream_subscriber_max_pending", "64k"),
    ("push_stream_direct_output", "auto"),
    ("push_stream_gap_report", "on"),
    ("push_stream_gap_events", "on"),
    ("push_stream_eventsource_retry", "500ms"),
    ("push_stream_event_id", "Auto"),
    ("push_stream_websocket_refuse", "HTTP"),
    ("push_stream_websocket_masking", "Required"),
    ("push_stream_websocket_close_codes", "on"),
    ("push_stream_websocket_max_message_size", "64k"),
    ("push_stream_websocket_pong_timeout", "500ms"),
    ("push_stream_websocket_binary", "on"),
    ("push_stream_websocket_deflate", "on"),
    ("push_stream_websocket_subprotocol", "chat"),
    ("push_stream_websocket_allowed_origins", "https://example.com"),
];
/// The directives that take any number of values.
const LISTS: &[&str] =
    &["push_stream_websocket_subprotocol", "push_stream_websocket_allowed_origins"];
const ROLES: &[&str] =
    &["push_stream_publisher", "push_stream_subscriber", "push_stream_channels_statistics"];
/// DIR-40: the directives with variables.
const EXPANDED: &[&str] = &[
    "push_stream_channels_path",
    "push_stream_last_received_message_time",
    "push_stream_last_received_message_tag",
    "push_stream_last_event_id",
    "push_stream_user_agent",
    "push_stream_allowed_origins",
];

/// DIR-2, DIR-6..39, DIR-59..62, DIR-73, DIR-74, SUB-4, SUB-5: contexts and values.
#[test]
fn contexts() {
    let with_prefix = || in_http("push_stream_wildcard_channel_prefix w_;");
    for (name, value) in MAIN {
        accepted(&in_http(&format!("{name} {value};")));
        let not_here = format!("\"{name}\" directive is not allowed here");
        refused(&Nginx::builder().server(&format!("{name} {value};")), &[&not_here]);
        refused(&in_subscriber(&format!("{name} {value};")), &[&not_here]);
    }
    let in_if = [
        "push_stream_channels_path",
        "push_stream_store_messages",
        "push_stream_last_received_message_time",
        "push_stream_last_received_message_tag",
        "push_stream_last_event_id",
        "push_stream_allow_connections_to_events_channel",
    ];
    for (name, value) in LEVELS {
        let line = format!("{name} {value};");
        accepted(&with_prefix().http(&line));
        accepted(&with_prefix().server(&line));
        let own_path = if *name == "push_stream_channels_path" { "" } else { PATH };
        let role = format!("push_stream_subscriber; {own_path}");
        accepted(&with_prefix().location("/l", &format!("{role} {line}")));
        let in_location_if = with_prefix()
            .location("/l", &format!("push_stream_subscriber; {PATH} if ($arg_y) {{ {line} }}"));
        let in_server_if = with_prefix().server(&format!("if ($arg_y) {{ {line} }}"));
        let not_here = format!("\"{name}\" directive is not allowed here");
        if in_if.contains(name) {
            accepted(&in_location_if);
        } else {
            refused(&in_location_if, &[&not_here]);
        }
        refused(&in_server_if, &[&not_here]);
        // DIR-2.
        let excepted = format!("{role} limit_except GET {{ {line} }}");
        refused(&with_prefix().location("/l", &excepted), &[&not_here]);
        refused(&Nginx::builder().main(&line), &[&not_here]);
    }
}

/// DIR-1..6: the roles and the zone.
#[test]
fn contexts_of_roles_and_zone() {
    let refused_here = |builder: Builder, name: &str| {
        refused(&builder, &[&format!("\"{name}\" directive is not allowed here")]);
    };
    let zone = "push_stream_shared_memory_size";
    for (name, line) in
        ROLES.iter().map(|role| (*role, format!("{role};"))).chain([(zone, format!("{zone} 1m;"))])
    {
        let start = || Nginx::builder().no_zone().bare();
        refused_here(start().main(&line), name);
        refused_here(start().server(&line), name);
        refused_here(start().server(&format!("if ($arg_x) {{ {line} }}")), name);
        refused_here(start().location("/l", &format!("if ($arg_x) {{ {line} }}")), name);
        refused_here(start().location("/l", &format!("limit_except GET {{ {line} }}")), name);
        match name == zone {
            true => refused_here(start().location("/l", &line), name),
            false => refused_here(start().http(&line), name),
        }
    }
}

/// DIR-47, DIR-48, LIFE-5: twice at one level, and the wrong number of arguments.
#[test]
fn duplicates_and_argument_counts() {
    for (name, value) in MAIN {
        refused(
            &in_http(&format!("{name} {value}; {name} {value};")),
            &[&format!("\"{name}\" directive is duplicate")],
        );
        let count = format!("invalid number of arguments in \"{name}\" directive");
        refused(&in_http(&format!("{name} {value} {value};")), &[&count]);
        refused(&in_http(&format!("{name};")), &[&count]);
    }
    for (name, value) in LEVELS {
        refused(
            &Nginx::builder().server(&format!("{name} {value}; {name} {value};")),
            &[&format!("\"{name}\" directive is duplicate")],
        );
        let count = format!("invalid number of arguments in \"{name}\" directive");
        let several = Nginx::builder().server(&format!("{name} {value} {value};"));
        match LISTS.contains(name) {
            true => accepted(&several),
            false => refused(&several, &[&count]),
        }
        refused(&Nginx::builder().server(&format!("{name};")), &[&count]);
    }
    let count = |name: &str| format!("invalid number of arguments in \"{name}\" directive");
    for (line, name) in [
        ("push_stream_channels_statistics prometheus x;", "push_stream_channels_statistics"),
        ("push_stream_publisher normal admin;", "push_stream_publisher"),
        ("push_stream_subscriber streaming x;", "push_stream_subscriber"),
    ] {
        refused(&Nginx::builder().location("/l", &format!("{PATH} {line}")), &[&count(name)]);
    }
}

/// DIR-43..46, DIR-49, WS-67: wrong values; the value and what is allowed are named.
#[test]
fn wrong_values() {
    let flag = |name: &str, value: &str| {
        format!("invalid value \"{value}\" in \"{name}\" directive, it must be \"on\" or \"off\"")
    };
    let number = |name: &str, value: &str| {
        format!("\"{name}\" directive invalid number \"{value}\", it must be a whole number")
    };
    let value = |name: &str, value: &str| {
        format!("\"{name}\" directive invalid value \"{value}\", it must be ")
    };
    let name = |name: &str, value: &str| {
        format!("\"{name}\" directive invalid value \"{value}\", each name must be an HTTP token")
    };
    let origin = |name: &str, value: &str| {
        format!(
            "\"{name}\" directive invalid value \"{value}\", each origin must be such as https://"
        )
    };
    type Text<'t> = &'t dyn Fn(&str, &str) -> String;
    let flags: (&[&str], Text<'_>) = (&["yes", "1", ""], &flag);
    let numbers: (&[&str], Text<'_>) =
        (&["-1", "1k", "1.5", "0x10", "ten", "9223372036854775808", ""], &number);
    let seconds: (&[&str], Text<'_>) = (&["x", "5ms", "-1", "1s1m", ""], &value);
    let masking = |name: &str, value: &str| {
        format!(
            "\"{name}\" directive invalid value \"{value}\", it must be \"optional\" or \"required\""
        )
    };
    let milliseconds: (&[&str], Text<'_>) = (&["1M", "1y", "x", "-5", ""], &value);
    for (name, (wrong, text)) in [
        ("push_stream_message_ttl", seconds),
        ("push_stream_channel_inactivity_time", seconds),
        ("push_stream_max_channel_id_length", numbers),
        ("push_stream_max_number_of_channels", numbers),
        ("push_stream_max_number_of_wildcard_channels", numbers),
        ("push_stream_max_subscribers_per_channel", numbers),
        ("push_stream_max_messages_stored_per_channel", numbers),
        ("push_stream_timeout_with_body", flags),
        ("push_stream_store_messages", flags),
        ("push_stream_channel_info_on_publish", flags),
        ("push_stream_authorized_channels_only", flags),
        ("push_stream_websocket_allow_publish", flags),
        ("push_stream_allow_connections_to_events_channel", flags),
        ("push_stream_gap_report", flags),
        ("push_stream_gap_events", flags),
        ("push_stream_reload_drain", milliseconds),
        ("push_stream_ping_message_interval", milliseconds),
        ("push_stream_subscriber_connection_ttl", milliseconds),
        ("push_stream_longpolling_connection_ttl", milliseconds),
        ("push_stream_eventsource_retry", milliseconds),
        ("push_stream_wildcard_channel_max_qtd", numbers),
        ("push_stream_subscriber_max_pending", (&["x", "-1", "1q", ""], &value)),
        ("push_stream_direct_output", (&["maybe", ""], &value)),
        ("push_stream_event_id", (&["on", ""], &value)),
        ("push_stream_websocket_refuse", (&["on", "403", ""], &value)),
        ("push_stream_websocket_masking", (&["on", "off", "require", ""], &masking)),
        ("push_stream_websocket_close_codes", flags),
        ("push_stream_websocket_max_message_size", (&["x", "-1", "1g", ""], &value)),
        ("push_stream_websocket_pong_timeout", milliseconds),
        ("push_stream_websocket_binary", flags),
        ("push_stream_websocket_deflate", flags),
        ("push_stream_websocket_subprotocol", (&["a b", "a,b", "\u{e9}", ""], &name)),
        ("push_stream_websocket_allowed_origins", (&["*", "example.com", "http://*", ""], &origin)),
    ] {
        for wrong in wrong {
            refused(&in_http(&format!("{name} \"{wrong}\";")), &[&text(name, wrong)]);
        }
    }
}

/// WS-GAP-18, WS-GAP-19: of several values, the wrong one is named.
#[test]
fn wrong_values_in_lists() {
    for (name, right, wrong) in [
        ("push_stream_websocket_subprotocol", "chat", "a/b"),
        ("push_stream_websocket_allowed_origins", "https://example.com", "https://example.com/"),
    ] {
        let values = format!("{name} {right} {wrong} {right};");
        let text = format!("\"{name}\" directive invalid value \"{wrong}\", each ");
        refused(&in_http(&values), &[&text]);
        let twice = format!("{name} {right}; {name} {right};");
        refused(&in_http(&twice), &[&format!("\"{name}\" directive is duplicate")]);
    }
}

/// DIR-40..42: a variable that does not exist is one only where variables are known.
#[test]
fn variables() {
    for (name, _) in LEVELS.iter().filter(|(name, _)| EXPANDED.contains(name)) {
        let path = if *name == "push_stream_channels_path" { "" } else { PATH };
        let location = format!("push_stream_subscriber; {path} {name} a$no_such;");
        // nginx itself finds these, after it has read the file.
        let builder = Nginx::builder().location("/l", &location);
        refusal(&builder, &["unknown \"no_such\" variable"]);
    }
    for name in [
        "push_stream_channel_deleted_message_text",
        "push_stream_ping_message_text",
        "push_stream_wildcard_channel_prefix",
        "push_stream_events_channel_id",
        "push_stream_header_template",
        "push_stream_message_template",
        "push_stream_footer_template",
    ] {
        accepted(&in_http(&format!("{name} a$no_such;")));
    }
    accepted(&in_http("push_stream_padding_by_user_agent a$no_such,1,2;"));
}

/// DIR-74, DIR-187: the events channel has an id that can be asked for, or none.
#[test]
fn events_channel_id() {
    let with = |id: &str| {
        let limit = "push_stream_max_channel_id_length 6;";
        in_http(&format!("{limit} push_stream_events_channel_id \"{id}\";"))
    };
    for id in ["", "events", "e", "ALLE", "a.b"] {
        accepted(&with(id));
    }
    for (id, reason) in [
        ("ALL", "ALL and ids with an asterisk are for statistics"),
        ("e*", "ALL and ids with an asterisk are for statistics"),
        ("e/f", "it has a slash"),
        ("e\\nf", "it has control characters"),
        ("e.b3", "it ends like a backtrack"),
        ("events1", "it is longer than push_stream_max_channel_id_length"),
    ] {
        refused(&with(id), &["push_stream_events_channel_id \"", reason]);
    }
}

/// DIR-67..72, DIR-77..81, SUB-7, LIFE-24, LIFE-25: values that cannot be zero; the checks of the
/// `http` level come first.
#[test]
fn zero() {
    let not_zero = |name: &str| format!("push stream module: {name} cannot be zero.");
    for name in [
        "push_stream_max_number_of_channels",
        "push_stream_max_number_of_wildcard_channels",
        "push_stream_message_ttl",
        "push_stream_max_subscribers_per_channel",
        "push_stream_max_messages_stored_per_channel",
        "push_stream_max_channel_id_length",
    ] {
        refused(&in_http(&format!("{name} 0;")), &[&not_zero(name)]);
        let both = in_subscriber("push_stream_ping_message_interval 0;");
        refused(&both.http(&format!("{name} 0;")), &[&not_zero(name)]);
    }
    for (name, zero) in [
        ("push_stream_ping_message_interval", "0"),
        ("push_stream_ping_message_interval", "0ms"),
        ("push_stream_subscriber_connection_ttl", "0"),
        ("push_stream_longpolling_connection_ttl", "0"),
        ("push_stream_wildcard_channel_max_qtd", "0"),
        ("push_stream_subscriber_max_pending", "0"),
        ("push_stream_websocket_pong_timeout", "0ms"),
    ] {
        for role in ROLES {
            let location = format!("{role}; {PATH} {name} {zero};");
            let builder = Nginx::builder().location("/l", &location);
            refused(&builder.http("push_stream_wildcard_channel_prefix w;"), &[&not_zero(name)]);
        }
    }
}

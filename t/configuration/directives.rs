//! Each directive by itself: contexts, number of arguments, values.

use crate::support::Nginx;
use crate::{PATH, accepted, in_http, in_subscriber, refusal, refused};

/// Every directive of this part with a value it takes, at the level that takes it.
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
];
const LEVELS: &[(&str, &str)] = &[
    ("push_stream_channels_path", "$arg_x"),
    ("push_stream_store_messages", "ON"),
    ("push_stream_channel_info_on_publish", "Off"),
    ("push_stream_authorized_channels_only", "on"),
    ("push_stream_header_template", "\"$nothing ~id~\""),
    ("push_stream_message_template", "\"$nothing ~text~\""),
    ("push_stream_footer_template", "\"\""),
    ("push_stream_wildcard_channel_max_qtd", "7"),
    ("push_stream_ping_message_interval", "1500ms"),
    ("push_stream_subscriber_connection_ttl", "1w2d3h4m5s6ms"),
    ("push_stream_last_received_message_time", "$arg_t"),
    ("push_stream_last_received_message_tag", "$arg_g"),
    ("push_stream_last_event_id", "$arg_e"),
    ("push_stream_allowed_origins", "$http_origin"),
    ("push_stream_subscriber_max_pending", "64k"),
    ("push_stream_direct_output", "auto"),
];

/// DIR-3..37, DIR-59..62, DIR-73, DIR-74: contexts and values.
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
    }
}

/// DIR-47, DIR-48: twice at one level, and the wrong number of arguments.
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
        refused(&Nginx::builder().server(&format!("{name};")), &[&count]);
    }
    let count = |name: &str| format!("invalid number of arguments in \"{name}\" directive");
    for (line, name) in [
        ("push_stream_channels_statistics on;", "push_stream_channels_statistics"),
        ("push_stream_publisher normal admin;", "push_stream_publisher"),
        ("push_stream_subscriber streaming x;", "push_stream_subscriber"),
    ] {
        refused(&Nginx::builder().location("/l", &format!("{PATH} {line}")), &[&count(name)]);
    }
}

/// DIR-42..46, DIR-49: wrong values; the value and what is allowed are named.
#[test]
fn wrong_values() {
    let main: &[(&str, &[&str], &str)] = &[
        ("push_stream_message_ttl", &["x", "5ms", "-1", "\"\""], "invalid value"),
        ("push_stream_channel_inactivity_time", &["x", "5ms"], "invalid value"),
        (
            "push_stream_max_channel_id_length",
            &["-1", "1k", "x", "9223372036854775808", "\"\""],
            "invalid number",
        ),
        ("push_stream_max_number_of_channels", &["-1", "99999999999999999999"], "invalid number"),
        ("push_stream_max_number_of_wildcard_channels", &["1.5"], "invalid number"),
        ("push_stream_max_subscribers_per_channel", &["ten"], "invalid number"),
        ("push_stream_max_messages_stored_per_channel", &["0x10"], "invalid number"),
    ];
    for (name, values, text) in main {
        for value in *values {
            let shown = value.trim_matches('"');
            refused(&in_http(&format!("{name} {value};")), &[name, text, shown]);
        }
    }
    let levels: &[(&str, &[&str], &[&str])] = &[
        ("push_stream_store_messages", &["yes", "1", "\"\""], &["must be \"on\" or \"off\""]),
        ("push_stream_channel_info_on_publish", &["maybe"], &["must be \"on\" or \"off\""]),
        ("push_stream_authorized_channels_only", &["true"], &["must be \"on\" or \"off\""]),
        ("push_stream_ping_message_interval", &["1M", "1y", "x", "-5"], &["invalid value"]),
        ("push_stream_subscriber_connection_ttl", &["1M", "1y", "x"], &["invalid value"]),
        ("push_stream_wildcard_channel_max_qtd", &["x"], &["invalid number"]),
        ("push_stream_subscriber_max_pending", &["x", "-1", "1q"], &["invalid value"]),
        ("push_stream_direct_output", &["maybe", "\"\""], &["auto"]),
    ];
    for (name, values, texts) in levels {
        for value in *values {
            let shown = value.trim_matches('"');
            refused(
                &in_subscriber(&format!("{name} {value};")),
                &[&[*name, shown], *texts].concat(),
            );
        }
    }
    for name in [
        "push_stream_last_received_message_time",
        "push_stream_last_received_message_tag",
        "push_stream_last_event_id",
        "push_stream_allowed_origins",
    ] {
        // nginx itself finds these, after it has read the file.
        refusal(&in_subscriber(&format!("{name} $no_such;")), &["unknown \"no_such\" variable"]);
    }
    let path = "push_stream_subscriber; push_stream_channels_path a$no_such;";
    refusal(&Nginx::builder().location("/l", path), &["unknown \"no_such\" variable"]);
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
        ("push_stream_wildcard_channel_max_qtd", "0"),
        ("push_stream_subscriber_max_pending", "0"),
    ] {
        let builder = in_subscriber(&format!("{name} {zero};"));
        refused(&builder.http("push_stream_wildcard_channel_prefix w;"), &[&not_zero(name)]);
    }
}

//! What must be set, and what excludes what.

use crate::support::{Builder, Nginx};
use crate::{PATH, accepted, in_http, in_subscriber, refusal, refused};

/// DIR-50..54, SUB-1..3: modes and roles.
#[test]
fn roles() {
    let location = |directives: &str| Nginx::builder().location("/l", directives);
    for line in [
        "push_stream_publisher;",
        "push_stream_publisher NORMAL;",
        "push_stream_publisher Admin;",
        "push_stream_subscriber;",
        "push_stream_subscriber STREAMING;",
        "push_stream_subscriber polling;",
        "push_stream_subscriber Long-Polling;",
        "push_stream_subscriber EventSource;",
        "push_stream_subscriber WebSocket;",
        "push_stream_channels_statistics;",
        "push_stream_channels_statistics Prometheus;",
    ] {
        accepted(&location(&format!("{line} {PATH}")));
        accepted(&location(&format!("{PATH} {line}")));
        // SUB-6, DIR-76.
        refused(&location(line), &["push stream module: push_stream_channels_path must be set."]);
    }
    for value in ["bogus", "\"\""] {
        for (role, what, allowed) in [
            ("push_stream_publisher", "mode", "normal, admin"),
            (
                "push_stream_subscriber",
                "mode",
                "streaming, polling, long-polling, eventsource, websocket",
            ),
            ("push_stream_channels_statistics", "format", "prometheus"),
        ] {
            let text = format!(
                "push stream module: invalid {role} {what} value: {}, accepted values ({allowed})",
                value.trim_matches('"')
            );
            refused(&location(&format!("{role} {value}; {PATH}")), &[&text]);
        }
    }
    let roles =
        ["push_stream_publisher", "push_stream_subscriber", "push_stream_channels_statistics"];
    for first in roles {
        for second in roles {
            let text = match first == second {
                true => format!("\"{second}\" directive is duplicate in "),
                false => format!(
                    "\"{second}\" directive is duplicate, the location has \"{first}\" already"
                ),
            };
            refused(&location(&format!("{PATH} {first}; {second};")), &[&text]);
        }
        let not_here = format!("\"{first}\" directive is not allowed here");
        refused(&in_http(&format!("{first};")), &[&not_here]);
        refused(&Nginx::builder().server(&format!("{first};")), &[&not_here]);
        refused(&location(&format!("{PATH} if ($arg_x) {{ {first}; }}")), &[&not_here]);
    }
}

/// DIR-80, DIR-82..84, DIR-134, SUB-8..10.
#[test]
fn settings_that_contradict_each_other() {
    let blank_eventsource =
        "push_stream_subscriber eventsource; push_stream_message_template \"\";";
    accepted(&Nginx::builder().location("/l", &format!("{PATH} {blank_eventsource}")));
    for role in [
        "push_stream_publisher",
        "push_stream_channels_statistics",
        "push_stream_subscriber",
        "push_stream_subscriber polling",
        "push_stream_subscriber long-polling",
        "push_stream_subscriber websocket",
    ] {
        let blank = format!("{role}; {PATH} push_stream_message_template \"\";");
        refused(
            &Nginx::builder().location("/l", &blank),
            &["push stream module: push_stream_message_template cannot be blank."],
        );
    }
    let limited = in_subscriber("push_stream_wildcard_channel_max_qtd 3;");
    let no_prefix = "cannot set wildcard channel max qtd if push_stream_wildcard_channel_prefix is \
                     not set or blank.";
    refused(&limited, &[no_prefix]);
    refused(&limited.clone().http("push_stream_wildcard_channel_prefix \"\";"), &[no_prefix]);
    let prefixed = limited.http("push_stream_wildcard_channel_prefix w;");
    accepted(&prefixed);
    accepted(&prefixed.clone().http("push_stream_max_number_of_wildcard_channels 3;"));
    refused(
        &prefixed.http("push_stream_max_number_of_wildcard_channels 2;"),
        &["max number of wildcard channels cannot be smaller than value in \
           push_stream_wildcard_channel_max_qtd."],
    );
    // DIR-83: the main maximum alone is no error.
    accepted(&in_http("push_stream_max_number_of_wildcard_channels 2;"));
}

/// DIR-86, DIR-87, SUB-11, SUB-12: the header template and its file.
#[test]
fn header_template_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("header");
    std::fs::write(&file, "header").expect("a file");
    let (file, dir) = (file.display(), dir.path().display());
    let by_file = format!("push_stream_header_template_file {file};");
    let by_text = "push_stream_header_template x;";
    accepted(&in_subscriber(&by_file));
    let set = "\"push_stream_header_template_file\" directive is duplicate or template set by \
               'push_stream_header_template'";
    refused(&in_subscriber(&format!("{by_text} {by_file}")), &[set]);
    refused(&in_subscriber(&format!("{by_file} {by_file}")), &[set]);
    let twice = "\"push_stream_header_template\" directive is duplicate";
    refused(&in_subscriber(&format!("{by_file} {by_text}")), &[twice]);
    refused(&in_subscriber(&format!("{by_text} {by_text}")), &[twice]);
    accepted(&in_subscriber(by_text).server(&by_file).http(by_text));
    refused(
        &in_subscriber(&format!("push_stream_header_template_file {file}.missing;")),
        &[&format!(
            "push stream module: unable to open file \"{file}.missing\" for header template"
        )],
    );
    refused(
        &in_subscriber(&format!("push_stream_header_template_file {dir};")),
        &[&format!(
            "push stream module: unable to read data from file \"{dir}\" for header template"
        )],
    );
}

/// LIFE-1, LIFE-3, LIFE-5, DIR-49, DIR-66, DIR-89, DIR-90, DIR-92..94: the zone.
#[test]
fn zone() {
    refused(
        &Nginx::builder().no_zone(),
        &["push stream module: push_stream_shared_memory_size must be set. (in the http block, "],
    );
    // SAFETY: sysconf only reads.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a page size");
    let minimum = 32 * page;
    let least =
        format!("The push_stream_shared_memory_size value must be at least {}KiB", minimum / 1024);
    for size in [format!("{}", minimum - page), "0".into(), "4k".into()] {
        refused(&Nginx::builder().zone(&size), &[&least, &size]);
    }
    for size in
        [format!("{}", minimum - page + 1), format!("{minimum}"), "1M".into(), "300K".into()]
    {
        accepted(&Nginx::builder().zone(&size));
        accepted(&Nginx::builder().zone(&format!("{size} a_name")));
    }
    for size in ["abc", "-1", "1g", "1.5m", "\"\""] {
        let shown = size.trim_matches('"');
        let text = format!(
            "\"push_stream_shared_memory_size\" directive invalid value \"{shown}\", it must be a \
             number of bytes, optionally with the unit k or m, such as 512k or 32m"
        );
        refused(&Nginx::builder().zone(size), &[&text]);
    }
    refused(
        &Nginx::builder().zone("1m a b"),
        &["invalid number of arguments in \"push_stream_shared_memory_size\" directive"],
    );
    for second in ["1m", "1m other"] {
        refused(
            &in_http(&format!("push_stream_shared_memory_size {second};")),
            &["push_stream_shared_memory_size", "duplicate"],
        );
    }
    // DIR-92, DIR-93: a name of another module's zone; any other is free.
    let taken = "limit_req_zone $host zone=taken:1m rate=1r/s;";
    for builder in [
        Nginx::builder().zone("1m taken").http(taken),
        Nginx::builder().no_zone().http(taken).http("push_stream_shared_memory_size 1m taken;"),
    ] {
        let elsewhere = "the shared memory zone \"taken\" is already declared for a different use";
        refused(&builder, &[elsewhere]);
    }
    accepted(&Nginx::builder().zone("1m \"\""));
    accepted(&Nginx::builder().zone("128k push_stream_module_global"));
    // DIR-66: the order of the lines does not matter.
    accepted(
        &Nginx::builder()
            .no_zone()
            .server("}\npush_stream_shared_memory_size 1m;\nserver { listen 127.0.0.1:10998;"),
    );
}

/// DIR-54, DIR-55: a content handler of another module and `if_modified_since` may stand on either
/// side of a role.
#[test]
fn directives_of_other_modules() {
    for other in ["empty_gif;", "if_modified_since exact;"] {
        let location = |lines: &str| Nginx::builder().location("/l", lines);
        accepted(&location(&format!("push_stream_publisher; {PATH} {other}")));
        accepted(&location(&format!("{other} push_stream_publisher; {PATH}")));
    }
}

/// DIR-65, DIR-75: a check that fails names the line of the directive to blame, though it is made
/// when the whole block was read; without one, that of the role.
#[test]
fn places() {
    let line = |builder: &Builder, text: &str| {
        let line = refusal(builder, &[text]);
        line.rsplit_once("nginx.conf:").expect("a place").1.to_owned()
    };
    type With = fn(&str) -> Builder;
    let http: With = |directive| in_http(&format!("\n\n{directive};\n\n"));
    let server: With = |directive| {
        let location = format!("push_stream_subscriber;\n{PATH}");
        Nginx::builder().server(&format!("\n{directive};\n")).location("/l", &location)
    };
    let location: With = |directive| in_subscriber(&format!("\n\n{directive};\n\n"));
    let role: With = |role| Nginx::builder().location("/l", &format!("\n\n{role};\n\n"));
    for (with, directive) in [
        (http, "push_stream_message_ttl 0"),
        (http, "push_stream_events_channel_id *"),
        (server, "push_stream_ping_message_interval 0"),
        (server, "push_stream_padding_by_user_agent a"),
        (location, "push_stream_subscriber_connection_ttl 0"),
        (location, "push_stream_message_template ''"),
        (location, "push_stream_wildcard_channel_max_qtd 1"),
        (location, "push_stream_padding_by_user_agent (,1,1"),
        (role, "push_stream_publisher"),
    ] {
        // nginx's own error at the same place.
        let expected = line(&with("no_such_directive"), "unknown directive");
        let seen = line(&with(directive), "push stream module: ");
        assert_eq!(seen, expected, "{directive}");
    }
}

/// DIR-56, DIR-75: without a role nothing is checked; DIR-58: nor below one.
#[test]
fn levels_without_a_role_are_not_checked() {
    accepted(&Nginx::builder().no_zone().bare());
    let unused = "push_stream_message_ttl 0; push_stream_events_channel_id ALL;";
    accepted(&Nginx::builder().no_zone().bare().http(unused));
    accepted(&Nginx::builder().location("/l", "push_stream_ping_message_interval 0;"));
    let nested = format!(
        "push_stream_subscriber; {PATH} location /l/in {{ push_stream_message_template \"\"; }}"
    );
    accepted(&Nginx::builder().location("/l", &nested));
}

//! The order of the checks: of several mistakes the first in this list is reported.

use crate::support::{Builder, Nginx};
use crate::{accepted, refused};

/// What to write so that the check fails, what to write instead, and what the check says.
type Mistake = (&'static str, &'static str, &'static str);

/// DIR-66..72, DIR-187, LIFE-1.
const HTTP: &[Mistake] = &[
    ("", "push_stream_shared_memory_size 1m;", "push_stream_shared_memory_size must be set."),
    (
        "push_stream_max_number_of_channels 0;",
        "push_stream_max_number_of_channels 1;",
        "push_stream_max_number_of_channels cannot be zero.",
    ),
    (
        "push_stream_max_number_of_wildcard_channels 0;",
        "push_stream_max_number_of_wildcard_channels 1;",
        "push_stream_max_number_of_wildcard_channels cannot be zero.",
    ),
    ("push_stream_message_ttl 0;", "", "push_stream_message_ttl cannot be zero."),
    (
        "push_stream_max_subscribers_per_channel 0;",
        "",
        "push_stream_max_subscribers_per_channel cannot be zero.",
    ),
    (
        "push_stream_max_messages_stored_per_channel 0;",
        "",
        "push_stream_max_messages_stored_per_channel cannot be zero.",
    ),
    (
        "push_stream_max_channel_id_length 0;",
        "",
        "push_stream_max_channel_id_length cannot be zero.",
    ),
    ("push_stream_events_channel_id a*;", "", "push_stream_events_channel_id"),
];

/// DIR-76..85. The checks of the wildcard limit exclude one another.
const LOCATION: &[Mistake] = &[
    ("", "push_stream_channels_path a;", "push_stream_channels_path must be set."),
    (
        "push_stream_ping_message_interval 0;",
        "",
        "push_stream_ping_message_interval cannot be zero.",
    ),
    (
        "push_stream_subscriber_connection_ttl 0;",
        "",
        "push_stream_subscriber_connection_ttl cannot be zero.",
    ),
    (
        "push_stream_longpolling_connection_ttl 0;",
        "",
        "push_stream_longpolling_connection_ttl cannot be zero.",
    ),
    ("push_stream_message_template '';", "", "push_stream_message_template cannot be blank."),
    (
        "push_stream_wildcard_channel_max_qtd 0;",
        "push_stream_wildcard_channel_max_qtd 2;",
        "push_stream_wildcard_channel_max_qtd cannot be zero.",
    ),
    (
        "",
        "",
        "cannot set wildcard channel max qtd if push_stream_wildcard_channel_prefix is not set or \
         blank.",
    ),
];
const WILDCARD_MAX: &str = "max number of wildcard channels cannot be smaller than value in \
     push_stream_wildcard_channel_max_qtd.";
const PADDING: &str = "padding pattern not match the value bad";

/// The first `corrected` of the mistakes are not made.
fn text(mistakes: &[Mistake], corrected: usize) -> String {
    let lines = mistakes.iter().enumerate().map(
        |(i, (wrong, right, _))| {
            if i < corrected { *right } else { *wrong }
        },
    );
    lines.collect::<Vec<_>>().join("\n")
}

fn with(http: &str, location: &str) -> Builder {
    let location = format!("push_stream_subscriber; {location}");
    Nginx::builder().no_zone().bare().http(http).location("/l", &location)
}

/// DIR-65: the checks of the `http` level come first, each list is in order.
#[test]
fn the_first_mistake_is_reported() {
    let bad_padding = "push_stream_padding_by_user_agent bad;";
    for (corrected, (_, _, says)) in HTTP.iter().enumerate() {
        let location = text(LOCATION, 0);
        refused(
            &with(&text(HTTP, corrected), &location),
            &[&format!("push stream module: {says}")],
        );
    }
    let http = text(HTTP, HTTP.len());
    for (corrected, (_, _, says)) in LOCATION.iter().enumerate() {
        let location = text(LOCATION, corrected) + bad_padding;
        refused(&with(&http, &location), &[&format!("push stream module: {says}")]);
    }
    let http = http + "push_stream_wildcard_channel_prefix w;";
    let location = text(LOCATION, LOCATION.len());
    refused(
        &with(&http, &format!("{location} {bad_padding}")),
        &[&format!("push stream module: {WILDCARD_MAX}")],
    );
    let http = http.replace("wildcard_channels 1", "wildcard_channels 2");
    refused(&with(&http, &format!("{location} {bad_padding}")), &[PADDING]);
    accepted(&with(&http, &location));
}

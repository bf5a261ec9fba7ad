//! `push_stream_padding_by_user_agent` as nginx reads it.

use crate::support::Nginx;
use crate::{PATH, accepted, in_http, in_subscriber, refused};

const PARSING: &str = "push stream module: unable to parse paddings by user agent";

/// DIR-148, DIR-150, DIR-160, PAD-1.
#[test]
fn groups() {
    for value in ["a,1,2", "a,1,2:", "a{1,2}b,0,0", "MSIE.*,512,4096:[Ss]afari$,1,2", ""] {
        accepted(&in_subscriber(&format!("push_stream_padding_by_user_agent \"{value}\";")));
    }
}

/// DIR-88, DIR-149, DIR-151, DIR-152, DIR-154, PAD-2: the value, its place and what is allowed are named.
#[test]
fn no_groups() {
    for (value, text) in [
        ("abc", "push stream module: padding pattern not match the value abc "),
        ("abc,1", "push stream module: padding pattern not match the value abc,1 "),
        (",1,2", "push stream module: padding pattern not match the value ,1,2 "),
        ("a,-1,2", "push stream module: padding pattern not match the value a,-1,2 "),
        ("a,1,2:bad", "push stream module: padding pattern not match the value bad "),
        ("a,1,2x", "push stream module: padding pattern not match the value a,1,2x "),
        (":a,1,2", "push stream module: error applying padding pattern to :a,1,2 "),
        ("a,1,2::b,1,2", "push stream module: error applying padding pattern to :b,1,2 "),
        ("a,1,99999999999999999999", "padding length is too large in a,1,99999999999999999999, "),
        ("a,1048577,1", "at most 1048576 is allowed"),
    ] {
        let builder = in_subscriber(&format!("push_stream_padding_by_user_agent \"{value}\";"));
        refused(&builder, &["push_stream_padding_by_user_agent takes", text]);
        refused(&builder, &[PARSING]);
    }
}

/// A value that is long or holds line breaks leaves one line, with what is allowed and its place.
#[test]
fn values_that_do_not_fit_the_log() {
    let long = "x".repeat(3000);
    let builder = in_subscriber(&format!("push_stream_padding_by_user_agent \"{long}\";"));
    let allowed = "xxx (push_stream_padding_by_user_agent takes groups";
    refused(&builder, &["padding pattern not match the value xxx", "xxx...xxx", allowed]);
    let accented = "\u{e9}".repeat(1500);
    for odd in ["", "x"] {
        let builder = in_http(&format!("push_stream_message_ttl {odd}{accented};"));
        refused(
            &builder,
            &["invalid value \"", "\u{e9}...\u{e9}", "\", it must be a time in whole seconds"],
        );
    }
    let broken = in_subscriber("push_stream_padding_by_user_agent \"a\nb\";");
    refused(&broken, &["padding pattern not match the value a\\nb "]);
}

/// DIR-153, PAD-3: an expression that does not compile is named, with nginx's reason.
#[test]
fn expressions_that_do_not_compile() {
    for (value, expression) in [("(a,1,2", "(a"), ("[,1,2", "["), ("b,3,4:*,1,2", "*")] {
        let builder = in_subscriber(&format!("push_stream_padding_by_user_agent \"{value}\";"));
        let text =
            format!("push stream module: unable to compile agent pattern {expression} (pcre");
        refused(&builder, &[&text, "_compile() failed: "]);
        refused(&builder, &[PARSING]);
    }
}

/// DIR-85: looked at in every subscriber location, and in no other.
#[test]
fn only_subscribers_are_checked() {
    let wrong = "push_stream_padding_by_user_agent bad;";
    for mode in ["streaming", "polling", "long-polling", "eventsource", "websocket"] {
        let location = format!("push_stream_subscriber {mode}; {PATH} {wrong}");
        refused(&Nginx::builder().bare().location("/l", &location), &[PARSING]);
    }
    for role in ["push_stream_publisher", "push_stream_channels_statistics"] {
        accepted(&Nginx::builder().bare().location("/l", &format!("{role}; {PATH} {wrong}")));
    }
}

/// DIR-149, DIR-155: each group is announced, its last two parts as numbers, what stands before as one.
#[tokio::test]
async fn announcements() {
    let nginx = Nginx::builder()
        .subscriber("padded", "push_stream_padding_by_user_agent \"M\\d,512,1:b{1,2},0,4096\";")
        .start()
        .await;
    // The level of the log from which nginx starts leaves these lines out; a reload shows them.
    nginx.reload().await;
    let first = "padding detected M\\d, header_min_len 512, message_min_len 1 in ";
    nginx.wait_log(&format!("push stream module: {first}")).await;
    let second = "padding detected b{1,2}, header_min_len 0, message_min_len 4096 in ";
    nginx.wait_log(&format!("push stream module: {second}")).await;
}

//! What nginx accepts and refuses (docs/spec/directives.md), and how it says so: the directive, the
//! value, what is allowed, the file and the line.

#[path = "../support/mod.rs"]
mod support;

mod directives;
mod documentation;
mod order;
mod padding;
mod rules;
mod running;

use support::{Builder, Nginx};

const PATH: &str = "push_stream_channels_path a;";

fn in_http(directives: &str) -> Builder {
    Nginx::builder().http(directives)
}

fn in_subscriber(directives: &str) -> Builder {
    Nginx::builder().location("/l", &format!("push_stream_subscriber; {PATH} {directives}"))
}

#[track_caller]
fn refused(builder: &Builder, texts: &[&str]) {
    let line = refusal(builder, texts);
    let (_, place) = line.rsplit_once("nginx.conf:").unwrap_or_else(|| panic!("no place: {line}"));
    assert!(place.parse::<u32>().is_ok(), "no line number: {line}");
}

/// The line with all these texts, with which nginx must refuse the configuration.
#[track_caller]
fn refusal(builder: &Builder, texts: &[&str]) -> String {
    let checked = builder.check();
    let output = checked.output;
    assert!(!checked.ok, "accepted instead of {texts:?}: {output}");
    // DIR-88: the prefix stands once in each line.
    assert!(!output.contains("push stream module: push stream module: "), "{output}");
    let line = output.lines().find(|line| texts.iter().all(|text| line.contains(text)));
    line.unwrap_or_else(|| panic!("no line with {texts:?}: {output}")).to_owned()
}

#[track_caller]
fn accepted(builder: &Builder) {
    let checked = builder.check();
    assert!(checked.ok, "{}", checked.output);
    assert!(!checked.output.contains("[warn]"), "{}", checked.output);
}

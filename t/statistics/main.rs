//! Statistics locations (docs/spec/statistics.md), and the formats they share with publishers.

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod channels;
mod counters;
mod formats;
mod headers;
mod lists;
mod metrics;
mod publisher_formats;
mod requests;
mod workers;

use serde_json::Value;
use support::{Answer, Nginx};

/// Ways to ask for the four formats, with the content types of the answers (PUB-55, STAT-28).
const FORMATS: [(&str, &str); 4] = [
    ("application/json", "application/json"),
    ("text/plain", "text/plain"),
    ("text/yaml", "application/yaml"),
    ("text/xml", "application/xml"),
];

/// The ids of a group, in their order.
#[track_caller]
fn listed(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    let infos = json["infos"].as_array().expect("a group");
    infos.iter().map(|info| info["channel"].as_str().expect("an id").to_owned()).collect()
}

/// The worker items of a summary.
fn workers(stats: &Value) -> &Vec<Value> {
    stats["by_worker"].as_array().expect("workers")
}

/// The pids of a summary, in their order.
fn pids(stats: &Value) -> Vec<i32> {
    let pid = |worker: &Value| worker["pid"].as_str().and_then(|pid| pid.parse().ok());
    workers(stats).iter().map(|worker| pid(worker).expect("a quoted pid")).collect()
}

async fn get_as(nginx: &Nginx, target: &str, accept: &str) -> Answer {
    nginx.call("GET", target).header("Accept", accept).send().await
}

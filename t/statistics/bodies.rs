//! The bodies of all formats, written out as the rules show them (PUB-58..65, STAT-31..40).

use serde_json::Value;

/// One channel's line: its id as the format shows it, published, stored, subscribers.
pub type Line<'a> = (&'a str, u64, u64, u64);

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\r\n";

/// Text between double quotes, or a number.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn json_item((id, published, stored, subscribers): Line<'_>) -> String {
    format!(
        "{{\"channel\": \"{id}\", \"published_messages\": {published}, \"stored_messages\": \
         {stored}, \"subscribers\": {subscribers}}}"
    )
}

fn plain_item((id, published, stored, subscribers): Line<'_>) -> String {
    format!(
        "channel: {id}\r\npublished_messages: {published}\r\nstored_messages: {stored}\r\n\
         active_subscribers: {subscribers}"
    )
}

/// A host name in YAML: plain if it begins with a letter (PUB-67).
fn yaml_host(host: &str) -> String {
    match host.starts_with(|first: char| first.is_ascii_alphabetic()) {
        true => host.to_owned(),
        false => format!("\"{host}\""),
    }
}

fn yaml_item((id, published, stored, subscribers): Line<'_>) -> String {
    format!(
        "  channel: {id}\r\n  published_messages: {published}\r\n  stored_messages: {stored}\r\n  \
         subscribers: {subscribers}\r\n"
    )
}

fn xml_item((id, published, stored, subscribers): Line<'_>) -> String {
    format!(
        "<channel>\r\n  <name>{id}</name>\r\n  \
         <published_messages>{published}</published_messages>\r\n  \
         <stored_messages>{stored}</stored_messages>\r\n  \
         <subscribers>{subscribers}</subscribers>\r\n</channel>\r\n"
    )
}

/// One channel alone (PUB-58..61).
pub fn single(content_type: &str, line: Line<'_>) -> String {
    match content_type {
        "application/json" | "text/x-json" => format!("{}\r\n", json_item(line)),
        "text/plain" => format!("{}\r\n", plain_item(line)),
        "application/yaml" | "text/x-yaml" => yaml_item(line),
        "application/xml" => format!("{XML}{}\r\n", xml_item(line)),
        other => panic!("no format: {other}"),
    }
}

/// Several channels (PUB-62..65) or none (STAT-31..34); `head` is the same group in JSON.
pub fn group(content_type: &str, head: &Value, lines: &[Line<'_>]) -> String {
    let get = |name| bare(&head[name]);
    let (host, time, uptime) = (get("hostname"), get("time"), get("uptime"));
    let (channels, wildcard) = (get("channels"), get("wildcard_channels"));
    let items = |item: fn(Line<'_>) -> String| lines.iter().map(move |line| item(*line));
    match content_type {
        "application/json" | "text/x-json" => {
            let end = if lines.is_empty() { "" } else { "\r\n" };
            let items = items(json_item).collect::<Vec<_>>().join(",\r\n");
            format!(
                "{{\"hostname\": \"{host}\", \"time\": \"{time}\", \"channels\": {channels}, \
                 \"wildcard_channels\": {wildcard}, \"uptime\": {uptime}, \"infos\": \
                 [\r\n{items}{end}]}}\r\n"
            )
        }
        "text/plain" => {
            let items = items(plain_item).collect::<Vec<_>>().join(",\r\n");
            format!(
                "hostname: {host}, time: {time}, channels: {channels}, wildcard_channels: \
                 {wildcard}, uptime: {uptime}, infos: \r\n{items}\r\n"
            )
        }
        "application/yaml" | "text/x-yaml" => {
            let items: String = items(yaml_item).map(|item| format!(" -\r\n{item}")).collect();
            let end = if lines.is_empty() { "\r\n" } else { "" };
            let host = yaml_host(&host);
            format!(
                "hostname: {host}\r\ntime: {time}\r\nchannels: {channels}\r\nwildcard_channels: \
                 {wildcard}\r\nuptime: {uptime}\r\ninfos: \r\n{items}{end}"
            )
        }
        "application/xml" => {
            let items: String = items(xml_item).collect();
            format!(
                "{XML}<root>\r\n  <hostname>{host}</hostname>\r\n  <time>{time}</time>\r\n  \
                 <channels>{channels}</channels>\r\n  \
                 <wildcard_channels>{wildcard}</wildcard_channels>\r\n  \
                 <uptime>{uptime}</uptime>\r\n  <infos>\r\n{items}  </infos>\r\n</root>\r\n"
            )
        }
        other => panic!("no format: {other}"),
    }
}

/// Names of a summary's numbers, in their order.
const NUMBERS: [&str; 9] = [
    "channels",
    "wildcard_channels",
    "published_messages",
    "stored_messages",
    "messages_in_trash",
    "channels_in_delete",
    "channels_in_trash",
    "subscribers",
    "uptime",
];

/// The zone (STAT-36..40); `zone` is the same in JSON.
pub fn summary(content_type: &str, zone: &Value) -> String {
    let (host, time) = (bare(&zone["hostname"]), bare(&zone["time"]));
    let numbers = |item: &dyn Fn(&str, String) -> String| -> String {
        NUMBERS.iter().map(|name| item(name, bare(&zone[*name]))).collect()
    };
    let workers = zone["by_worker"].as_array().expect("workers").iter().map(|worker| {
        (bare(&worker["pid"]), bare(&worker["subscribers"]), bare(&worker["uptime"]))
    });
    match content_type {
        "application/json" | "text/x-json" => {
            let numbers = numbers(&|name, number| format!("\"{name}\": {number}, "));
            let item = |(pid, subscribers, uptime)| {
                format!(
                    "{{\"pid\": \"{pid}\", \"subscribers\": {subscribers}, \"uptime\": {uptime}}}"
                )
            };
            let items = workers.map(item).collect::<Vec<_>>().join(",\r\n");
            format!(
                "{{\"hostname\": \"{host}\", \"time\": \"{time}\", {numbers}\"by_worker\": \
                 [\r\n{items}\r\n]}}\r\n"
            )
        }
        "text/plain" => {
            let numbers = numbers(&|name, number| format!("{name}: {number}\r\n"));
            let item = |(pid, subscribers, uptime)| {
                format!("  pid: {pid}\r\n  subscribers: {subscribers}\r\n  uptime: {uptime}")
            };
            let items = workers.map(item).collect::<Vec<_>>().join(",\r\n");
            format!("hostname: {host}\r\ntime: {time}\r\n{numbers}by_worker:\r\n{items}\r\n")
        }
        "application/yaml" | "text/x-yaml" => {
            let numbers = numbers(&|name, number| format!("  {name}: {number}\r\n"));
            let item = |(pid, subscribers, uptime)| {
                format!(
                    "   -\r\n    pid: {pid}\r\n    subscribers: {subscribers}\r\n    \
                     uptime: {uptime}\r\n"
                )
            };
            let items: String = workers.map(item).collect();
            let host = yaml_host(&host);
            format!("  hostname: {host}\r\n  time: {time}\r\n{numbers}  by_worker:\r\n{items}")
        }
        "application/xml" => {
            let numbers = numbers(&|name, number| format!("  <{name}>{number}</{name}>\r\n"));
            let item = |(pid, subscribers, uptime)| {
                format!(
                    "<worker>\r\n  <pid>{pid}</pid>\r\n  <subscribers>{subscribers}</subscribers>\
                     \r\n  <uptime>{uptime}</uptime>\r\n</worker>\r\n"
                )
            };
            let items: String = workers.map(item).collect();
            format!(
                "{XML}<infos>\r\n  <hostname>{host}</hostname>\r\n  <time>{time}</time>\r\n\
                 {numbers}  <by_worker>{items}</by_worker>\r\n</infos>\r\n"
            )
        }
        other => panic!("no format: {other}"),
    }
}

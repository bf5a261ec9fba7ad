//! The bodies that tell about channels: a parser of each format reads back what was written
//! (PUB-58..67, STAT-29..44), whatever the ids hold.
//!
//! An input is a hostname, five numbers, and the ids.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::percent;
use ngx_http_push_stream_module::protocol::statistics::{ChannelInfo, Format, GroupHead};
use ngx_push_stream_fuzz::{SEPARATOR, fields, number};
use roxmltree::Node;
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

/// A channel's id as a format can show it, published, stored, subscribers.
type Read<Id> = (Id, [u64; 3]);

fuzz_target!(|input: &[u8]| {
    let [hostname, published, stored, subscribers, uptime, ids] = fields(input);
    // No parser has to read more than it can count.
    let [published, stored, subscribers, uptime] =
        [published, stored, subscribers, uptime].map(|field| u64::from(number::<u32>(field)));
    let head = GroupHead {
        hostname,
        time: uptime,
        channels: stored,
        wildcard_channels: subscribers,
        uptime,
    };
    let channels: Vec<_> = ids
        .split(|&byte| byte == SEPARATOR)
        // More of them are no different, and slow.
        .take(3)
        .map(|id| ChannelInfo { id, published, stored, subscribers })
        .collect();
    let group = |format: Format| {
        let mut out = Vec::new();
        format.group(&head, channels.iter().copied(), &mut out);
        String::from_utf8(out).expect("UTF-8")
    };
    let first = |format: Format| {
        let mut out = Vec::new();
        format.channel(&channels[0], &mut out);
        String::from_utf8(out).expect("UTF-8")
    };
    let expected = || channels.iter().map(|channel| read(text(channel.id), channel));

    let json: Value = serde_json::from_str(&group(Format::Json)).expect("JSON");
    assert_eq!(json["hostname"], text(hostname));
    assert_eq!(json["uptime"], uptime);
    assert!(json["infos"].as_array().expect("infos").iter().map(of_json).eq(expected()));
    let json = serde_json::from_str(&first(Format::Json)).expect("JSON");
    assert_eq!(Some(of_json(&json)), expected().next());

    let body = group(Format::Yaml);
    let yaml = of_document(&body);
    assert_eq!(scalar(&yaml["hostname"]), text(hostname));
    assert!(yaml["infos"].as_vec().expect("infos").iter().map(of_yaml).eq(expected()), "{body}");
    assert_eq!(Some(of_yaml(&of_document(&first(Format::Yaml)))), expected().next());

    let expected = || channels.iter().map(|channel| read(in_xml(channel.id), channel));
    let body = group(Format::Xml);
    let xml = roxmltree::Document::parse(&body).expect("XML");
    assert_eq!(child(xml.root_element(), "hostname"), in_xml(hostname));
    let infos = xml.descendants().find(|node| node.has_tag_name("infos")).expect("infos");
    assert!(infos.children().filter(Node::is_element).map(of_xml).eq(expected()), "{body}");
    let body = first(Format::Xml);
    let xml = roxmltree::Document::parse(&body).expect("XML");
    assert_eq!(Some(of_xml(xml.root_element())), expected().next());

    // Plain text alone keeps every byte.
    let mut expected = channels.iter().map(|channel| read(channel.id.to_vec(), channel));
    let body = group(Format::Plain);
    let (head, infos) = body.split_once("\r\n").expect("a head");
    let name = head.strip_prefix("hostname: ").expect("a hostname");
    let name = name.rsplitn(6, ", ").last().expect("a hostname");
    assert_eq!(percent::decode(name.as_bytes()), hostname);
    assert!(of_lines(infos).eq(expected.by_ref().collect::<Vec<_>>()), "{body}");
});

fn read<Id>(id: Id, channel: &ChannelInfo<'_>) -> Read<Id> {
    (id, [channel.published, channel.stored, channel.subscribers])
}

const NUMBERS: [&str; 3] = ["published_messages", "stored_messages", "subscribers"];

fn of_json(channel: &Value) -> Read<String> {
    let id = channel["channel"].as_str().expect("an id");
    (id.to_owned(), NUMBERS.map(|name| channel[name].as_u64().expect("a number")))
}

fn of_document(body: &str) -> Yaml<'_> {
    let mut documents = Yaml::load_from_str(body).expect("YAML");
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn of_yaml(channel: &Yaml<'_>) -> Read<String> {
    (
        scalar(&channel["channel"]),
        NUMBERS.map(|name| scalar(&channel[name]).parse().expect("a number")),
    )
}

/// A scalar as it is written: digits alone are a number to the reader.
fn scalar(node: &Yaml<'_>) -> String {
    let number = || node.as_integer().map(|number| number.to_string());
    node.as_str().map(str::to_owned).or_else(number).expect("a text or an integer")
}

fn of_xml(channel: Node<'_, '_>) -> Read<String> {
    (child(channel, "name"), NUMBERS.map(|name| child(channel, name).parse().expect("a number")))
}

fn child(node: Node<'_, '_>, name: &str) -> String {
    let child = node.children().find(|child| child.has_tag_name(name)).expect("a child");
    child.text().unwrap_or_default().to_owned()
}

fn of_lines(infos: &str) -> impl Iterator<Item = Read<Vec<u8>>> {
    let lines: Vec<&str> = infos.strip_suffix("\r\n").expect("a line end").split("\r\n").collect();
    let value = |line: &str, name: &str| {
        let rest = line.strip_prefix(name).expect("a name").strip_prefix(": ").expect("a value");
        rest.to_owned()
    };
    let channel = move |lines: &[&str]| {
        let number = |at: usize, name| {
            value(lines[at].trim_end_matches(','), name).parse().expect("a number")
        };
        let id = percent::decode(value(lines[0], "channel").as_bytes());
        (id, [number(1, NUMBERS[0]), number(2, NUMBERS[1]), number(3, "active_subscribers")])
    };
    lines.chunks(4).map(channel).collect::<Vec<_>>().into_iter()
}

/// Text formats show other bytes as U+FFFD.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// So does XML with the characters that it cannot carry at all.
fn in_xml(bytes: &[u8]) -> String {
    let carried = |char| match char {
        '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'.. => char,
        _ => '\u{fffd}',
    };
    text(bytes).chars().map(carried).collect()
}

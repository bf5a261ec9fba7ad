//! YAML.

use super::counters::{ChannelInfo, GroupHead, Summary};
use super::encoder::{Encoder, append, append_number};
use crate::protocol::{date, yaml};

pub struct Yaml;

impl Encoder for Yaml {
    fn channel(&self, channel: &ChannelInfo<'_>, out: &mut Vec<u8>) {
        append(out, &["  channel: "]);
        yaml::append_scalar(channel.id, out);
        append(out, &["\r\n"]);
        append_numbers("  ", &channel.numbers(), out);
    }

    fn begin(&self, head: &GroupHead<'_>, out: &mut Vec<u8>) {
        append_name_and_time(head, "", out);
        append_numbers("", &head.numbers(), out);
        append(out, &["infos: \r\n"]);
    }

    fn item(&self, channel: &ChannelInfo<'_>, out: &mut Vec<u8>) {
        append(out, &[" -\r\n"]);
        self.channel(channel, out);
    }

    fn between(&self) -> &'static [u8] {
        b""
    }

    fn end(&self, empty: bool, out: &mut Vec<u8>) {
        append(out, &[if empty { "\r\n" } else { "" }]);
    }

    fn summary(&self, summary: &Summary<'_>, out: &mut Vec<u8>) {
        append_name_and_time(&summary.head, "  ", out);
        append_numbers("  ", &summary.numbers(), out);
        append(out, &["  by_worker:\r\n"]);
        for worker in &summary.workers {
            append_number(out, &["   -\r\n    pid: "], worker.pid, "\r\n");
            append_numbers("    ", &worker.numbers(), out);
        }
    }
}

fn append_name_and_time(head: &GroupHead<'_>, indent: &str, out: &mut Vec<u8>) {
    append(out, &[indent, "hostname: "]);
    yaml::append_scalar(head.hostname, out);
    append(out, &["\r\n", indent, "time: "]);
    date::append_iso(head.time, out);
    append(out, &["\r\n"]);
}

fn append_numbers(indent: &str, numbers: &[(&str, u64)], out: &mut Vec<u8>) {
    for (name, number) in numbers {
        append_number(out, &[indent, name, ": "], *number, "\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::samples::{
        HEAD, any_channel, any_channels, any_summary, info, summary, text, two_workers,
    };
    use super::*;
    use proptest::prelude::*;
    use saphyr::{LoadableYamlNode, Yaml as Node};

    #[test]
    fn one_channel() {
        // PUB-60, STAT-29
        assert_eq!(
            text(|out| Format::Yaml.channel(&info(b"news"), out)),
            "  channel: news\r\n  published_messages: 5\r\n  stored_messages: 2\r\n\
             \x20 subscribers: 1\r\n"
        );
    }

    const GROUP_HEAD: &str = "hostname: box\r\ntime: 2026-11-21T19:25:29\r\nchannels: 3\r\n\
                              wildcard_channels: 1\r\nuptime: 60\r\ninfos: \r\n";

    #[test]
    fn several_channels() {
        // PUB-64, STAT-30, STAT-43
        let items = " -\r\n  channel: a\r\n  published_messages: 5\r\n  stored_messages: 2\r\n\
                     \x20 subscribers: 1\r\n\
                     \x20-\r\n  channel: b\r\n  published_messages: 5\r\n  stored_messages: 2\r\n\
                     \x20 subscribers: 1\r\n";
        let body = text(|out| Format::Yaml.group(&HEAD, [info(b"a"), info(b"b")], out));
        assert_eq!(body, format!("{GROUP_HEAD}{items}"));
    }

    #[test]
    fn an_empty_group() {
        // STAT-10, STAT-33
        let body = text(|out| Format::Yaml.group(&HEAD, [], out));
        assert_eq!(body, format!("{GROUP_HEAD}\r\n"));
    }

    #[test]
    fn the_zone() {
        // STAT-39
        let head = "  hostname: box\r\n  time: 2026-11-21T19:25:29\r\n  channels: 3\r\n\
                    \x20 wildcard_channels: 1\r\n  published_messages: 10\r\n\
                    \x20 stored_messages: 9\r\n  messages_in_trash: 8\r\n\
                    \x20 channels_in_delete: 7\r\n  channels_in_trash: 6\r\n\
                    \x20 subscribers: 5\r\n  uptime: 60\r\n  by_worker:\r\n";
        let workers = "   -\r\n    pid: 11\r\n    subscribers: 2\r\n    uptime: 50\r\n\
                       \x20  -\r\n    pid: 12\r\n    subscribers: 3\r\n    uptime: 40\r\n";
        let body = |workers| text(|out| Format::Yaml.summary(&summary(workers), out));
        assert_eq!(body(two_workers()), format!("{head}{workers}"));
        assert_eq!(body(vec![]), head);
    }

    #[test]
    fn an_id_stays_on_its_line() {
        // STAT-41, PUB-67
        let body = text(|out| Format::Yaml.channel(&info(b"a\r\nsubscribers: 9"), out));
        assert!(body.starts_with("  channel: \"a\\r\\nsubscribers: 9\"\r\n  published"));
    }

    fn parse(body: &str) -> Node<'_> {
        let mut documents = Node::load_from_str(body).unwrap();
        assert_eq!(documents.len(), 1, "{body}");
        documents.remove(0)
    }

    /// A scalar as it is written: an id of digits alone is a number to the reader.
    fn scalar(node: &Node<'_>) -> String {
        match (node.as_str(), node.as_integer()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(number)) => number.to_string(),
            // Beyond the parser's integers: shown with an exponent or not, the value is the same.
            _ => format!("{}", node.as_floating_point().unwrap()),
        }
    }

    /// Numbers as the parser has them, which has no integers beyond 63 bits.
    fn seen(number: u64) -> String {
        i64::try_from(number).map_or_else(|_| format!("{}", number as f64), |n| n.to_string())
    }

    fn parsed(node: &Node<'_>) -> [String; 4] {
        ["channel", "published_messages", "stored_messages", "subscribers"]
            .map(|name| scalar(&node[name]))
    }

    fn expected(channel: &ChannelInfo<'_>) -> [String; 4] {
        let id = String::from_utf8_lossy(channel.id).into_owned();
        [id, seen(channel.published), seen(channel.stored), seen(channel.subscribers)]
    }

    proptest! {
        #[test]
        fn any_channel_parses_back(channel in any_channel()) {
            // STAT-41, STAT-44, PUB-67
            let body = text(|out| Format::Yaml.channel(&channel.info(), out));
            prop_assert_eq!(parsed(&parse(&body)), expected(&channel.info()));
        }

        #[test]
        fn any_group_parses_back(hostname: Vec<u8>, channels in any_channels()) {
            // STAT-41, STAT-63, PUB-67
            let head = GroupHead { hostname: &hostname, ..HEAD };
            let infos = channels.iter().map(|channel| channel.info());
            let body = text(|out| Format::Yaml.group(&head, infos.clone(), out));
            let group = parse(&body);
            prop_assert_eq!(scalar(&group["hostname"]), String::from_utf8_lossy(&hostname));
            let seen: Vec<_> = group["infos"].as_vec().into_iter().flatten().map(parsed).collect();
            prop_assert_eq!(seen, infos.map(|info| expected(&info)).collect::<Vec<_>>());
        }

        #[test]
        fn any_summary_parses_back(summary in any_summary()) {
            // STAT-39, STAT-44, STAT-62
            let body = text(|out| Format::Yaml.summary(&summary, out));
            let zone = parse(&body);
            for (name, number) in summary.numbers() {
                prop_assert_eq!(scalar(&zone[name]), seen(number));
            }
            let workers = zone["by_worker"].as_vec();
            prop_assert_eq!(workers.map_or(0, |workers| workers.len()), summary.workers.len());
            for (node, worker) in workers.into_iter().flatten().zip(&summary.workers) {
                prop_assert_eq!(scalar(&node["pid"]), seen(worker.pid));
                prop_assert_eq!(scalar(&node["subscribers"]), seen(worker.subscribers));
                prop_assert_eq!(scalar(&node["uptime"]), seen(worker.uptime));
            }
        }
    }
}

//! XML.

use super::counters::{ChannelInfo, GroupHead, Summary};
use super::encoder::{Encoder, append, append_number};
use crate::protocol::{date, xml};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\r\n";

pub struct Xml;

impl Encoder for Xml {
    fn channel(&self, channel: &ChannelInfo<'_>, out: &mut Vec<u8>) {
        append(out, &[DECLARATION]);
        self.item(channel, out);
        append(out, &["\r\n"]);
    }

    fn begin(&self, head: &GroupHead<'_>, out: &mut Vec<u8>) {
        append(out, &[DECLARATION, "<root>\r\n"]);
        append_name_and_time(head, out);
        append_elements(&head.numbers(), out);
        append(out, &["  <infos>\r\n"]);
    }

    fn item(&self, channel: &ChannelInfo<'_>, out: &mut Vec<u8>) {
        append(out, &["<channel>\r\n  <name>"]);
        xml::append_text(channel.id, out);
        append(out, &["</name>\r\n"]);
        append_elements(&channel.numbers(), out);
        append(out, &["</channel>\r\n"]);
    }

    fn between(&self) -> &'static [u8] {
        b""
    }

    fn end(&self, _: bool, out: &mut Vec<u8>) {
        append(out, &["  </infos>\r\n</root>\r\n"]);
    }

    fn summary(&self, summary: &Summary<'_>, out: &mut Vec<u8>) {
        append(out, &[DECLARATION, "<infos>\r\n"]);
        append_name_and_time(&summary.head, out);
        append_elements(&summary.numbers(), out);
        append(out, &["  <by_worker>"]);
        for worker in &summary.workers {
            append(out, &["<worker>\r\n"]);
            append_elements(&[("pid", worker.pid)], out);
            append_elements(&worker.numbers(), out);
            append(out, &["</worker>\r\n"]);
        }
        append(out, &["</by_worker>\r\n</infos>\r\n"]);
    }
}

fn append_name_and_time(head: &GroupHead<'_>, out: &mut Vec<u8>) {
    append(out, &["  <hostname>"]);
    xml::append_text(head.hostname, out);
    append(out, &["</hostname>\r\n  <time>"]);
    date::append_iso(head.time, out);
    append(out, &["</time>\r\n"]);
}

fn append_elements(numbers: &[(&str, u64)], out: &mut Vec<u8>) {
    for (name, number) in numbers {
        append_number(out, &["  <", name, ">"], *number, "");
        append(out, &["</", name, ">\r\n"]);
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
    use roxmltree::{Document, Node};

    const FIRST_LINE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\r\n";

    fn channel(id: &str) -> String {
        format!(
            "<channel>\r\n  <name>{id}</name>\r\n  <published_messages>5</published_messages>\r\n  \
             <stored_messages>2</stored_messages>\r\n  <subscribers>1</subscribers>\r\n\
             </channel>\r\n"
        )
    }

    #[test]
    fn one_channel() {
        // PUB-61, STAT-29
        let body = text(|out| Format::Xml.channel(&info(b"news"), out));
        assert_eq!(body, format!("{FIRST_LINE}{}\r\n", channel("news")));
    }

    fn group(channels: &str) -> String {
        format!(
            "{FIRST_LINE}<root>\r\n  <hostname>box</hostname>\r\n  \
             <time>2026-11-21T19:25:29</time>\r\n  <channels>3</channels>\r\n  \
             <wildcard_channels>1</wildcard_channels>\r\n  <uptime>60</uptime>\r\n  \
             <infos>\r\n{channels}  </infos>\r\n</root>\r\n"
        )
    }

    #[test]
    fn several_channels() {
        // PUB-65, STAT-30, STAT-43
        let body = text(|out| Format::Xml.group(&HEAD, [info(b"a"), info(b"b")], out));
        assert_eq!(body, group(&[channel("a"), channel("b")].concat()));
    }

    #[test]
    fn an_empty_group() {
        // STAT-10, STAT-34
        assert_eq!(text(|out| Format::Xml.group(&HEAD, [], out)), group(""));
    }

    #[test]
    fn the_zone() {
        // STAT-40
        let head = format!(
            "{FIRST_LINE}<infos>\r\n  <hostname>box</hostname>\r\n  \
             <time>2026-11-21T19:25:29</time>\r\n  <channels>3</channels>\r\n  \
             <wildcard_channels>1</wildcard_channels>\r\n  \
             <published_messages>10</published_messages>\r\n  \
             <stored_messages>9</stored_messages>\r\n  \
             <messages_in_trash>8</messages_in_trash>\r\n  \
             <channels_in_delete>7</channels_in_delete>\r\n  \
             <channels_in_trash>6</channels_in_trash>\r\n  <subscribers>5</subscribers>\r\n  \
             <uptime>60</uptime>\r\n  <by_worker>"
        );
        let workers = "<worker>\r\n  <pid>11</pid>\r\n  <subscribers>2</subscribers>\r\n  \
                       <uptime>50</uptime>\r\n</worker>\r\n\
                       <worker>\r\n  <pid>12</pid>\r\n  <subscribers>3</subscribers>\r\n  \
                       <uptime>40</uptime>\r\n</worker>\r\n";
        let end = "</by_worker>\r\n</infos>\r\n";
        let body = |workers| text(|out| Format::Xml.summary(&summary(workers), out));
        assert_eq!(body(two_workers()), format!("{head}{workers}{end}"));
        assert_eq!(body(vec![]), format!("{head}{end}"));
    }

    fn child<'a>(node: Node<'a, 'a>, name: &str) -> Node<'a, 'a> {
        node.children().find(|child| child.has_tag_name(name)).unwrap()
    }

    fn number(node: Node<'_, '_>, name: &str) -> u64 {
        child(node, name).text().unwrap().parse().unwrap()
    }

    fn parsed(node: Node<'_, '_>) -> (String, [u64; 3]) {
        let name = child(node, "name").text().unwrap_or_default().to_owned();
        (name, ["published_messages", "stored_messages", "subscribers"].map(|n| number(node, n)))
    }

    fn expected(channel: &ChannelInfo<'_>) -> (String, [u64; 3]) {
        let id = String::from_utf8_lossy(channel.id);
        let carried = |c| match c {
            '\t' | '\n' | '\r' => c,
            '\0'..'\x20' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            c => c,
        };
        let numbers = [channel.published, channel.stored, channel.subscribers];
        (id.chars().map(carried).collect(), numbers)
    }

    proptest! {
        #[test]
        fn any_channel_parses_back(channel in any_channel()) {
            // STAT-41, STAT-44, PUB-67
            let body = text(|out| Format::Xml.channel(&channel.info(), out));
            let document = Document::parse(&body).unwrap();
            prop_assert_eq!(parsed(document.root_element()), expected(&channel.info()));
        }

        #[test]
        fn any_group_parses_back(hostname: Vec<u8>, channels in any_channels()) {
            // STAT-41, STAT-63, PUB-67
            let head = GroupHead { hostname: &hostname, ..HEAD };
            let infos = channels.iter().map(|channel| channel.info());
            let body = text(|out| Format::Xml.group(&head, infos.clone(), out));
            let document = Document::parse(&body).unwrap();
            let seen: Vec<_> = child(document.root_element(), "infos")
                .children().filter(Node::is_element).map(parsed).collect();
            prop_assert_eq!(seen, infos.map(|info| expected(&info)).collect::<Vec<_>>());
        }

        #[test]
        fn any_summary_parses_back(summary in any_summary()) {
            // STAT-40, STAT-44, STAT-62
            let body = text(|out| Format::Xml.summary(&summary, out));
            let document = Document::parse(&body).unwrap();
            let zone = document.root_element();
            for (name, value) in summary.numbers() {
                prop_assert_eq!(number(zone, name), value);
            }
            let workers: Vec<_> = child(zone, "by_worker").children()
                .filter(Node::is_element)
                .map(|node| ["pid", "subscribers", "uptime"].map(|name| number(node, name)))
                .collect();
            let known: Vec<_> = summary.workers.iter()
                .map(|worker| [worker.pid, worker.subscribers, worker.uptime])
                .collect();
            prop_assert_eq!(workers, known);
        }
    }
}

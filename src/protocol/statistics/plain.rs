//! Plain text. A value is always on one line: ids are shown as [`percent::append_printable`] says.

use super::counters::{ChannelInfo, GroupHead, Summary};
use super::encoder::{Encoder, append, append_number};
use crate::protocol::{date, percent};

pub struct Plain;

impl Encoder for Plain {
    fn channel(&self, channel: &ChannelInfo<'_>, out: &mut Vec<u8>) {
        self.item(channel, out);
        append(out, &["\r\n"]);
    }

    fn begin(&self, head: &GroupHead<'_>, out: &mut Vec<u8>) {
        append_name_and_time(head, ", ", out);
        for (name, number) in head.numbers() {
            append_number(out, &[name, ": "], number, ", ");
        }
        append(out, &["infos: \r\n"]);
    }

    fn item(&self, channel: &ChannelInfo<'_>, out: &mut Vec<u8>) {
        append(out, &["channel: "]);
        percent::append_printable(channel.id, out);
        // The one number with another name in this format (PUB-59).
        let [published, stored, (_, subscribers)] = channel.numbers();
        for (name, number) in [published, stored, ("active_subscribers", subscribers)] {
            append_number(out, &["\r\n", name, ": "], number, "");
        }
    }

    fn between(&self) -> &'static [u8] {
        b",\r\n"
    }

    fn end(&self, _: bool, out: &mut Vec<u8>) {
        append(out, &["\r\n"]);
    }

    fn summary(&self, summary: &Summary<'_>, out: &mut Vec<u8>) {
        append_name_and_time(&summary.head, "\r\n", out);
        for (name, number) in summary.numbers() {
            append_number(out, &[name, ": "], number, "\r\n");
        }
        append(out, &["by_worker:\r\n"]);
        for (i, worker) in summary.workers.iter().enumerate() {
            append(out, &[if i == 0 { "" } else { ",\r\n" }]);
            append_number(out, &["  pid: "], worker.pid, "");
            for (name, number) in worker.numbers() {
                append_number(out, &["\r\n  ", name, ": "], number, "");
            }
        }
        append(out, &["\r\n"]);
    }
}

fn append_name_and_time(head: &GroupHead<'_>, after: &str, out: &mut Vec<u8>) {
    append(out, &["hostname: "]);
    percent::append_printable(head.hostname, out);
    append(out, &[after, "time: "]);
    date::append_iso(head.time, out);
    append(out, &[after]);
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::samples::{
        HEAD, any_channel, any_channels, any_summary, info, summary, text, two_workers,
    };
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_channel() {
        // PUB-59, STAT-29
        assert_eq!(
            text(|out| Format::Plain.channel(&info(b"news"), out)),
            "channel: news\r\npublished_messages: 5\r\nstored_messages: 2\r\n\
             active_subscribers: 1\r\n"
        );
    }

    const GROUP_HEAD: &str = "hostname: box, time: 2026-11-21T19:25:29, channels: 3, \
                              wildcard_channels: 1, uptime: 60, infos: \r\n";

    #[test]
    fn several_channels() {
        // PUB-63, STAT-30, STAT-43
        let items = "channel: a\r\npublished_messages: 5\r\nstored_messages: 2\r\n\
                     active_subscribers: 1,\r\n\
                     channel: b\r\npublished_messages: 5\r\nstored_messages: 2\r\n\
                     active_subscribers: 1\r\n";
        let body = text(|out| Format::Plain.group(&HEAD, [info(b"a"), info(b"b")], out));
        assert_eq!(body, format!("{GROUP_HEAD}{items}"));
    }

    #[test]
    fn an_empty_group() {
        // STAT-10, STAT-32
        let body = text(|out| Format::Plain.group(&HEAD, [], out));
        assert_eq!(body, format!("{GROUP_HEAD}\r\n"));
    }

    #[test]
    fn the_zone() {
        // STAT-38
        let head = "hostname: box\r\ntime: 2026-11-21T19:25:29\r\nchannels: 3\r\n\
                    wildcard_channels: 1\r\npublished_messages: 10\r\nstored_messages: 9\r\n\
                    messages_in_trash: 8\r\nchannels_in_delete: 7\r\nchannels_in_trash: 6\r\n\
                    subscribers: 5\r\nuptime: 60\r\nby_worker:\r\n";
        let workers = "  pid: 11\r\n  subscribers: 2\r\n  uptime: 50,\r\n\
                       \x20 pid: 12\r\n  subscribers: 3\r\n  uptime: 40\r\n";
        let body = |workers| text(|out| Format::Plain.summary(&summary(workers), out));
        assert_eq!(body(two_workers()), format!("{head}{workers}"));
        assert_eq!(body(vec![]), format!("{head}\r\n"));
    }

    #[test]
    fn an_id_stays_on_its_line() {
        // STAT-41, PUB-67
        let body = text(|out| Format::Plain.channel(&info(b"a\r\nsubscribers: 9\xff"), out));
        assert!(body.starts_with("channel: a%0D%0Asubscribers: 9%FF\r\npublished_messages: 5\r\n"));
    }

    /// The lines of one channel, taken apart as a client would; the id as the bytes it stands for.
    fn parsed(lines: &mut dyn Iterator<Item = &str>) -> (Vec<u8>, [u64; 3]) {
        let mut field = |name: &str| {
            let line = lines.next().unwrap();
            let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
            value.unwrap_or_else(|| panic!("{name} in '{line}'")).to_owned()
        };
        let id = percent::decode(field("channel").as_bytes());
        let numbers = ["published_messages", "stored_messages", "active_subscribers"]
            .map(|name| field(name).trim_end_matches(',').parse().unwrap());
        (id, numbers)
    }

    fn expected(channel: &ChannelInfo<'_>) -> (Vec<u8>, [u64; 3]) {
        (channel.id.to_vec(), [channel.published, channel.stored, channel.subscribers])
    }

    proptest! {
        #[test]
        fn any_channel_parses_back(channel in any_channel()) {
            // STAT-41, STAT-44, PUB-67
            let body = text(|out| Format::Plain.channel(&channel.info(), out));
            let mut lines = body.split("\r\n");
            prop_assert_eq!(parsed(&mut lines), expected(&channel.info()));
            prop_assert_eq!(lines.collect::<Vec<_>>(), [""]);
        }

        #[test]
        fn any_group_parses_back(channels in any_channels()) {
            // STAT-41, STAT-63, PUB-67
            let infos = channels.iter().map(|channel| channel.info());
            let body = text(|out| Format::Plain.group(&HEAD, infos.clone(), out));
            let mut lines = body.split("\r\n").skip(1);
            for info in infos {
                prop_assert_eq!(parsed(&mut lines), expected(&info));
            }
            prop_assert!(lines.all(str::is_empty));
        }

        #[test]
        fn any_summary_has_its_numbers(summary in any_summary()) {
            // STAT-38, STAT-44, STAT-62
            let body = text(|out| Format::Plain.summary(&summary, out));
            let shown: Vec<u64> = body.split("\r\n").skip(2)
                .filter_map(|line| line.trim_end_matches(',').split_once(": "))
                .map(|(_, number)| number.parse().unwrap())
                .collect();
            let workers = summary.workers.iter()
                .flat_map(|worker| [worker.pid, worker.subscribers, worker.uptime]);
            let numbers: Vec<u64> =
                summary.numbers().iter().map(|(_, number)| *number).chain(workers).collect();
            prop_assert_eq!(shown, numbers);
        }
    }
}

//! The bodies that tell about channels: answers of publisher and statistics locations.
//!
//! Clients see these bytes; spaces and line ends are part of the format.

use super::{date, json};

/// The counters of one channel (STAT-46..48).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelInfo<'a> {
    pub id: &'a [u8],
    /// Number of the channel's last message (STAT-46).
    pub published: u64,
    pub stored: u64,
    /// Subscriptions (STAT-48).
    pub subscribers: u64,
}

/// What stands before the channels of a group, and first in a summary (STAT-42..45, STAT-56).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupHead<'a> {
    /// The machine's own name, not the request's (STAT-42).
    pub hostname: &'a [u8],
    /// Now, in seconds since the epoch (STAT-43).
    pub time: u64,
    pub channels: u64,
    pub wildcard_channels: u64,
    /// Seconds since the zone was created (STAT-56).
    pub uptime: u64,
}

/// One worker of a summary (STAT-55, STAT-57).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    pub pid: u64,
    /// Connections (STAT-55).
    pub subscribers: u64,
    /// Seconds since the process started (STAT-57).
    pub uptime: u64,
}

/// The zone as a whole (STAT-49..55).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary<'a> {
    pub head: GroupHead<'a>,
    pub published: u64,
    pub stored: u64,
    pub messages_in_trash: u64,
    pub channels_in_delete: u64,
    pub channels_in_trash: u64,
    /// Connections, not subscriptions (STAT-55).
    pub subscribers: u64,
    /// In the order in which they are shown (STAT-58).
    pub workers: Vec<WorkerInfo>,
}

/// One channel (PUB-58, STAT-29).
pub fn json_channel(channel: &ChannelInfo<'_>, out: &mut Vec<u8>) {
    append_channel(channel, out);
    out.extend_from_slice(b"\r\n");
}

/// Several channels, or none, whose counters are all at hand (PUB-62, STAT-30, STAT-31).
pub fn json_group<'a>(
    head: &GroupHead<'_>,
    channels: impl IntoIterator<Item = ChannelInfo<'a>>,
    out: &mut Vec<u8>,
) {
    let mut group = JsonGroup::begin(head, out);
    for channel in channels {
        group.push(&channel);
    }
    group.finish();
}

/// Several channels, written as they are found (PUB-62, STAT-30, STAT-31, STAT-64).
#[must_use = "a group that is not finished is no JSON"]
pub struct JsonGroup<'a> {
    out: &'a mut Vec<u8>,
    separator: Separator,
}

impl<'a> JsonGroup<'a> {
    pub fn begin(head: &GroupHead<'_>, out: &'a mut Vec<u8>) -> Self {
        append_head(head, out);
        append_number("uptime", head.uptime, out);
        out.extend_from_slice(b", \"infos\": [\r\n");
        Self { out, separator: Separator::default() }
    }

    pub fn push(&mut self, channel: &ChannelInfo<'_>) {
        self.separator.between(self.out);
        append_channel(channel, self.out);
    }

    pub fn finish(self) {
        self.separator.after(self.out);
        self.out.extend_from_slice(b"]}\r\n");
    }
}

/// The whole zone (STAT-36).
pub fn json_summary(summary: &Summary<'_>, out: &mut Vec<u8>) {
    append_head(&summary.head, out);
    for (name, number) in [
        ("published_messages", summary.published),
        ("stored_messages", summary.stored),
        ("messages_in_trash", summary.messages_in_trash),
        ("channels_in_delete", summary.channels_in_delete),
        ("channels_in_trash", summary.channels_in_trash),
        ("subscribers", summary.subscribers),
    ] {
        append_number(name, number, out);
        out.extend_from_slice(b", ");
    }
    append_number("uptime", summary.head.uptime, out);
    out.extend_from_slice(b", \"by_worker\": [\r\n");
    let mut separator = Separator::default();
    for worker in &summary.workers {
        separator.between(out);
        append_worker(worker, out);
    }
    separator.after(out);
    out.extend_from_slice(b"]}\r\n");
}

/// The line ends of a list: `,\r\n` between two items, `\r\n` after the last, none without items.
#[derive(Default)]
struct Separator {
    seen: bool,
}

impl Separator {
    fn between(&mut self, out: &mut Vec<u8>) {
        if self.seen {
            out.extend_from_slice(b",\r\n");
        }
        self.seen = true;
    }

    fn after(&self, out: &mut Vec<u8>) {
        if self.seen {
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn append_head(head: &GroupHead<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"hostname\": ");
    json::append_string(head.hostname, out);
    out.extend_from_slice(b", \"time\": \"");
    date::append_iso(head.time, out);
    out.extend_from_slice(b"\", ");
    append_number("channels", head.channels, out);
    out.extend_from_slice(b", ");
    append_number("wildcard_channels", head.wildcard_channels, out);
    out.extend_from_slice(b", ");
}

fn append_channel(channel: &ChannelInfo<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"channel\": ");
    json::append_string(channel.id, out);
    out.extend_from_slice(b", ");
    append_number("published_messages", channel.published, out);
    out.extend_from_slice(b", ");
    append_number("stored_messages", channel.stored, out);
    out.extend_from_slice(b", ");
    append_number("subscribers", channel.subscribers, out);
    out.push(b'}');
}

fn append_worker(worker: &WorkerInfo, out: &mut Vec<u8>) {
    // Clients know the pid as a string (STAT-37).
    out.extend_from_slice(b"{\"pid\": \"");
    append_decimal(worker.pid, out);
    out.extend_from_slice(b"\", ");
    append_number("subscribers", worker.subscribers, out);
    out.extend_from_slice(b", ");
    append_number("uptime", worker.uptime, out);
    out.push(b'}');
}

fn append_number(name: &str, number: u64, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\": ");
    append_decimal(number, out);
}

/// Unsigned and decimal (STAT-44).
fn append_decimal(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const HEAD: GroupHead<'static> = GroupHead {
        hostname: b"box",
        time: 1_795_289_129,
        channels: 3,
        wildcard_channels: 1,
        uptime: 60,
    };

    fn info(id: &[u8]) -> ChannelInfo<'_> {
        ChannelInfo { id, published: 5, stored: 2, subscribers: 1 }
    }

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_channel() {
        // PUB-58, STAT-29
        assert_eq!(
            text(|out| json_channel(&info(b"news"), out)),
            concat!(
                r#"{"channel": "news", "published_messages": 5, "#,
                r#""stored_messages": 2, "subscribers": 1}"#,
                "\r\n"
            )
        );
    }

    #[test]
    fn several_channels() {
        // PUB-62, STAT-30, STAT-43
        assert_eq!(
            text(|out| json_group(&HEAD, [info(b"a"), info(b"b")], out)),
            concat!(
                r#"{"hostname": "box", "time": "2026-11-21T19:25:29", "channels": 3, "#,
                r#""wildcard_channels": 1, "uptime": 60, "infos": ["#,
                "\r\n",
                r#"{"channel": "a", "published_messages": 5, "stored_messages": 2, "#,
                r#""subscribers": 1},"#,
                "\r\n",
                r#"{"channel": "b", "published_messages": 5, "stored_messages": 2, "#,
                r#""subscribers": 1}"#,
                "\r\n]}\r\n"
            )
        );
    }

    #[test]
    fn an_empty_group() {
        // STAT-10, STAT-31
        assert_eq!(
            text(|out| json_group(&HEAD, [], out)),
            concat!(
                r#"{"hostname": "box", "time": "2026-11-21T19:25:29", "channels": 3, "#,
                r#""wildcard_channels": 1, "uptime": 60, "infos": ["#,
                "\r\n]}\r\n"
            )
        );
    }

    fn summary(workers: Vec<WorkerInfo>) -> Summary<'static> {
        Summary {
            head: HEAD,
            published: 10,
            stored: 9,
            messages_in_trash: 8,
            channels_in_delete: 7,
            channels_in_trash: 6,
            subscribers: 5,
            workers,
        }
    }

    #[test]
    fn the_zone() {
        // STAT-36, STAT-37
        let workers = vec![
            WorkerInfo { pid: 11, subscribers: 2, uptime: 50 },
            WorkerInfo { pid: 12, subscribers: 3, uptime: 40 },
        ];
        let head = concat!(
            r#"{"hostname": "box", "time": "2026-11-21T19:25:29", "channels": 3, "#,
            r#""wildcard_channels": 1, "published_messages": 10, "stored_messages": 9, "#,
            r#""messages_in_trash": 8, "channels_in_delete": 7, "channels_in_trash": 6, "#,
            r#""subscribers": 5, "uptime": 60, "by_worker": ["#,
            "\r\n"
        );
        let items = concat!(
            r#"{"pid": "11", "subscribers": 2, "uptime": 50},"#,
            "\r\n",
            r#"{"pid": "12", "subscribers": 3, "uptime": 40}"#,
            "\r\n"
        );
        assert_eq!(
            text(|out| json_summary(&summary(workers), out)),
            format!("{head}{items}]}}\r\n")
        );
        // Without workers there is no separator to get wrong (STAT-62).
        assert_eq!(text(|out| json_summary(&summary(vec![]), out)), format!("{head}]}}\r\n"));
    }

    #[test]
    fn a_body_is_appended() {
        let mut out = b"before".to_vec();
        json_channel(&info(b"a"), &mut out);
        assert!(out.starts_with(b"before{\"channel\""));
    }

    fn any_channel() -> impl Strategy<Value = (Vec<u8>, u64, u64, u64)> {
        any::<(Vec<u8>, u64, u64, u64)>()
    }

    fn view((id, published, stored, subscribers): &(Vec<u8>, u64, u64, u64)) -> ChannelInfo<'_> {
        ChannelInfo { id, published: *published, stored: *stored, subscribers: *subscribers }
    }

    fn expected(channel: &ChannelInfo<'_>) -> Value {
        json!({
            "channel": String::from_utf8_lossy(channel.id),
            "published_messages": channel.published,
            "stored_messages": channel.stored,
            "subscribers": channel.subscribers,
        })
    }

    proptest! {
        #[test]
        fn any_channel_parses_back(channel in any_channel()) {
            // STAT-41, STAT-44, PUB-67
            let body = text(|out| json_channel(&view(&channel), out));
            let value: Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(value, expected(&view(&channel)));
            prop_assert_eq!(body.matches('\n').count(), 1);
        }

        #[test]
        fn any_group_parses_back(
            hostname: Vec<u8>,
            channels in prop::collection::vec(any_channel(), 0..5),
        ) {
            // STAT-41, STAT-63, PUB-67
            let head = GroupHead { hostname: &hostname, ..HEAD };
            let body = text(|out| json_group(&head, channels.iter().map(view), out));
            let value: Value = serde_json::from_str(&body).unwrap();
            let infos: Vec<_> = channels.iter().map(view).map(|info| expected(&info)).collect();
            prop_assert_eq!(&value["infos"], &Value::from(infos));
            prop_assert_eq!(&value["hostname"], &json!(String::from_utf8_lossy(&hostname)));
            prop_assert_eq!(body.matches("\r\n").count(), 2 + channels.len());
        }

        #[test]
        fn any_summary_parses_back(
            numbers: [u64; 6],
            workers in prop::collection::vec(any::<(u64, u64, u64)>(), 0..5),
        ) {
            // STAT-36, STAT-44, STAT-62
            let [published, stored, messages_in_trash, channels_in_delete, channels_in_trash,
                 subscribers] = numbers;
            let workers = workers
                .into_iter()
                .map(|(pid, subscribers, uptime)| WorkerInfo { pid, subscribers, uptime })
                .collect();
            let summary = Summary { head: HEAD, published, stored, messages_in_trash,
                channels_in_delete, channels_in_trash, subscribers, workers };
            let body = text(|out| json_summary(&summary, out));
            let value: Value = serde_json::from_str(&body).unwrap();
            let by_worker: Vec<_> = summary.workers.iter().map(|worker| json!({
                "pid": worker.pid.to_string(),
                "subscribers": worker.subscribers,
                "uptime": worker.uptime,
            })).collect();
            prop_assert_eq!(value, json!({
                "hostname": "box",
                "time": "2026-11-21T19:25:29",
                "channels": 3,
                "wildcard_channels": 1,
                "published_messages": published,
                "stored_messages": stored,
                "messages_in_trash": messages_in_trash,
                "channels_in_delete": channels_in_delete,
                "channels_in_trash": channels_in_trash,
                "subscribers": subscribers,
                "uptime": 60,
                "by_worker": by_worker,
            }));
        }
    }
}

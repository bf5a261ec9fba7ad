//! JSON.

use super::counters::{ChannelInfo, GroupHead, Summary};
use super::encoder::{Encoder, append, append_number};
use crate::protocol::{date, json};

pub struct Json;

impl Encoder for Json {
    fn channel(&self, channel: &ChannelInfo<'_>, out: &mut Vec<u8>) {
        self.item(channel, out);
        append(out, &["\r\n"]);
    }

    fn begin(&self, head: &GroupHead<'_>, out: &mut Vec<u8>) {
        append_name_and_time(head, out);
        append_fields(&head.numbers(), out);
        append(out, &[", \"infos\": [\r\n"]);
    }

    fn item(&self, channel: &ChannelInfo<'_>, out: &mut Vec<u8>) {
        append(out, &["{\"channel\": "]);
        json::append_string(channel.id, out);
        append(out, &[", "]);
        append_fields(&channel.numbers(), out);
        append(out, &["}"]);
    }

    fn between(&self) -> &'static [u8] {
        b",\r\n"
    }

    fn end(&self, empty: bool, out: &mut Vec<u8>) {
        append(out, &[if empty { "" } else { "\r\n" }, "]}\r\n"]);
    }

    fn summary(&self, summary: &Summary<'_>, out: &mut Vec<u8>) {
        append_name_and_time(&summary.head, out);
        append_fields(&summary.numbers(), out);
        append(out, &[", \"by_worker\": [\r\n"]);
        for (i, worker) in summary.workers.iter().enumerate() {
            append(out, &[if i == 0 { "" } else { ",\r\n" }]);
            // Clients know the pid as a string (STAT-37).
            append_number(out, &["{\"pid\": \""], worker.pid, "\", ");
            append_fields(&worker.numbers(), out);
            append(out, &["}"]);
        }
        self.end(summary.workers.is_empty(), out);
    }
}

fn append_name_and_time(head: &GroupHead<'_>, out: &mut Vec<u8>) {
    append(out, &["{\"hostname\": "]);
    json::append_string(head.hostname, out);
    append(out, &[", \"time\": \""]);
    date::append_iso(head.time, out);
    append(out, &["\", "]);
}

fn append_fields(numbers: &[(&str, u64)], out: &mut Vec<u8>) {
    for (i, (name, number)) in numbers.iter().enumerate() {
        let between = if i == 0 { "" } else { ", " };
        append_number(out, &[between, "\"", name, "\": "], *number, "");
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
    use serde_json::{Value, json};

    #[test]
    fn one_channel() {
        // PUB-58, STAT-29
        assert_eq!(
            text(|out| Format::Json.channel(&info(b"news"), out)),
            concat!(
                r#"{"channel": "news", "published_messages": 5, "#,
                r#""stored_messages": 2, "subscribers": 1}"#,
                "\r\n"
            )
        );
    }

    const GROUP_HEAD: &str = concat!(
        r#"{"hostname": "box", "time": "2026-11-21T19:25:29", "channels": 3, "#,
        r#""wildcard_channels": 1, "uptime": 60, "infos": ["#,
        "\r\n"
    );

    #[test]
    fn several_channels() {
        // PUB-62, STAT-30, STAT-43
        let items = concat!(
            r#"{"channel": "a", "published_messages": 5, "stored_messages": 2, "subscribers": 1},"#,
            "\r\n",
            r#"{"channel": "b", "published_messages": 5, "stored_messages": 2, "subscribers": 1}"#,
            "\r\n]}\r\n"
        );
        let body = text(|out| Format::Json.group(&HEAD, [info(b"a"), info(b"b")], out));
        assert_eq!(body, format!("{GROUP_HEAD}{items}"));
    }

    #[test]
    fn an_empty_group() {
        // STAT-10, STAT-31
        let body = text(|out| Format::Json.group(&HEAD, [], out));
        assert_eq!(body, format!("{GROUP_HEAD}]}}\r\n"));
    }

    #[test]
    fn the_zone() {
        // STAT-36, STAT-37
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
        let body = |workers| text(|out| Format::Json.summary(&summary(workers), out));
        assert_eq!(body(two_workers()), format!("{head}{items}]}}\r\n"));
        // Without workers there is no separator to get wrong (STAT-62).
        assert_eq!(body(vec![]), format!("{head}]}}\r\n"));
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
            let body = text(|out| Format::Json.channel(&channel.info(), out));
            let value: Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(value, expected(&channel.info()));
            prop_assert_eq!(body.matches('\n').count(), 1);
        }

        #[test]
        fn any_group_parses_back(hostname: Vec<u8>, channels in any_channels()) {
            // STAT-41, STAT-63, PUB-67
            let head = GroupHead { hostname: &hostname, ..HEAD };
            let infos = channels.iter().map(|channel| channel.info());
            let body = text(|out| Format::Json.group(&head, infos.clone(), out));
            let value: Value = serde_json::from_str(&body).unwrap();
            let infos: Vec<_> = infos.map(|info| expected(&info)).collect();
            prop_assert_eq!(&value["infos"], &Value::from(infos));
            prop_assert_eq!(&value["hostname"], &json!(String::from_utf8_lossy(&hostname)));
            prop_assert_eq!(body.matches("\r\n").count(), 2 + channels.len());
        }

        #[test]
        fn any_summary_parses_back(summary in any_summary()) {
            // STAT-36, STAT-44, STAT-62
            let body = text(|out| Format::Json.summary(&summary, out));
            let value: Value = serde_json::from_str(&body).unwrap();
            let by_worker: Vec<_> = summary.workers.iter().map(|worker| json!({
                "pid": worker.pid.to_string(),
                "subscribers": worker.subscribers,
                "uptime": worker.uptime,
            })).collect();
            prop_assert_eq!(value, json!({
                "hostname": "box",
                "time": "2026-11-21T19:25:29",
                "channels": summary.head.channels,
                "wildcard_channels": summary.head.wildcard_channels,
                "published_messages": summary.published,
                "stored_messages": summary.stored,
                "messages_in_trash": summary.messages_in_trash,
                "channels_in_delete": summary.channels_in_delete,
                "channels_in_trash": summary.channels_in_trash,
                "subscribers": summary.subscribers,
                "uptime": summary.head.uptime,
                "by_worker": by_worker,
            }));
        }
    }
}

//! The bodies that tell about channels: answers of publisher and statistics locations.
//!
//! Clients see these bytes; spaces and line ends are part of each format. One file a format, each with
//! the shapes of [`Encoder`].

mod json;
mod plain;
#[cfg(test)]
mod samples;
mod xml;
mod yaml;

use super::reserve;

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

impl Summary<'_> {
    /// The zone's numbers under the names and in the order of all formats (STAT-36..40).
    fn numbers(&self) -> [(&'static str, u64); 9] {
        [
            ("channels", self.head.channels),
            ("wildcard_channels", self.head.wildcard_channels),
            ("published_messages", self.published),
            ("stored_messages", self.stored),
            ("messages_in_trash", self.messages_in_trash),
            ("channels_in_delete", self.channels_in_delete),
            ("channels_in_trash", self.channels_in_trash),
            ("subscribers", self.subscribers),
            ("uptime", self.head.uptime),
        ]
    }
}

/// How channels are written; `accept` chooses (STAT-28).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Plain,
    Yaml,
    Xml,
}

impl Format {
    /// Appends one channel alone (PUB-58..61, STAT-29).
    pub fn channel(self, channel: &ChannelInfo<'_>, out: &mut Vec<u8>) {
        self.encoder().channel(channel, out);
    }

    /// Appends several channels, or none, whose counters are all at hand (PUB-62..65, STAT-30..34).
    pub fn group<'a>(
        self,
        head: &GroupHead<'_>,
        channels: impl IntoIterator<Item = ChannelInfo<'a>>,
        out: &mut Vec<u8>,
    ) {
        let mut group = Group::begin(self, head, out);
        for channel in channels {
            group.push(&channel);
        }
        group.finish();
    }

    /// Appends the whole zone (STAT-36..40).
    pub fn summary(self, summary: &Summary<'_>, out: &mut Vec<u8>) {
        self.encoder().summary(summary, out);
    }

    fn encoder(self) -> &'static dyn Encoder {
        match self {
            Self::Json => &json::Json,
            Self::Plain => &plain::Plain,
            Self::Yaml => &yaml::Yaml,
            Self::Xml => &xml::Xml,
        }
    }
}

/// The most bytes of a channel in any format, but for its id.
const MOST_OF_ITEM: usize = 512;
/// The most that a byte of an id becomes.
const MOST_OF_BYTE: usize = 6;

/// Several channels, written as they are found (PUB-62..65, STAT-30..34, STAT-64).
#[must_use = "a group that is not finished is cut short"]
pub struct Group<'a> {
    encoder: &'static dyn Encoder,
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Group<'a> {
    pub fn begin(format: Format, head: &GroupHead<'_>, out: &'a mut Vec<u8>) -> Self {
        let encoder = format.encoder();
        encoder.begin(head, out);
        Self { encoder, out, empty: true }
    }

    pub fn push(&mut self, channel: &ChannelInfo<'_>) {
        if !self.empty {
            self.out.extend_from_slice(self.encoder.between());
        }
        self.empty = false;
        reserve::more(self.out, MOST_OF_ITEM + MOST_OF_BYTE * channel.id.len());
        self.encoder.item(channel, self.out);
    }

    pub fn finish(self) {
        self.encoder.end(self.empty, self.out);
    }
}

/// The shapes of one format. What is appended has its exact size, whatever the numbers (STAT-63).
trait Encoder {
    /// One channel alone.
    fn channel(&self, channel: &ChannelInfo<'_>, out: &mut Vec<u8>);
    /// What stands before the channels of a group.
    fn begin(&self, head: &GroupHead<'_>, out: &mut Vec<u8>);
    /// One channel of a group.
    fn item(&self, channel: &ChannelInfo<'_>, out: &mut Vec<u8>);
    /// What stands between two channels of a group.
    fn between(&self) -> &'static [u8];
    /// What stands after the channels of a group, or in their place.
    fn end(&self, empty: bool, out: &mut Vec<u8>);
    /// The zone.
    fn summary(&self, summary: &Summary<'_>, out: &mut Vec<u8>);
}

/// Appends the parts one after another.
pub(super) fn append(out: &mut Vec<u8>, parts: &[&str]) {
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
}

/// Appends a number, unsigned and decimal, between two texts (STAT-44).
pub(super) fn append_number(out: &mut Vec<u8>, before: &[&str], number: u64, after: &str) {
    append(out, before);
    append(out, &[itoa::Buffer::new().format(number), after]);
}

#[cfg(test)]
mod tests {
    use super::samples::{HEAD, info, text};
    use super::*;

    #[test]
    fn a_body_is_appended() {
        for format in [Format::Json, Format::Plain, Format::Yaml, Format::Xml] {
            let mut out = b"before".to_vec();
            format.channel(&info(b"a"), &mut out);
            assert_eq!(
                out,
                [b"before", text(|out| format.channel(&info(b"a"), out)).as_bytes()].concat()
            );
        }
    }

    #[test]
    fn the_most_that_a_channel_becomes() {
        let most = u64::MAX;
        for format in [Format::Json, Format::Plain, Format::Yaml, Format::Xml] {
            for byte in 0..=u8::MAX {
                let id = [byte; 1000];
                let info =
                    ChannelInfo { id: &id, published: most, stored: most, subscribers: most };
                let mut out = Vec::new();
                format.encoder().item(&info, &mut out);
                out.extend_from_slice(format.encoder().between());
                assert!(out.len() <= MOST_OF_ITEM + MOST_OF_BYTE * id.len(), "{byte}");
            }
        }
    }

    #[test]
    fn a_list_in_parts_is_the_same_list() {
        // STAT-64
        for format in [Format::Json, Format::Plain, Format::Yaml, Format::Xml] {
            for count in 0..4 {
                let channels = [info(b"a"), info(b"b"), info(b"c")];
                let whole = text(|out| {
                    format.group(&HEAD, channels.into_iter().take(count), out);
                });
                let parts = text(|out| {
                    let mut group = Group::begin(format, &HEAD, out);
                    channels.iter().take(count).for_each(|channel| group.push(channel));
                    group.finish();
                });
                assert_eq!(whole, parts);
            }
        }
    }
}

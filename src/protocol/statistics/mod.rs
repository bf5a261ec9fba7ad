//! The bodies that tell about channels: answers of publisher and statistics locations.
//!
//! Clients see these bytes; spaces and line ends are part of each format. One file a format, each with
//! the shapes of `encoder.rs`.

mod counters;
mod encoder;
mod json;
mod plain;
#[cfg(test)]
mod samples;
mod xml;
mod yaml;

pub use self::counters::{ChannelInfo, GroupHead, Summary, WorkerInfo};
use self::encoder::Encoder;
pub(super) use self::encoder::{append, append_number};
use super::reserve;

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

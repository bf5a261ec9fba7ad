//! What every format has to be able to write.

use super::counters::{ChannelInfo, GroupHead, Summary};

/// The shapes of one format. What is appended has its exact size, whatever the numbers (STAT-63).
pub(super) trait Encoder {
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
pub(in crate::protocol) fn append(out: &mut Vec<u8>, parts: &[&str]) {
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
}

/// Appends a number, unsigned and decimal, between two texts (STAT-44).
pub(in crate::protocol) fn append_number(
    out: &mut Vec<u8>,
    before: &[&str],
    number: u64,
    after: &str,
) {
    append(out, before);
    append(out, &[itoa::Buffer::new().format(number), after]);
}

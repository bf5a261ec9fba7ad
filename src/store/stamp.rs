//! The zone-wide (second, tag): a position in the one order of all messages (OLD-7, PUB-71).

use super::section::Section;

/// When a message was published: unix seconds, and its number within that second over all channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp {
    pub second: u64,
    pub tag: u32,
}

impl Section<'_> {
    /// The next stamp. A clock that stands still or steps back only lets the tag grow (OLD-19, PUB-73).
    pub fn next_stamp(&self, now: u64) -> Stamp {
        let root = self.root();
        let second = root.stamp_second.get();
        if now > second {
            self.set64(&root.stamp_second, now);
            self.set(&root.stamp_tag, 1);
            return Stamp { second: now, tag: 1 };
        }
        let tag = root.stamp_tag.get() + 1;
        self.set(&root.stamp_tag, tag);
        Stamp { second, tag }
    }
}

//! The zone-wide (second, tag): a position in the one order of all messages (OLD-7, PUB-71).

use super::layout::Channel;
use super::memory::Ref;
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

    /// The stamp of a channel's newest message, stored or not; of its end, when it was deleted.
    pub fn last_stamp(&self, channel: Ref<Channel>) -> Stamp {
        let c = self.at(channel);
        Stamp { second: c.last_second.get(), tag: c.last_tag.get() }
    }

    /// The stamp of the newest message.
    pub fn newest_stamp(&self) -> Stamp {
        let root = self.root();
        Stamp { second: root.stamp_second.get(), tag: root.stamp_tag.get() }
    }

    /// Somebody is told that this second has come: from now on no message is stamped with an earlier one,
    /// whatever the clock does.
    pub fn reach_second(&self, now: u64) {
        let root = self.root();
        if now > root.stamp_second.get() {
            self.set64(&root.stamp_second, now);
            self.set(&root.stamp_tag, 0);
        }
    }
}

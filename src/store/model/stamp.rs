//! The zone-wide (second, tag): a position in the one order of all messages (OLD-7, PUB-71).

use crate::store::ground::layout::Channel;
use crate::store::ground::memory::Ref;
use crate::store::transaction::Transaction;
use crate::store::zone::Zone;

/// Tags that the zones before may have given out in one second.
const TAGS_BEFORE: u32 = 1 << 24;

/// When a message was published: unix seconds, and its number within that second over all channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp {
    pub second: u64,
    pub tag: u32,
}

impl Zone {
    /// This new zone takes the place of another, whose clients come here with what they were told there: what
    /// is published in the second that has begun comes after that.
    pub fn come_after_another(&self, now: u64) {
        let tx = self.begin();
        tx.reach_second(now);
        tx.set(&tx.root().stamp_tag, TAGS_BEFORE);
        tx.commit();
    }
}

impl Transaction<'_> {
    /// The next stamp, later than all before. A wall clock that stands still or is set back only lets the
    /// tag grow (OLD-19, PUB-73), and the second when no tag is left.
    pub fn next_stamp(&self, now: u64) -> Stamp {
        let root = self.root();
        let now = self.wall(now);
        let second = root.stamp_second.get();
        let next = match root.stamp_tag.get().checked_add(1) {
            _ if now > second => Stamp { second: now, tag: 1 },
            Some(tag) => Stamp { second, tag },
            None => Stamp { second: second + 1, tag: 1 },
        };
        self.set64(&root.stamp_second, next.second);
        self.set(&root.stamp_tag, next.tag);
        next
    }

    /// The stamp of a channel's newest message, stored or not; of its end, when it was deleted.
    pub fn last_stamp(&self, channel: Ref<Channel>) -> Stamp {
        let c = self.at(channel);
        Stamp { second: c.last_second.get(), tag: c.last_tag.get() }
    }

    /// The stamp of a channel's newest message that was removed from its history.
    pub fn removed_stamp(&self, channel: Ref<Channel>) -> Stamp {
        let c = self.at(channel);
        Stamp { second: c.removed_second.get(), tag: c.removed_tag.get() }
    }

    /// The stamp of the newest message.
    pub fn newest_stamp(&self) -> Stamp {
        let root = self.root();
        Stamp { second: root.stamp_second.get(), tag: root.stamp_tag.get() }
    }

    /// A client says that it has had all of this second: if that can be, it counts as told.
    pub fn accept_second(&self, time: Option<u64>, now: u64) {
        let reached = self.root().stamp_second.get();
        if time.is_some_and(|time| time > reached && time <= self.wall(now)) {
            self.reach_second(now);
            self.commit();
        }
    }

    /// Somebody is told that the present second of the wall clock has come: from now on no message is
    /// stamped with an earlier one, whatever that clock does.
    pub fn reach_second(&self, now: u64) {
        let root = self.root();
        let now = self.wall(now);
        if now > root.stamp_second.get() {
            self.set64(&root.stamp_second, now);
            self.set(&root.stamp_tag, 0);
        }
    }
}

//! Lists ordered by due time, in which adding and removing cost the same however many items wait.
//!
//! With one ttl in force, due times come in order and one list would do. A reload that shortens the ttl
//! brings earlier ones after later ones; they go to another lane, so that each lane stays in order and
//! the earliest of all is at one of a few heads. An item goes to the fitting lane whose newest is
//! latest. Only if every lane already holds something later (the ttl shortened eight times within
//! itself) does an item wait behind a later one, at most as long as that one does.

use super::layout::{Channel, ChannelFlags, Lanes, Message, MessageFlags};
use super::list::{ByDeadline, ByExpiry, Through};
use super::memory::{Cell32, Ref};
use super::section::Section;

const LANE_SHIFT: u32 = 8;
const LANE_MASK: u32 = 0xff << LANE_SHIFT;

/// Items that wait in lanes.
pub trait Waiting: Through {
    const IN_LANE: u32;
    fn due(item: &Self::Item) -> u64;
    fn flags(item: &Self::Item) -> &Cell32;
}

impl Waiting for ByDeadline {
    const IN_LANE: u32 = ChannelFlags::IN_LANE.bits();
    fn due(item: &Channel) -> u64 {
        item.deadline.get()
    }
    fn flags(item: &Channel) -> &Cell32 {
        &item.flags
    }
}

impl Waiting for ByExpiry {
    const IN_LANE: u32 = MessageFlags::IN_LANE.bits();
    fn due(item: &Message) -> u64 {
        u64::from(item.expires.get())
    }
    fn flags(item: &Message) -> &Cell32 {
        &item.flags
    }
}

impl Section<'_> {
    pub fn enqueue<L: Waiting>(&self, lanes: &Lanes<L::Item>, item: Ref<L::Item>) {
        let due = L::due(self.at(item));
        let last_due = |lane: usize| lanes.0[lane].tail.get().map(|tail| L::due(self.at(tail)));
        let count = lanes.0.len();
        let fitting = (0..count)
            .filter(|&lane| last_due(lane).is_none_or(|last| last <= due))
            .max_by_key(|&lane| last_due(lane));
        let lane = match fitting {
            Some(lane) => lane,
            None => (0..count).min_by_key(|&lane| last_due(lane)).unwrap_or(0),
        };
        self.enter_lane::<L>(item, lane);
        self.push_back::<L>(&lanes.0[lane], item);
    }

    /// Puts an item that is due already before all others.
    pub fn enqueue_first<L: Waiting>(&self, lanes: &Lanes<L::Item>, item: Ref<L::Item>) {
        self.enter_lane::<L>(item, 0);
        self.push_front::<L>(&lanes.0[0], item);
    }

    fn enter_lane<L: Waiting>(&self, item: Ref<L::Item>, lane: usize) {
        let flags = L::flags(self.at(item));
        self.set(flags, flags.get() & !LANE_MASK | L::IN_LANE | (lane as u32) << LANE_SHIFT);
    }

    /// Takes the item out of its lane, if it is in one.
    pub fn dequeue<L: Waiting>(&self, lanes: &Lanes<L::Item>, item: Ref<L::Item>) {
        let flags = L::flags(self.at(item));
        if flags.get() & L::IN_LANE != 0 {
            self.unlink::<L>(&lanes.0[lane_of(flags.get())], item);
            self.set(flags, flags.get() & !(L::IN_LANE | LANE_MASK));
        }
    }

    /// An item that is due, if there is one.
    pub fn first_due<L: Waiting>(&self, lanes: &Lanes<L::Item>, now: u64) -> Option<Ref<L::Item>> {
        lanes.0.iter().filter_map(|lane| lane.head.get()).find(|&head| L::due(self.at(head)) <= now)
    }
}

/// Which lane flags name.
pub fn lane_of(flags: u32) -> usize {
    ((flags & LANE_MASK) >> LANE_SHIFT) as usize
}

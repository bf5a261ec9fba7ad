//! Lists ordered by due time, in which adding and removing cost the same however many items wait.
//!
//! With one ttl in force, due times come in order and one list would do. A reload that shortens the ttl
//! brings earlier ones after later ones; they go to another queue, so that each queue stays in order and
//! the earliest of all is at one of a few heads. An item goes to the fitting queue whose newest is
//! latest. Only if every queue already holds something later (the ttl shortened eight times within
//! itself) does an item wait behind a later one, at most as long as that one does.

use crate::store::ground::layout::{Channel, ChannelFlags, ExpiryQueues, Message, MessageFlags};
use crate::store::ground::memory::{Cell32, Ref};
use crate::store::transaction::Transaction;
use crate::store::transaction::list::{ByDeadline, ByExpiry, ListTag};

const QUEUE_SHIFT: u32 = 8;
const QUEUE_MASK: u32 = 0xff << QUEUE_SHIFT;

/// Items that wait in queues.
pub trait Waiting: ListTag {
    const IN_QUEUE: u32;
    fn due(item: &Self::Item) -> u64;
    fn flags(item: &Self::Item) -> &Cell32;
}

impl Waiting for ByDeadline {
    const IN_QUEUE: u32 = ChannelFlags::IN_QUEUE.bits();
    fn due(item: &Channel) -> u64 {
        item.deadline.get()
    }
    fn flags(item: &Channel) -> &Cell32 {
        &item.flags
    }
}

impl Waiting for ByExpiry {
    const IN_QUEUE: u32 = MessageFlags::IN_QUEUE.bits();
    fn due(item: &Message) -> u64 {
        u64::from(item.expires.get())
    }
    fn flags(item: &Message) -> &Cell32 {
        &item.flags
    }
}

impl Transaction<'_> {
    pub fn enqueue<L: Waiting>(&self, queues: &ExpiryQueues<L::Item>, item: Ref<L::Item>) {
        let due = L::due(self.at(item));
        let last_due = |queue: usize| queues.0[queue].tail.get().map(|tail| L::due(self.at(tail)));
        let count = queues.0.len();
        let fitting = (0..count)
            .filter(|&queue| last_due(queue).is_none_or(|last| last <= due))
            .max_by_key(|&queue| last_due(queue));
        let queue = match fitting {
            Some(queue) => queue,
            None => (0..count).min_by_key(|&queue| last_due(queue)).unwrap_or(0),
        };
        self.enter_queue::<L>(item, queue);
        self.push_back::<L>(&queues.0[queue], item);
    }

    /// Puts an item that is due already before all others.
    pub fn enqueue_first<L: Waiting>(&self, queues: &ExpiryQueues<L::Item>, item: Ref<L::Item>) {
        self.enter_queue::<L>(item, 0);
        self.push_front::<L>(&queues.0[0], item);
    }

    fn enter_queue<L: Waiting>(&self, item: Ref<L::Item>, queue: usize) {
        let flags = L::flags(self.at(item));
        self.set(flags, flags.get() & !QUEUE_MASK | L::IN_QUEUE | (queue as u32) << QUEUE_SHIFT);
    }

    /// Takes the item out of its queue, if it is in one.
    pub fn dequeue<L: Waiting>(&self, queues: &ExpiryQueues<L::Item>, item: Ref<L::Item>) {
        let flags = L::flags(self.at(item));
        if flags.get() & L::IN_QUEUE != 0 {
            self.unlink::<L>(&queues.0[queue_of(flags.get())], item);
            self.set(flags, flags.get() & !(L::IN_QUEUE | QUEUE_MASK));
        }
    }

    /// An item that is due, if there is one.
    pub fn first_due<L: Waiting>(
        &self,
        queues: &ExpiryQueues<L::Item>,
        now: u64,
    ) -> Option<Ref<L::Item>> {
        queues
            .0
            .iter()
            .filter_map(|queue| queue.head.get())
            .find(|&head| L::due(self.at(head)) <= now)
    }
}

/// Which queue flags name.
pub fn queue_of(flags: u32) -> usize {
    ((flags & QUEUE_MASK) >> QUEUE_SHIFT) as usize
}

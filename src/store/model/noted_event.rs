//! Events that a step notes, for whoever commits it to publish (`operations/events.rs`).

use crate::store::ground::layout::{Channel, ChannelFlags};
use crate::store::ground::memory::Ref;
use crate::store::model::event::Event;
use crate::store::model::message::seconds;
use crate::store::model::parts::Parts;
use crate::store::transaction::Transaction;
use crate::store::transaction::list::InHistory;

impl Transaction<'_> {
    /// There is an events channel.
    pub fn tells(&self) -> bool {
        self.root().events.get().is_some()
    }

    /// Whether this is the id of the events channel.
    pub fn names_events(&self, id: &[u8]) -> bool {
        self.root().events.get().is_some_and(|channel| self.channel_id(channel) == id)
    }

    pub fn is_events(&self, channel: Ref<Channel>) -> bool {
        self.at(channel).flags().contains(ChannelFlags::EVENTS)
    }

    /// Notes an event of the open step, which has freed nothing yet. Without room for it, it is dropped and counted
    /// (EVT-14): a step that may fail finds that out and is tried again (`Transaction::made_room`), before one that may
    /// not room is made (`Transaction::make_room_for_events`).
    #[inline]
    pub fn record_event(&self, event: Event, channel: Ref<Channel>, now: u64) {
        if self.tells() {
            self.record_some_event(event, channel, now);
        }
    }

    #[cold]
    fn record_some_event(&self, event: Event, channel: Ref<Channel>, now: u64) {
        if self.is_events(channel) {
            return;
        }
        let root = self.root();
        let text = event.text(self.channel_id(channel));
        let kind = Some(event.name().as_bytes());
        let parts = Parts { text: &[&text], event_type: kind, ..Parts::default() };
        // An allocation that fails has changed nothing.
        let Ok(message) = self.new_message(&parts) else {
            self.note_untold();
            return self.add64(&root.events_dropped, 1);
        };
        // SAFETY: just allocated in this step, not yet in any list.
        unsafe { parts.copy_to(self.memory(), message) };
        let m = self.at(message);
        m.second.store(seconds(now));
        m.expires.store(seconds(now + root.events_ttl.get()));
        self.push_back::<InHistory>(&root.noted, message);
    }
}

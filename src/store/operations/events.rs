//! The events channel: what happens to all other channels, told as stored messages of one channel.
//!
//! **Told with the step it tells of.** A step that creates or removes a channel or a subscription *notes*
//! the event: the finished message joins a list of the root, before the step frees anything, and commits
//! with it. Whoever commits the step publishes what is noted (`commit_and_publish`) under the same hold of the lock:
//! stamp, id, history and mailbox entries of an event are one step in which it leaves the list. A process
//! killed between the two leaves the list to the next one that takes the lock (`Zone::begin`), so an event
//! is neither lost nor told twice, and nothing overtakes it. An operation that fails on the way takes
//! back what it did step by step, and that is told as well: created and destroyed, subscribed and
//! unsubscribed balance at any moment.
//!
//! **Never in the way.** An event for which there is no room, as a message or in a mailbox, is dropped and
//! counted (EVT-14); what it would have told happens all the same. Where the oldest messages make room, a step
//! that may fail is tried again with more of it (`evict.rs`), and one that may not has it made before the step
//! begins (`make_room_for_events`). Without an events channel all of this is one look at a link of the root.
//!
//! **Who owns what.** The root names the events channel; the index owns it as it does any other. It has no
//! inactivity period (EVT-3), tells nothing about itself (EVT-11), refuses publishers and DELETE, and its
//! messages are not in the zone's totals (EVT-13). A noted event belongs to the list of the root, later to
//! the history and to mailboxes like any message. The settings that the channel obeys are in the root too.
//!
//! **Which configuration decides.** The last that took up the zone: `configure_events` moves the name, and
//! from that step on workers of every configuration publish to the one channel and protect it, whatever id
//! their own configuration has. The channel named before is an ordinary one from then on: its messages
//! count in the totals, and its period begins (DIR-195). If there is no room for the new channel, there is
//! none until a worker of that configuration finds some (`retry_events`).

use crate::store::ground::layout::{Channel, ChannelFlags, Message};
use crate::store::ground::memory::Ref;
use crate::store::model::event::Event;
use crate::store::model::limits::Limits;
use crate::store::model::mailbox::Posted;
use crate::store::model::parts::Parts;
use crate::store::operations::evict::message_size;
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::Full;
use crate::store::transaction::list::{InHistory, OfChannel};
use crate::store::zone::Zone;

/// Names the configuration that decides about the events channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventsTurn(u32);

impl Zone {
    /// A new configuration: this is the events channel from now on, created if need be; empty: none
    /// (DIR-186, DIR-195). An error means that there was no room: there is no events channel, until
    /// [`Zone::retry_events`] of this turn finds some. The number of channels is not limited here.
    pub fn configure_events(&self, id: &[u8], limits: &Limits, now: u64) -> Result<(), EventsTurn> {
        let tx = self.begin();
        let root = tx.root();
        let turn = root.events_turn.get().wrapping_add(1);
        let moved = tx.made_room(now, || tx.move_events(id, limits, now));
        if moved.is_err() {
            tx.rollback();
            tx.end_events(limits, now);
        }
        tx.set(&root.events_turn, turn);
        tx.set64(&root.events_ttl, limits.message_ttl);
        let most = limits.max_stored.map_or(0, |most| u32::try_from(most).unwrap_or(0));
        tx.set(&root.events_max_stored, most);
        tx.commit();
        moved.map_err(|Full| EventsTurn(turn))
    }

    /// The configuration that took the zone up last.
    pub fn events_turn(&self) -> EventsTurn {
        EventsTurn(self.geometry.root(&self.memory).events_turn.get())
    }

    /// Tries once more what [`Zone::configure_events`] found no room for. False if it is to be tried
    /// again; true if it is done, or no longer wanted.
    pub fn retry_events(&self, turn: EventsTurn, id: &[u8], limits: &Limits, now: u64) -> bool {
        let tx = self.begin();
        if tx.root().events_turn.get() != turn.0 || tx.tells() {
            return true;
        }
        // An error has changed nothing.
        let done = tx.made_room(now, || tx.begin_events(id, limits, now)).is_ok();
        tx.commit();
        done
    }

    /// Whether this is the id of the events channel, which only the module itself publishes to (EVT-17).
    pub fn is_events_channel(&self, id: &[u8]) -> bool {
        // Most zones have none, and then there is nothing to be locked for.
        if self.geometry.root(&self.memory).events.get().is_none() {
            return false;
        }
        self.begin().names_events(id)
    }
}

impl Transaction<'_> {
    /// Makes room for the events of this channel that a step tells of which is not to fail, two at most, as far as
    /// that can be. Before the step: nothing is uncommitted.
    #[inline]
    pub fn make_room_for_events(&self, channel: Ref<Channel>, now: u64) {
        #[cfg(debug_assertions)]
        assert!(self.is_untouched(), "room is made before a step");
        if self.tells() && !self.is_events(channel) {
            self.make_room_for_two(channel, now);
        }
    }

    #[cold]
    fn make_room_for_two(&self, channel: Ref<Channel>, now: u64) {
        let longest = Event::ClientUnsubscribed;
        let text = longest.text(self.channel_id(channel));
        let kind = Some(longest.name().as_bytes());
        let size = message_size(&Parts { text: &[&text], event_type: kind, ..Parts::default() });
        let event = || self.allocate::<Message>(size).map(drop);
        self.make_room_before(now, || event().and_then(|()| event()));
    }

    /// Makes the step final and publishes the events it noted. The lock is kept.
    #[inline]
    pub fn commit_and_publish(&self) {
        self.commit();
        if self.root().noted.head.get().is_some() {
            self.publish_noted();
        }
    }

    /// Publishes all noted events. Nothing else is uncommitted.
    #[cold]
    pub fn publish_noted(&self) {
        while let Some(message) = self.root().noted.head.get() {
            let told = match self.root().events.get() {
                Some(events) => {
                    let now = u64::from(self.at(message).second.get());
                    self.made_room(now, || self.publish_event(events, message))
                }
                None => Err(Full),
            };
            if let Err(Full) = told {
                self.rollback();
                self.add64(&self.root().events_dropped, 1);
                self.unlink::<InHistory>(&self.root().noted, message);
                self.release(message);
                self.commit();
            }
        }
    }

    fn publish_event(&self, events: Ref<Channel>, message: Ref<Message>) -> Result<(), Full> {
        let c = self.at(events);
        for node in self.items::<OfChannel>(&c.nodes) {
            self.make_mail_room(self.slot_of(node))?;
        }
        let now = u64::from(self.at(message).second.get());
        let stamp = self.next_place(events, now);
        self.unlink::<InHistory>(&self.root().noted, message);
        self.number(events, message, stamp);
        self.enter_history(events, message);
        for node in self.items::<OfChannel>(&c.nodes) {
            let n = self.at(node);
            if self.post(n, message) == Posted::Wake {
                self.wake(n.worker());
            }
        }
        self.release(message);
        self.commit();
        let most = u64::from(self.root().events_max_stored.get());
        self.trim(events, (most != 0).then_some(most), now);
        Ok(())
    }

    /// Not committed; on an error something may have changed.
    fn move_events(&self, id: &[u8], limits: &Limits, now: u64) -> Result<(), Full> {
        let events = self.root().events.get();
        if events.is_some_and(|channel| self.channel_id(channel) == id) {
            return Ok(());
        }
        self.end_events(limits, now);
        if id.is_empty() { Ok(()) } else { self.begin_events(id, limits, now) }
    }

    fn begin_events(&self, id: &[u8], limits: &Limits, now: u64) -> Result<(), Full> {
        let channel = match self.find(id) {
            Some(channel) => channel,
            None => self.create_silently(id, limits, now)?,
        };
        let c = self.at(channel);
        self.stop_waiting(channel);
        self.set(&c.flags, (c.flags() | ChannelFlags::EVENTS).bits());
        self.sub64(&self.root().stored, u64::from(c.stored.get()));
        self.link(&self.root().events, Some(channel));
        Ok(())
    }

    fn end_events(&self, limits: &Limits, now: u64) {
        let Some(channel) = self.root().events.get() else { return };
        let c = self.at(channel);
        self.link(&self.root().events, None);
        self.set(&c.flags, (c.flags() - ChannelFlags::EVENTS).bits());
        self.add64(&self.root().stored, u64::from(c.stored.get()));
        self.touch(channel, limits, now);
    }
}

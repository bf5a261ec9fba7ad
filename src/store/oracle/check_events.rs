//! Adds up what the events tell and compares it with what is there: the tests' other oracle, beside
//! `check.rs`.

use std::collections::HashMap;

use crate::store::ground::layout::{Channel, ChannelFlags, Message};
use crate::store::ground::memory::Ref;
use crate::store::oracle::check::Fault;
use crate::store::transaction::Transaction;
use crate::store::transaction::list::{ByCreation, InHistory};
use crate::store::zone::Zone;

/// What the sum was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventsBalance {
    /// Events that were read.
    pub told: u64,
    /// Events that found no room: the sums may differ by as many.
    pub dropped: u64,
}

/// Of the channels with one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Living {
    channels: i64,
    subscriptions: i64,
}

impl Living {
    fn distance(self, other: Living) -> u64 {
        self.channels.abs_diff(other.channels) + self.subscriptions.abs_diff(other.subscriptions)
    }
}

type ById = HashMap<Vec<u8>, Living>;

impl Zone {
    /// Checks that the events balance: for each id, created less destroyed is the number of channels,
    /// subscribed less unsubscribed that of their subscriptions, at any moment between two transactions. A
    /// deleted channel counts until its last subscriber left. None if events are missing at the start of
    /// the history because they expired, or if the channel was an ordinary one before.
    pub fn check_events(&self) -> Result<Option<EventsBalance>, Fault> {
        let tx = self.begin();
        let Some(events) = tx.root().events.get() else { return Ok(None) };
        let c = tx.at(events);
        if u64::from(c.stored.get()) != c.last_id.get() {
            return Ok(None);
        }
        let dropped = tx.root().events_dropped.get();
        let Some(told) = tx.add_up(events, dropped == 0)? else { return Ok(None) };
        let there = tx.living(events);
        let nothing = Living::default();
        let mut wrong = 0;
        for (id, told) in &told {
            wrong += told.distance(*there.get(id).unwrap_or(&nothing));
        }
        for (_, there) in there.iter().filter(|(id, _)| !told.contains_key(*id)) {
            wrong += there.distance(nothing);
        }
        if wrong > dropped {
            return Err(format!(
                "told {told:?}, there is {there:?}, {dropped} events were dropped"
            ));
        }
        Ok(Some(EventsBalance { told: c.last_id.get(), dropped }))
    }
}

impl Transaction<'_> {
    /// What the events say is there; None if there is another message among them. If no event is missing,
    /// each must make sense where it stands.
    fn add_up(&self, events: Ref<Channel>, strict: bool) -> Result<Option<ById>, Fault> {
        let mut told = ById::new();
        for message in self.items::<InHistory>(&self.at(events).fifo) {
            let m = self.at(message);
            let (type_len, text_len) = (m.event_type_len.get(), m.text_len.get());
            let at = message.offset() + Message::BYTES_AT;
            // SAFETY: a published message, held by the history under this lock. Events have no event id.
            let bytes = unsafe { self.memory().bytes(at, (type_len + text_len) as usize) };
            let (kind, text) = bytes.split_at(type_len as usize);
            if kind.is_empty() {
                return Ok(None);
            }
            let value: serde_json::Value =
                serde_json::from_slice(text).map_err(|error| error.to_string())?;
            let (Some(said), Some(id)) = (value["type"].as_str(), value["channel"].as_str()) else {
                return Err(format!("event {} is {value}", m.id.get()));
            };
            let living = told.entry(id.as_bytes().to_vec()).or_default();
            match said {
                "channel_created" => living.channels += 1,
                "channel_destroyed" => living.channels -= 1,
                "client_subscribed" => living.subscriptions += 1,
                "client_unsubscribed" => living.subscriptions -= 1,
                _ => return Err(format!("event {} is {value}", m.id.get())),
            }
            let possible = living.channels >= 0
                && living.subscriptions >= 0
                && (living.channels > 0 || living.subscriptions == 0);
            if said.as_bytes() != kind || strict && !possible {
                return Err(format!("event {} is {value}: then {living:?}", m.id.get()));
            }
        }
        told.retain(|_, living| *living != Living::default());
        Ok(Some(told))
    }

    fn living(&self, events: Ref<Channel>) -> ById {
        let mut there = ById::new();
        for channel in self.items::<ByCreation>(&self.root().order) {
            let c = self.at(channel);
            let subscriptions = i64::from(c.subscribers.get());
            let exists = !c.flags().contains(ChannelFlags::DELETED) || subscriptions > 0;
            if channel != events && exists {
                let living = there.entry(self.channel_id(channel).to_vec()).or_default();
                living.channels += 1;
                living.subscriptions += subscriptions;
            }
        }
        there
    }
}

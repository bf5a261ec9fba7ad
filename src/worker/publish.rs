//! Publishing and deleting for the request handlers: the store does it, and the workers concerned are
//! woken.

use crate::conf::Main;
use crate::store::{Channel, Limits, Parts, Publish, Published, Ref, SlotId, StoreError};
use crate::worker::state::Worker;
use crate::worker::stuck;

/// Publishes to each of the channels (PUB-46..50).
pub fn publish(
    ids: &[&[u8]],
    parts: &Parts<'_>,
    store: bool,
    main: &Main,
) -> Result<Published, StoreError> {
    let Some(worker) = Worker::current() else { return Err(StoreError::Full) };
    worker.publish(ids, parts, store, &main.limits)
}

/// Deletes a channel; false if there is none. `None`: its subscribers get the configured text (PUB-86).
pub fn delete(id: &[u8], text: Option<&[&[u8]]>) -> bool {
    let Some(worker) = Worker::current() else { return false };
    let context = &worker.context;
    match context.zone.delete(context.me, id, text, context.now()) {
        Some(wake) => {
            worker.wake(&wake);
            worker.tell_evictions(id);
            true
        }
        None => false,
    }
}

/// This worker's place in the zone.
pub fn slot() -> Option<SlotId> {
    Worker::current().map(Worker::me)
}

impl Worker {
    /// Publishes to those of these channels that are still there, or to none (WS-91..97, WS-100).
    pub fn publish_existing(
        &self,
        channels: &[(Ref<Channel>, &[u8])],
        parts: &Parts<'_>,
        store: bool,
    ) -> Result<(), StoreError> {
        let Some((_, first)) = channels.first() else { return Ok(()) };
        let publish = self.order(parts, store, &self.context.main.limits);
        let published = self.context.zone.publish_existing(channels, &publish);
        self.tell_evictions(first);
        self.published(&published?, |channel| channels[channel].1);
        Ok(())
    }

    fn publish(
        &self,
        ids: &[&[u8]],
        parts: &Parts<'_>,
        store: bool,
        limits: &Limits,
    ) -> Result<Published, StoreError> {
        let published = self.context.zone.publish(ids, &self.order(parts, store, limits));
        self.tell_evictions(ids[0]);
        let published = published?;
        self.published(&published, |channel| ids[channel]);
        Ok(published)
    }

    fn order<'p>(&self, parts: &Parts<'p>, store: bool, limits: &'p Limits) -> Publish<'p> {
        let (me, now) = (self.context.me, self.context.now());
        Publish { me, parts: *parts, store, limits, now }
    }

    /// Wakes those who have mail now, and says who does not take it.
    fn published<'a>(&self, published: &Published, id_of: impl Fn(usize) -> &'a [u8]) {
        self.wake(&published.wake);
        for &(slot, channel) in &published.stuck {
            stuck::tell_stuck(self, slot, id_of(channel));
        }
    }
}

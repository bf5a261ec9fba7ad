//! Publishing and deleting for the request handlers: the store does it, and the workers concerned are
//! woken.

use crate::conf::Main;
use crate::ngx_ext::log::warn;
use crate::store::{Channel, Limits, Parts, Publish, Published, Ref, SlotId, StoreError, Wake};
use crate::worker::context::{Worker, now};
use crate::worker::wakeup;

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
    match worker.zone.delete(worker.me, id, text, now()) {
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
    pub(in crate::worker) fn publish_existing(
        &self,
        channels: &[(Ref<Channel>, &[u8])],
        parts: &Parts<'_>,
        store: bool,
    ) -> Result<(), StoreError> {
        let Some((_, first)) = channels.first() else { return Ok(()) };
        let limits = &self.main.limits;
        let publish = Publish { me: self.me, parts: *parts, store, limits, now: now() };
        let published = self.zone.publish_existing(channels, &publish);
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
        let publish = Publish { me: self.me, parts: *parts, store, limits, now: now() };
        let published = self.zone.publish(ids, &publish);
        self.tell_evictions(ids[0]);
        let published = published?;
        self.published(&published, |channel| ids[channel]);
        Ok(published)
    }

    /// Wakes those who have mail now, and says who does not take it.
    fn published<'a>(&self, published: &Published, id_of: impl Fn(usize) -> &'a [u8]) {
        self.wake(&published.wake);
        for &(slot, channel) in &published.stuck {
            self.tell_stuck(slot, id_of(channel));
        }
    }

    /// Wakes the workers that the store says something waits for.
    pub(in crate::worker) fn wake(&self, slots: &Wake) {
        for &slot in slots {
            if slot == self.me {
                self.later.post();
            } else if let Err(error) = wakeup::signal(slot) {
                // It will look by itself.
                warn(format_args!("worker {} cannot be woken: {error}", self.zone.pid_of(slot)));
            }
        }
    }
}

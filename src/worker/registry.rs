//! This worker's subscribers, and on which channels they are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use slab::Slab;

use crate::store::{Channel, Ref, Subscription};
use crate::worker::subscriber::Subscriber;

/// One channel of a subscriber.
pub struct Membership {
    pub subscription: Subscription,
    place: Place,
}

/// A subscriber on a channel: gets the messages from this id on.
struct Entry {
    subscriber: Rc<Subscriber>,
    live_from: u64,
}

/// A channel that this worker has subscribers on.
#[derive(Default)]
pub struct LocalChannel(RefCell<Slab<Entry>>);

/// Where a subscriber is listed on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(usize);

impl LocalChannel {
    /// Calls `each` for every subscriber that is to get the message with this id. Subscribers may come
    /// and go meanwhile: those who come have a later first message.
    pub fn each(&self, id: u64, mut each: impl FnMut(&Rc<Subscriber>)) {
        let mut i = 0;
        loop {
            let subscriber = {
                let entries = self.0.borrow();
                if i >= entries.capacity() {
                    return;
                }
                let entry = entries.get(i).filter(|entry| entry.live_from <= id);
                entry.map(|entry| Rc::clone(&entry.subscriber))
            };
            if let Some(subscriber) = subscriber {
                each(&subscriber);
            }
            i += 1;
        }
    }
}

/// All subscribers of this worker.
#[derive(Default)]
pub struct Registry {
    channels: RefCell<HashMap<Ref<Channel>, Rc<LocalChannel>>>,
    subscribers: RefCell<Slab<Rc<Subscriber>>>,
}

impl Registry {
    pub fn is_empty(&self) -> bool {
        self.subscribers.borrow().is_empty()
    }

    pub fn channel(&self, channel: Ref<Channel>) -> Option<Rc<LocalChannel>> {
        self.channels.borrow().get(&channel).map(Rc::clone)
    }

    /// All subscribers at this moment.
    pub fn all(&self) -> Vec<Rc<Subscriber>> {
        self.subscribers.borrow().iter().map(|(_, subscriber)| Rc::clone(subscriber)).collect()
    }

    /// The first subscriber from this number on that is neither ending nor over, and its number; behind
    /// the last comes the first.
    pub fn next_live(&self, from: usize) -> Option<(usize, Rc<Subscriber>)> {
        let subscribers = self.subscribers.borrow();
        let end = subscribers.capacity();
        (from..end).chain(0..from.min(end)).find_map(|number| {
            let subscriber = subscribers.get(number).filter(|subscriber| subscriber.is_live())?;
            Some((number, Rc::clone(subscriber)))
        })
    }

    /// Lists a new subscriber, as long as it is connected.
    pub fn add(&self, subscriber: &Rc<Subscriber>) {
        let number = self.subscribers.borrow_mut().insert(Rc::clone(subscriber));
        subscriber.number.set(number);
    }

    pub fn remove(&self, subscriber: &Subscriber) {
        let mut subscribers = self.subscribers.borrow_mut();
        if subscribers.try_remove(subscriber.number.replace(usize::MAX)).is_some()
            && subscribers.is_empty()
        {
            *subscribers = Slab::new();
        }
    }

    /// Lists a subscriber on a channel.
    pub fn enter(&self, subscriber: &Rc<Subscriber>, subscription: Subscription) -> Membership {
        let mut channels = self.channels.borrow_mut();
        let mut entries = channels.entry(subscription.channel).or_default().0.borrow_mut();
        let subscriber = Rc::clone(subscriber);
        let place = Place(entries.insert(Entry { subscriber, live_from: subscription.live_from }));
        Membership { subscription, place }
    }

    pub fn leave(&self, membership: &Membership) {
        let mut channels = self.channels.borrow_mut();
        let channel = membership.subscription.channel;
        let Some(local) = channels.get(&channel) else { return };
        let empty = {
            let mut entries = local.0.borrow_mut();
            let entry = entries.try_remove(membership.place.0);
            // Most have gone: now and then, the room behind the last of the others goes too.
            if entries.len() % 64 == 0 && entries.len() < entries.capacity() / 4 {
                entries.shrink_to_fit();
            }
            drop(entry);
            entries.is_empty()
        };
        if empty {
            channels.remove(&channel);
            if channels.is_empty() {
                *channels = HashMap::new();
            }
        }
    }
}

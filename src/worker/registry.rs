//! This worker's subscribers, and on which channels they are. What a subscriber is, is no concern of the registry.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use slab::Slab;

use crate::store::{Channel, Ref, Subscription};

/// One channel of a subscriber.
#[derive(Debug)]
pub struct Membership {
    pub subscription: Subscription,
    place: Place,
}

/// A subscriber on a channel: gets the messages from this id on.
struct Entry<S> {
    subscriber: Rc<S>,
    live_from: u64,
}

/// A channel that this worker has subscribers on.
pub struct LocalChannel<S>(RefCell<Slab<Entry<S>>>);

/// Where a subscriber is listed on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(usize);

impl<S> LocalChannel<S> {
    /// Calls `each` for every subscriber that is to get the message with this id. Subscribers may come
    /// and go meanwhile: those who come have a later first message.
    pub fn each(&self, id: u64, mut each: impl FnMut(&Rc<S>)) {
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
pub struct Registry<S> {
    channels: RefCell<HashMap<Ref<Channel>, Rc<LocalChannel<S>>>>,
    subscribers: RefCell<Slab<Rc<S>>>,
}

impl<S> Default for LocalChannel<S> {
    fn default() -> Self {
        LocalChannel(RefCell::new(Slab::new()))
    }
}

impl<S> Default for Registry<S> {
    fn default() -> Self {
        Registry { channels: RefCell::default(), subscribers: RefCell::default() }
    }
}

impl<S> Registry<S> {
    pub fn is_empty(&self) -> bool {
        self.subscribers.borrow().is_empty()
    }

    pub fn channel(&self, channel: Ref<Channel>) -> Option<Rc<LocalChannel<S>>> {
        self.channels.borrow().get(&channel).map(Rc::clone)
    }

    /// All subscribers at this moment.
    pub fn all(&self) -> Vec<Rc<S>> {
        self.subscribers.borrow().iter().map(|(_, subscriber)| Rc::clone(subscriber)).collect()
    }

    /// The first subscriber from this number on that `is_wanted`, and its number; behind the last comes the
    /// first.
    pub fn next(&self, from: usize, is_wanted: impl Fn(&S) -> bool) -> Option<(usize, Rc<S>)> {
        let subscribers = self.subscribers.borrow();
        let end = subscribers.capacity();
        (from..end).chain(0..from.min(end)).find_map(|number| {
            let subscriber = subscribers.get(number).filter(|subscriber| is_wanted(subscriber))?;
            Some((number, Rc::clone(subscriber)))
        })
    }

    /// Lists a new subscriber, as long as it is connected; its number.
    pub fn add(&self, subscriber: &Rc<S>) -> usize {
        self.subscribers.borrow_mut().insert(Rc::clone(subscriber))
    }

    /// Strikes out the subscriber with this number, if there is one.
    pub fn remove(&self, number: usize) {
        let mut subscribers = self.subscribers.borrow_mut();
        if subscribers.try_remove(number).is_some() && subscribers.is_empty() {
            *subscribers = Slab::new();
        }
    }

    /// Lists a subscriber on a channel.
    pub fn enter(&self, subscriber: &Rc<S>, subscription: Subscription) -> Membership {
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

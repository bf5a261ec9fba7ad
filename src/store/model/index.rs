//! Channels by id. The table is sized with the zone, so it never rehashes and a look-up costs the same
//! whatever the number of channels.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::store::ground::layout::Channel;
use crate::store::ground::memory::{Cell32, Ref, raw};
use crate::store::transaction::Transaction;

impl Transaction<'_> {
    /// The id, which never changes.
    pub fn channel_id(&self, channel: Ref<Channel>) -> &[u8] {
        let c = self.at(channel);
        // SAFETY: written before the channel was indexed, never after; the caller found the channel
        // under this lock or holds it.
        unsafe { self.memory().bytes(channel.offset() + Channel::ID_AT, c.id_len.get() as usize) }
    }

    /// Keyed with the zone's own secret: nobody can aim ids at one bucket.
    pub fn hash(&self, id: &[u8]) -> u32 {
        let [k0, k1] = &self.root().hash_keys;
        let mut hasher = SipHasher13::new_with_keys(k0.get(), k1.get());
        hasher.write(id);
        hasher.finish() as u32
    }

    fn bucket(&self, hash: u32) -> &Cell32 {
        let buckets = self.geometry().buckets(self.memory());
        &buckets[hash as usize & (buckets.len() - 1)]
    }

    /// The living channel with this id.
    pub fn find(&self, id: &[u8]) -> Option<Ref<Channel>> {
        self.find_hashed(id, self.hash(id))
    }

    pub fn find_hashed(&self, id: &[u8], hash: u32) -> Option<Ref<Channel>> {
        let mut next = Ref::from_raw(self.bucket(hash).get());
        while let Some(channel) = next {
            let c = self.at::<Channel>(channel);
            if c.hash.get() == hash && self.channel_id(channel) == id {
                return Some(channel);
            }
            next = c.hash_next.get();
        }
        None
    }

    pub fn index(&self, channel: Ref<Channel>) {
        let c = self.at(channel);
        let bucket = self.bucket(c.hash.get());
        self.link(&c.hash_next, Ref::from_raw(bucket.get()));
        self.set(bucket, channel.raw());
    }

    pub fn unindex(&self, channel: Ref<Channel>) {
        let c = self.at(channel);
        let mut place = self.bucket(c.hash.get());
        while let Some(at) = Ref::<Channel>::from_raw(place.get()) {
            if at == channel {
                self.set(place, raw(c.hash_next.get()));
                return;
            }
            place = self.at(at).hash_next.cell();
        }
        panic!("channel {channel:?} is not in the index");
    }
}

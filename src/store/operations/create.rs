//! The channels that an operation names and that do not exist: made before it, and taken back if it fails.

use smallvec::SmallVec;

use crate::store::error::StoreError;
use crate::store::ground::layout::Channel;
use crate::store::ground::memory::Ref;
use crate::store::model::limits::Limits;
use crate::store::transaction::Transaction;
use crate::store::transaction::alloc::Full;

impl Transaction<'_> {
    /// Creates those of the channels that do not exist, or none of them. Committed one by one.
    pub fn create_missing(
        &self,
        ids: &[&[u8]],
        limits: &Limits,
        now: u64,
    ) -> Result<SmallVec<[Ref<Channel>; 4]>, StoreError> {
        let mut missing: SmallVec<[&[u8]; 4]> =
            ids.iter().copied().filter(|id| self.find(id).is_none()).collect();
        let mut seen = std::collections::HashSet::new();
        if missing.len() > 1 {
            missing.retain(|id| seen.insert(*id));
        }
        for wildcard in [false, true] {
            let count = missing.iter().filter(|id| limits.is_wildcard(id) == wildcard).count();
            if count > 0 {
                self.may_create(wildcard, count as u64, limits)?;
            }
        }
        let mut created = SmallVec::new();
        for id in missing {
            match self.made_room(now, || self.create_channel(id, limits, now)) {
                Ok(channel) => created.push(channel),
                Err(Full) => {
                    self.rollback();
                    self.uncreate_all(&created, now);
                    return Err(StoreError::Full);
                }
            }
            self.commit_and_publish();
        }
        Ok(created)
    }

    /// Takes back what [`Transaction::create_missing`] did, before the lock was given up.
    pub fn uncreate_all(&self, created: &[Ref<Channel>], now: u64) {
        for &channel in created {
            self.make_room_for_events(channel, now);
            self.uncreate(channel, now);
            self.commit_and_publish();
        }
    }
}

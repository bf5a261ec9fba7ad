//! What time takes away: expired messages, unused channels, and what a killed process left unfinished.

use crate::store::ground::slot_id::Wake;
use crate::store::zone::Zone;

/// Steps under one hold of the lock.
const SLICE: usize = 64;
/// Slices in one call, so that a worker does not sweep for long before it serves again.
const SLICES: usize = 16;

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// More is due: call again soon.
    pub more: bool,
    /// Workers to wake.
    pub wake: Wake,
}

impl Zone {
    /// Removes what is due. Any worker may call it at any time; with nothing due it costs one look at the
    /// heads of the lists.
    pub fn sweep(&self, now: u64) -> Swept {
        let mut swept = Swept::default();
        for _ in 0..SLICES {
            let tx = self.begin();
            for _ in 0..SLICE {
                let did = tx.expire_one(now) || tx.end_one_period(now) || {
                    tx.next_to_end()
                        .into_iter()
                        .for_each(|channel| tx.make_room_for_events(channel, now));
                    tx.finish_one_due(now)
                };
                tx.commit_and_publish();
                if !did {
                    tx.take_wake(&mut swept.wake);
                    return swept;
                }
            }
            tx.take_wake(&mut swept.wake);
        }
        swept.more = true;
        swept
    }
}

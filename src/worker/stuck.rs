//! Workers that do not take their mail (`store/operations/stuck.rs`): this one looks after the others, and says what
//! it found.

use crate::ngx_ext::log::{Quoted, notice, warn};
use crate::ngx_ext::timer::now_ms;
use crate::store::{STUCK_AFTER, SlotId};
use crate::worker::context::Worker;

impl Worker {
    /// Looks after the others' mailboxes.
    pub(in crate::worker) fn watch_mailboxes(&self) {
        let others = self.zone.waiting().filter(|(worker, _)| *worker != self.me);
        for (worker, taken) in self.watch.look(now_ms(), others) {
            self.zone.note_stuck(worker, taken);
        }
        for misses in self.zone.relieve() {
            self.tell_stuck(
                misses.worker,
                misses.channel_id.as_ref().unwrap_or(&self.main.events_channel_id),
            );
        }
    }

    /// The subscribers of a stuck worker have begun to miss messages.
    pub(in crate::worker) fn tell_stuck(&self, worker: SlotId, channel: &[u8]) {
        warn(format_args!(
            "worker {} has taken no messages for {} seconds, its subscribers miss what \
             there is no room for until it does; first in channel {}",
            self.zone.pid_of(worker),
            STUCK_AFTER.as_secs(),
            Quoted(channel)
        ));
    }

    /// This worker was stuck, and is no more.
    pub(in crate::worker) fn tell_missed(&self, missed: u32) {
        if missed > 0 {
            notice(format_args!(
                "this worker takes its messages again, {missed} deliveries to its \
                 subscribers are missing"
            ));
        }
    }
}

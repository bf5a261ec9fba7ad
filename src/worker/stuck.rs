//! Workers that do not take their mail (`store/operations/stuck.rs`): this one looks after the others, and says what
//! it found.

use crate::ngx_ext::log::{Quoted, notice, warn};
use crate::ngx_ext::timer::now_ms;
use crate::store::{STUCK_AFTER, SlotId};
use crate::worker::context::Context;
use crate::worker::state::Worker;

/// Looks after the others' mailboxes.
pub fn watch_mailboxes(worker: &Worker) {
    let Context { zone, me, main, .. } = &worker.context;
    let others = zone.waiting().filter(|(other, _)| other != me);
    for (other, taken) in worker.watch.look(now_ms(), others) {
        zone.note_stuck(other, taken);
    }
    for misses in zone.relieve() {
        let channel = misses.channel_id.as_ref().unwrap_or(&main.events_channel_id);
        tell_stuck(worker, misses.worker, channel);
    }
}

/// The subscribers of a stuck worker have begun to miss messages.
pub fn tell_stuck(worker: &Worker, stuck: SlotId, channel: &[u8]) {
    warn(format_args!(
        "worker {} has taken no messages for {} seconds, its subscribers miss what \
         there is no room for until it does; first in channel {}",
        worker.context.zone.pid_of(stuck),
        STUCK_AFTER.as_secs(),
        Quoted(channel)
    ));
}

/// This worker was stuck, and is no more.
pub fn tell_missed(missed: u32) {
    if missed > 0 {
        notice(format_args!(
            "this worker takes its messages again, {missed} deliveries to its \
             subscribers are missing"
        ));
    }
}

//! What a worker looks after while it runs: the zone twice a second, its mailbox more often.

use std::collections::{HashMap, HashSet};

use crate::ngx_ext::guard::take_panicked;
use crate::ngx_ext::log::notice;
use crate::ngx_ext::process;
use crate::worker::context::Context;
use crate::worker::lifecycle::{events_channel, shutdown};
use crate::worker::state::Worker;
use crate::worker::{delivery, stuck};

/// How often a worker sweeps the zone and looks for dead workers, in milliseconds.
const HOUSEKEEPING: u64 = 500;
/// How soon it goes on when there was more to sweep than it does at once.
const MORE_HOUSEKEEPING: u64 = 10;

/// The next round.
pub fn again(worker: &Worker) {
    worker.housekeeping.set_timer(HOUSEKEEPING);
}

pub fn keep_house(worker: &Worker) {
    again(worker);
    if take_panicked() {
        reconcile(worker);
    }
    let Context { zone, me, main, compressed, .. } = &worker.context;
    let swept = zone.sweep(worker.context.now());
    worker.wake(&swept.wake);
    if swept.more {
        worker.housekeeping.set_timer(MORE_HOUSEKEEPING);
    }
    events_channel::retry(&worker.context);
    let dead = zone.reclaim_dead(Some(*me), &main.limits, worker.context.now());
    worker.wake(&dead.wake);
    dead.pids.iter().for_each(|pid| tell_death(*pid));
    stuck::watch_mailboxes(worker);
    shutdown::check_successors(worker);
    shutdown::check_replaced(worker);
    worker.tell_evictions(b"");
    compressed.age();
}

/// Looks at the mailbox without having been woken.
pub fn look(worker: &Worker) {
    worker.look_again();
    if process::is_exiting() {
        // Nothing says so to a worker that cannot be woken.
        shutdown::begin(worker);
    }
    if worker.context.zone.has_mail(worker.context.me) {
        delivery::take_mail(worker);
    }
}

/// A worker has died.
pub fn tell_death(pid: u32) {
    notice(format_args!("worker {pid} died, what it held is given back"));
}

/// After a panic the zone may hold more of this worker's than its subscribers say, since they were
/// joining or leaving: it gets that back. Only between callbacks, when all of them are listed.
fn reconcile(worker: &Worker) {
    let (mut nodes, mut histories) = (HashMap::new(), HashSet::new());
    for client in worker.registry.all() {
        let subscriber = client.subscriber.borrow();
        for membership in &subscriber.common.memberships {
            *nodes.entry(membership.subscription.node).or_insert(0) += 1;
        }
        histories.extend(subscriber.common.out.unread().iter().copied());
    }
    let Context { zone, me, main, .. } = &worker.context;
    worker.wake(&zone.reconcile(
        *me,
        |node| nodes.get(&node).copied().unwrap_or(0),
        |history| histories.contains(&history),
        &main.limits,
        worker.context.now(),
    ));
}

//! What a panic costs: the one subscriber it concerns. Its connection is closed, or answered 500 if
//! nothing has been said yet; what it held in the zone is given back; all others go on. A panic that concerns
//! no subscriber costs the one callback of nginx's.

use std::collections::{HashMap, HashSet};
use std::rc::{Rc, Weak};

use nginx_sys::{NGX_ERROR, NGX_HTTP_INTERNAL_SERVER_ERROR, ngx_int_t};

use crate::conf;
use crate::ngx_ext::guard::guard_or;
use crate::ngx_ext::log::cycle_log;
use crate::ngx_ext::request::Request;
use crate::worker::context::{Worker, now};
use crate::worker::subscriber::{Phase, Subscriber};

impl Subscriber {
    /// Does something for this subscriber in the course of `callback`. A panic ends the subscriber, and
    /// is no concern of the caller's.
    pub(in crate::worker) fn guarded(
        &self,
        worker: &Worker,
        callback: &'static str,
        f: impl FnOnce(),
    ) {
        let request = self.request();
        // SAFETY: the log of the running cycle.
        unsafe { guard_or(cycle_log(), callback, || self.abort(worker, request), f) }
    }

    /// Ends after a panic. `request`: what it had before.
    pub(in crate::worker) fn abort(&self, worker: &Worker, request: Option<Request<'static>>) {
        let handed_over = matches!(self.state.borrow().phase, Phase::Ended);
        self.gone(worker);
        // One that was ended already is in nginx's hands, or no more.
        if let Some(request) = request.filter(|_| !handed_over) {
            request.finalize(failed(request));
        }
    }

    /// The request of a subscriber that waits or is told things.
    fn request(&self) -> Option<Request<'static>> {
        let state = self.state.borrow();
        match &state.phase {
            Phase::Waiting(wait) => Some(wait.request),
            _ => state.transmission.as_ref().map(|transmission| transmission.sink.request()),
        }
    }

    /// Gives back what it has in the zone. A panic in that is no reason not to end; what it had forgotten
    /// before is not given back twice.
    pub(in crate::worker) fn let_go_anyway(&self, worker: &Worker) {
        // SAFETY: the log of the running cycle.
        let once = |or: &dyn Fn()| unsafe {
            guard_or(cycle_log(), "what a subscriber leaves", or, || self.let_go(worker));
        };
        once(&|| once(&|| {}));
    }
}

impl Worker {
    /// After a panic the zone may hold more of this worker's than its subscribers say, since they were
    /// joining or leaving: it gets that back. Only between callbacks, when all of them are listed.
    pub(in crate::worker) fn reconcile(&self) {
        let (mut nodes, mut histories) = (HashMap::new(), HashSet::new());
        for subscriber in self.registry.all() {
            let state = subscriber.state.borrow();
            for membership in &state.memberships {
                *nodes.entry(membership.subscription.node).or_insert(0) += 1;
            }
            histories.extend(state.unread.iter().copied());
        }
        self.wake(&self.zone.reconcile(
            self.me,
            |node| nodes.get(&node).copied().unwrap_or(0),
            |history| histories.contains(&history),
            &self.main.limits,
            now(),
        ));
    }
}

/// A panic in the handling of a request, which the caller finalizes with what this returns: 500, or the
/// end of the connection if the head has left. A subscriber that it has become is none any more.
pub fn failed_request(request: Request<'_>) -> ngx_int_t {
    forget(request);
    failed(request)
}

fn failed(request: Request<'_>) -> ngx_int_t {
    match request.bits().header_sent() {
        true => NGX_ERROR as ngx_int_t,
        false => NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t,
    }
}

/// The subscriber that a request has become, and the worker that has it.
pub(in crate::worker) fn of(request: Request<'_>) -> Option<(&'static Worker, Rc<Subscriber>)> {
    let subscriber = request.state::<Weak<Subscriber>>(conf::ctx_index())?.upgrade()?;
    Some((Worker::current()?, subscriber))
}

/// The request is no subscriber any more: whatever nginx does with it now, nothing is sent into that.
pub(in crate::worker) fn forget(request: Request<'_>) {
    if let Some((worker, subscriber)) = of(request) {
        subscriber.gone(worker);
    }
}

/// Runs `f` with this worker; a panic ends in the log.
pub(in crate::worker) fn guarded(callback: &'static str, f: impl FnOnce(&Worker)) {
    guarded_timer(callback, |_| {}, f);
}

/// As [`guarded`]; after a panic `again` sets the timer that has called, so that it does not end.
pub(in crate::worker) fn guarded_timer(
    callback: &'static str,
    again: impl FnOnce(&Worker),
    f: impl FnOnce(&Worker),
) {
    if let Some(worker) = Worker::current() {
        // SAFETY: the log of the running cycle.
        unsafe { guard_or(cycle_log(), callback, || again(worker), || f(worker)) }
    }
}

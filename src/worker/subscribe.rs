//! A request becomes a subscriber.

use std::ffi::c_void;
use std::rc::{Rc, Weak};

use nginx_sys::ngx_http_request_t;
use smallvec::SmallVec;

use super::current::{Worker, now};
use super::direct;
use super::sink::Attached;
use super::subscriber::Subscriber;
use crate::conf::{self, Location, Main};
use crate::ngx_ext::guard::{cycle_log, guard};
use crate::ngx_ext::request::{OutOfMemory, Request};
use crate::store::{JoinItem, Mode, Since, StoreError};

/// A subscriber whose response head is still to be sent.
pub struct Opened {
    worker: &'static Worker,
    subscriber: Rc<Subscriber>,
    request: Request<'static>,
}

/// Subscribes the request to all of the channels or to none. Everything the subscriber needs of the zone
/// is its own when this returns; nothing has been answered (LIFE-55).
///
/// # Safety
///
/// `request` stays open until the subscriber ends it: the caller does not finalize it after this
/// succeeded, except with an error.
pub unsafe fn subscribe(
    request: Request<'_>,
    location: &Location,
    main: &Main,
    items: &[JoinItem<'_>],
    since: &Since<'_>,
) -> Result<Opened, StoreError> {
    let Some(worker) = Worker::current() else { return Err(StoreError::Full) };
    // SAFETY: the caller keeps the request open; its end reaches the subscriber (`ended`) before it is
    // freed, and nginx keeps the configuration of a request as long as the request.
    let (request, location) = unsafe {
        let location: &'static Location = &*std::ptr::from_ref(location);
        (Request::from_raw(request.as_ptr()), location)
    };
    let rules = location.join_rules();
    let joined = worker.zone.join(worker.me, items, since, &rules, &main.limits, now())?;
    worker.wake(&joined.wake);

    let subscriber = Rc::new(Subscriber::new(location, Mode::Streaming));
    let joined = joined.subscriptions.iter();
    let memberships: SmallVec<_> =
        joined.map(|&joined| worker.registry.enter(&subscriber, joined)).collect();
    subscriber.set_memberships(memberships);
    worker.registry.add(&subscriber);
    worker.zone.count_in(worker.me, subscriber.mode());
    let data = Rc::into_raw(Rc::clone(&subscriber));
    let kept = request
        .set_state(conf::ctx_index(), Rc::downgrade(&subscriber))
        .and_then(|()| request.on_end(ended, data.cast_mut().cast::<c_void>()));
    if let Err(OutOfMemory) = kept {
        // SAFETY: nobody else got the pointer.
        drop(unsafe { Rc::from_raw(data) });
        worker.end_of(&subscriber);
        return Err(StoreError::Full);
    }
    worker.keep_looking();
    Ok(Opened { worker, subscriber, request })
}

impl Opened {
    /// The head was sent, with everything that comes before messages: history and live messages follow.
    pub fn start(self) {
        let Opened { worker, subscriber, request } = self;
        let direct = direct::allowed(subscriber.location.direct_output, worker.all_modules_known);
        if request.is_http1() && request.wants_nodelay() {
            request.connection().set_nodelay();
        }
        request.hold(writable);
        subscriber.start_timer();
        subscriber.open(worker, Attached::new(request, direct));
        if worker.is_leaving() {
            subscriber.end(worker);
        }
    }
}

impl Worker {
    fn end_of(&self, subscriber: &Rc<Subscriber>) {
        subscriber.gone(self);
        self.registry.remove(subscriber);
    }
}

/// nginx ends the request.
unsafe extern "C" fn ended(data: *mut c_void) {
    // SAFETY: the reference that `subscribe` gave away; nginx calls this once. The log is the cycle's.
    unsafe {
        let subscriber = Rc::from_raw(data.cast::<Subscriber>().cast_const());
        guard(cycle_log(), "the end of a subscriber", (), || {
            if let Some(worker) = Worker::current() {
                worker.end_of(&subscriber);
            }
        });
    }
}

/// The connection can be written, or its write timer ran out.
unsafe extern "C" fn writable(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls with a live request, one that `subscribe` was given.
    unsafe {
        let request = Request::from_raw(r);
        guard(cycle_log(), "a writable subscriber", (), || {
            let subscriber = request.state::<Weak<Subscriber>>(conf::ctx_index());
            let subscriber = subscriber.and_then(Weak::upgrade);
            if let (Some(worker), Some(subscriber)) = (Worker::current(), subscriber) {
                subscriber.writable(worker, request.connection().write_timed_out());
            }
        });
    }
}

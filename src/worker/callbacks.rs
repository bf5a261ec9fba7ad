//! Everything of this layer that nginx calls, guarded: a panic ends in the log, and costs no more than the client
//! or the callback that it concerns.

use std::ffi::c_void;
use std::rc::Rc;

use nginx_sys::{ngx_event_t, ngx_http_request_t};

use crate::ngx_ext::eventfd;
use crate::ngx_ext::guard::guard_or;
use crate::ngx_ext::log::cycle_log;
use crate::ngx_ext::request::Request;
use crate::ngx_ext::timer;
use crate::worker::client::Client;
use crate::worker::handlers::Handlers;
use crate::worker::lifecycle::{housekeeping, shutdown, start};
use crate::worker::state::Worker;
use crate::worker::{delivery, driver};

pub static HANDLERS: Handlers = Handlers {
    writable,
    readable,
    ended,
    client_time,
    deliver,
    look,
    housekeeping: keep_house,
    drain,
    woken,
    take_place,
};

/// Runs `f` with this worker.
fn guarded(callback: &'static str, f: impl FnOnce(&Worker)) {
    guarded_timer(callback, |_| {}, f);
}

/// As [`guarded`]; after a panic `again` sets the timer that has called, so that it does not end.
fn guarded_timer(callback: &'static str, again: impl FnOnce(&Worker), f: impl FnOnce(&Worker)) {
    if let Some(worker) = Worker::current() {
        // SAFETY: the log of the running cycle.
        unsafe { guard_or(cycle_log(), callback, || again(worker), || f(worker)) }
    }
}

unsafe extern "C" fn writable(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls with a live request, one that was made a client.
    let request = unsafe { Request::from_raw(r) };
    if let (Some(worker), Some(client)) = (Worker::current(), Client::of(request)) {
        driver::guarded(worker, &client, "a writable subscriber", || {
            driver::write_on(worker, &client);
        });
    }
}

unsafe extern "C" fn readable(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls with a live request, one that was made a client.
    let request = unsafe { Request::from_raw(r) };
    if let (Some(worker), Some(client)) = (Worker::current(), Client::of(request)) {
        driver::guarded(worker, &client, "a readable subscriber", || {
            driver::read(worker, &client);
        });
    }
}

unsafe extern "C" fn ended(data: *mut c_void) {
    // SAFETY: the reference that the admission gave away; nginx calls this once.
    let client = unsafe { Rc::from_raw(data.cast::<Client>().cast_const()) };
    let end = || {
        if let Some(worker) = Worker::current() {
            driver::remove(worker, &client);
        }
    };
    // The request is freed after this: whatever happened, nothing may find it any more.
    // SAFETY: the log of the running cycle.
    unsafe { guard_or(cycle_log(), "the end of a subscriber", end, end) }
}

unsafe extern "C" fn client_time(event: *mut ngx_event_t) {
    // SAFETY: the timer was made with the pointer of an `Rc` and is owned by what it points to, so
    // that lives now; counting one more keeps it alive to the end of this.
    let client = unsafe {
        let client: *const Client = timer::data(event);
        Rc::increment_strong_count(client);
        Rc::from_raw(client)
    };
    if let Some(worker) = Worker::current() {
        driver::guarded(worker, &client, "a subscriber's timer", || {
            driver::time_has_come(worker, &client);
        });
    }
}

unsafe extern "C" fn deliver(_event: *mut ngx_event_t) {
    guarded("delivery", delivery::take_mail);
}

unsafe extern "C" fn look(_event: *mut ngx_event_t) {
    guarded_timer("the look at the mailbox", Worker::look_again, housekeeping::look);
}

unsafe extern "C" fn keep_house(_event: *mut ngx_event_t) {
    guarded_timer("housekeeping", housekeeping::again, housekeeping::keep_house);
}

unsafe extern "C" fn drain(_event: *mut ngx_event_t) {
    guarded_timer("the drain of a worker", shutdown::drain_later, shutdown::drain_some);
}

unsafe extern "C" fn woken(event: *mut ngx_event_t) {
    guarded("a wake-up", |worker| {
        // SAFETY: the event nginx called this handler with.
        match unsafe { eventfd::is_shutdown(event) } && !worker.context.is_leaving() {
            true => shutdown::begin(worker),
            false => worker.was_woken(),
        }
    });
}

unsafe extern "C" fn take_place(_event: *mut ngx_event_t) {
    // SAFETY: the cycle this process serves; its log.
    unsafe { guard_or(cycle_log(), "the wait for a slot", start::wait_on, start::try_again) }
}

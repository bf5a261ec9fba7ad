//! What nginx calls of this layer, as those hand it to nginx who know nothing of `callbacks.rs`.

use std::ffi::c_void;

use nginx_sys::ngx_http_request_t;

use crate::ngx_ext::timer;

type RequestHandler = unsafe extern "C" fn(*mut ngx_http_request_t);

pub struct Handlers {
    /// A client's connection can be written, or its write timer ran out.
    pub writable: RequestHandler,
    /// A WebSocket's client sent something or has gone, or the read timer ran out.
    pub readable: RequestHandler,
    /// The request of a client ends; its data is what [`Rc::into_raw`](std::rc::Rc::into_raw) made of it.
    pub ended: unsafe extern "C" fn(*mut c_void),
    /// A client's timer; its data is the client, which owns it.
    pub client_time: timer::Handler,
    /// Mail is to be taken.
    pub deliver: timer::Handler,
    /// The look at the mailbox without having been woken.
    pub look: timer::Handler,
    pub housekeeping: timer::Handler,
    /// The next step of a drain.
    pub drain: timer::Handler,
    /// This worker's eventfd.
    pub woken: timer::Handler,
    /// The next try to take a place in the zone.
    pub take_place: timer::Handler,
}

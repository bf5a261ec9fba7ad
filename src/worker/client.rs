//! A client of this worker: a subscriber, and what nginx has of it.
//!
//! The sink is there until the client is over, whatever ended it: who finds none has nothing more to do. Neither
//! is borrowed while nginx may call back.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use crate::conf;
use crate::ngx_ext::request::Request;
use crate::ngx_ext::timer;
use crate::worker::output::sink::Sink;
use crate::worker::subscriber::Subscriber;

pub struct Client {
    pub subscriber: RefCell<Subscriber>,
    pub sink: RefCell<Option<Sink>>,
    pub timer: RefCell<Option<timer::Event>>,
    /// Its number among this worker's clients.
    pub number: Cell<usize>,
}

impl Client {
    pub fn new(subscriber: Subscriber, sink: Sink) -> Rc<Client> {
        Rc::new(Client {
            subscriber: RefCell::new(subscriber),
            sink: RefCell::new(Some(sink)),
            timer: RefCell::new(None),
            number: Cell::new(usize::MAX),
        })
    }

    /// The client that a request has become.
    pub fn of(request: Request<'_>) -> Option<Rc<Client>> {
        request.state::<Weak<Client>>(conf::ctx_index())?.upgrade()
    }

    pub fn is_over(&self) -> bool {
        self.sink.borrow().is_none()
    }

    /// Whether it is a subscriber that is neither ending nor over.
    pub fn is_live(&self) -> bool {
        self.subscriber.borrow().is_live()
    }

    /// Sets the timer for what is next to be done, if it has one; at `now_ms` of nginx's clock.
    pub fn set_timer(&self, now_ms: u64) {
        if let (Some(timer), Some(at)) =
            (&*self.timer.borrow(), self.subscriber.borrow().next_time())
        {
            timer.set_timer(at.saturating_sub(now_ms).max(1));
        }
    }
}

//! What a worker keeps for its way out. How it goes is in `lifecycle/shutdown.rs`.

use std::cell::Cell;

use crate::ngx_ext::timer::Event;
use crate::worker::drain_schedule::Pace;

pub struct Departure {
    /// How the endings of a drain that runs are spread.
    pub pace: Cell<Option<Pace>>,
    /// How long a drain lasts, in milliseconds; zero: there is none.
    pub span: u64,
    /// For the next step of a drain.
    pub timer: Event,
    /// Number of the client from which the next one to be ended is looked for.
    pub next: Cell<usize>,
    /// Until when somebody served the zone, as far as is known or to be expected; milliseconds of nginx's
    /// clock.
    pub served: Cell<u64>,
    /// When it was found to be replaced, on the same clock.
    pub replaced: Cell<Option<u64>>,
}

impl Departure {
    pub fn new(span: u64, timer: Event) -> Departure {
        Departure {
            pace: Cell::new(None),
            span,
            timer,
            next: Cell::new(0),
            served: Cell::new(0),
            replaced: Cell::new(None),
        }
    }
}

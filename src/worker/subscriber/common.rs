//! What subscribers of all modes have: their channels, what waits for them, and their times.

use smallvec::SmallVec;

use crate::conf::Location;
use crate::store::{Channel, Progress, Ref};
use crate::worker::context::Context;
use crate::worker::output::encoded::{Encoding, EventIds, Padding};
use crate::worker::registry::Membership;
use crate::worker::subscriber::effect::Left;
use crate::worker::subscriber::outgoing::Outgoing;

pub struct Common {
    pub location: &'static Location,
    pub memberships: SmallVec<[Membership; 1]>,
    pub out: Outgoing,
    /// Bytes that its messages have at least.
    pub minimum: usize,
    /// Milliseconds of nginx's clock: when something was last sent, and when its time is up.
    pub last_sent: u64,
    pub expires: Option<u64>,
}

impl Common {
    pub fn new(location: &'static Location, out: Outgoing, minimum: usize) -> Common {
        let memberships = SmallVec::new();
        Common { location, memberships, out, minimum, last_sent: 0, expires: None }
    }

    /// How its messages look.
    pub fn encoding(&self, context: &Context) -> Encoding<'static> {
        Encoding {
            template: &self.location.message_template,
            framing: self.out.framing,
            padding: Padding { minimum: self.minimum, largest: context.main.largest_padding },
            event_ids: match self.location.auto_event_id {
                true => EventIds::Auto,
                false => EventIds::Published,
            },
        }
    }

    /// How far this worker has come with its channels.
    pub fn progress(&self, context: &Context) -> Progress {
        let subscriptions: Vec<_> = self.memberships.iter().map(|m| m.subscription).collect();
        context.zone.standing(context.me, &subscriptions, context.now())
    }

    /// Takes one of its channels away.
    pub fn forget_channel(&mut self, channel: Ref<Channel>) -> Option<Membership> {
        let of_it = |m: &Membership| m.subscription.channel == channel;
        let i = self.memberships.iter().position(of_it)?;
        Some(self.memberships.remove(i))
    }

    /// Forgets its channels and what it has not read; they are to be given back.
    pub fn forget_all(&mut self) -> Left {
        let memberships = std::mem::take(&mut self.memberships);
        Left { memberships, unread: self.out.forget_unread() }
    }
}

//! One subscription, and what it has seen: each id once, in order.

use ngx_http_push_stream_module::store::{MessageRef, Subscription};

use crate::process::{EVENTS, KEPT, is_evicting, takes_for_stuck};
use crate::text;

pub struct Follower {
    pub channel: usize,
    pub subscription: Subscription,
    /// The smallest id that the history may go on with; of the kept channel, the next one.
    replay_next: u64,
    live_next: u64,
}

impl Follower {
    /// `wanted`: the first id that must be replayed, if that is known.
    pub fn new(channel: usize, subscription: Subscription, wanted: Option<u64>) -> Self {
        let follower = Follower {
            channel,
            subscription,
            replay_next: wanted.unwrap_or(1),
            live_next: subscription.live_from,
        };
        if subscription.history.is_none() {
            follower.history_ended();
        }
        follower
    }

    pub fn replayed(&mut self, message: &MessageRef<'_>) {
        if self.channel != EVENTS {
            text::token_of(message);
        }
        let id = message.id;
        let right =
            if self.is_complete() { id == self.replay_next } else { id >= self.replay_next };
        assert!(
            right && id < self.subscription.live_from,
            "replayed {id} of {:?}; expected {}, live from {}",
            message.channel_id,
            self.replay_next,
            self.subscription.live_from
        );
        self.replay_next = id + 1;
    }

    /// Nothing of the kept channel may be missing between the history and what comes live.
    pub fn history_ended(&self) {
        let complete = self.replay_next == self.subscription.live_from;
        assert!(
            !self.is_complete() || complete,
            "the history ended before {}, live from {}",
            self.replay_next,
            self.subscription.live_from
        );
    }

    /// Returns how many ids before this one did not come.
    pub fn live(&mut self, message: &MessageRef<'_>) -> u64 {
        let id = message.id;
        if id < self.subscription.live_from {
            return 0;
        }
        assert!(id >= self.live_next, "{id} of {:?} came twice", message.channel_id);
        let missed = id - self.live_next;
        self.check_missed(missed, id);
        self.live_next = id + 1;
        missed
    }

    /// The last id of the channel is known now. Returns how many did not come.
    pub fn ended(&self, last: u64) -> u64 {
        assert!(self.live_next <= last + 1, "an id beyond the last came");
        let missed = last + 1 - self.live_next;
        self.check_missed(missed, last);
        missed
    }

    /// Nothing is ever missing: all is stored and nothing taken away.
    fn is_complete(&self) -> bool {
        (self.channel == KEPT || self.channel == EVENTS) && !is_evicting()
    }

    /// Only those whose worker was taken for stuck miss messages.
    fn check_missed(&self, missed: u64, id: u64) {
        let right = takes_for_stuck() || missed == 0;
        assert!(right, "{missed} messages before {id} did not come");
    }
}

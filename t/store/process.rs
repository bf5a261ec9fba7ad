//! What each forked process does until it is killed: random operations, and a watchful eye on what its
//! own subscriptions bring.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use ngx_http_push_stream_module::store::{
    JoinItem, JoinRules, Limits, MessageRef, Mode, Parts, Publish, ResumePoint, SlotId, Stamp,
    StoreError, Zone,
};

use crate::follower::Follower;
use crate::shared::{Board, Phase, Random, Seat};
use crate::text;

/// Channel 0 is kept: never deleted, trimmed or expired, and everything in it is stored. It loses messages
/// only where the oldest make room.
pub const KEPT: usize = 0;
const BUSY: u64 = 8;
const ALL: u64 = 160;

/// The events channel, where there is one. Only subscribed to.
pub const EVENTS: usize = 1000;

static EVICTING: AtomicBool = AtomicBool::new(false);
static STUCK: AtomicBool = AtomicBool::new(false);

/// Whether the oldest messages make room in the zones to come; for this process and those it forks.
pub fn set_evicting(on: bool) {
    EVICTING.store(on, SeqCst);
}

pub fn is_evicting() -> bool {
    EVICTING.load(SeqCst)
}

/// Whether processes take others for stuck; for this process and those it forks.
pub fn set_stuck(on: bool) {
    STUCK.store(on, SeqCst);
}

pub fn takes_for_stuck() -> bool {
    STUCK.load(SeqCst)
}

/// Names of what `Seat::operation` says.
pub const OPERATIONS: [&str; 12] = [
    "start", "publish", "join", "replay", "mail", "leave", "delete", "sweep", "list", "totals",
    "reclaim", "relieve",
];

/// The id of a channel. Some are wildcard channels.
pub fn channel_id(channel: usize) -> String {
    match channel {
        KEPT => "kept".to_string(),
        EVENTS => "events".to_string(),
        n if n % 7 == 0 => format!("w_{n}"),
        n => format!("channel-{n}"),
    }
}

/// The settings under which a channel is used: nothing takes from the kept one.
pub fn limits(channel: usize) -> Limits {
    let kept = channel == KEPT || channel == EVENTS;
    Limits {
        max_stored: (!kept).then_some(20),
        message_ttl: if kept { 10_000_000 } else { 8 },
        inactivity: if kept { 10_000_000 } else { 4 },
        wildcard_prefix: b"w_".to_vec(),
        ..Limits::default()
    }
}

pub struct Process<'a> {
    zone: Zone,
    board: &'a Board,
    seat: &'a Seat,
    /// Number of this process, never used twice.
    number: u32,
    counter: u32,
    random: Random,
    me: SlotId,
    followers: Vec<Follower>,
    /// Stamp of the last message of the mailbox.
    last: Stamp,
    /// Whether there is an events channel.
    events: bool,
    /// A message of the kept channel, as a client would remember it.
    remembered: Option<(u64, Stamp, Option<Vec<u8>>)>,
}

impl<'a> Process<'a> {
    pub fn new(zone: Zone, board: &'a Board, seat: usize, number: u32, seed: u64) -> Self {
        let seat = &board.seats[seat];
        seat.operation.store(0, SeqCst);
        seat.quiet.store(0, SeqCst);
        let pid = std::process::id();
        let me = zone.take_slot(pid, number, board.now.load(SeqCst)).expect("a free slot");
        Process {
            zone,
            events: zone.is_events_channel(b"events"),
            board,
            seat,
            number,
            counter: 0,
            random: Random(seed),
            me,
            followers: Vec::new(),
            last: Stamp::default(),
            remembered: None,
        }
    }

    /// Until the round ends.
    pub fn run(mut self) {
        while self.board.phase() == Phase::Run {
            let operation = match self.random.below(100) {
                0..42 => 1,
                42..52 => 2,
                52..62 => 3,
                // Much is to wait for those who are taken for stuck.
                63..80 if takes_for_stuck() => 1,
                62..80 => 4,
                80..88 => 5,
                88..91 => 6,
                91..93 => 7,
                93..95 => 8,
                95..99 if takes_for_stuck() => 11,
                95..97 => 9,
                _ => 10,
            };
            self.enter(operation);
            match operation {
                1 => self.publish(),
                2 => self.join(),
                3 => self.replay(),
                4 => {
                    let batches = 1 + self.random.below(20);
                    self.mail(batches);
                }
                5 => self.leave(),
                6 => self.delete(),
                7 => _ = self.zone.sweep(self.now()),
                8 => self.list(),
                9 => _ = self.zone.totals(self.now()),
                10 => self.reclaim(),
                _ => self.relieve(),
            }
            self.seat.operations.fetch_add(1, SeqCst);
        }
        self.finish();
    }

    fn enter(&self, operation: u32) {
        self.seat.operation.store(operation, SeqCst);
    }

    fn now(&self) -> u64 {
        self.board.now.load(SeqCst)
    }

    fn channel(&mut self) -> usize {
        match self.random.below(20) {
            0..7 => KEPT,
            7..17 => 1 + self.random.below(BUSY) as usize,
            _ => 1 + self.random.below(ALL) as usize,
        }
    }

    fn publish(&mut self) {
        let mut channels = vec![self.channel()];
        while channels.len() < 4 && self.random.one_in(5) {
            let another = self.channel();
            if !channels.contains(&another) {
                channels.push(another);
            }
        }
        let kept = channels.contains(&KEPT);
        if kept && !self.seat.may_note() {
            return;
        }
        let len = match self.random.below(20) {
            0 => 0,
            1..16 => self.random.below(300),
            16..19 => self.random.below(2500),
            _ => self.random.below(8193),
        };
        self.counter += 1;
        let token = text::token(self.number, self.counter, len as usize);
        let message = text::compose(token);
        let parts = Parts {
            text: &[&message.text],
            event_id: message.event_id.as_ref().map(|id| &id[..]),
            event_type: message.event_type,
            binary: message.binary,
        };
        let store = kept || self.random.one_in(2);
        let limits = limits(if kept { KEPT } else { channels[0] });
        let publish = Publish { me: self.me, parts, store, limits: &limits, now: self.now() };
        let ids: Vec<String> = channels.iter().map(|&channel| channel_id(channel)).collect();
        let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes()).collect();
        match self.zone.publish(&ids, &publish) {
            Ok(published) => {
                assert_eq!(published.channels.len(), ids.len(), "{published:?}");
                for (&channel, info) in channels.iter().zip(&published.channels) {
                    if channel == KEPT {
                        self.seat.note(info.published, token);
                    }
                }
            }
            Err(error) => assert_eq!(error, StoreError::Full),
        }
    }

    fn join(&mut self) {
        if self.followers.len() > 12 {
            return self.leave();
        }
        let mut channels = vec![self.channel()];
        while channels.len() < 3 && self.random.one_in(4) {
            let another = self.channel();
            if !channels.contains(&another) {
                channels.push(another);
            }
        }
        if self.events && self.random.one_in(8) {
            let place = self.random.below(channels.len() as u64 + 1) as usize;
            channels.insert(place, EVENTS);
        }
        let backtrack = [0, 1, 7, 40, u64::MAX][self.random.below(5) as usize];
        let remembered = self.remembered.clone().filter(|_| channels == [KEPT]);
        let mut since = ResumePoint::default();
        let mut after = None;
        if let Some((id, stamp, event_id)) = remembered.as_ref().filter(|_| backtrack == 0) {
            after = Some(*id);
            match event_id {
                Some(event_id) => since.event_id = Some(event_id),
                None => (since.time, since.tag) = (Some(stamp.second), Some(stamp.tag)),
            }
        }
        let ids: Vec<String> = channels.iter().map(|&channel| channel_id(channel)).collect();
        let items: Vec<_> =
            ids.iter().map(|id| JoinItem { id: id.as_bytes(), backtrack }).collect();
        let rules = JoinRules { events: true, ..JoinRules::default() };
        let limits = limits(channels[0]);
        match self.zone.join(self.me, &items, &since, &rules, &limits, self.now()) {
            Ok(joined) => {
                assert_eq!(joined.subscriptions.len(), channels.len());
                for (&channel, &subscription) in channels.iter().zip(&joined.subscriptions) {
                    self.zone.count_in(self.me, Mode::Streaming);
                    let wanted = if channel == KEPT || channel == EVENTS {
                        let before = subscription.live_from - 1;
                        Some(after.unwrap_or(before.saturating_sub(backtrack)) + 1)
                    } else {
                        None
                    };
                    self.followers.push(Follower::new(channel, subscription, wanted));
                }
            }
            Err(error) => assert_eq!(error, StoreError::Full),
        }
    }

    /// Reads one page of some history.
    fn replay(&mut self) {
        let now = self.now();
        let Some(i) = self.some_follower(|f| f.subscription.history.is_some()) else { return };
        self.replay_page(i, now);
    }

    fn replay_page(&mut self, i: usize, now: u64) {
        let follower = &mut self.followers[i];
        let Some(bookmark) = follower.subscription.history.take() else { return };
        let step = self.zone.read_history(self.me, bookmark, usize::MAX, now);
        follower.subscription.history = step.next;
        for message in step.page.messages() {
            follower.replayed(&message);
            if follower.channel == KEPT {
                self.remembered = Some(remember(&message));
            }
        }
        if step.next.is_none() {
            follower.history_ended();
        }
    }

    /// Takes some messages from the mailbox. Once it is empty, deleted channels are left.
    fn mail(&mut self, batches: u64) {
        let mut mail = self.zone.mail(self.me);
        let mut done = 0;
        while !mail.is_empty() {
            for message in mail.messages() {
                assert!(message.stamp > self.last, "mail out of order: {message:?}");
                self.last = message.stamp;
                if message.channel_id != b"events" {
                    text::token_of(&message);
                }
                for follower in &mut self.followers {
                    if follower.subscription.channel == message.channel {
                        let missed = follower.live(&message);
                        self.board.missed.fetch_add(missed, SeqCst);
                    }
                }
            }
            done += 1;
            if done >= batches {
                return;
            }
            mail = mail.next();
        }
        drop(mail);
        // A notice comes only behind all that was published to its channel.
        while let Some(channel) = self.zone.notice(self.me, 0).map(|notice| notice.channel) {
            let mut on_it = self.followers.iter();
            let i = on_it.position(|follower| follower.subscription.channel == channel);
            self.leave_one(i.expect("a notice is for a follower"));
        }
    }

    fn leave(&mut self) {
        if let Some(i) = self.some_follower(|_| true) {
            self.leave_one(i);
        }
    }

    fn leave_one(&mut self, i: usize) {
        let follower = self.followers.swap_remove(i);
        let limits = limits(follower.channel);
        _ = self.zone.leave(self.me, &[follower.subscription], &limits, self.now());
        self.zone.count_out(self.me, Mode::Streaming);
    }

    fn delete(&mut self) {
        let channel = match self.channel() {
            KEPT if self.events && self.random.one_in(4) => EVENTS,
            KEPT => 1 + self.random.below(ALL) as usize,
            channel => channel,
        };
        let text: &[&[u8]] = &[b"gone ", b"for good"];
        let text = self.random.one_in(2).then_some(text);
        let deleted = self.zone.delete(self.me, channel_id(channel).as_bytes(), text, self.now());
        assert!(channel != EVENTS || deleted.is_none(), "the events channel was deleted");
    }

    fn list(&mut self) {
        let mut kept = 0;
        let prefix: &[u8] = [&b""[..], b"w_", b"kept"][self.random.below(3) as usize];
        let until = self.random.below(400);
        let mut deleted = 0;
        self.zone.list(self.me, prefix, |id, _| {
            kept += u32::from(id == b"kept");
            assert!(id.starts_with(prefix));
            deleted += 1;
            if deleted == until {
                self.zone.delete(self.me, b"channel-3", None, self.board.now.load(SeqCst));
            }
        });
        assert!(kept <= 1, "a lasting channel was listed {kept} times");
    }

    fn reclaim(&mut self) {
        let dead = self.zone.reclaim_dead(Some(self.me), &limits(1), self.now());
        self.board.reclaimed.fetch_add(dead.pids.len() as u64, SeqCst);
    }

    /// Takes all others that have mail for stuck.
    fn relieve(&mut self) {
        let others: Vec<_> = self.zone.waiting().filter(|(id, _)| *id != self.me).collect();
        for (worker, taken) in others {
            self.zone.note_stuck(worker, taken);
        }
        self.zone.relieve();
    }

    fn some_follower(&mut self, wanted: impl Fn(&Follower) -> bool) -> Option<usize> {
        let count = self.followers.len() as u64;
        let first = if count > 0 { self.random.below(count) } else { 0 };
        (first..count).chain(0..first).map(|i| i as usize).find(|&i| wanted(&self.followers[i]))
    }

    /// Waits until nobody publishes, takes everything that is left, and goes.
    fn finish(mut self) {
        self.seat.quiet.store(1, SeqCst);
        while self.board.phase() != Phase::Finish {
            std::thread::sleep(Duration::from_micros(200));
        }
        for i in 0..self.followers.len() {
            while self.followers[i].subscription.history.is_some() {
                self.enter(3);
                self.replay_page(i, self.now());
            }
        }
        self.enter(4);
        // Notices come a few at a time.
        while self.zone.has_mail(self.me) {
            self.mail(u64::MAX);
        }
        self.enter(5);
        while let Some(follower) = self.followers.last() {
            let info = self.zone.channel_info(channel_id(follower.channel).as_bytes());
            let info = info.expect("a channel with subscribers that was not deleted");
            // Others are leaving too, and each that does is an event more.
            if follower.channel != EVENTS {
                let missed = follower.ended(info.published);
                self.board.missed.fetch_add(missed, SeqCst);
            }
            self.leave_one(self.followers.len() - 1);
        }
        self.zone.leave_slot(self.me, &limits(1), self.now());
    }
}

fn remember(message: &MessageRef<'_>) -> (u64, Stamp, Option<Vec<u8>>) {
    (message.id, message.stamp, message.event_id.map(<[u8]>::to_vec))
}

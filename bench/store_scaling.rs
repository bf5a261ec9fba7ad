//! Does the cost of an operation depend on how many channels there are? Fills one zone with a thousand
//! channels and two with a million, each channel with a stored message, and does the same work in all.
//! In one of the large zones any channel is used, in the other a thousand that lie anywhere among the
//! million: the first also shows what memory costs that is in no cache of the processor.
//!
//! `store_scaling work CHANNELS OPERATIONS` does it once: for counting instructions of `measured`.
//! `store_scaling time` compares the zones in one run. `bench/scaling.sh` runs either.

use ngx_http_push_stream_module::store::{
    JoinItem, JoinRules, Limits, Parts, Publish, ResumePoint, SlotId, Zone,
};
use rustix::time::{ClockId, clock_gettime};

#[path = "../t/store/mapping.rs"]
mod mapping;

use mapping::map;

const ZONE: usize = 1 << 30;
const START: u64 = 1_800_000_000;
const FEW: u64 = 1_000;
const MANY: u64 = 1_000_000;
const ROUNDS: usize = 5;
const OPERATIONS_IN_ROUND: u64 = 100_000;

/// Longer than the measurement, in seconds.
const LONG: u64 = 1 << 30;
/// Life of the messages and channels that are to expire, in seconds.
const SHORT: u64 = 3;
/// Operations in one second of the clock.
const IN_SECOND: u64 = 256;
/// One in this many operations publishes to a new channel with a short life.
const BRIEF: u64 = 4;
/// One in this many operations deletes its channel first.
const DELETES: u64 = 32;

struct Work {
    zone: Zone,
    me: SlotId,
    subscriber: SlotId,
    channels: u64,
    /// Channels that are used.
    used: u64,
    random: u64,
    operations: u64,
}

impl Work {
    /// A zone with so many channels, each with a stored message of 100 bytes.
    fn new(channels: u64, used: u64) -> Work {
        // SAFETY: fresh memory, mapped for good and used through this zone alone.
        let zone = unsafe { Zone::create(map(ZONE), ZONE, START) }.expect("large enough");
        let slot = |position| zone.take_slot(std::process::id(), position, START).expect("free");
        let (me, subscriber) = (slot(0), slot(1));
        let work = Work { zone, me, subscriber, channels, used, random: 1, operations: 0 };
        for channel in 0..channels {
            work.publish(&id(*b"channel-", channel), &limits(LONG), START);
        }
        work
    }

    fn publish(&self, id: &[u8], limits: &Limits, now: u64) {
        let parts = Parts { text: &[&[b'x'; 100]], ..Parts::default() };
        let publish = Publish { me: self.me, parts, store: true, limits, now };
        self.zone.publish(&[id], &publish).expect("there is room");
    }

    /// The work that is measured. Each operation: a subscriber joins a channel and asks for its last
    /// message, reads it, gets the next one live and leaves. Now and then a channel is deleted or a new
    /// one published to, and time passes, so that these expire.
    #[inline(never)]
    fn measured(&mut self, operations: u64) {
        let (lasting, brief) = (limits(LONG), limits(SHORT));
        let (since, rules) = (ResumePoint::default(), JoinRules::default());
        for _ in 0..operations {
            self.operations += 1;
            let now = START + 1 + self.operations / IN_SECOND;
            let step = self.channels / self.used;
            let id = id(*b"channel-", self.next_random() % self.used * step);
            if self.operations % DELETES == 0 {
                self.zone.delete(self.me, &id, None, now);
            }
            let items = [JoinItem { id: &id, backtrack: 1 }];
            let joined = self.zone.join(self.subscriber, &items, &since, &rules, &lasting, now);
            let mut subscription = joined.expect("there is room").subscriptions[0];
            if let Some(bookmark) = subscription.history.take() {
                subscription.history =
                    self.zone.read_history(self.subscriber, bookmark, usize::MAX, now).next;
            }
            self.publish(&id, &lasting, now);
            assert_eq!(self.zone.mail(self.subscriber).messages().count(), 1);
            _ = self.zone.leave(self.subscriber, &[subscription], &lasting, now);
            if self.operations % BRIEF == 0 {
                self.publish(&crate::id(*b"brief---", self.operations), &brief, now);
            }
            self.zone.sweep(now);
        }
    }

    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random >> 33
    }
}

fn limits(life: u64) -> Limits {
    Limits { max_stored: Some(1), message_ttl: life, inactivity: life, ..Limits::default() }
}

/// Of the same length whatever the number.
fn id(kind: [u8; 8], number: u64) -> [u8; 16] {
    let mut id = [b'0'; 16];
    id[..8].copy_from_slice(&kind);
    let mut rest = number;
    for digit in id[8..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    id
}

/// Nanoseconds of this thread's processor time per operation.
fn time(work: &mut Work) -> f64 {
    let started = processor_time();
    work.measured(OPERATIONS_IN_ROUND);
    (processor_time() - started) / OPERATIONS_IN_ROUND as f64
}

fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn compare() {
    let mut zones = [Work::new(FEW, FEW), Work::new(MANY, FEW), Work::new(MANY, MANY)];
    let names = ["1,000 channels", "1,000 of 1,000,000", "1,000,000 channels"];
    // Memory that was never touched costs once more.
    zones.iter_mut().for_each(|work| _ = time(work));
    let mut times = [[0.0; ROUNDS]; 3];
    for round in 0..ROUNDS {
        for (work, times) in zones.iter_mut().zip(&mut times) {
            times[round] = time(work);
        }
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    });
    let few = times[0];
    for ((name, median), times) in names.iter().zip(medians).zip(times) {
        // Of one round: both met the same neighbours on the machine.
        let mut ratios = core::array::from_fn::<_, ROUNDS, _>(|i| times[i] / few[i]);
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios[ROUNDS / 2];
        println!("{name:20} {median:5.0} ns an operation, ratio {ratio:.3}  {times:.0?}");
    }
}

fn main() {
    // cargo adds a flag of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["work", channels, operations] => {
            let number = |text: &str| text.parse().expect("a number");
            Work::new(number(channels), number(channels)).measured(number(operations));
        }
        [] | ["time"] => compare(),
        _ => panic!("usage: store_scaling [time | work CHANNELS OPERATIONS]"),
    }
}

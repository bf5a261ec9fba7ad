//! Memory that the processes share: the zone, and beside it what they tell the parent.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use crate::mapping::map;

/// Processes that live at a time.
pub const SEATS: usize = 4;
/// Most acknowledged messages of the kept channel that a seat notes in one round.
pub const ACKS: usize = 2500;

/// What a round of the test is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// Operate; be killed.
    Run = 0,
    /// Stop publishing and say so.
    Quiet = 1,
    /// Take what is left, check that it is complete, leave.
    Finish = 2,
}

/// The table beside the zone. All zero at first.
#[repr(C)]
pub struct Board {
    /// The clock of all processes, in unix seconds.
    pub now: AtomicU64,
    phase: AtomicU32,
    /// Ids that subscribers did not see, because their worker was taken for stuck.
    pub missed: AtomicU64,
    /// Slots of dead processes that were given back.
    pub reclaimed: AtomicU64,
    pub seats: [Seat; SEATS],
}

/// What the process on a seat tells.
#[repr(C)]
pub struct Seat {
    /// The operation it is in; index into `process::OPERATIONS`.
    pub operation: AtomicU32,
    pub quiet: AtomicU32,
    pub operations: AtomicU64,
    count: AtomicU64,
    acks: [Ack; ACKS],
}

/// A message of the kept channel whose publish has returned.
#[repr(C)]
struct Ack {
    id: AtomicU64,
    token: AtomicU64,
}

impl Board {
    pub fn new() -> &'static Board {
        let base = map(size_of::<Board>()).cast::<Board>();
        // SAFETY: mapped for good, large enough, aligned to a page, and zeros are a valid `Board`.
        unsafe { base.as_ref() }
    }

    pub fn phase(&self) -> Phase {
        match self.phase.load(SeqCst) {
            0 => Phase::Run,
            1 => Phase::Quiet,
            _ => Phase::Finish,
        }
    }

    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u32, SeqCst);
    }

    /// For the next round.
    pub fn forget_acks(&self) {
        for seat in &self.seats {
            seat.count.store(0, SeqCst);
            seat.quiet.store(0, SeqCst);
        }
    }
}

impl Seat {
    pub fn may_note(&self) -> bool {
        (self.count.load(SeqCst) as usize) < ACKS
    }

    /// Notes a message; the count last, so that a note cut short does not count.
    pub fn note(&self, id: u64, token: u64) {
        let count = self.count.load(SeqCst);
        let ack = &self.acks[count as usize];
        ack.id.store(id, SeqCst);
        ack.token.store(token, SeqCst);
        self.count.store(count + 1, SeqCst);
    }

    /// Id and token of each noted message.
    pub fn noted(&self) -> impl Iterator<Item = (u64, u64)> {
        let count = self.count.load(SeqCst) as usize;
        self.acks[..count].iter().map(|ack| (ack.id.load(SeqCst), ack.token.load(SeqCst)))
    }
}

/// Random numbers that follow from a seed (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Less than `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

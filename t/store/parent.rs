//! Starts processes, kills them, and judges what they leave.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use ngx_http_push_stream_module::store::{
    JoinItem, JoinRules, Parts, Publish, ResumePoint, SlotId, Zone,
};

use crate::mapping::map;
use crate::process::{EVENTS, KEPT, OPERATIONS, Process, channel_id, is_evicting, limits};
use crate::shared::{Board, Phase, Random, SEATS};
use crate::tally::Tally;
use crate::text;

/// A channel that no process uses.
const RESERVE: &[u8] = b"reserve";
const START: u64 = 1_800_000_000;
/// A process that does not do what it is told for so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often one looks for a process in a transaction, most of the time without finding any.
const LOOKS: u32 = 50_000;

pub struct Parent {
    zone: Zone,
    board: &'static Board,
    random: Random,
    /// Process ids, by seat.
    children: [libc::pid_t; SEATS],
    /// Processes started so far.
    number: u32,
    now: u64,
    /// Bytes in use before anything was done.
    empty: u64,
    killed_in_round: u64,
    events: bool,
    pub tally: Tally,
}

impl Parent {
    pub fn new(len: usize, seed: u64, events: bool) -> Parent {
        // SAFETY: fresh shared memory, mapped for good.
        let zone = unsafe { Zone::create(map(len), len, START) }.expect("large enough");
        zone.evict_when_full(is_evicting());
        Parent {
            zone,
            board: Board::new(),
            random: Random(seed),
            children: [0; SEATS],
            number: 0,
            now: START,
            empty: zone.totals(START).used,
            killed_in_round: 0,
            events,
            tally: Tally::default(),
        }
    }

    /// Starts processes, kills some, lets the last ones finish, and looks at what remains.
    pub fn round(&mut self, kills: u64) -> Result<(), String> {
        // SAFETY: no preconditions. A round takes a second or two.
        unsafe { libc::alarm(60) };
        self.killed_in_round = 0;
        self.board.forget_acks();
        self.board.enter(Phase::Run);
        self.board.now.store(self.now, SeqCst);
        if self.events {
            let configured = self.zone.configure_events(b"events", &limits(EVENTS), self.now);
            configured.map_err(|turn| format!("no room for the events channel: {turn:?}"))?;
        }
        self.reserve()?;
        (0..SEATS).for_each(|seat| self.start(seat));
        while self.killed_in_round < kills {
            self.kill_some()?;
        }
        self.finish()?;
        self.check_kept()?;
        self.check_empty()
    }

    /// Keeps a little room for the end of the round, which reads the kept channel.
    fn reserve(&self) -> Result<(), String> {
        let me = self.take_slot();
        let limits = limits(KEPT);
        let parts = Parts { text: &[&[0; 8192]], ..Parts::default() };
        let publish = Publish { me, parts, store: true, limits: &limits, now: self.now };
        let published = self.zone.publish(&[RESERVE], &publish);
        self.zone.leave_slot(me, &limits, self.now);
        published.map(drop).map_err(|error| format!("no room in an empty zone: {error}"))
    }

    fn start(&mut self, seat: usize) {
        self.number += 1;
        let (number, seed) = (self.number, self.random.next());
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            0 => {
                // SAFETY: no preconditions. If the parent dies, so does this process.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                let run = || Process::new(self.zone, self.board, seat, number, seed).run();
                let ran = catch_unwind(AssertUnwindSafe(run));
                // SAFETY: no preconditions. Nothing of the parent's state is unwound or dropped.
                unsafe { libc::_exit(if ran.is_ok() { 0 } else { 101 }) }
            }
            -1 => panic!("fork: {}", std::io::Error::last_os_error()),
            pid => self.children[seat] = pid,
        }
    }

    fn kill_some(&mut self) -> Result<(), String> {
        pause(self.random.below(2500));
        let mut victims = Vec::new();
        let wanted = [1, 1, 1, 1, 2, 2, 3, 4][self.random.below(8) as usize];
        while victims.len() < wanted {
            let seat = self.choose_and_kill(&victims)?;
            victims.push(seat);
        }
        if self.random.one_in(2) {
            // Somebody else may notice first, and be killed next time while reclaiming.
            pause(self.random.below(300));
        }
        if self.random.one_in(4) {
            self.now += 1;
            self.board.now.store(self.now, SeqCst);
        }
        self.reclaim();
        self.check("after a kill")?;
        victims.iter().for_each(|&seat| self.start(seat));
        Ok(())
    }

    /// Kills a process other than those: one at random as it runs, or one that is stopped first, so that
    /// one can see where it is. Mostly that is one that was just seen in a transaction.
    fn choose_and_kill(&mut self, dead: &[usize]) -> Result<usize, String> {
        let how = self.random.below(5);
        let aimed = if how >= 2 { self.aim()? } else { None };
        let seat = match aimed {
            Some(seat) => seat,
            None => loop {
                let seat = self.random.below(SEATS as u64) as usize;
                if !dead.contains(&seat) {
                    break seat;
                }
            },
        };
        if how >= 1 {
            let changes =
                if aimed.is_some() { self.changes_in_transaction(seat) } else { self.stop(seat)? };
            self.tally.looked += 1;
            self.tally.held += u64::from(changes.is_some());
            if changes.is_some_and(|changes| changes > 0) {
                self.tally.cut_short += 1;
                *self.tally.cut_in.entry(self.operation(seat)).or_default() += 1;
            }
        }
        let pid = self.children[seat];
        signal(pid, libc::SIGKILL);
        let status = wait(pid, 0);
        if !libc::WIFSIGNALED(status) || libc::WTERMSIG(status) != libc::SIGKILL {
            return Err(self.ended_by_itself(seat, status));
        }
        self.children[seat] = 0;
        self.tally.kills += 1;
        self.killed_in_round += 1;
        Ok(seat)
    }

    /// Stops processes that are seen in a transaction until one still is in it when it stands.
    fn aim(&mut self) -> Result<Option<usize>, String> {
        for look in 1..=LOOKS {
            if look % (LOOKS / 10) == 0 {
                // On a busy machine they need this processor too.
                pause(200);
            }
            let Some((holder, 1..)) = self.zone.transaction_in_progress() else { continue };
            let Some(seat) = self.children.iter().position(|&pid| pid as u32 == holder) else {
                continue;
            };
            if self.stop(seat)?.is_some_and(|changes| changes > 0) {
                return Ok(Some(seat));
            }
            signal(self.children[seat], libc::SIGCONT);
        }
        Ok(None)
    }

    /// Stops a process. How many words it has changed and not committed, if it is in a transaction.
    fn stop(&mut self, seat: usize) -> Result<Option<u32>, String> {
        let pid = self.children[seat];
        signal(pid, libc::SIGSTOP);
        let status = wait(pid, libc::WUNTRACED);
        if !libc::WIFSTOPPED(status) {
            return Err(self.ended_by_itself(seat, status));
        }
        Ok(self.changes_in_transaction(seat))
    }

    fn changes_in_transaction(&self, seat: usize) -> Option<u32> {
        let held = self.zone.transaction_in_progress();
        let own = held.filter(|&(holder, _)| holder == self.children[seat] as u32);
        own.map(|(_, changes)| changes)
    }

    fn operation(&self, seat: usize) -> &'static str {
        OPERATIONS[self.board.seats[seat].operation.load(SeqCst) as usize]
    }

    fn ended_by_itself(&mut self, seat: usize, status: i32) -> String {
        self.children[seat] = 0;
        self.end_all();
        let operation = self.operation(seat);
        let how = if libc::WIFEXITED(status) {
            format!("exit code {}", libc::WEXITSTATUS(status))
        } else {
            format!("status {status:#x}")
        };
        format!("a process failed in {operation:?}: {how}, after {} kills", self.tally.kills)
    }

    fn reclaim(&self) {
        let dead = self.zone.reclaim_dead(None, &limits(1), self.now);
        self.board.reclaimed.fetch_add(dead.pids.len() as u64, SeqCst);
    }

    fn check(&mut self, when: &str) -> Result<(), String> {
        self.zone.check().and_then(|()| self.check_events()).map_err(|fault| {
            self.end_all();
            format!("{when}, {} in all: {fault}", self.tally.kills)
        })
    }

    /// What the events tell is what is there; none of them is ever missing.
    fn check_events(&mut self) -> Result<(), String> {
        let balance = self.zone.check_events()?;
        if balance.is_none() && !is_evicting() && self.zone.is_events_channel(b"events") {
            return Err("the events channel does not hold all events".to_string());
        }
        if let Some(balance) = balance {
            self.tally.told = self.tally.told.max(balance.told);
            self.tally.untold = balance.dropped;
        }
        Ok(())
    }

    /// Lets the processes that live take what is theirs and leave.
    fn finish(&mut self) -> Result<(), String> {
        self.board.enter(Phase::Quiet);
        let started = Instant::now();
        while self.board.seats.iter().any(|seat| seat.quiet.load(SeqCst) == 0) {
            self.watch(started, false)?;
        }
        self.board.enter(Phase::Finish);
        while self.children != [0; SEATS] {
            self.watch(started, true)?;
        }
        self.reclaim();
        self.check("after the end of all processes")
    }

    /// Looks after the processes; they may end if that is what they are to do.
    fn watch(&mut self, since: Instant, may_end: bool) -> Result<(), String> {
        for seat in 0..SEATS {
            let mut status = 0;
            let pid = self.children[seat];
            // SAFETY: waits for a child of this process, if it has not been waited for.
            if pid != 0 && unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == pid {
                if !(may_end && status == 0) {
                    return Err(self.ended_by_itself(seat, status));
                }
                self.children[seat] = 0;
            }
        }
        if since.elapsed() > PATIENCE {
            let seats = (0..SEATS).filter(|&seat| self.children[seat] != 0);
            let operations: Vec<_> = seats.map(|seat| self.operation(seat)).collect();
            let held = self.zone.transaction_in_progress();
            self.end_all();
            return Err(format!("processes hang in {operations:?}, transaction {held:?}"));
        }
        std::thread::sleep(Duration::from_micros(500));
        Ok(())
    }

    /// The kept channel has every acknowledged message under its id, whole, and nothing twice.
    fn check_kept(&mut self) -> Result<(), String> {
        let me = self.take_slot();
        self.zone.delete(me, RESERVE, None, self.now);
        let id = channel_id(KEPT);
        let items = [JoinItem { id: id.as_bytes(), backtrack: u64::MAX }];
        let kept = limits(KEPT);
        let (since, rules) = (ResumePoint::default(), JoinRules::default());
        let joined = self.zone.join(me, &items, &since, &rules, &kept, self.now);
        let mut subscription = match joined {
            Ok(joined) => joined.subscriptions[0],
            Err(error) => return Err(format!("the kept channel cannot be read: {error}")),
        };
        let mut tokens = Vec::new();
        let (mut first, mut last) = (None, Default::default());
        while let Some(bookmark) = subscription.history.take() {
            let step = self.zone.read_history(me, bookmark, usize::MAX, self.now);
            subscription.history = step.next;
            for message in step.page.messages() {
                tokens.push(text::token_of(&message));
                let first = *first.get_or_insert(message.id);
                if message.id != first + tokens.len() as u64 - 1 || message.stamp <= last {
                    return Err(format!("the kept channel has {message:?} at {}", tokens.len()));
                }
                last = message.stamp;
            }
        }
        // With nothing left, the next would be the first.
        let first = first.unwrap_or(subscription.live_from);
        let whole = first == 1 || is_evicting();
        if !whole || first + tokens.len() as u64 != subscription.live_from {
            let (kept, live_from) = (tokens.len(), subscription.live_from);
            return Err(format!("{kept} kept from {first} on, live from {live_from}"));
        }
        _ = self.zone.leave(me, &[subscription], &kept, self.now);
        self.zone.leave_slot(me, &kept, self.now);

        let mut acknowledged = 0;
        for (id, token) in self.board.seats.iter().flat_map(|seat| seat.noted()) {
            acknowledged += 1;
            if id < first && is_evicting() {
                continue;
            }
            let found = id.checked_sub(first).and_then(|at| tokens.get(at as usize));
            if found != Some(&token) {
                return Err(format!("{id} was acknowledged as {token:#x} and is {found:x?}"));
            }
        }
        let kept = tokens.len() as u64;
        tokens.sort_unstable();
        tokens.dedup();
        if tokens.len() as u64 != kept {
            return Err("a message was kept twice".to_string());
        }
        // A killed process may have published one message that it could no longer note.
        if kept > acknowledged + self.killed_in_round {
            return Err(format!("{kept} kept, {acknowledged} acknowledged"));
        }
        self.tally.acknowledged += acknowledged;
        Ok(())
    }

    /// Without its messages, the zone is as it was at first.
    fn check_empty(&mut self) -> Result<(), String> {
        // From here on the events channel is one like the others.
        let configured = self.zone.configure_events(b"", &limits(EVENTS), self.now);
        configured.map_err(|turn| format!("an end needs no room: {turn:?}"))?;
        let me = self.take_slot();
        let mut ids = Vec::new();
        self.zone.list(me, b"", |id, _| ids.push(id.to_vec()));
        for id in ids {
            if self.zone.delete(me, &id, None, self.now).is_none() {
                return Err(format!("{:?} was listed and is not there", id.escape_ascii()));
            }
        }
        self.zone.leave_slot(me, &limits(1), self.now);
        // Past the time for which removed objects are still told.
        self.now += 40;
        while self.zone.sweep(self.now).more {}
        self.check("after the deletion of all channels")?;
        let totals = self.zone.totals(self.now);
        let rest = (totals.subscribers, totals.channels + totals.wildcard_channels, totals.stored);
        if rest != (0, 0, 0) || !totals.workers.is_empty() || totals.used != self.empty {
            return Err(format!("{} bytes used at first, then {totals:?}", self.empty));
        }
        // Ids may be missing only where a worker was taken for stuck.
        self.tally.missed = self.board.missed.load(SeqCst);
        self.tally.evicted = totals.evicted;
        if self.tally.missed + self.tally.untold > totals.dropped.iter().sum() {
            return Err(format!("{} messages did not come: {totals:?}", self.tally.missed));
        }
        let seats = self.board.seats.iter();
        self.tally.operations = seats.map(|seat| seat.operations.load(SeqCst)).sum();
        Ok(())
    }

    fn take_slot(&self) -> SlotId {
        self.zone.take_slot(std::process::id(), 0, self.now).expect("a free slot")
    }

    fn end_all(&mut self) {
        for pid in self.children.iter_mut().filter(|pid| **pid != 0) {
            signal(*pid, libc::SIGKILL);
            wait(*pid, 0);
            *pid = 0;
        }
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        self.end_all();
    }
}

/// Lets the processes run for a time; a short one is not left to the scheduler.
fn pause(micros: u64) {
    let time = Duration::from_micros(micros);
    if micros > 100 {
        return std::thread::sleep(time);
    }
    let started = Instant::now();
    while started.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn signal(pid: libc::pid_t, signal: i32) {
    // SAFETY: a child of this process that has not been waited for, so the id is still its own.
    let code = unsafe { libc::kill(pid, signal) };
    assert_eq!(code, 0, "kill: {}", std::io::Error::last_os_error());
}

fn wait(pid: libc::pid_t, options: i32) -> i32 {
    let mut status = 0;
    // SAFETY: a child of this process that has not been waited for.
    let got = unsafe { libc::waitpid(pid, &raw mut status, options) };
    assert_eq!(got, pid, "waitpid: {}", std::io::Error::last_os_error());
    status
}

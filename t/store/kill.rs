//! Kills processes at random moments while they use one zone, and checks after each kill that nothing
//! is broken, lost, doubled or leaked. Needs no nginx.
//!
//! The parent stays single-threaded, so that it may fork; a process ends with `_exit` or is killed.
//! `PUSH_STREAM_KILL_SEED` and `PUSH_STREAM_KILLS` choose other random numbers and another number of
//! kills. Times cannot be repeated, so a seed repeats the operations but not where they are cut.

mod follower;
mod mapping;
mod parent;
mod process;
mod shared;
mod tally;
mod text;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

use parent::Parent;
use tally::Tally;

/// What the zone is like, so that different paths are cut short.
struct Scenario {
    name: &'static str,
    zone: usize,
    kills: u64,
    kills_in_round: u64,
    /// With an events channel, whose events must balance.
    events: bool,
    /// The oldest messages make room.
    evicts: bool,
    /// Processes take others for stuck, whether or not they are.
    stuck: bool,
}

const SCENARIOS: [Scenario; 7] = [
    Scenario {
        name: "kills_with_room",
        zone: 24 << 20,
        kills: 900,
        kills_in_round: 50,
        events: false,
        evicts: false,
        stuck: false,
    },
    Scenario {
        name: "kills_in_a_full_zone",
        zone: 512 << 10,
        kills: 300,
        kills_in_round: 30,
        events: false,
        evicts: false,
        stuck: false,
    },
    Scenario {
        name: "kills_with_events",
        zone: 64 << 20,
        kills: 400,
        kills_in_round: 40,
        events: true,
        evicts: false,
        stuck: false,
    },
    Scenario {
        name: "kills_with_events_in_a_full_zone",
        zone: 512 << 10,
        kills: 200,
        kills_in_round: 20,
        events: true,
        evicts: false,
        stuck: false,
    },
    Scenario {
        name: "kills_with_eviction",
        zone: 512 << 10,
        kills: 300,
        kills_in_round: 30,
        events: false,
        evicts: true,
        stuck: false,
    },
    Scenario {
        name: "kills_with_eviction_and_events",
        zone: 512 << 10,
        kills: 200,
        kills_in_round: 20,
        events: true,
        evicts: true,
        stuck: false,
    },
    Scenario {
        name: "kills_with_stuck_workers",
        zone: 256 << 10,
        kills: 600,
        kills_in_round: 30,
        events: false,
        evicts: false,
        stuck: true,
    },
];

/// Fewest kills that must have hit a transaction that had changed something, in 100 of those whose place
/// was looked at. With fewer, the test would show little.
const MIN_CUT_SHORT: u64 = 1;
/// Fewest messages that a zone that evicts must have evicted; until then it goes on.
const MIN_EVICTED: u64 = 1000;
/// So many times as many kills as it should have, at most.
const MOST_TIMES: u64 = 10;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let filters = filters(&arguments);
    let chosen = SCENARIOS.iter().filter(|scenario| {
        let named = filters.iter().any(|filter| scenario.name.contains(filter));
        (filters.is_empty() || named) && !has("--ignored")
    });
    if has("--list") {
        chosen.for_each(|scenario| println!("{}: test", scenario.name));
        return ExitCode::SUCCESS;
    }
    end_when_stuck();
    let started = Instant::now();
    let seed = from_environment("PUSH_STREAM_KILL_SEED").unwrap_or(20_261_121);
    let (mut passed, mut failed) = (0, 0);
    for scenario in chosen {
        let ran = catch_unwind(|| run(scenario, seed));
        match ran.unwrap_or_else(|_| Err("panicked".to_string())) {
            Ok(report) => {
                passed += 1;
                println!("test {} ... ok\n{report}", scenario.name);
            }
            Err(fault) => {
                failed += 1;
                println!("test {} ... FAILED\nseed {seed}: {fault}", scenario.name);
            }
        }
    }
    let filtered = SCENARIOS.len() - passed - failed;
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; 0 ignored; 0 measured; \
         {filtered} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        started.elapsed().as_secs_f64()
    );
    ExitCode::from(u8::from(failed > 0))
}

/// What names tests, among the arguments that cargo's other test programs take too.
fn filters(arguments: &[String]) -> Vec<&str> {
    const WITH_VALUE: [&str; 6] =
        ["--test-threads", "--skip", "--format", "--color", "--logfile", "-Z"];
    let mut filters = Vec::new();
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        if WITH_VALUE.contains(&argument) {
            rest.next();
        } else if !argument.starts_with('-') {
            filters.push(argument);
        }
    }
    filters
}

fn run(scenario: &Scenario, seed: u64) -> Result<String, String> {
    let kills = from_environment("PUSH_STREAM_KILLS").unwrap_or(scenario.kills);
    process::set_evicting(scenario.evicts);
    process::set_stuck(scenario.stuck);
    let mut parent = Parent::new(scenario.zone, seed, scenario.events);
    let has_evicted = |tally: &Tally| !scenario.evicts || tally.evicted >= MIN_EVICTED;
    // A slow machine does less between two kills.
    while parent.tally.kills < kills
        || !has_evicted(&parent.tally) && parent.tally.kills < MOST_TIMES * kills
    {
        parent.round(scenario.kills_in_round)?;
    }
    let tally = &parent.tally;
    if !has_evicted(tally) {
        return Err(format!("too little was evicted: {tally}"));
    }
    if scenario.stuck != (tally.missed > 0) {
        return Err(format!("only stuck workers miss messages: {tally}"));
    }
    if tally.cut_short * 100 < tally.looked * MIN_CUT_SHORT {
        return Err(format!("too few kills hit a transaction: {tally}"));
    }
    Ok(format!("  {tally}"))
}

/// If this process is stuck in the zone itself, a signal ends the test; the forked ones end with it.
fn end_when_stuck() {
    extern "C" fn stuck(_: libc::c_int) {
        const LINES: &str = "\nthe zone cannot be used any more\n\ntest result: FAILED. 0 passed; \
            1 failed; 0 ignored; 0 measured; 0 filtered out\n";
        // SAFETY: both may be called in a signal handler.
        unsafe {
            libc::write(libc::STDOUT_FILENO, LINES.as_ptr().cast(), LINES.len());
            libc::_exit(101);
        }
    }
    let handler: extern "C" fn(libc::c_int) = stuck;
    // SAFETY: the handler does nothing that a handler may not.
    unsafe { libc::signal(libc::SIGALRM, handler as libc::sighandler_t) };
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value:?}")))
}

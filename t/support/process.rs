//! Looking at nginx's processes from outside.

use std::collections::BTreeSet;
use std::fs;

pub type Pid = i32;

/// Direct children of `parent` whose title begins with `title`.
pub fn children(parent: Pid, title: &str) -> BTreeSet<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeSet::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<Pid>().ok())
        .filter(|&pid| parent_of(pid) == Some(parent) && title_of(pid).starts_with(title))
        .collect()
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name stands in parentheses and may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

pub fn title_of(pid: Pid) -> String {
    fs::read(format!("/proc/{pid}/cmdline"))
        .map(|raw| String::from_utf8_lossy(&raw).trim_end_matches('\0').to_owned())
        .unwrap_or_default()
}

/// True while the process exists and is not a zombie.
pub fn is_alive(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(')').map(|(_, rest)| !rest.starts_with(" Z")))
        .unwrap_or(false)
}

/// Anonymous private memory of a process in bytes: what a leak in a worker makes grow.
pub fn private_memory(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("an RssAnon line");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a size");
    kib * 1024
}

/// Processor time of a process in clock ticks.
pub fn cpu_ticks(pid: Pid) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let rest = stat.rsplit_once(')').expect("a command name").1;
    rest.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap_or(0)).sum()
}

pub fn send_signal(pid: Pid, signal: libc::c_int) {
    // SAFETY: kill takes plain numbers; the harness signals only processes it started.
    unsafe { libc::kill(pid, signal) };
}

/// How many descriptors a process has open.
pub fn open_files(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("the process lives").count()
}

/// How much a process may map beyond what it has; all it wants if none.
pub fn limit_memory(pid: Pid, more: Option<u64>) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find(|line| line.starts_with("VmSize:")).expect("a VmSize line");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a size");
    let most = more.map_or(libc::RLIM_INFINITY, |more| kib * 1024 + more);
    let limit = libc::rlimit { rlim_cur: most, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: prlimit reads `limit`; the process is a worker that this test started.
    let done = unsafe { libc::prlimit(pid, libc::RLIMIT_AS, &limit, std::ptr::null_mut()) };
    assert_eq!(done, 0, "prlimit");
}

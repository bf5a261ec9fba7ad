//! Binary upgrades: USR2, WINCH, QUIT (LIFE-106..108).

use std::process::Command;

use crate::long_drain;
use crate::support::process::{self, send_signal};
use crate::support::{Builder, Nginx, wait_for};

const PAGE: &str = include_str!("../../docs/operations.md");
const UPGRADING: &str = "## Upgrading nginx or the module";
const WARNING: &str = "push stream module: binary upgrade: channels are split";

/// With a drain, which must hold nobody who is not published to any more.
async fn server() -> Nginx {
    long_drain().workers(2).daemon().expect_log(WARNING).start().await
}

/// What the log says; without nginx's copies for the terminal, which a daemon has in its log too.
fn warnings(nginx: &Nginx) -> Vec<String> {
    let mut lines = nginx.log_lines(WARNING);
    lines.retain(|line| !line.starts_with("nginx: "));
    lines
}

/// Every message reaches every one of several subscribers, whichever workers they and it come to.
async fn every_publish_reaches_everybody(nginx: &Nginx, channel: &str) {
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(nginx.stream(&format!("/stream/{channel}")).await);
    }
    for n in 1..=20 {
        let answer = nginx.publish(channel, format!("m{n}")).await;
        assert_eq!(answer.json()["subscribers"], 8);
        for stream in &mut streams {
            assert_eq!(stream.line().await, format!("{n} m{n}"));
        }
    }
}

/// LIFE-106..108: one warning that channels are split, until WINCH has ended the old workers and their
/// subscribers; then the service is whole, without and with the old master, and over a reload of the new.
#[tokio::test]
async fn to_a_new_master() {
    let nginx = server().await;
    let mut old = nginx.stream("/stream/c").await;
    nginx.publish("c", "before").await;
    let master = nginx.upgrade().await;
    let warnings = warnings(&nginx);
    assert!(warnings.len() == 1 && warnings[0].contains("[warn]"), "{warnings:?}");

    send_signal(nginx.master_pid(), libc::SIGWINCH);
    old.ends_with("1 before\nFOOT").await;
    wait_for("the old workers to go", || async {
        process::children(nginx.master_pid(), "nginx: worker").is_empty().then_some(())
    })
    .await;
    assert!(nginx.channel("c").await.is_none(), "the new master's zone began empty");
    every_publish_reaches_everybody(&nginx, "c").await;

    send_signal(nginx.master_pid(), libc::SIGQUIT);
    wait_for("the old master to go", || async { nginx.has_exited().then_some(()) }).await;
    every_publish_reaches_everybody(&nginx, "d").await;

    let before = nginx.newer_workers(master);
    send_signal(master, libc::SIGHUP);
    wait_for("the workers of a reload", || async {
        let now = nginx.newer_workers(master);
        (now.len() == before.len() && now.is_disjoint(&before)).then_some(())
    })
    .await;
    assert_eq!(nginx.channel_stat("d", "published_messages").await, 20);
    every_publish_reaches_everybody(&nginx, "e").await;
    assert_eq!(self::warnings(&nginx).len(), 1);
}

/// The commands of a binary upgrade in docs/operations.md, as they stand there, and what they say.
fn run_page(nginx: &Nginx, heading: &str) -> Vec<String> {
    let section = PAGE.split(heading).nth(1).expect(heading).split("\n## ").next().expect("text");
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split("```").next());
    let pid = nginx.dir().join("nginx.pid").display().to_string();
    let run = |block: Option<&str>| {
        let block = block.expect("an end").replace("/run/nginx.pid", &pid);
        let output = Command::new("sh").args(["-c", &block]).output().expect("sh runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    blocks.map(run).collect()
}

/// LIFE-107, LIFE-108: what the page says to do leads to the new master.
#[tokio::test]
async fn as_the_page_says() {
    let nginx = server().await;
    let mut old = nginx.stream("/stream/c").await;
    assert_eq!(run_page(&nginx, UPGRADING), ["", ""]);
    old.ends_with("FOOT").await;
    wait_for("the old master to go", || async { nginx.has_exited().then_some(()) }).await;
    let master = nginx.pid_file().expect("the new master's");
    assert_ne!(master, nginx.master_pid());
    nginx.adopt(master);
    every_publish_reaches_everybody(&nginx, "c").await;
}

/// LIFE-106: started by a bare name nginx starts no other; what the page says to do ends, says so, and leaves the
/// old master and its subscribers as they are.
#[tokio::test]
async fn of_a_bare_name() {
    let failed = "execve() failed while executing new binary process";
    let nginx = long_drain().workers(2).daemon().bare_name().expect_log(failed);
    let nginx = nginx.expect_log("exited with code").start().await;
    let mut old = nginx.stream("/stream/c").await;
    let said = run_page(&nginx, UPGRADING);
    assert!(said[0].starts_with("no new master came up"), "{said:?}");
    assert!(nginx.log().contains(failed));
    assert_eq!(nginx.pid_file(), Some(nginx.master_pid()));
    nginx.publish("c", "x").await;
    assert_eq!(old.line().await, "1 x");
}

/// LIFE-106, LIFE-108: back to the old master, which still has its zone: HUP starts its workers again, QUIT ends
/// the new master with the subscribers it has got.
#[tokio::test]
async fn back_to_the_old_master() {
    let nginx = server().await;
    nginx.publish("kept", "before").await;
    let master = nginx.upgrade().await;
    send_signal(nginx.master_pid(), libc::SIGWINCH);
    wait_for("the old workers to go", || async {
        process::children(nginx.master_pid(), "nginx: worker").is_empty().then_some(())
    })
    .await;
    let mut new = nginx.stream("/stream/c").await;
    nginx.publish("c", "x").await;

    send_signal(nginx.master_pid(), libc::SIGHUP);
    wait_for("the old master's workers", || async {
        (nginx.worker_pids().len() == 2).then_some(())
    })
    .await;
    send_signal(master, libc::SIGQUIT);
    new.ends_with("1 x\nFOOT").await;
    wait_for("the new master to go", || async { (!process::is_alive(master)).then_some(()) }).await;
    wait_for("the old pid file", || async {
        (nginx.pid_file() == Some(nginx.master_pid())).then_some(())
    })
    .await;
    assert_eq!(nginx.stream("/stream/kept.b1").await.line().await, "1 before");
    every_publish_reaches_everybody(&nginx, "c").await;
    // And a reload drains again.
    let mut held = nginx.stream("/stream/held").await;
    nginx.reload().await;
    nginx.publish("held", "x").await;
    assert_eq!(held.line().await, "1 x");
}

/// LIFE-8: nothing is split where the module serves nothing, and a reload that begins to use it is no upgrade.
#[tokio::test]
async fn without_channels() {
    let unused = |builder: Builder| builder.bare().no_zone().location("/x", "return 200 x;");
    let nginx = unused(Nginx::builder().daemon()).start().await;
    let master = nginx.upgrade().await;
    send_signal(nginx.master_pid(), libc::SIGQUIT);
    wait_for("the old master to go", || async { nginx.has_exited().then_some(()) }).await;
    Builder::default().daemon().workers(3).write_for(&nginx);
    send_signal(master, libc::SIGHUP);
    wait_for("three workers", || async { (nginx.newer_workers(master).len() == 3).then_some(()) })
        .await;
    nginx.publish("c", "x").await;
    assert_eq!(nginx.log_lines("binary upgrade"), Vec::<String>::new());
}

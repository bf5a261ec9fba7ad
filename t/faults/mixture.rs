//! All faults together, under a load of all modes.

use std::sync::Arc;
use std::time::Instant;

use crate::load::random::Random;
use crate::load::{Account, Load, conf, counts, disturb, watch};
use crate::support;

const WORKERS: usize = 4;
/// Descriptors of a worker: enough for the load, few enough to be used up.
const OPEN_FILES: usize = 160;

/// What happens in one round.
struct Faults {
    kills: usize,
    reloads: usize,
    full_zones: usize,
    exhaustions: usize,
    stalls: usize,
}

/// LIFE-51..59, LIFE-64..71, LIFE-82..87, LIFE-92, LIFE-94..96, LIFE-100, LIFE-101: whatever was acknowledged is
/// stored; every reader with a cursor gets all of it once, in order and unchanged; nobody gets anything
/// else; nothing takes longer than the harness waits; and all counts are exact at the end of a round.
async fn endure(test: &str, rounds: usize, faults: Faults) {
    let _alone = support::alone().await;
    let mut random = Random::new(test);
    let builder =
        conf::builder(WORKERS, "32m").main(&format!("worker_rlimit_nofile {OPEN_FILES};"));
    let builder =
        builder.expect_log("Too many open files").expect_log("exceed open file resource limit");
    let nginx = Arc::new(builder.start().await);
    watch::wait_workers(&nginx, 0).await;
    let empty = nginx.zone_used().await;
    let (start, mut account) = (Instant::now(), Account::default());
    for round in 0..rounds {
        let mut load = Load::start(&nginx, &mut random);
        disturb::kill(&nginx, faults.kills / 2, &mut random).await;
        for _ in 0..faults.full_zones {
            disturb::fill(&nginx).await;
        }
        disturb::reload(&nginx, faults.reloads, WORKERS, &mut random).await;
        for _ in 0..faults.exhaustions {
            disturb::exhaust(&nginx, WORKERS * OPEN_FILES).await;
        }
        disturb::stall(&nginx, faults.stalls, &mut random).await;
        disturb::kill(&nginx, faults.kills - faults.kills / 2, &mut random).await;
        let places = load.settle().await;
        drop(counts::check_living(&nginx, &places).await);
        account += load.finish().await;
        counts::check_empty(&nginx, empty).await;
        eprintln!("{test}: round {round}, {:?}, so far {account:?}", start.elapsed());
    }
    assert!(nginx.log().contains("Too many open files"), "no descriptor was missed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_faults() {
    let faults = Faults { kills: 30, reloads: 2, full_zones: 1, exhaustions: 1, stalls: 2 };
    endure("all_faults", 1, faults).await;
}

/// A thousand kills, twenty reloads, ten full zones, ten times no descriptor, twenty workers that stand still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes several minutes"]
async fn all_faults_a_thousand_times() {
    let faults = Faults { kills: 100, reloads: 2, full_zones: 1, exhaustions: 1, stalls: 2 };
    endure("all_faults_a_thousand_times", 10, faults).await;
}

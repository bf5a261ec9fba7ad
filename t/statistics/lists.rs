//! Long lists, read while channels come and go (STAT-35, STAT-64, STAT-65).

use std::collections::HashMap;

use crate::support::{Call, Client, Nginx, wait_for};
use crate::{get_as, listed};

const PAGE: usize = 400;

/// Creates `PAGE` channels; those whose number `leaves` accepts begin with `t`, the others with `p`.
async fn create(nginx: &Nginx, page: usize, leaves: impl Fn(usize) -> bool) {
    let id = |n| if leaves(n) { format!("t{n}") } else { format!("p{n}") };
    let ids = (page * PAGE..(page + 1) * PAGE).map(id).collect::<Vec<_>>().join("/");
    nginx.publish(&ids, "x").await;
}

/// Every third channel is deleted, and others are created and deleted, while workers read lists: what
/// lives throughout appears exactly once and in order of creation, everything else at most once.
#[tokio::test]
async fn channels_that_come_and_go() {
    let nginx = Nginx::start().await;
    const CHANNELS: usize = 12 * PAGE;
    for page in 0..12 {
        create(&nginx, page, |n| n % 3 == 0).await;
    }
    let lasting: Vec<_> = (0..CHANNELS).filter(|n| n % 3 != 0).map(|n| format!("p{n}")).collect();

    let port = nginx.port;
    let delete = async move |client: &mut Client, id: &str| {
        let answer = client.send(Call::new(port, "DELETE", &format!("/pub?id={id}"))).await;
        assert_eq!(answer.expect("a deletion").status, 200, "{id}");
    };
    let churn = tokio::spawn(async move {
        let mut client = Client::connect(port).await.expect("connect");
        for n in (0..CHANNELS).step_by(3) {
            delete(&mut client, &format!("t{n}")).await;
            client.post(&format!("/live?id=new{n}"), "x").await.expect("a publish");
            if n % 2 == 0 {
                delete(&mut client, &format!("new{n}")).await;
            }
        }
    });
    // Several readers, so that lists of one worker and of several overlap.
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let lasting = lasting.clone();
            tokio::spawn(async move {
                let mut client = Client::connect(port).await.expect("connect");
                for list in 0..30 {
                    let target = if list % 3 == 0 { "/stats?id=p*" } else { "/stats?id=ALL" };
                    let answer = client.send(Call::new(port, "GET", target)).await;
                    let seen = listed(&answer.expect("a list"));
                    let mut times = HashMap::new();
                    seen.iter().for_each(|id| *times.entry(id).or_insert(0) += 1);
                    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
                    assert!(twice.is_empty(), "{twice:?}");
                    let of_prefix: Vec<_> =
                        seen.into_iter().filter(|id| id.starts_with('p')).collect();
                    assert!(of_prefix == lasting, "{} of {}", of_prefix.len(), lasting.len());
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.expect("every list was right");
    }
    churn.await.expect("the churn");
    let kept = (0..CHANNELS).step_by(3).filter(|n| n % 2 != 0).count();
    assert_eq!(nginx.stat("channels").await, (lasting.len() + kept) as u64);
}

/// STAT-64, LIFE-86: a worker that is killed in the middle of a list leaves nothing behind that holds a
/// channel.
#[tokio::test]
async fn a_killed_reader() {
    let nginx = Nginx::start().await;
    let before = used(&nginx).await;
    for page in 0..20 {
        create(&nginx, page, |_| false).await;
    }
    for _ in 0..5 {
        let answer = nginx.get("/stats").await.json();
        let pid = answer["by_worker"][0]["pid"].as_str().and_then(|pid| pid.parse().ok());
        let mut lists = Vec::new();
        for _ in 0..8 {
            let call = nginx.call("GET", "/stats?id=ALL");
            // Those that the killed worker had do not come to an end.
            lists.push(tokio::spawn(async move { drop(call.try_send().await) }));
        }
        tokio::task::yield_now().await;
        nginx.kill_worker(pid.expect("a pid"));
        nginx.all_workers().await;
        for list in lists {
            list.await.expect("no panic");
        }
    }
    assert_eq!(listed(&nginx.get("/stats?id=ALL").await).len(), 20 * PAGE);
    for page in 0..20 {
        let ids: Vec<_> = (page * PAGE..(page + 1) * PAGE).map(|n| format!("p{n}")).collect();
        assert_eq!(nginx.delete(&format!("/pub?id={}", ids.join("/"))).await.status, 200);
    }
    assert_eq!(nginx.stat("channels").await, 0);
    wait_for("the zone as it was", || async { (used(&nginx).await == before).then_some(()) }).await;
}

/// Bytes of the zone in use.
async fn used(nginx: &Nginx) -> u64 {
    let answer = get_as(nginx, "/stats", "text/plain;version=0.0.4").await;
    let mut lines = answer.text().lines();
    let used = lines.find_map(|line| line.strip_prefix("push_stream_zone_used_bytes "));
    used.and_then(|used| used.parse().ok()).expect("a number")
}

//! What the statistics must say when it is quiet.

use std::sync::Arc;

use super::readers::Place;
use super::{DOOMED, KEPT, watch};
use crate::support::{Nginx, Raw, wait_for};

/// Long polls that wait while everything is counted.
const SITTERS: usize = 6;

/// Every count is that of the living connections: those of the readers, and of some long polls that wait
/// for nothing. These are returned; so many connections there are in all (LIFE-74, LIFE-76, STAT-59,
/// STAT-60).
pub async fn check_living(nginx: &Nginx, places: &[Arc<Place>]) -> (Vec<Raw>, u64) {
    let mut sitters = Vec::new();
    for n in 0..SITTERS {
        let mut sitter = Raw::connect(nginx.port).await;
        sitter.request(&format!("GET /wait/{}/sitters", KEPT[n % 3]), &[]).await;
        sitters.push(sitter);
    }
    let living = (places.len() + SITTERS) as u64;
    nginx.wait_stat("subscribers", living).await;
    watch::wait_workers(nginx, living).await;
    for (n, channel) in KEPT.iter().enumerate() {
        let readers = places.iter().filter(|place| place.channels.contains(channel)).count();
        let waiting = (0..SITTERS).filter(|sitter| sitter % 3 == n).count();
        let subscribers = nginx.channel_stat(channel, "subscribers").await;
        assert_eq!(subscribers, (readers + waiting) as u64, "{channel}");
    }
    assert_eq!(nginx.channel_stat("sitters", "subscribers").await, SITTERS as u64);
    for channel in DOOMED {
        assert_eq!(nginx.channel_stat(channel, "subscribers").await, 0, "{channel}");
    }
    check_totals(nginx).await;
    (sitters, living)
}

/// The totals are the sums over the channels. Messages of a deleted channel count a while longer
/// (LIFE-36).
async fn check_totals(nginx: &Nginx) {
    wait_for("totals that are the sums of the channels", || async {
        let (stats, channels) = (nginx.stats().await, all_channels(nginx).await);
        let stored = |channel: &serde_json::Value| channel["stored_messages"].as_u64();
        let sum: u64 = channels.iter().map(|channel| stored(channel).expect("a number")).sum();
        (stats["stored_messages"] == sum && stats["channels"] == channels.len()).then_some(())
    })
    .await;
}

/// When the last connection has gone, deletes all channels; then nothing counts any more, and `empty`
/// bytes of the zone are in use.
pub async fn check_empty(nginx: &Nginx, empty: u64) {
    watch::wait_workers(nginx, 0).await;
    for channel in all_channels(nginx).await {
        let id = channel["channel"].as_str().expect("an id");
        assert_eq!(channel["subscribers"], 0, "{channel}");
        assert_eq!(nginx.delete(&format!("/pub?id={id}")).await.status, 200);
    }
    for field in ["channels", "subscribers", "stored_messages", "channels_in_delete"] {
        nginx.wait_stat(field, 0).await;
    }
    watch::wait_used(nginx, empty).await;
}

async fn all_channels(nginx: &Nginx) -> Vec<serde_json::Value> {
    let answer = nginx.get("/stats?id=ALL").await.json();
    answer["infos"].as_array().expect("a list").clone()
}

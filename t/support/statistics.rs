//! What nginx's statistics location tells.

use super::{Nginx, wait_for};

impl Nginx {
    /// The summary of the statistics location.
    pub async fn stats(&self) -> serde_json::Value {
        let answer = self.get("/stats").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub async fn stat(&self, field: &str) -> u64 {
        let stats = self.stats().await;
        stats[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {stats}"))
    }

    /// What the statistics location says of one channel.
    pub async fn channel(&self, id: &str) -> Option<serde_json::Value> {
        let answer = self.get(&format!("/stats?id={id}")).await;
        (answer.status == 200).then(|| answer.json())
    }

    /// One number of one channel; 0 if there is no such channel.
    pub async fn channel_stat(&self, id: &str, field: &str) -> u64 {
        self.channel(id).await.and_then(|info| info[field].as_u64()).unwrap_or(0)
    }

    pub async fn wait_stat(&self, field: &str, value: u64) {
        wait_for(&format!("{field} = {value}"), || async {
            (self.stat(field).await == value).then_some(())
        })
        .await
    }

    pub async fn wait_channel_stat(&self, id: &str, field: &str, value: u64) {
        wait_for(&format!("{field} of {id} = {value}"), || async {
            (self.channel_stat(id, field).await == value).then_some(())
        })
        .await
    }

    pub async fn wait_gone(&self, id: &str) {
        wait_for(&format!("{id} to disappear"), || async {
            self.channel(id).await.is_none().then_some(())
        })
        .await
    }

    /// A metric by its name and its labels as they are written.
    pub async fn metric(&self, name: &str) -> u64 {
        let call = self.call("GET", "/stats").header("Accept", "text/plain; version=0.0.4");
        let answer = call.send().await;
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        let number = answer.text().lines().find_map(value);
        number.unwrap_or_else(|| panic!("no {name} in {answer:?}"))
    }

    /// The zone's memory in use, in bytes (STAT-71).
    pub async fn zone_used(&self) -> u64 {
        self.metric("push_stream_zone_used_bytes").await
    }
}

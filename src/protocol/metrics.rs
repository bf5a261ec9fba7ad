//! The zone's numbers for monitoring: one description of each metric, two renderings.
//!
//! Names and units follow the conventions of Prometheus: base units, `_total` for what only grows,
//! start times instead of ages. No family has a series per channel, so what a scrape costs depends on
//! the number of workers only.
//!
//! The crates of this trade keep registries of counters that a process increments; here is a snapshot
//! of the zone, and none of them renders one in both formats.

use super::statistics::{append, append_number};

/// The two text formats that scrapers know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    Prometheus,
    OpenMetrics,
}

/// One worker's connections, by mode of subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerMetrics {
    pub pid: u64,
    /// Unix time of its start in seconds.
    pub started: u64,
    /// Name of the mode, and open connections.
    pub subscribers: Vec<(&'static str, u64)>,
}

/// What is told; counters are those of all workers that ever were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    pub channels: u64,
    pub wildcard_channels: u64,
    pub channels_in_delete: u64,
    pub channels_in_trash: u64,
    pub published: u64,
    pub stored: u64,
    pub messages_in_trash: u64,
    pub delivered: u64,
    /// Name of the cause, and messages that a subscriber did not get because of it.
    pub dropped: Vec<(&'static str, u64)>,
    /// Messages that made room for others.
    pub evicted: u64,
    /// Bytes of the zone.
    pub used: u64,
    pub free: u64,
    pub largest_free: u64,
    /// Unix time in seconds at which the zone was created.
    pub started: u64,
    pub workers: Vec<WorkerMetrics>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

/// A metric and its samples. Values of labels are words of ours and numbers: they need no escaping.
struct Family {
    /// Without `_total`; with the unit, if there is one.
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    samples: Vec<(Labels, u64)>,
}

type Labels = Vec<(&'static str, Label)>;

enum Label {
    Word(&'static str),
    Number(u64),
}

impl Exposition {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Appends all metrics.
    pub fn write(self, metrics: &Metrics, out: &mut Vec<u8>) {
        for family in metrics.families() {
            self.write_family(&family, out);
        }
        if self == Self::OpenMetrics {
            append(out, &["# EOF\n"]);
        }
    }

    /// The formats differ in whether `_total` belongs to the family or to its samples, and in the unit.
    fn write_family(self, family: &Family, out: &mut Vec<u8>) {
        let suffix = if family.kind == Kind::Counter { "_total" } else { "" };
        let family_suffix = if self == Self::Prometheus { suffix } else { "" };
        let kind = if family.kind == Kind::Counter { "counter" } else { "gauge" };
        append(out, &["# HELP ", family.name, family_suffix, " ", family.help, "\n"]);
        append(out, &["# TYPE ", family.name, family_suffix, " ", kind, "\n"]);
        if self == Self::OpenMetrics && !family.unit.is_empty() {
            append(out, &["# UNIT ", family.name, " ", family.unit, "\n"]);
        }
        for (labels, value) in &family.samples {
            append(out, &[family.name, suffix]);
            for (i, (name, value)) in labels.iter().enumerate() {
                append(out, &[if i == 0 { "{" } else { "," }, name, "=\""]);
                match value {
                    Label::Word(word) => append(out, &[word]),
                    Label::Number(number) => append_number(out, &[], *number, ""),
                }
                append(out, &["\""]);
            }
            append_number(out, &[if labels.is_empty() { " " } else { "} " }], *value, "\n");
        }
    }
}

impl Metrics {
    fn families(&self) -> Vec<Family> {
        let by = |label, parts: &[(&'static str, u64)]| {
            parts.iter().map(|(word, n)| (vec![(label, Label::Word(word))], *n)).collect()
        };
        let pid = |worker: &WorkerMetrics| ("pid", Label::Number(worker.pid));
        let connections = self.workers.iter().flat_map(|worker| {
            worker
                .subscribers
                .iter()
                .map(move |(mode, n)| (vec![pid(worker), ("mode", Label::Word(mode))], *n))
        });
        let starts = self.workers.iter().map(|worker| (vec![pid(worker)], worker.started));
        let one = |value| vec![(Vec::new(), value)];
        vec![
            gauge(
                "push_stream_channels",
                "Channels that exist, by kind.",
                by("kind", &[("normal", self.channels), ("wildcard", self.wildcard_channels)]),
            ),
            gauge(
                "push_stream_channels_in_delete",
                "Channels deleted by request whose subscribers are being told.",
                one(self.channels_in_delete),
            ),
            gauge(
                "push_stream_channels_in_trash",
                "Channels removed in the last seconds.",
                one(self.channels_in_trash),
            ),
            gauge(
                "push_stream_subscribers",
                "Open subscriber connections, by worker process and mode.",
                connections.collect(),
            ),
            counter(
                "push_stream_messages_published",
                "Messages published, counted once for each channel.",
                one(self.published),
            ),
            gauge("push_stream_messages_stored", "Messages stored in channels.", one(self.stored)),
            gauge(
                "push_stream_messages_in_trash",
                "Messages removed in the last seconds.",
                one(self.messages_in_trash),
            ),
            counter(
                "push_stream_messages_delivered",
                "Messages handed to subscribers' connections.",
                one(self.delivered),
            ),
            counter(
                "push_stream_messages_dropped",
                "Messages that a subscriber did not get, by cause.",
                by("cause", &self.dropped),
            ),
            counter(
                "push_stream_messages_evicted",
                "Stored messages removed early because the zone was full.",
                one(self.evicted),
            ),
            bytes(
                "push_stream_zone_used_bytes",
                "Shared memory in use, the fixed part included.",
                one(self.used),
            ),
            bytes("push_stream_zone_free_bytes", "Shared memory in free pages.", one(self.free)),
            bytes(
                "push_stream_zone_largest_free_block_bytes",
                "Longest run of free pages: the largest message there is room for.",
                one(self.largest_free),
            ),
            seconds(
                "push_stream_zone_start_time_seconds",
                "Unix time at which the zone was created.",
                one(self.started),
            ),
            seconds(
                "push_stream_worker_start_time_seconds",
                "Unix time at which the worker process started.",
                starts.collect(),
            ),
        ]
    }
}

fn counter(name: &'static str, help: &'static str, samples: Vec<(Labels, u64)>) -> Family {
    Family { name, kind: Kind::Counter, unit: "", help, samples }
}

fn gauge(name: &'static str, help: &'static str, samples: Vec<(Labels, u64)>) -> Family {
    Family { name, kind: Kind::Gauge, unit: "", help, samples }
}

fn bytes(name: &'static str, help: &'static str, samples: Vec<(Labels, u64)>) -> Family {
    Family { unit: "bytes", ..gauge(name, help, samples) }
}

fn seconds(name: &'static str, help: &'static str, samples: Vec<(Labels, u64)>) -> Family {
    Family { unit: "seconds", ..gauge(name, help, samples) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_parse::{Scrape, Value};

    fn metrics() -> Metrics {
        let worker = |pid, streaming| WorkerMetrics {
            pid,
            started: 1_795_289_100,
            subscribers: vec![("streaming", streaming), ("websocket", 0)],
        };
        Metrics {
            channels: 3,
            wildcard_channels: 1,
            channels_in_delete: 0,
            channels_in_trash: 2,
            published: u64::MAX,
            stored: 9,
            messages_in_trash: 8,
            delivered: 7,
            dropped: vec![("slow_reader", 4), ("memory", 5)],
            evicted: 6,
            used: 4096,
            free: 8192,
            largest_free: 4096,
            started: 1_795_289_000,
            workers: vec![worker(11, 2), worker(12, 0)],
        }
    }

    fn written(exposition: Exposition) -> String {
        let mut out = Vec::new();
        exposition.write(&metrics(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn prometheus_text() {
        let text = written(Exposition::Prometheus);
        for part in [
            "# HELP push_stream_channels Channels that exist, by kind.\n\
             # TYPE push_stream_channels gauge\n\
             push_stream_channels{kind=\"normal\"} 3\n\
             push_stream_channels{kind=\"wildcard\"} 1\n",
            "# HELP push_stream_messages_published_total Messages published, counted once for each \
             channel.\n\
             # TYPE push_stream_messages_published_total counter\n\
             push_stream_messages_published_total 18446744073709551615\n",
            "push_stream_subscribers{pid=\"11\",mode=\"streaming\"} 2\n\
             push_stream_subscribers{pid=\"11\",mode=\"websocket\"} 0\n\
             push_stream_subscribers{pid=\"12\",mode=\"streaming\"} 0\n",
            "push_stream_messages_dropped_total{cause=\"memory\"} 5\n",
            "# TYPE push_stream_messages_evicted_total counter\npush_stream_messages_evicted_total 6\n",
            "# TYPE push_stream_zone_free_bytes gauge\npush_stream_zone_free_bytes 8192\n",
        ] {
            assert!(text.contains(part), "{part}\nin\n{text}");
        }
        assert!(!text.contains("# EOF") && !text.contains("# UNIT"));
    }

    #[test]
    fn open_metrics_text() {
        let text = written(Exposition::OpenMetrics);
        for part in [
            "# HELP push_stream_messages_published Messages published, counted once for each \
             channel.\n\
             # TYPE push_stream_messages_published counter\n\
             push_stream_messages_published_total 18446744073709551615\n",
            "# TYPE push_stream_zone_free_bytes gauge\n\
             # UNIT push_stream_zone_free_bytes bytes\n\
             push_stream_zone_free_bytes 8192\n",
        ] {
            assert!(text.contains(part), "{part}\nin\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n"));
        assert_eq!(text.matches("# EOF").count(), 1);
    }

    #[test]
    fn names_follow_the_conventions() {
        for family in metrics().families() {
            let name = family.name;
            assert!(name.starts_with("push_stream_"), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert!(name.ends_with(family.unit), "{name}");
            // These belong to samples of other kinds.
            for reserved in ["_total", "_created", "_count", "_sum", "_bucket", "_info"] {
                assert!(!name.ends_with(reserved), "{name}");
            }
            assert!(
                family.help.ends_with('.') && !family.help.contains(['\\', '\n', '"']),
                "{name}"
            );
        }
    }

    #[test]
    fn both_say_the_same() {
        let samples = |exposition| {
            let text = written(exposition);
            let lines = text.lines().filter(|line| !line.starts_with('#')).count();
            let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
            assert_eq!(scrape.samples.len(), lines);
            let number = |value| match value {
                Value::Counter(n) | Value::Gauge(n) | Value::Untyped(n) => n,
                other => panic!("{other:?}"),
            };
            let samples = scrape.samples.into_iter();
            samples.map(|s| (s.metric, s.labels.to_string(), number(s.value))).collect::<Vec<_>>()
        };
        assert_eq!(samples(Exposition::Prometheus), samples(Exposition::OpenMetrics));
    }
}

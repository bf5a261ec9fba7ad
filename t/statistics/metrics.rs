//! Metrics for monitoring (section 5), read by a parser of the trade.

use std::collections::BTreeMap;

use prometheus_parse::{Scrape, Value};

use crate::get_as;
use crate::support::{Answer, Nginx, wait_for};

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What a Prometheus server sends.
const SCRAPER: &str = "application/openmetrics-text;version=1.0.0;q=0.5,\
                       application/openmetrics-text;version=0.0.1;q=0.4,\
                       text/plain;version=0.0.4;q=0.3,*/*;q=0.1";

/// Every sample by its name and its labels in order of their names.
fn samples(answer: &Answer) -> BTreeMap<String, f64> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = answer.text();
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).expect("a scrape");
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(scrape.samples.len(), lines, "the parser left something out:\n{text}");
    let samples = scrape.samples.into_iter().map(|sample| {
        let mut labels: Vec<_> = sample.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        labels.sort();
        let value = match sample.value {
            Value::Counter(n) | Value::Gauge(n) | Value::Untyped(n) => n,
            other => panic!("{}: {other:?}", sample.metric),
        };
        (format!("{} {}", sample.metric, labels.join(" ")).trim_end().to_owned(), value)
    });
    samples.collect()
}

/// Each sample belongs to the family that HELP and TYPE have announced, and each family has both.
fn assert_families(text: &str, open_metrics: bool) {
    let mut described = None;
    let mut family = None;
    for line in text.lines() {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] if !help.is_empty() => described = Some(name),
            ["#", "TYPE", name, kind] => {
                assert_eq!(described, Some(name), "{line}");
                assert_eq!(kind == "counter" && !open_metrics, name.ends_with("_total"), "{line}");
                family = Some((name, kind));
            }
            ["#", "UNIT", name, unit] => {
                assert!(open_metrics, "{line}");
                assert_eq!(family.map(|(name, _)| name), Some(name), "{line}");
                assert!(name.ends_with(unit), "{line}");
            }
            ["#", "EOF"] => assert!(open_metrics, "{line}"),
            _ => {
                let (name, kind) = family.expect("a family");
                let sample = line.split(['{', ' ']).next().expect("a name");
                let suffix = if open_metrics && kind == "counter" { "_total" } else { "" };
                assert_eq!(sample, format!("{name}{suffix}"), "{line}");
            }
        }
    }
}

/// STAT-66..69: who asks how gets what.
#[tokio::test]
async fn content_types() {
    let nginx = Nginx::builder()
        .location(
            "/forced",
            "push_stream_channels_statistics prometheus; push_stream_channels_path $arg_id;",
        )
        .start()
        .await;
    nginx.publish("a", "x").await;
    for (accept, content_type) in [
        ("text/plain; version=0.0.4", PROMETHEUS),
        ("text/plain;version=\"0.0.4\";q=0.5, */*;q=0.4", PROMETHEUS),
        ("application/openmetrics-text", OPEN_METRICS),
        (SCRAPER, OPEN_METRICS),
    ] {
        // They tell of the zone, whatever the path names.
        for target in ["/stats", "/stats?id=a", "/stats?id=none", "/stats?id=ALL"] {
            let answer = get_as(&nginx, target, accept).await;
            assert_eq!(answer.status, 200, "{target}");
            assert_eq!(answer.header("content-type"), Some(content_type), "{accept}");
            assert!(!answer.text().contains('\r'));
            let open_metrics = content_type == OPEN_METRICS;
            assert_eq!(answer.text().ends_with("\n# EOF\n"), open_metrics);
            assert_families(answer.text(), open_metrics);
        }
        for target in ["/forced", "/forced?id=a", "/forced?id=%01"] {
            let answer = get_as(&nginx, target, accept).await;
            assert_eq!(answer.header("content-type"), Some(PROMETHEUS), "{accept}");
            assert_families(answer.text(), false);
        }
        // A publisher has none.
        let answer = get_as(&nginx, "/pub?id=a", accept).await;
        let other = answer.header("content-type").expect("a type");
        assert!(["text/plain", "application/json"].contains(&other), "{other}");
    }
    for accept in ["text/plain", "*/*", "text/*", "text/plain;version=0.0.4;q=0.1, text/plain"] {
        let answer = get_as(&nginx, "/stats", accept).await;
        assert!(!answer.text().contains("push_stream_"), "{accept}");
        let forced = get_as(&nginx, "/forced", accept).await;
        assert_eq!(forced.header("content-type"), Some(PROMETHEUS), "{accept}");
    }
    // Conditions and the other methods are those of every statistics location.
    nginx.post("/forced", "x").await.assert_refused(405, None);
}

/// STAT-67..71: a scrape in both formats says what the summary says, and more.
#[tokio::test]
async fn a_scrape() {
    let nginx = Nginx::builder().http("push_stream_wildcard_channel_prefix w_;").start().await;
    nginx.publish("a/b/w_1", "x").await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(nginx.stream("/sub/a").await);
    }
    nginx.publish("a", "y").await;
    nginx.publish_live("a", "z").await;
    nginx.delete("/pub?id=b").await;
    for stream in &mut streams {
        assert_eq!(stream.lines(2).await, ["2 a y", "3 a z"]);
    }
    let scraped = wait_for("the deliveries in the count", || async {
        let scraped = samples(&get_as(&nginx, "/stats", "text/plain;version=0.0.4").await);
        (scraped["push_stream_messages_delivered_total"] == 16.0).then_some(scraped)
    })
    .await;
    for (name, value) in [
        ("push_stream_channels kind=normal", 1.0),
        ("push_stream_channels kind=wildcard", 1.0),
        ("push_stream_messages_published_total", 5.0),
        ("push_stream_messages_dropped_total cause=memory", 0.0),
        ("push_stream_messages_dropped_total cause=slow_reader", 0.0),
    ] {
        assert_eq!(scraped[name], value, "{name}");
    }
    // No cause that is never counted (STAT-71).
    let causes = scraped.keys().filter(|name| name.starts_with("push_stream_messages_dropped"));
    assert_eq!(causes.count(), 2);

    let stats = nginx.stats().await;
    for worker in crate::workers(&stats) {
        let pid = worker["pid"].as_str().expect("a pid");
        for mode in ["eventsource", "long_polling", "streaming", "websocket"] {
            let shown = scraped[&format!("push_stream_subscribers mode={mode} pid={pid}")];
            let known =
                if mode == "streaming" { worker["subscribers"].as_f64() } else { Some(0.0) };
            assert_eq!(Some(shown), known, "{mode}");
        }
        let started = scraped[&format!("push_stream_worker_start_time_seconds pid={pid}")];
        assert!(started >= scraped["push_stream_zone_start_time_seconds"]);
    }
    let zone = 32.0 * 1024.0 * 1024.0;
    let [used, free, largest] = ["used", "free", "largest_free_block"]
        .map(|part| scraped[&format!("push_stream_zone_{part}_bytes")]);
    assert!(used > 0.0 && used + free <= zone && largest <= free && largest > zone / 2.0);

    let open = samples(&get_as(&nginx, "/stats", SCRAPER).await);
    assert_eq!(open.keys().collect::<Vec<_>>(), scraped.keys().collect::<Vec<_>>());
    for (name, value) in &open {
        // What was removed leaves the trash with time.
        if !name.contains("_in_") && !name.contains("zone") && !name.contains("stored") {
            assert_eq!(scraped[name], *value, "{name}");
        }
    }
}

/// STAT-71: what a worker has counted stays in the sum when it ends, and when it is killed.
#[tokio::test]
async fn counters_never_decrease() {
    let nginx = Nginx::builder().listen("").workers(2).start().await;
    let delivered = async || {
        let scraped = samples(&get_as(&nginx, "/stats", "text/plain;version=0.0.4").await);
        scraped["push_stream_messages_delivered_total"]
    };
    for round in 1..=3 {
        let mut stream = nginx.stream("/sub/c").await;
        nginx.publish_live("c", "x").await;
        assert_eq!(stream.line().await, format!("{round} c x"));
        wait_for("the delivery in the count", || async {
            (delivered().await == f64::from(round)).then_some(())
        })
        .await;
        if round == 1 {
            nginx.reload().await;
        } else {
            for pid in nginx.worker_pids() {
                nginx.kill_worker(pid);
            }
            nginx.all_workers().await;
        }
        assert_eq!(delivered().await, f64::from(round));
    }
}

/// A scrape costs as much with many channels as with none: its length does not depend on them.
#[tokio::test]
async fn no_series_per_channel() {
    let nginx = Nginx::start().await;
    let count = async || samples(&get_as(&nginx, "/stats", SCRAPER).await).len();
    let before = count().await;
    let ids: Vec<_> = (0..500).map(|n| format!("c{n}")).collect();
    nginx.publish(&ids.join("/"), "x").await;
    assert_eq!(count().await, before);
    assert_eq!(nginx.stat("channels").await, 500);
}

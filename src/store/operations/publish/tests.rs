use super::*;
use crate::store::tests::{Bench, START, Worker};

fn publish<'a>(worker: &Worker<'a>, text: &'a [&'a [u8]], store: bool) -> Publish<'a> {
    let parts = Parts { text, ..Parts::default() };
    Publish { me: worker.me, parts, store, limits: &worker.bench.limits, now: START }
}

fn ids<const N: usize>(
    worker: &Worker<'_>,
    ids: [&'static str; N],
) -> [(Ref<Channel>, &'static [u8]); N] {
    ids.map(|id| (worker.join(id, 0).unwrap().channel, id.as_bytes()))
}

#[test]
fn a_channel_that_goes_between_the_sections_is_not_made_again() {
    // WS-97
    for again in [false, true] {
        let bench = Bench::new(1 << 20);
        let (a, b) = (bench.worker(), bench.worker());
        let channels = ids(&a, ["x", "y"]);
        let publish = publish(&a, &[b"late"], true);
        let targets = bench.zone.reserve_existing(&channels, &publish).unwrap();
        b.delete("x");
        if again {
            b.join("x", 0).unwrap();
        }
        let done = bench.zone.publish_reserved(targets, &publish, Published::default()).unwrap();
        assert_eq!(done.channels.len(), 1);
        let x = bench.zone.channel_info(b"x");
        assert_eq!(x.map(|info| info.published), again.then_some(0), "another channel");
        assert_eq!(bench.zone.channel_info(b"y").unwrap().published, 1);
        bench.check();
        assert_eq!(a.mail().len(), 1);
        assert_eq!(b.mail().len(), 0);
        bench.check();
    }
}

#[test]
fn a_publish_over_http_makes_it_again() {
    // PUB-97
    let bench = Bench::new(1 << 20);
    let a = bench.worker();
    let publish = publish(&a, &[b"text"], true);
    let targets = bench.zone.reserve(&[b"x"], &publish, &mut Wake::new()).unwrap();
    a.delete("x");
    bench.zone.publish_reserved(targets, &publish, Published::default()).unwrap();
    assert_eq!(bench.zone.channel_info(b"x").unwrap().published, 1);
    bench.check();
}

#[test]
fn what_is_gone_before_is_left_alone() {
    // WS-97
    let bench = Bench::new(1 << 20);
    let a = bench.worker();
    let channels = ids(&a, ["x", "y"]);
    a.delete("x");
    let done = bench.zone.publish_existing(&channels, &publish(&a, &[b"t"], true)).unwrap();
    assert_eq!(done.channels.len(), 1);
    assert!(bench.zone.channel_info(b"x").is_none());
    bench.check();
}

/// Publishes to several channels in a zone that is filled up step by step until nothing fits any more.
/// Each time it is all of them or none (PUB-53, WS-100).
#[test]
fn all_channels_or_none_as_the_zone_fills() {
    let names: Vec<String> = (0..40).map(|n| format!("c{n}")).collect();
    for filler_len in [10, 100, 300, 2000] {
        let bench = Bench::new(160 << 10);
        let (a, b) = (bench.worker(), bench.worker());
        let channels: Vec<(Ref<Channel>, &[u8])> = names
            .iter()
            .map(|name| {
                b.join(name, 0).unwrap();
                (a.join(name, 0).unwrap().channel, name.as_bytes())
            })
            .collect();
        let filler = "f".repeat(filler_len);
        let (mut done, mut refused) = (0, 0);
        while refused < 3 {
            let publish = publish(&a, &[b"some text"], true);
            match bench.zone.publish_existing(&channels, &publish) {
                Ok(published) => {
                    assert_eq!(published.channels.len(), 40);
                    done += 1;
                }
                Err(error) => {
                    assert_eq!(error, StoreError::Full);
                    refused += 1;
                    // A little room, and again.
                    bench.zone.mail(b.me).next();
                }
            }
            for name in &names {
                let info = bench.zone.channel_info(name.as_bytes()).unwrap();
                assert_eq!(info.published, done, "{name}, {refused} refused");
            }
            _ = a.publish("filler", &filler, true);
            bench.check();
        }
        assert!(done > 0);
    }
}

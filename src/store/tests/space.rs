//! What things cost, and a zone that is full.

use super::*;

const MIB: usize = 1 << 20;

// LIFE-28.
#[test]
fn a_full_zone_refuses_and_recovers() {
    let bench = Bench::new(MIB);
    let a = bench.worker();
    let mut accepted = 0;
    while a.publish("c", &"x".repeat(1000), true).is_ok() {
        accepted += 1;
    }
    assert!(accepted > 500);
    bench.check();
    assert_eq!(a.publish("new", "x".repeat(5000).as_str(), true).err(), Some(StoreError::Full));
    assert!(bench.zone.channel_info(b"new").is_none(), "what the publish created is taken back");
    bench.check();
    assert!(a.delete("c").is_some());
    bench.check();
    assert!(a.publish("c", &"x".repeat(1000), true).is_ok());
    assert_eq!(bench.zone.channel_info(b"c").unwrap().published, 1, "a new channel (LIFE-37)");
}

#[test]
fn density_of_stored_messages() {
    // 100 bytes each over 1,000 channels in 32 MiB: at least 160,000, at most 200 bytes a message.
    let bench = Bench::new(32 * MIB);
    let a = bench.worker();
    let text = "x".repeat(100);
    let mut n = 0;
    while a.publish(&format!("channel-{}", n % 1000), &text, true).is_ok() {
        n += 1;
    }
    assert!(n >= 160_000, "{n}");
    let totals = bench.zone.totals(START);
    let empty = bench.zone.fixed_cost() as u64;
    assert!((totals.used - empty) / n <= 200);
}

#[test]
fn the_smallest_zone_works() {
    // 128 KiB: what the fixed part leaves is worth having.
    let bench = Bench::new(128 << 10);
    assert!(bench.zone.fixed_cost() * 100 / (128 << 10) < 30, "{}", bench.zone.fixed_cost());
    let a = bench.worker();
    let mut n = 0;
    while a.publish(&format!("channel-{n}"), &"x".repeat(100), true).is_ok() {
        n += 1;
    }
    assert!(n > 200, "{n}");
    bench.check();
}

#[test]
fn other_memory_is_refused() {
    let bench = Bench::new(MIB);
    // SAFETY: the bench's memory, of this length.
    let again = |len| unsafe { Zone::attach(bench.memory, len) };
    assert!(again(MIB).is_ok());
    assert!(matches!(
        again(MIB - 4096),
        Err(LayoutError::OtherLength { .. } | LayoutError::NotAZone)
    ));
    bench.zone.geometry.root(&bench.zone.memory).version.store(1);
    assert!(matches!(again(MIB), Err(LayoutError::OtherVersion { found: 1 })));
    bench.zone.geometry.root(&bench.zone.memory).magic.store(1);
    assert!(matches!(again(MIB), Err(LayoutError::NotAZone)));
}

#[test]
fn what_scattered_deletes_free_is_usable() {
    let bench = Bench::new(MIB);
    let (a, b) = (bench.worker(), bench.worker());
    let mut n = 0;
    while a.publish(&format!("c{n}"), &"x".repeat(100), true).is_ok() {
        n += 1;
    }
    // No page becomes free as a whole.
    for i in (0..n).filter(|i| i % 4 != 0) {
        a.delete(&format!("c{i}")).unwrap();
    }
    bench.check();
    assert_eq!(bench.zone.totals(START).free, 0);
    for len in [1, 10, 50, 90, 100] {
        a.publish("c0", &"x".repeat(len), true).unwrap();
    }
    let subscription = b.join("new", 0).unwrap();
    a.publish("new", "x", false).unwrap();
    assert_eq!(b.mail().len(), 1);
    b.leave(subscription);
    bench.check();
}

#[test]
fn unstored_messages_without_subscribers_take_no_memory() {
    let bench = Bench::new(MIB);
    let a = bench.worker();
    a.publish("c", "x", false).unwrap();
    let before = bench.zone.totals(START).used;
    for _ in 0..1000 {
        a.publish("c", "x", false).unwrap();
    }
    let totals = bench.zone.totals(START);
    assert_eq!((totals.used, totals.published, totals.stored), (before, 1001, 0));
    bench.check();
}

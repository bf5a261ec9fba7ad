//! What the tests of all formats show.

use proptest::prelude::*;

use super::counters::{ChannelInfo, GroupHead, Summary, WorkerInfo};

pub const HEAD: GroupHead<'static> = GroupHead {
    hostname: b"box",
    time: 1_795_289_129,
    channels: 3,
    wildcard_channels: 1,
    uptime: 60,
};

pub fn info(id: &[u8]) -> ChannelInfo<'_> {
    ChannelInfo { id, published: 5, stored: 2, subscribers: 1 }
}

pub fn summary(workers: Vec<WorkerInfo>) -> Summary<'static> {
    Summary {
        head: HEAD,
        published: 10,
        stored: 9,
        messages_in_trash: 8,
        channels_in_delete: 7,
        channels_in_trash: 6,
        subscribers: 5,
        workers,
    }
}

pub fn two_workers() -> Vec<WorkerInfo> {
    vec![
        WorkerInfo { pid: 11, subscribers: 2, uptime: 50 },
        WorkerInfo { pid: 12, subscribers: 3, uptime: 40 },
    ]
}

/// What `write` appends to nothing.
pub fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

/// A channel that owns its id.
#[derive(Clone, Debug)]
pub struct Owned {
    id: Vec<u8>,
    numbers: (u64, u64, u64),
}

impl Owned {
    pub fn info(&self) -> ChannelInfo<'_> {
        let (published, stored, subscribers) = self.numbers;
        ChannelInfo { id: &self.id, published, stored, subscribers }
    }
}

/// Ids of any bytes and ids of any characters, with any numbers.
pub fn any_channel() -> impl Strategy<Value = Owned> {
    let id = prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)];
    (id, any::<(u64, u64, u64)>()).prop_map(|(id, numbers)| Owned { id, numbers })
}

pub fn any_channels() -> impl Strategy<Value = Vec<Owned>> {
    prop::collection::vec(any_channel(), 0..5)
}

pub fn any_summary() -> impl Strategy<Value = Summary<'static>> {
    let worker = any::<(u64, u64, u64)>().prop_map(|(pid, subscribers, uptime)| WorkerInfo {
        pid,
        subscribers,
        uptime,
    });
    let head = any::<(u64, u64, u64)>().prop_map(|(channels, wildcard_channels, uptime)| {
        GroupHead { channels, wildcard_channels, uptime, ..HEAD }
    });
    let workers = prop::collection::vec(worker, 0..5);
    (head, any::<[u64; 6]>(), workers).prop_map(|(head, numbers, workers)| Summary {
        head,
        published: numbers[0],
        stored: numbers[1],
        messages_in_trash: numbers[2],
        channels_in_delete: numbers[3],
        channels_in_trash: numbers[4],
        subscribers: numbers[5],
        workers,
    })
}

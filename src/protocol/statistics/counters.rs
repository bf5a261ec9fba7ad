//! What the bodies tell: counters of channels, of workers, of the zone; and the name of each.

const CHANNELS: &str = "channels";
const WILDCARD_CHANNELS: &str = "wildcard_channels";
const PUBLISHED: &str = "published_messages";
const STORED: &str = "stored_messages";
const SUBSCRIBERS: &str = "subscribers";
const UPTIME: &str = "uptime";

/// Numbers under the names and in the order of all formats.
type Numbers<const N: usize> = [(&'static str, u64); N];

/// The counters of one channel (STAT-46..48).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelInfo<'a> {
    pub id: &'a [u8],
    /// Number of the channel's last message (STAT-46).
    pub published: u64,
    pub stored: u64,
    /// Subscriptions (STAT-48).
    pub subscribers: u64,
}

impl ChannelInfo<'_> {
    /// The channel's numbers (PUB-58..65).
    pub(super) fn numbers(&self) -> Numbers<3> {
        [(PUBLISHED, self.published), (STORED, self.stored), (SUBSCRIBERS, self.subscribers)]
    }
}

/// What stands before the channels of a group, and first in a summary (STAT-42..45, STAT-56).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupHead<'a> {
    /// The machine's own name, not the request's (STAT-42).
    pub hostname: &'a [u8],
    /// Now, in seconds since the epoch (STAT-43).
    pub time: u64,
    pub channels: u64,
    pub wildcard_channels: u64,
    /// Seconds since the zone was created (STAT-56).
    pub uptime: u64,
}

impl GroupHead<'_> {
    /// The zone's numbers that stand before a group (PUB-62..65).
    pub(super) fn numbers(&self) -> Numbers<3> {
        [
            (CHANNELS, self.channels),
            (WILDCARD_CHANNELS, self.wildcard_channels),
            (UPTIME, self.uptime),
        ]
    }
}

/// One worker of a summary (STAT-55, STAT-57).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    pub pid: u64,
    /// Connections (STAT-55).
    pub subscribers: u64,
    /// Seconds since the process started (STAT-57).
    pub uptime: u64,
}

impl WorkerInfo {
    /// The worker's numbers but for its pid, which is a name (STAT-36..40).
    pub(super) fn numbers(&self) -> Numbers<2> {
        [(SUBSCRIBERS, self.subscribers), (UPTIME, self.uptime)]
    }
}

/// The zone as a whole (STAT-49..55).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary<'a> {
    pub head: GroupHead<'a>,
    pub published: u64,
    pub stored: u64,
    pub messages_in_trash: u64,
    pub channels_in_delete: u64,
    pub channels_in_trash: u64,
    /// Connections, not subscriptions (STAT-55).
    pub subscribers: u64,
    /// In the order in which they are shown (STAT-58).
    pub workers: Vec<WorkerInfo>,
}

impl Summary<'_> {
    /// The zone's numbers (STAT-36..40).
    pub(super) fn numbers(&self) -> Numbers<9> {
        [
            (CHANNELS, self.head.channels),
            (WILDCARD_CHANNELS, self.head.wildcard_channels),
            (PUBLISHED, self.published),
            (STORED, self.stored),
            ("messages_in_trash", self.messages_in_trash),
            ("channels_in_delete", self.channels_in_delete),
            ("channels_in_trash", self.channels_in_trash),
            (SUBSCRIBERS, self.subscribers),
            (UPTIME, self.head.uptime),
        ]
    }
}

//! What a slot counts subscribers and lost messages by.

/// How a subscriber is connected; index into a slot's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Mode {
    Streaming = 0,
    LongPolling = 1,
    EventSource = 2,
    WebSocket = 3,
}

impl Mode {
    pub const ALL: [Mode; 4] =
        [Mode::Streaming, Mode::LongPolling, Mode::EventSource, Mode::WebSocket];

    /// Its name in metrics (STAT-70).
    pub fn name(self) -> &'static str {
        match self {
            Mode::Streaming => "streaming",
            Mode::LongPolling => "long_polling",
            Mode::EventSource => "eventsource",
            Mode::WebSocket => "websocket",
        }
    }
}

/// Why a message did not reach a subscriber; index into a slot's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum DropCause {
    /// The subscriber read too slowly.
    SlowReader = 0,
    /// The worker was stuck and what waited for it took too much of the zone.
    Memory = 1,
}

impl DropCause {
    pub const ALL: [DropCause; 2] = [DropCause::SlowReader, DropCause::Memory];

    /// Its name in metrics (STAT-70).
    pub fn name(self) -> &'static str {
        match self {
            DropCause::SlowReader => "slow_reader",
            DropCause::Memory => "memory",
        }
    }
}

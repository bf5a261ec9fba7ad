//! How far the closing handshake has come (RFC 6455 section 7, WS-GAP-16).
//!
//! Whoever sends its close frame second ends the connection. Ours is queued behind what waits; the client
//! then has some time to send its own. Neither side sends two.

use std::cell::Cell;

use super::close::Status;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Our close frame is queued; the client's has not come.
    Closing,
    /// Our close frame has left, and the client's time runs.
    Awaiting,
    /// Both are there, or the client's time is up: the connection ends when ours has left.
    Closed,
    /// The client's frames make no sense or are not wanted: the connection ends when our close frame has
    /// left, and what the client still sends is thrown away for a while.
    Failed,
}

/// The closing handshake of one connection.
#[derive(Debug)]
pub struct CloseHandshake {
    stage: Cell<Stage>,
    /// What our close frame says if the ending is not a normal one.
    code: Cell<Option<Status>>,
}

/// What is to be done when everything has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The client's time begins.
    Await,
    /// It runs already.
    KeepWaiting,
    /// The connection ends. `linger`: what the client still sends is read for a while.
    End { linger: bool },
}

impl CloseHandshake {
    pub fn open() -> Self {
        Self { stage: Cell::new(Stage::Open), code: Cell::new(None) }
    }

    /// For a client whose frames are not looked at.
    pub fn refused() -> Self {
        Self { stage: Cell::new(Stage::Failed), code: Cell::new(None) }
    }

    /// Nobody has begun to close: messages go in both directions.
    pub fn is_open(&self) -> bool {
        self.stage.get() == Stage::Open
    }

    /// Whether the client's frames are still looked at.
    pub fn accepts_frames(&self) -> bool {
        matches!(self.stage.get(), Stage::Open | Stage::Closing | Stage::Awaiting)
    }

    /// The client's close frame has come. True if ours is still to be queued.
    pub fn client_closed(&self) -> bool {
        self.stage.replace(Stage::Closed) == Stage::Open
    }

    /// The client broke the protocol, or is not waited for any more. True if our close frame is still to
    /// be queued.
    pub fn fail(&self) -> bool {
        self.stage.replace(Stage::Failed) == Stage::Open
    }

    /// What the close frame of [`CloseHandshake::say`] is to have as its code.
    pub fn set_code(&self, status: Status) {
        self.code.set(Some(status));
    }

    /// Our close frame is queued behind all else; its code, if that is `normal` in a normal ending.
    pub fn queue_close(&self, normal: Option<Status>) -> Option<Status> {
        self.stage.set(Stage::Closing);
        self.code.get().or(normal)
    }

    /// The client had its time. True if nobody had begun to close: it left a message unfinished.
    pub fn time_is_up(&self) -> bool {
        if self.is_open() {
            return true;
        }
        if self.stage.get() != Stage::Failed {
            self.stage.set(Stage::Closed);
        }
        false
    }

    /// All that was queued has left, our close frame with it.
    pub fn on_flushed(&self) -> Next {
        match self.stage.get() {
            Stage::Closing => {
                self.stage.set(Stage::Awaiting);
                Next::Await
            }
            Stage::Awaiting => Next::KeepWaiting,
            Stage::Open | Stage::Closed => Next::End { linger: false },
            Stage::Failed => Next::End { linger: true },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_closes() {
        // WS-78, WS-79, WS-GAP-11
        let goodbye = CloseHandshake::open();
        assert!(goodbye.is_open() && goodbye.accepts_frames());
        assert!(goodbye.client_closed(), "ours is still to be sent");
        assert!(!goodbye.is_open() && !goodbye.accepts_frames(), "what follows is not looked at");
        assert_eq!(goodbye.on_flushed(), Next::End { linger: false });
    }

    #[test]
    fn the_server_closes_and_the_client_answers() {
        // WS-63, WS-GAP-16
        let goodbye = CloseHandshake::open();
        assert_eq!(goodbye.queue_close(None), None);
        assert!(!goodbye.is_open() && goodbye.accepts_frames());
        assert_eq!(goodbye.on_flushed(), Next::Await);
        assert_eq!(goodbye.on_flushed(), Next::KeepWaiting, "its time does not begin anew");
        assert!(!goodbye.client_closed(), "no second close frame");
        assert_eq!(goodbye.on_flushed(), Next::End { linger: false });
    }

    #[test]
    fn both_close_at_once() {
        let goodbye = CloseHandshake::open();
        goodbye.queue_close(None);
        assert!(!goodbye.client_closed());
        assert_eq!(goodbye.on_flushed(), Next::End { linger: false });
    }

    #[test]
    fn the_client_does_not_answer() {
        // WS-GAP-16
        for has_left in [false, true] {
            let goodbye = CloseHandshake::open();
            goodbye.queue_close(None);
            if has_left {
                assert_eq!(goodbye.on_flushed(), Next::Await);
            }
            assert!(!goodbye.time_is_up());
            assert!(!goodbye.accepts_frames());
            assert_eq!(goodbye.on_flushed(), Next::End { linger: false });
        }
    }

    #[test]
    fn failures() {
        // WS-67..85: one close frame, whenever the client fails
        let goodbye = CloseHandshake::open();
        assert!(goodbye.time_is_up(), "a message was not completed");
        assert!(goodbye.fail());
        assert!(!goodbye.fail() && !goodbye.accepts_frames() && !goodbye.time_is_up());
        assert_eq!(goodbye.on_flushed(), Next::End { linger: true });
        let goodbye = CloseHandshake::open();
        goodbye.queue_close(None);
        assert!(!goodbye.fail(), "ours is queued already");
        assert_eq!(goodbye.on_flushed(), Next::End { linger: true });
        assert_eq!(CloseHandshake::refused().on_flushed(), Next::End { linger: true });
    }

    #[test]
    fn codes() {
        // WS-63, WS-GAP-15
        assert_eq!(CloseHandshake::open().queue_close(Some(Status::Normal)), Some(Status::Normal));
        let slow = CloseHandshake::open();
        slow.set_code(Status::TryAgainLater);
        assert_eq!(slow.queue_close(Some(Status::Normal)), Some(Status::TryAgainLater));
    }
}

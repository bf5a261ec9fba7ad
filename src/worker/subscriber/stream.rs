//! A response without end: live messages as they come, until the client's time, its channels or the worker end; then
//! the footer.

use crate::conf::{Location, TemplateKind};
use crate::protocol::padding;
use crate::protocol::sse;
use crate::store::{self, Channel, DropCause, MessageRef, Ref, Stamp};
use crate::worker::context::Context;
use crate::worker::output::encoded::{Encoded, EncodingCache, Padding};
use crate::worker::subscriber::common::Common;
use crate::worker::subscriber::effect::{Effect, Left, LogLine, Next};
use crate::worker::subscriber::event::{Event, Turn};

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Live messages go out.
    Open,
    /// No more messages come; what waits is sent, then the footer if it is still due.
    Ending { footer_due: bool },
}

/// What a subscriber is that gets messages as they come.
#[derive(Debug)]
pub struct Stream {
    mode: store::Mode,
    phase: Phase,
}

/// What is known of a stream when its head has left.
pub struct Beginning<'b> {
    /// Bytes that the header template has at least.
    pub header_minimum: usize,
    /// Channels that have lost messages it asked for, percent-encoded and separated by commas.
    pub gap: &'b [u8],
    /// Its place among the messages.
    pub position: Stamp,
    /// It said a place that leads somewhere.
    pub is_placed: bool,
}

impl Stream {
    pub fn open(mode: store::Mode) -> Stream {
        Stream { mode, phase: Phase::Open }
    }

    /// One that begins with its end, and has no footer.
    pub fn refused(mode: store::Mode) -> Stream {
        Stream { mode, phase: Phase::Ending { footer_due: false } }
    }

    /// The mode of a stream in this location.
    pub fn mode_in(location: &Location) -> store::Mode {
        match location.message_template.kind {
            TemplateKind::EventStream => store::Mode::EventSource,
            TemplateKind::Plain => store::Mode::Streaming,
        }
    }

    pub fn counts_as(&self) -> Option<store::Mode> {
        (self.phase == Phase::Open).then_some(self.mode)
    }

    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub fn react(&mut self, common: &mut Common, turn: &mut Turn<'_>, event: &mut Event<'_, '_>) {
        match event {
            Event::Message { message, encodings, flushed } => {
                _ = self.deliver(common, turn, message, encodings, flushed);
            }
            Event::ChannelDeleted { channel, encodings, .. } => {
                self.channel_deleted(common, turn, *channel, encodings);
            }
            Event::Timer => self.time_has_come(common, turn),
            Event::Writable => turn.add(Effect::Flush { progress: true }),
            Event::WriteTimedOut => common.give_up_client(turn),
            Event::Shutdown => self.end(common, turn),
            _ => {}
        }
    }

    fn time_has_come(&mut self, common: &mut Common, turn: &mut Turn<'_>) {
        if !self.time_is_up(common, turn) && common.ping_is_due(turn.now_ms) {
            self.ping(common, turn);
        }
    }

    /// What comes when everything has left.
    pub fn next(&mut self, common: &mut Common) -> Next {
        match self.phase {
            Phase::Open => Next::Idle,
            Phase::Ending { footer_due: true } => {
                self.phase = Phase::Ending { footer_due: false };
                common.push_footer();
                Next::Queued
            }
            Phase::Ending { footer_due: false } => Next::Finish,
        }
    }

    /// A live message. Gives it back if there is no room for it: the client reads too slowly.
    pub fn deliver(
        &mut self,
        common: &mut Common,
        turn: &mut Turn<'_>,
        message: &MessageRef<'_>,
        encodings: &mut EncodingCache<'_>,
        flushed: &mut bool,
    ) -> bool {
        if self.phase != Phase::Open {
            return true;
        }
        let Some(item) = encodings.get(&common.encoding(turn.context)) else { return true };
        if !common.out.has_room(item, common.location.max_pending) {
            if !std::mem::replace(flushed, true) {
                // It may have read on since the last write.
                turn.add(Effect::Flush { progress: false });
                turn.add(Effect::Again);
                return true;
            }
            self.end_slow(common, turn, message.channel_id, item.bytes.len());
            return false;
        }
        common.last_sent = turn.now_ms;
        if let Some(effect) = common.out.send_or_queue(item) {
            turn.add(effect);
        }
        true
    }

    /// A sign of life, unless other things wait anyway. True if one is sent.
    pub fn ping(&mut self, common: &mut Common, turn: &mut Turn<'_>) -> bool {
        common.last_sent = turn.now_ms;
        let text = &turn.context.main.ping_text;
        let item = Encoded::ping(&common.encoding(turn.context), text);
        let item = item.filter(|_| self.phase == Phase::Open && common.out.is_idle());
        let Some(item) = item else { return false };
        turn.add(Effect::Send(item));
        true
    }

    /// Ends it if its time is up; true if it was.
    pub fn time_is_up(&mut self, common: &mut Common, turn: &mut Turn<'_>) -> bool {
        let is_up = common.has_expired(turn.now_ms);
        if is_up {
            common.expires = None;
            self.end(common, turn);
        }
        is_up
    }

    /// One of its channels was deleted: says so (SUB-48, DEL-1..3), and ends if it was the last.
    pub fn channel_deleted(
        &mut self,
        common: &mut Common,
        turn: &mut Turn<'_>,
        channel: Ref<Channel>,
        encodings: &mut EncodingCache<'_>,
    ) {
        let Some(membership) = common.forget_channel(channel) else { return };
        if let Some(notice) = encodings.get(&common.encoding(turn.context)) {
            common.out.push(notice);
        }
        if common.memberships.is_empty() {
            self.close(turn.context, true);
        }
        let memberships = std::iter::once(membership).collect();
        turn.add(Effect::Leave(Left { memberships, ..Left::default() }));
        common.last_sent = turn.now_ms;
        turn.add(Effect::Flush { progress: false });
    }

    /// Ends in the normal way: footer and end of the response (SUB-43, SUB-46).
    pub fn end(&mut self, common: &mut Common, turn: &mut Turn<'_>) {
        if self.phase != Phase::Open {
            return;
        }
        common.out.cut_at_unread();
        self.close(turn.context, true);
        turn.leave(common);
        turn.add(Effect::Flush { progress: false });
    }

    /// No more messages come.
    pub fn close(&mut self, context: &Context, footer_due: bool) {
        if let Some(mode) = self.counts_as() {
            context.count_out(mode);
        }
        self.phase = Phase::Ending { footer_due };
    }

    /// Ends because too much waits: what has not begun is dropped and counted, the rest is the normal
    /// ending, and the connection is closed.
    fn end_slow(&mut self, common: &mut Common, turn: &mut Turn<'_>, channel: &[u8], len: usize) {
        let waiting = common.out.waiting();
        let dropped = 1 + common.out.drop_unbegun();
        turn.add(Effect::StopKeepalive);
        turn.add(Effect::Log(Box::new(LogLine::SlowReader {
            channel: channel.to_vec(),
            waiting,
            len,
            max_pending: common.location.max_pending,
            dropped,
        })));
        turn.context.count_dropped(DropCause::SlowReader, dropped);
        self.end(common, turn);
    }

    /// What a stream is told before any message: the header's padding, if it is to have some (PAD-6); an event
    /// stream also when to come back, what is gone, and where it begins, so that it can come back from there
    /// although it has got nothing yet.
    pub fn begin(common: &mut Common, context: &Context, beginning: &Beginning<'_>) {
        let (location, out) = (common.location, &mut common.out);
        let header = location.header.len();
        let largest = context.main.largest_padding;
        let fill = match header {
            0 => 0,
            len => Padding { minimum: beginning.header_minimum, largest }.of(len),
        };
        let mut text = Vec::with_capacity(fill);
        match location.message_template.kind {
            TemplateKind::Plain => {
                padding::append_crlf(fill, &mut text);
                return out.begin_with(&text);
            }
            TemplateKind::EventStream => padding::append_comment(fill, &mut text),
        }
        out.begin_with(&text);
        if let Some(retry) = location.eventsource_retry {
            out.begin_with(&sse::retry(retry.as_millis()));
        }
        if location.gap_events && !beginning.gap.is_empty() {
            out.begin_with(&sse::gap(beginning.gap));
        }
        let Stamp { second, tag } = beginning.position;
        if location.auto_event_id && !beginning.is_placed && !out.has_history() {
            out.begin_with(&sse::position(second, tag));
        }
    }
}

impl Common {
    /// The footer template, or what closes the body instead.
    pub fn push_footer(&mut self) {
        let text = self.out.wrapper.closing(&self.location.footer);
        let footer = Encoded::text(self.out.framing, text);
        footer.into_iter().for_each(|footer| self.out.push(&footer));
    }

    /// The client takes nothing: what waits for it is lost.
    pub fn give_up_client(&mut self, turn: &mut Turn<'_>) {
        turn.context.count_dropped(DropCause::SlowReader, self.out.messages());
        turn.add(Effect::ResetOnClose);
        turn.add(Effect::Abort);
    }
}

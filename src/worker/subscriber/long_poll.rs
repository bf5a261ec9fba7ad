//! A poll: one response with what there is, or, if nothing is, with what ends the wait for it.
//!
//! The first message does, alone, whatever else has come (LP-6); or the end of one of its channels
//! (LP-15), of its time (LP-9, LP-11) or of this worker (LP-16). All of these are in the one order of
//! `store/operations/poll.rs`; the position in the answer says where in it the client goes on.

use std::rc::Rc;

use crate::protocol::template::MessageView;
use crate::store::{self, Position, Progress, WaitStart};
use crate::worker::context::Context;
use crate::worker::output::encoded::Encoded;
use crate::worker::subscriber::common::Common;
use crate::worker::subscriber::effect::{AnswerHead, Effect, Next};
use crate::worker::subscriber::event::{Event, Turn};

/// How soon a wait whose time is up looks again for what is about to reach it, in milliseconds.
const LOOK_AGAIN: u64 = 5;

#[derive(Debug)]
pub enum LongPoll {
    /// Nothing has been answered.
    Waiting(Box<WaitStart>),
    /// The wait has ended; the head of the answer leaves, with this position, before the one message.
    Answering(Position),
    /// What waits is sent, then the footer if it is still due. A poll that finds something begins here.
    Ending { footer_due: bool },
}

impl LongPoll {
    pub fn waiting(start: WaitStart) -> LongPoll {
        LongPoll::Waiting(Box::new(start))
    }

    /// With something to send.
    pub fn found() -> LongPoll {
        LongPoll::Ending { footer_due: true }
    }

    pub fn counts_as(&self) -> Option<store::Mode> {
        matches!(self, LongPoll::Waiting(_)).then_some(store::Mode::LongPolling)
    }

    pub fn react(&mut self, common: &mut Common, turn: &mut Turn<'_>, event: &mut Event<'_, '_>) {
        match (&*self, event) {
            (LongPoll::Waiting(_), Event::Message { message, .. }) => {
                self.answer(common, turn, message.stamp.into());
            }
            (LongPoll::Answering(_), Event::Message { encodings, .. }) => {
                let item = encodings.get(&common.encoding(turn.context)).cloned();
                self.answered(common, turn, item);
            }
            (LongPoll::Waiting(start), Event::ChannelDeleted { end, .. }) => {
                let position = Progress::Clear { newest: *end }.resume(start);
                self.answer(common, turn, position);
            }
            (LongPoll::Answering(position), Event::ChannelDeleted { encodings, .. }) => {
                self.answered_at(common, turn, *position, encodings.view);
            }
            (LongPoll::Waiting(_), Event::Timer) => self.wait_is_over(common, turn),
            (LongPoll::Waiting(start), Event::Shutdown) => {
                // The wait ends whatever is about to reach it.
                let position = common.progress(turn.context).resume(start);
                self.end_wait(common, turn, position);
            }
            (LongPoll::Answering(position), Event::Timer | Event::Shutdown) => {
                self.answered_at(common, turn, *position, MessageView::timed_out());
            }
            (LongPoll::Ending { .. }, Event::Writable) => {
                turn.add(Effect::Flush { progress: true });
            }
            (LongPoll::Ending { .. }, Event::WriteTimedOut) => common.give_up_client(turn),
            _ => {}
        }
    }

    /// What comes when everything has left.
    pub fn next(&mut self, common: &mut Common) -> Next {
        match self {
            LongPoll::Ending { footer_due: true } => {
                *self = LongPoll::Ending { footer_due: false };
                common.push_footer();
                Next::Queued
            }
            LongPoll::Ending { footer_due: false } => Next::Finish,
            LongPoll::Waiting(_) | LongPoll::Answering(_) => Next::Idle,
        }
    }

    /// The time of the wait may be up; it gets more if something is about to reach it.
    fn wait_is_over(&mut self, common: &mut Common, turn: &mut Turn<'_>) {
        let LongPoll::Waiting(start) = self else { return };
        if !common.has_expired(turn.now_ms) {
            return;
        }
        match common.progress(turn.context) {
            Progress::Behind { .. } => {
                common.expires = Some(turn.now_ms + LOOK_AGAIN);
                turn.add(Effect::TakeMail);
            }
            progress => {
                let position = progress.resume(start);
                self.end_wait(common, turn, position);
            }
        }
    }

    /// LP-9, LP-11. The message says what the head says (the sane reading of LP-14).
    fn end_wait(&mut self, common: &mut Common, turn: &mut Turn<'_>, position: Position) {
        if turn.context.main.timeout_with_body {
            return self.answer(common, turn, position);
        }
        self.stop_waiting(common, turn);
        let media = common.out.wrapper.media();
        turn.add(Effect::NothingNew(AnswerHead { position, media }));
    }

    /// Has the head of an answer sent, and then what has ended the wait (LP-6, LP-7).
    fn answer(&mut self, common: &mut Common, turn: &mut Turn<'_>, position: Position) {
        self.stop_waiting(common, turn);
        *self = LongPoll::Answering(position);
        let media = common.out.wrapper.media();
        turn.add(Effect::Head(AnswerHead { position, media }));
        turn.add(Effect::Again);
    }

    /// Leaves the channels. From here on nothing reaches the client that is not its answer.
    fn stop_waiting(&mut self, common: &mut Common, turn: &mut Turn<'_>) {
        self.count_out(turn.context);
        *self = LongPoll::Ending { footer_due: true };
        common.expires = None;
        turn.leave(common);
        turn.add(Effect::StopTimer);
    }

    fn count_out(&self, context: &Context) {
        self.counts_as().into_iter().for_each(|mode| context.count_out(mode));
    }

    /// The head has left: the one message of the answer with what the head says (DEL-4), and the end.
    fn answered_at(
        &mut self,
        common: &mut Common,
        turn: &mut Turn<'_>,
        position: Position,
        view: MessageView<'_>,
    ) {
        let view = view.at(position.time.unwrap_or(0), position.tag.unwrap_or(0));
        let item = Encoded::message(&common.encoding(turn.context), &view, false);
        self.answered(common, turn, item);
    }

    fn answered(&mut self, common: &mut Common, turn: &mut Turn<'_>, item: Option<Rc<Encoded>>) {
        *self = LongPoll::Ending { footer_due: true };
        item.into_iter().for_each(|item| common.out.push(&item));
        turn.add(Effect::Flush { progress: true });
    }
}

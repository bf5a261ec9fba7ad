//! A long poll that waits: what ends it, and what it is answered.
//!
//! The first message does, alone, whatever else has come (LP-6); or the end of one of its channels
//! (LP-15), of its time (LP-9, LP-11) or of this worker (LP-16). All of these are in the one order of
//! `store/operations/poll.rs`; the position in the answer says where in it the client goes on.

use crate::ngx_ext::request::Request;
use crate::ngx_ext::timer::now_ms;
use crate::protocol::template::MessageView;
use crate::store::{MessageRef, Position, Progress, Stamp, WaitStart};
use crate::worker::context::Worker;
use crate::worker::output::body_wrapper::BodyWrapper;
use crate::worker::output::encoded::{Encoded, EncodingCache};
use crate::worker::output::response_head::{self, Unsent};
use crate::worker::subscriber::{Phase, Subscriber};

/// How soon a wait whose time is up looks again for what is about to reach it, in milliseconds.
const LOOK_AGAIN: u64 = 5;

/// What a long poll needs for its answer.
pub struct Wait {
    pub request: Request<'static>,
    pub began: WaitStart,
    pub envelope: BodyWrapper,
}

impl Subscriber {
    /// The message ends the wait (LP-6, LP-7).
    pub(in crate::worker) fn answer_message(
        &self,
        worker: &Worker,
        forms: &mut EncodingCache<'_>,
        message: &MessageRef<'_>,
    ) {
        let Some(wait) = self.stop_waiting(worker) else { return };
        if self.begin_answer(worker, wait, message.stamp.into()) {
            let item = forms.get(&self.shape(worker)).cloned();
            self.answer_with(worker, item);
        }
    }

    /// The end of a channel ends the wait (LP-15). The message says what the head says (DEL-4).
    pub(in crate::worker) fn answer_deleted(
        &self,
        worker: &Worker,
        view: MessageView<'_>,
        end: Stamp,
    ) {
        let Some(wait) = self.stop_waiting(worker) else { return };
        let position = Progress::Clear { newest: end }.resume(&wait.began);
        self.answer_synthetic(worker, wait, position, view);
    }

    /// The time of the wait is up. Milliseconds of nginx's clock if it gets more, because something is
    /// about to reach it.
    pub(in crate::worker) fn wait_is_over(&self, worker: &Worker) -> Option<u64> {
        match self.standing(worker) {
            Some(Progress::Behind { .. }) => {
                worker.later.post();
                Some(now_ms() + LOOK_AGAIN)
            }
            Some(standing) => {
                self.end_wait(worker, standing);
                None
            }
            None => None,
        }
    }

    /// The wait ends whatever is about to reach it.
    pub(in crate::worker) fn cut_wait(&self, worker: &Worker) {
        if let Some(standing) = self.standing(worker) {
            self.end_wait(worker, standing);
        }
    }

    /// How far this worker has come with the channels of a wait.
    fn standing(&self, worker: &Worker) -> Option<Progress> {
        let state = self.state.borrow();
        matches!(state.phase, Phase::Waiting(_)).then(|| state.standing(worker))
    }

    /// LP-9, LP-11. The message says what the head says (the sane reading of LP-14).
    fn end_wait(&self, worker: &Worker, standing: Progress) {
        let Some(wait) = self.stop_waiting(worker) else { return };
        let position = standing.resume(&wait.began);
        if worker.main.timeout_with_body {
            return self.answer_synthetic(worker, wait, position, MessageView::timed_out());
        }
        let rc = response_head::nothing_new(wait.request, position, wait.envelope.media());
        self.gone(worker);
        wait.request.finalize(rc);
    }

    fn answer_synthetic(
        &self,
        worker: &Worker,
        wait: Wait,
        position: Position,
        view: MessageView<'_>,
    ) {
        if self.begin_answer(worker, wait, position) {
            let view = view.at(position.time.unwrap_or(0), position.tag.unwrap_or(0));
            let item = Encoded::message(&self.shape(worker), &view, false);
            self.answer_with(worker, item);
        }
    }

    /// Leaves the channels. From here on nothing reaches the request that is not its answer.
    fn stop_waiting(&self, worker: &Worker) -> Option<Wait> {
        if !matches!(self.state.borrow().phase, Phase::Waiting(_)) {
            return None;
        }
        self.let_go(worker);
        let ending = Phase::Ending { footer_due: true };
        let phase = std::mem::replace(&mut self.state.borrow_mut().phase, ending);
        let Phase::Waiting(wait) = phase else { return None };
        self.timer.replace(None);
        worker.count_out(self);
        Some(*wait)
    }

    /// Sends the head of an answer with messages. False if the request is over instead.
    fn begin_answer(&self, worker: &Worker, wait: Wait, position: Position) -> bool {
        let Wait { request, envelope, .. } = wait;
        let (media, all_known) = (envelope.media(), worker.all_modules_known);
        match response_head::of_answer(request, self.location, position, media, all_known) {
            Ok(substitution) => {
                self.state.borrow_mut().envelope = envelope;
                self.attach(worker, request, substitution);
                true
            }
            Err(Unsent(rc)) => {
                self.gone(worker);
                request.finalize(rc);
                false
            }
        }
    }
}

//! What waits for a subscriber, in the order in which it is to reach it: history, channel by channel or, from a
//! position on, in the order of publication, a page when the socket has taken the one before; then the live
//! messages that came meanwhile; then live messages as they come.

use std::rc::Rc;

use smallvec::SmallVec;

use crate::conf::{Location, TemplateKind};
use crate::protocol::{percent, sse};
use crate::store::{Bookmark, Gap, Ref};
use crate::worker::context::Context;
use crate::worker::output::body_wrapper::BodyWrapper;
use crate::worker::output::encoded::{Encoded, Encoding, EventIds, Framing, view};
use crate::worker::output::send_queue::SendQueue;
use crate::worker::subscriber::effect::Effect;

pub struct Outgoing {
    pub framing: Framing,
    pub wrapper: BodyWrapper,
    /// What the socket has not taken.
    pub queue: SendQueue,
    /// Live messages that wait for the end of the history.
    held: SendQueue,
    /// Histories still to be read; the next one is the last.
    unread: SmallVec<[Ref<Bookmark>; 1]>,
    /// It goes on from a position, which holds for all of its channels.
    resumes: bool,
}

impl Outgoing {
    /// Nothing waits, and nothing was sent; the framing is known when the head has left.
    pub fn new(wrapper: BodyWrapper) -> Outgoing {
        Outgoing {
            framing: Framing::Plain,
            wrapper,
            queue: SendQueue::default(),
            held: SendQueue::default(),
            unread: SmallVec::new(),
            resumes: false,
        }
    }

    /// Histories to be sent, in this order; where it goes on from a position, in the order of publication.
    pub fn set_history(
        &mut self,
        history: impl DoubleEndedIterator<Item = Ref<Bookmark>>,
        resumes: bool,
    ) {
        self.unread = history.rev().collect();
        self.resumes = resumes;
    }

    pub fn has_history(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Histories still to be read, which hold messages in the zone.
    pub fn unread(&self) -> &[Ref<Bookmark>] {
        &self.unread
    }

    /// The head has left: what follows is framed so. First comes what opens the body.
    pub fn begin(&mut self, framing: Framing) {
        self.framing = framing;
        for text in self.wrapper.opening() {
            let opening = Encoded::text(framing, text);
            opening.into_iter().for_each(|item| self.queue.push_history(item));
        }
    }

    /// Text that comes before all messages.
    pub fn begin_with(&mut self, text: &[u8]) {
        let item = Encoded::text(self.framing, text);
        item.into_iter().for_each(|item| self.queue.push_history(item));
    }

    /// Nothing waits, so the next thing can be sent at once.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.held.is_empty() && self.unread.is_empty()
    }

    /// Live bytes behind the item being sent.
    pub fn waiting(&self) -> usize {
        self.queue.behind() + self.held.live_bytes()
    }

    /// Whether one more may wait, if at most so many bytes may. A single one always may.
    pub fn has_room(&self, item: &Encoded, max_pending: usize) -> bool {
        let nothing = self.queue.live_bytes() == 0 && self.held.is_empty();
        nothing || self.waiting() + item.bytes.len() <= max_pending
    }

    /// Queues an item, unless it can be sent at once.
    #[must_use]
    pub fn send_or_queue(&mut self, item: &Rc<Encoded>) -> Option<Effect> {
        if self.is_idle() {
            return Some(Effect::Send(Rc::clone(item)));
        }
        self.push(item);
        None
    }

    /// Queues an item behind all that waits.
    pub fn push(&mut self, item: &Rc<Encoded>) {
        match self.unread.is_empty() && self.held.is_empty() {
            true => self.queue.push(Rc::clone(item)),
            false => self.held.push(Rc::clone(item)),
        }
    }

    /// Queues a piece of history, or what goes before what is live.
    pub fn push_first(&mut self, item: Rc<Encoded>) {
        self.queue.push_history(item);
    }

    /// What waited for the history goes on. False if nothing did.
    pub fn release_held(&mut self) -> bool {
        if self.held.is_empty() {
            return false;
        }
        self.queue.append(std::mem::take(&mut self.held));
        true
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        for queue in [&mut self.queue, &mut self.held] {
            if !queue.is_empty() {
                *queue = SendQueue::default();
            }
        }
    }

    /// Gives up the history that has not been read, with all that came after it.
    pub fn cut_at_unread(&mut self) {
        if !self.unread.is_empty() {
            self.held = SendQueue::default();
        }
    }

    pub fn forget_unread(&mut self) -> SmallVec<[Ref<Bookmark>; 1]> {
        std::mem::take(&mut self.unread)
    }

    /// Drops what has not begun; how many messages that were.
    pub fn drop_unbegun(&mut self) -> u64 {
        std::mem::take(&mut self.held).messages() + self.queue.drop_unbegun()
    }

    /// Messages that have not left.
    pub fn messages(&self) -> u64 {
        self.queue.messages() + self.held.messages()
    }

    /// Reads the next page of history, if there is one. `live`: it is a stream, which is told of gaps.
    pub fn read_page(
        &mut self,
        context: &Context,
        location: &Location,
        encoding: &Encoding<'_>,
        live: bool,
    ) {
        let (zone, me, most) = (&context.zone, context.me, location.max_pending);
        // A client that comes back with what any message says of its place says that all before it was
        // had, in every channel. The answer to a poll has a cursor of its own (OLD-14).
        let in_one_order = self.resumes || encoding.event_ids == EventIds::Auto;
        let page = if in_one_order {
            zone.read_merged(me, &mut self.unread, most, context.now())
        } else {
            let Some(bookmark) = self.unread.pop() else { return };
            let step = zone.read_history(me, bookmark, most, context.now());
            self.unread.extend(step.next);
            step.page
        };
        let tells_gaps = live
            && location.gap_events
            && location.message_template.kind == TemplateKind::EventStream;
        let mut gaps = page.gaps().iter().filter(|_| tells_gaps).peekable();
        for (i, message) in page.messages().enumerate() {
            while let Some(gap) = gaps.next_if(|gap| gap.at <= i) {
                self.tell_gap(gap);
            }
            let Some(item) = context.compressed.message(encoding, &view(&message)) else {
                continue;
            };
            let separator = self.wrapper.separator();
            let separator = separator.and_then(|text| Encoded::text(self.framing, text));
            separator.into_iter().for_each(|item| self.queue.push_history(item));
            self.queue.push_history(item);
        }
        gaps.for_each(|gap| self.tell_gap(gap));
    }

    /// Tells an event stream that messages of its history went before it came to them.
    fn tell_gap(&mut self, gap: &Gap) {
        let mut id = Vec::new();
        percent::append_component(&gap.channel_id, &mut id);
        self.begin_with(&sse::gap(&id));
    }
}

//! From the mailbox to the subscribers: each message is formatted once per template and framing, and
//! handed to every subscriber of its channel.

use std::rc::Rc;

use super::Worker;
use super::formatted::Forms;
use super::subscriber::{Subscriber, view};
use crate::protocol::template::MessageView;
use crate::store::{Channel, MessageRef, Ref};

/// Batches of mail taken in one turn of the event loop, so that connections are served in between.
const BATCHES: usize = 32;

impl Worker {
    /// Takes what waits for this worker. What is left after a fair share is taken in the next turn.
    pub fn drain(&self) {
        let mut mail = self.zone.mail(self.me);
        for _ in 0..BATCHES {
            if mail.is_empty() {
                break;
            }
            let delivered = mail.messages().map(|message| self.deliver(&message)).sum();
            self.count_delivered(delivered);
            mail = mail.next();
        }
        drop(mail);
        self.take_notices();
        if self.zone.has_mail(self.me) {
            self.later.post();
        }
    }

    /// Hands a message to the channel's subscribers here; how many took it.
    fn deliver(&self, message: &MessageRef<'_>) -> u64 {
        let mut delivered = 0;
        let mut forms = Forms::new(view(message), true);
        let Some(channel) = self.registry.channel(message.channel) else { return 0 };
        channel.each(message.id, |subscriber: &Rc<Subscriber>| {
            let taken = match forms.get(subscriber.template(), subscriber.framing()) {
                Some(item) => subscriber.deliver(self, item, message.channel_id),
                None => true,
            };
            delivered += u64::from(taken);
        });
        delivered
    }

    /// Tells subscribers that channels of theirs were deleted; some of the channels, if there are many.
    fn take_notices(&self) {
        for notice in self.zone.notices(self.me) {
            let text = notice.text.unwrap_or(&self.deleted_text);
            let view = MessageView::channel_deleted(notice.channel_id, text);
            self.tell_deleted(notice.channel, view);
        }
    }

    fn tell_deleted(&self, channel: Ref<Channel>, view: MessageView<'_>) {
        let Some(local) = self.registry.channel(channel) else { return };
        let mut forms = Forms::new(view, false);
        // All of them: a first live id later than any message's.
        local.each(u64::MAX, |subscriber| {
            let notice = forms.get(subscriber.template(), subscriber.framing()).map(Rc::clone);
            subscriber.channel_deleted(self, channel, notice.as_ref());
        });
    }
}

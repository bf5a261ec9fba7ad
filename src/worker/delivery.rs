//! From the mailbox to the subscribers: each message is formatted once per shape, and handed to every
//! subscriber of its channel.

use std::rc::Rc;

use crate::protocol::template::MessageView;
use crate::store::{MessageRef, Notice};
use crate::worker::context::Worker;
use crate::worker::output::encoded::{EncodingCache, view};
use crate::worker::subscriber::Subscriber;

/// Deliveries in one turn of the event loop, so that connections and timers are served in between: some
/// ten milliseconds.
const DELIVERIES: usize = 4096;
/// Messages in one turn, however few subscribers they have.
const MESSAGES: usize = 1024;
/// Bytes of messages in one turn: a reader gets a chance to read before it is judged slow.
const BYTES: usize = 512 * 1024;

impl Worker {
    /// Takes what waits for this worker. What is left after a fair share is taken in the next turn.
    pub fn drain(&self) {
        let mut deliveries = 0;
        let mut messages = 0;
        let mut bytes = 0;
        let mut mail = self.zone.mail(self.me);
        self.tell_missed(mail.missed());
        let mut enough = mail.is_empty();
        while !enough {
            for message in mail.messages() {
                if self.zone.has_notice(self.me) {
                    self.take_notices(|skip| self.zone.notice_before(self.me, message.stamp, skip));
                }
                deliveries += self.deliver(&message);
                bytes += message.text.len();
                messages += 1;
                enough = deliveries >= DELIVERIES || messages >= MESSAGES || bytes >= BYTES;
                if enough {
                    break;
                }
            }
            if !enough {
                mail = mail.next();
                self.tell_missed(mail.missed());
                enough = mail.is_empty();
            }
        }
        drop(mail);
        self.take_notices(|skip| self.zone.notice(self.me, skip));
        if self.zone.has_mail(self.me) {
            self.later.post_next();
        }
    }

    /// Hands a message to the channel's subscribers here; how many they were.
    fn deliver(&self, message: &MessageRef<'_>) -> usize {
        let mut count = 0;
        let mut forms = EncodingCache::new(view(message), true);
        let Some(channel) = self.registry.channel(message.channel) else { return 0 };
        channel.each(message.id, |subscriber: &Rc<Subscriber>| {
            subscriber.guarded(self, "the delivery to a subscriber", || {
                subscriber.deliver(self, &mut forms, message);
            });
            count += 1;
        });
        count
    }

    /// Tells subscribers that channels of theirs were deleted. A notice stays until the last of them has
    /// left the channel.
    fn take_notices<'z>(&self, next: impl Fn(usize) -> Option<Notice<'z>>) {
        let (mut skip, mut last) = (0, None);
        while let Some(notice) = next(skip) {
            if last == Some(notice.channel) {
                skip += 1;
                continue;
            }
            last = Some(notice.channel);
            self.tell_deleted(&notice);
        }
    }

    /// Its time and tag are its place among the messages, so that a client that takes its position from
    /// there misses nothing and gets nothing again (the sane reading of DEL-4).
    fn tell_deleted(&self, notice: &Notice<'_>) {
        let Some(local) = self.registry.channel(notice.channel) else { return };
        let text = notice.text.unwrap_or(&self.main.channel_deleted_text);
        let view = MessageView::channel_deleted(notice.channel_id, text);
        let mut forms = EncodingCache::new(view.at(notice.stamp.second, notice.stamp.tag), false);
        // All of them: no first live id is later than this.
        local.each(u64::MAX, |subscriber| {
            if notice.is_early && !subscriber.is_up_to(self, notice.stamp) {
                return;
            }
            subscriber.guarded(self, "the end of a channel", || {
                subscriber.channel_deleted(self, notice.channel, notice.stamp, &mut forms);
            });
        });
    }
}

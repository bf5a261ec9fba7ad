//! From the mailbox to the subscribers: each message is encoded once for all that get the same bytes, and handed to
//! every subscriber of its channel.

use crate::protocol::template::MessageView;
use crate::store::{MessageRef, Notice};
use crate::worker::driver;
use crate::worker::output::encoded::{EncodingCache, view};
use crate::worker::state::Worker;
use crate::worker::stuck;
use crate::worker::subscriber::event::Event;

/// Deliveries in one turn of the event loop, so that connections and timers are served in between: some
/// ten milliseconds.
const DELIVERIES: usize = 4096;
/// Messages in one turn, however few subscribers they have.
const MESSAGES: usize = 1024;
/// Bytes of messages in one turn: a reader gets a chance to read before it is judged slow.
const BYTES: usize = 512 * 1024;

/// Takes what waits for this worker. What is left after a fair share is taken in the next turn.
pub fn take_mail(worker: &Worker) {
    let (zone, me) = (&worker.context.zone, worker.context.me);
    let mut deliveries = 0;
    let mut messages = 0;
    let mut bytes = 0;
    let mut mail = zone.mail(me);
    stuck::tell_missed(mail.missed());
    let mut enough = mail.is_empty();
    while !enough {
        for message in mail.messages() {
            if zone.has_notice(me) {
                take_notices(worker, |skip| zone.notice_before(me, message.stamp, skip));
            }
            deliveries += deliver(worker, &message);
            bytes += message.text.len();
            messages += 1;
            enough = deliveries >= DELIVERIES || messages >= MESSAGES || bytes >= BYTES;
            if enough {
                break;
            }
        }
        if !enough {
            mail = mail.next();
            stuck::tell_missed(mail.missed());
            enough = mail.is_empty();
        }
    }
    drop(mail);
    take_notices(worker, |skip| zone.notice(me, skip));
    if zone.has_mail(me) {
        worker.later.post_next();
    }
}

/// Hands a message to the channel's subscribers here; how many they were.
fn deliver(worker: &Worker, message: &MessageRef<'_>) -> usize {
    let mut count = 0;
    let mut encodings = EncodingCache::new(view(message), true);
    let Some(channel) = worker.registry.channel(message.channel) else { return 0 };
    channel.each(message.id, |client| {
        driver::deliver(worker, client, message, &mut encodings);
        count += 1;
    });
    count
}

/// Tells subscribers that channels of theirs were deleted. A notice stays until the last of them has
/// left the channel.
fn take_notices<'z>(worker: &Worker, next: impl Fn(usize) -> Option<Notice<'z>>) {
    let (mut skip, mut last) = (0, None);
    while let Some(notice) = next(skip) {
        if last == Some(notice.channel) {
            skip += 1;
            continue;
        }
        last = Some(notice.channel);
        tell_deleted(worker, &notice);
    }
}

/// Its time and tag are its place among the messages, so that a client that takes its position from
/// there misses nothing and gets nothing again (the sane reading of DEL-4).
fn tell_deleted(worker: &Worker, notice: &Notice<'_>) {
    let Notice { channel, stamp, .. } = *notice;
    let Some(local) = worker.registry.channel(channel) else { return };
    let text = notice.text.unwrap_or(&worker.context.main.channel_deleted_text);
    let view = MessageView::channel_deleted(notice.channel_id, text);
    let mut encodings = EncodingCache::new(view.at(stamp.second, stamp.tag), false);
    // All of them: no first live id is later than this.
    local.each(u64::MAX, |client| {
        let is_up_to = || client.subscriber.borrow().is_up_to(&worker.context, stamp);
        if notice.is_early && !is_up_to() {
            return;
        }
        let event = Event::ChannelDeleted { channel, end: stamp, encodings: &mut encodings };
        driver::dispatch(worker, client, "the end of a channel", event);
    });
}

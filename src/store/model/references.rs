//! Counted holders: who holds a message or a channel, and the last one to let go frees it, at once.
//!
//! A message is held by its draft's owner, its history, mailbox entries, bookmarks and pinned pages; a channel by the
//! index, its nodes, its messages, a listing that stopped at it and a worker that empties it. The counts lie in the
//! objects and change with the step that they belong to, so that a killed process leaves them as they were.

use crate::store::ground::layout::{Channel, Message};
use crate::store::ground::memory::Ref;
use crate::store::transaction::Transaction;
use crate::store::transaction::list::ByCreation;

impl Transaction<'_> {
    pub fn hold(&self, message: Ref<Message>) {
        self.add(&self.at(message).refs, 1);
    }

    pub fn release(&self, message: Ref<Message>) {
        let m = self.at(message);
        self.sub(&m.refs, 1);
        if m.refs.get() == 0 {
            let channel = m.channel.get();
            self.free(message);
            if let Some(channel) = channel {
                self.release_channel(channel);
            }
        }
    }

    pub fn hold_channel(&self, channel: Ref<Channel>) {
        self.add(&self.at(channel).refs, 1);
    }

    pub fn release_channel(&self, channel: Ref<Channel>) {
        let c = self.at(channel);
        self.sub(&c.refs, 1);
        if c.refs.get() == 0 {
            if let Some(delete_text) = c.delete_text.get() {
                self.release(delete_text);
            }
            self.unlink::<ByCreation>(&self.root().order, channel);
            self.free(channel);
        }
    }
}

//! Intrusive doubly linked lists. A marker type names which links of an item a list goes through.

use core::iter;

use crate::store::ground::layout::{Bookmark, Channel, Ends, Links, Message, Node};
use crate::store::ground::memory::{Object, Ref};
use crate::store::transaction::Transaction;

/// Which links of an item.
pub trait ListTag {
    type Item: Object;
    fn links(item: &Self::Item) -> &Links<Self::Item>;
}

macro_rules! list_tags {
    ($($(#[$doc:meta])* $name:ident: $item:ident . $field:ident;)+) => {$(
        $(#[$doc])*
        pub enum $name {}
        impl ListTag for $name {
            type Item = $item;
            fn links(item: &$item) -> &Links<$item> {
                &item.$field
            }
        }
    )+};
}
list_tags! {
    /// All channels.
    ByCreation: Channel.order;
    /// Channels in a queue or due.
    ByDeadline: Channel.idle;
    /// A channel's history, or a slot's drafts.
    InHistory: Message.fifo;
    /// Stored messages in a queue.
    ByExpiry: Message.expiring;
    /// Nodes of a channel.
    OfChannel: Node.of_channel;
    /// Nodes of a slot.
    OfSlot: Node.of_slot;
    /// Bookmarks of a slot.
    BookmarksOfSlot: Bookmark.of_slot;
}

impl Transaction<'_> {
    pub fn push_back<L: ListTag>(&self, list: &Ends<L::Item>, item: Ref<L::Item>) {
        let links = L::links(self.at(item));
        let tail = list.tail.get();
        self.link(&links.prev, tail);
        self.link(&links.next, None);
        match tail {
            Some(tail) => self.link(&L::links(self.at(tail)).next, Some(item)),
            None => self.link(&list.head, Some(item)),
        }
        self.link(&list.tail, Some(item));
    }

    pub fn push_front<L: ListTag>(&self, list: &Ends<L::Item>, item: Ref<L::Item>) {
        let links = L::links(self.at(item));
        let head = list.head.get();
        self.link(&links.prev, None);
        self.link(&links.next, head);
        match head {
            Some(head) => self.link(&L::links(self.at(head)).prev, Some(item)),
            None => self.link(&list.tail, Some(item)),
        }
        self.link(&list.head, Some(item));
    }

    pub fn unlink<L: ListTag>(&self, list: &Ends<L::Item>, item: Ref<L::Item>) {
        let links = L::links(self.at(item));
        let (prev, next) = (links.prev.get(), links.next.get());
        match prev {
            Some(prev) => self.link(&L::links(self.at(prev)).next, next),
            None => self.link(&list.head, next),
        }
        match next {
            Some(next) => self.link(&L::links(self.at(next)).prev, prev),
            None => self.link(&list.tail, prev),
        }
    }

    /// From the head. The item just yielded may be unlinked.
    pub fn items<'s, L: ListTag>(
        &'s self,
        list: &Ends<L::Item>,
    ) -> impl Iterator<Item = Ref<L::Item>> + use<'s, L> {
        let mut next = list.head.get();
        iter::from_fn(move || {
            let item = next?;
            next = L::links(self.at(item)).next.get();
            Some(item)
        })
    }
}

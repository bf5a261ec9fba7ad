//! What was acknowledged, and what is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use crate::support::Nginx;

/// Texts in order of their ids, which begin at 1, by channel.
pub type Stored = BTreeMap<&'static str, Vec<String>>;

/// Texts whose publishers know that they are published, by channel and publisher.
#[derive(Default)]
pub struct Ledger(Mutex<BTreeMap<(&'static str, usize), Vec<String>>>);

impl Ledger {
    pub fn acknowledge(&self, channel: &'static str, publisher: usize, text: String) {
        let mut entries = self.0.lock().expect("no panic while held");
        entries.entry((channel, publisher)).or_default().push(text);
    }

    pub fn count(&self) -> usize {
        self.0.lock().expect("no panic while held").values().map(Vec::len).sum()
    }

    /// Every acknowledged text is stored, in the order in which its publisher sent it; none is stored
    /// twice. Others may be stored: their answer was lost.
    pub fn check(&self, stored: &Stored) {
        for (channel, texts) in stored {
            let distinct: BTreeSet<_> = texts.iter().collect();
            assert_eq!(distinct.len(), texts.len(), "{channel} stores something twice");
        }
        for ((channel, publisher), texts) in self.0.lock().expect("no panic while held").iter() {
            let mut rest = stored[channel].iter();
            for text in texts {
                assert!(
                    rest.any(|stored| stored == text),
                    "{channel}: '{}' of publisher {publisher} was acknowledged and is not stored",
                    short(text)
                );
            }
        }
    }
}

/// What the server has; ids must be 1, 2, 3, ...
pub async fn replay(nginx: &Nginx, channels: &[&'static str]) -> Stored {
    let mut stored = BTreeMap::new();
    for &channel in channels {
        let count = nginx.channel_stat(channel, "stored_messages").await;
        assert_eq!(count, nginx.channel_stat(channel, "published_messages").await, "{channel}");
        let mut stream = nginx.stream(&format!("/sub/{channel}.b{count}")).await;
        let mut texts = Vec::new();
        for id in 1..=count {
            let line = stream.line().await;
            let text = line.strip_prefix(&format!("{id} {channel} "));
            let text = text.unwrap_or_else(|| panic!("'{}' instead of {id}", short(&line)));
            texts.push(text.to_owned());
        }
        stored.insert(channel, texts);
    }
    stored
}

/// The text number `n` of a publisher: unlike any other, and most of them short.
pub fn text(publisher: usize, n: usize, length: usize) -> String {
    let mut text = format!("{publisher}-{n}-");
    let filler = (b'a' + ((publisher + n) % 26) as u8) as char;
    text.extend(std::iter::repeat_n(filler, length));
    text
}

/// The beginning of a text that may be long.
pub fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

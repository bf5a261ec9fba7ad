//! The channel path: the ids that a request names, each with an optional backtrack suffix.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use smallvec::SmallVec;
use thiserror::Error;

/// One id of a channel path (PATH-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The bytes of the id, without its suffix; never empty.
    pub id: &'a [u8],
    /// How many stored messages are asked for; 0 is none (PATH-14).
    pub backtrack: u64,
}

impl Item<'_> {
    /// Whether the id belongs to statistics alone: `ALL`, or any id with a `*` (ADM-2, PUB-27,
    /// PUB-28).
    pub fn is_reserved(&self) -> bool {
        self.id == b"ALL" || self.id.contains(&b'*')
    }
}

/// The items of one path; few enough, as a rule, to need no allocation.
pub type Items<'a> = SmallVec<[Item<'a>; 4]>;

/// Why a path names no channel; the texts are those of `X-Nginx-PushStream-Explain` (PUB-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    #[error("No channel id provided.")]
    Empty,
    #[error("Channel id contains control characters.")]
    ControlCharacters,
}

/// Splits a decoded path at `/` (PATH-1, PUB-18). Order and repetition are kept (PATH-13).
///
/// Empty items are skipped, so that a leading, doubled or final `/` adds nothing (PATH-8, PATH-9,
/// PUB-23); a path without any id is refused (PATH-10), as is one with a byte 00-1F or 7F (PUB-29).
pub fn parse(decoded: &[u8]) -> Result<Items<'_>, PathError> {
    if decoded.iter().any(u8::is_ascii_control) {
        return Err(PathError::ControlCharacters);
    }
    let items: Items<'_> = decoded
        .split(|&byte| byte == b'/')
        .map(parse_item)
        .filter(|item| !item.id.is_empty())
        .collect();
    if items.is_empty() { Err(PathError::Empty) } else { Ok(items) }
}

/// Joins the items that name the same channel: the first position, the larger backtrack (SUB-47,
/// LP-20).
pub fn merge_duplicates(items: Items<'_>) -> Items<'_> {
    if items.len() < 2 {
        return items;
    }
    // A path may name thousands of ids: comparing each with each would be a gift to an attacker.
    let mut positions = HashMap::with_capacity(items.len());
    let mut merged = Items::with_capacity(items.len());
    for item in items {
        match positions.entry(item.id) {
            Entry::Vacant(entry) => {
                entry.insert(merged.len());
                merged.push(item);
            }
            Entry::Occupied(entry) => {
                let first = &mut merged[*entry.get()];
                first.backtrack = first.backtrack.max(item.backtrack);
            }
        }
    }
    merged
}

/// Takes `.b<digits>` off the end; anything else is part of the id (PATH-2, PUB-19).
fn parse_item(item: &[u8]) -> Item<'_> {
    let digits = item.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (head, number) = item.split_at(item.len() - digits);
    match head.strip_suffix(b".b") {
        Some(id) if digits > 0 => Item { id, backtrack: saturating_number(number) },
        _ => Item { id: item, backtrack: 0 },
    }
}

/// A number too large for the machine means "all stored messages" (PATH-14, PUB-21).
fn saturating_number(digits: &[u8]) -> u64 {
    digits.iter().fold(0u64, |number, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(path: &[u8]) -> Vec<(&[u8], u64)> {
        parse(path).unwrap().iter().map(|item| (item.id, item.backtrack)).collect()
    }

    #[test]
    fn items_end_at_slashes() {
        // PATH-1, PATH-13, PATH-15
        assert_eq!(parsed(b"a.b3/b"), [(&b"a"[..], 3), (b"b", 0)]);
        assert_eq!(parsed(b"dd/dd"), [(&b"dd"[..], 0), (b"dd", 0)]);
    }

    #[test]
    fn only_dot_b_and_digits_is_a_suffix() {
        // PATH-2, PUB-19
        for id in
            [&b"x.b"[..], b"x.bx", b"x.B3", b"x.b-3", b"x.b3.", b"x.b3x", b"xb3", b"x3", b"b3"]
        {
            assert_eq!(parsed(id), [(id, 0)]);
        }
        assert_eq!(parsed(b"x.b5.b3"), [(&b"x.b5"[..], 3)]);
        assert_eq!(parsed(b"x.b.b3"), [(&b"x.b"[..], 3)]);
    }

    #[test]
    fn backtrack_numbers() {
        // PATH-14, PUB-21
        assert_eq!(parsed(b"a.b007"), [(&b"a"[..], 7)]);
        assert_eq!(parsed(b"a.b0"), [(&b"a"[..], 0)]);
        assert_eq!(parsed(b"a.b18446744073709551615"), [(&b"a"[..], u64::MAX)]);
        assert_eq!(parsed(b"a.b18446744073709551616"), [(&b"a"[..], u64::MAX)]);
        assert_eq!(parsed(&[b"a.b", &[b'9'; 5000][..]].concat()), [(&b"a"[..], u64::MAX)]);
    }

    #[test]
    fn empty_items_are_skipped() {
        // PATH-8, PATH-9, PUB-23
        assert_eq!(parsed(b"ts/"), [(&b"ts"[..], 0)]);
        assert_eq!(parsed(b"//da//.b3/db"), [(&b"da"[..], 0), (b"db", 0)]);
    }

    #[test]
    fn a_path_without_ids_is_refused() {
        // PATH-10, PATH-11, PUB-24
        for path in [&b""[..], b"/", b"//", b".b3", b"/.b1/"] {
            assert_eq!(parse(path), Err(PathError::Empty));
        }
        assert_eq!(PathError::Empty.to_string(), "No channel id provided.");
    }

    #[test]
    fn control_characters_are_refused() {
        // PATH-7, PATH-12, PATH-18, PUB-29, PUB-31
        for byte in (0..0x20).chain([0x7f]) {
            for path in [vec![byte], vec![b'a', byte], vec![byte, b'*'], vec![b'a', b'/', byte]] {
                assert_eq!(parse(&path), Err(PathError::ControlCharacters), "{path:?}");
            }
        }
        assert_eq!(
            PathError::ControlCharacters.to_string(),
            "Channel id contains control characters."
        );
    }

    #[test]
    fn every_other_byte_is_allowed() {
        // PATH-7, PUB-26
        let path: Vec<u8> = (0x20..0x7f).chain(0x80..=0xff).filter(|&b| b != b'/').collect();
        assert_eq!(parsed(&path), [(&path[..], 0)]);
    }

    #[test]
    fn reserved_ids() {
        // ADM-2, PUB-27, PUB-28
        let reserved = |path| parse(path).unwrap()[0].is_reserved();
        assert!([&b"ALL"[..], b"ALL.b1", b"*", b"a*", b"*a", b"a*b"].into_iter().all(reserved));
        assert!(![&b"all"[..], b"ALLx", b"xALL", b"A"].into_iter().any(reserved));
    }

    #[test]
    fn duplicates_merge_into_the_first() {
        // SUB-47
        let merged = merge_duplicates(parse(b"b.b2/a/b.b5/a/c/b").unwrap());
        let merged: Vec<_> = merged.iter().map(|item| (item.id, item.backtrack)).collect();
        assert_eq!(merged, [(&b"b"[..], 5), (b"a", 0), (b"c", 0)]);
    }

    #[test]
    fn nine_hundred_ids() {
        let path = (0..900).map(|n| format!("c{n}.b{n}")).collect::<Vec<_>>().join("/");
        let items = merge_duplicates(parse(path.as_bytes()).unwrap());
        assert_eq!(items.len(), 900);
        assert_eq!((items[899].id, items[899].backtrack), (&b"c899"[..], 899));
    }

    /// An id byte: no separator, no control character.
    fn id_byte() -> impl Strategy<Value = u8> {
        prop_oneof![
            4 => any::<u8>().prop_filter("id byte", |b| !b.is_ascii_control() && *b != b'/'),
            1 => prop::sample::select(b".b0123456789*".to_vec()),
        ]
    }

    fn looks_suffixed(id: &[u8]) -> bool {
        (0..id.len().saturating_sub(2))
            .any(|at| id[at..].starts_with(b".b") && id[at + 2..].iter().all(u8::is_ascii_digit))
    }

    proptest! {
        #[test]
        fn any_path_round_trips(
            items in prop::collection::vec(
                (prop::collection::vec(id_byte(), 1..12), any::<Option<u64>>()), 1..20)
        ) {
            let mut path = Vec::new();
            let mut expected = Vec::new();
            for (id, backtrack) in &items {
                path.extend_from_slice(id);
                // An id that itself ends in a suffix needs one more to come through.
                let backtrack = backtrack.or(looks_suffixed(id).then_some(0));
                if let Some(number) = backtrack {
                    path.extend_from_slice(format!(".b{number}").as_bytes());
                }
                path.push(b'/');
                expected.push((id.as_slice(), backtrack.unwrap_or(0)));
            }
            prop_assert_eq!(parsed(&path), expected);
        }

        #[test]
        fn any_bytes_parse_without_panic(path: Vec<u8>) {
            match parse(&path) {
                Ok(items) => prop_assert!(items.iter().all(|item| !item.id.is_empty())),
                Err(PathError::ControlCharacters) => {
                    prop_assert!(path.iter().any(|&byte| byte < 0x20 || byte == 0x7f));
                }
                Err(PathError::Empty) => {
                    prop_assert!(path.iter().all(|byte| b"/.b0123456789".contains(byte)));
                }
            }
        }

        #[test]
        fn merging_keeps_each_id_once(path in "[ab/.]{1,3}(/[a-c](\\.b[0-9])?){0,12}") {
            let Ok(items) = parse(path.as_bytes()) else { return Ok(()) };
            let merged = merge_duplicates(items.clone());
            for item in &items {
                let of_id = || items.iter().filter(|other| other.id == item.id);
                let found: Vec<_> = merged.iter().filter(|other| other.id == item.id).collect();
                prop_assert_eq!(found.len(), 1);
                prop_assert_eq!(found[0].backtrack, of_id().map(|i| i.backtrack).max().unwrap());
            }
            let mut order: Vec<&[u8]> = Vec::new();
            for item in &items {
                if !order.contains(&item.id) {
                    order.push(item.id);
                }
            }
            prop_assert_eq!(merged.iter().map(|item| item.id).collect::<Vec<_>>(), order);
        }
    }
}

//! Channel paths (PATH-1..18, PUB-18..31) against a splitter that walks the path byte by byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::channel_path::{
    Item, PathError, merge_duplicates, parse,
};

fuzz_target!(|path: &[u8]| {
    let expected = split(path);
    let items = match parse(path) {
        Ok(items) => items,
        Err(PathError::ControlCharacters) => {
            return assert!(path.iter().any(|&byte| is_control(byte)));
        }
        Err(PathError::Empty) => return assert_eq!(expected, []),
    };
    assert!(!path.iter().any(|&byte| is_control(byte)));
    assert_eq!(as_pairs(&items), expected);

    for item in &items {
        let of_statistics = item.id == b"ALL" || item.id.contains(&b'*');
        assert_eq!(item.is_reserved(), of_statistics);
    }

    // PATH-8, PATH-9, PATH-13: written again in the longest form, with slashes to skip, it is the same.
    let mut again = b"/".to_vec();
    for (id, backtrack) in &expected {
        again.extend_from_slice(id);
        again.extend_from_slice(format!(".b00{backtrack}//").as_bytes());
    }
    assert_eq!(parse(&again).map(|items| as_pairs(&items)), Ok(expected.clone()));

    // SUB-47, LP-20: the first position, the larger backtrack.
    let mut merged: Vec<(Vec<u8>, u64)> = Vec::new();
    for (id, backtrack) in expected {
        match merged.iter_mut().find(|first| first.0 == id) {
            Some(first) => first.1 = first.1.max(backtrack),
            None => merged.push((id, backtrack)),
        }
    }
    assert_eq!(as_pairs(&merge_duplicates(items)), merged);
});

fn as_pairs(items: &[Item<'_>]) -> Vec<(Vec<u8>, u64)> {
    items.iter().map(|item| (item.id.to_vec(), item.backtrack)).collect()
}

fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | 0x7f)
}

/// The rules once more: ids and backtracks of every item that has an id.
fn split(path: &[u8]) -> Vec<(Vec<u8>, u64)> {
    let mut found = Vec::new();
    let mut id = Vec::new();
    // The digits of a suffix that the id may turn out to end in.
    let mut suffix: Option<Vec<u8>> = None;
    for &byte in path.iter().chain(b"/") {
        if byte == b'/' {
            let digits = suffix.take().filter(|digits| !digits.is_empty());
            if let Some(digits) = &digits {
                id.truncate(id.len() - digits.len() - 2);
            }
            if !id.is_empty() {
                found.push((std::mem::take(&mut id), digits.map_or(0, |digits| number(&digits))));
            }
            continue;
        }
        id.push(byte);
        if id.ends_with(b".b") {
            suffix = Some(Vec::new());
        } else if byte.is_ascii_digit() {
            suffix.iter_mut().for_each(|digits| digits.push(byte));
        } else {
            suffix = None;
        }
    }
    found
}

/// PATH-14: leading zeros count for nothing, and what no machine holds is everything.
fn number(digits: &[u8]) -> u64 {
    std::str::from_utf8(digits).expect("digits").parse().unwrap_or(u64::MAX)
}

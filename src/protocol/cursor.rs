//! The cursor of a returning subscriber: what it has seen, in its own words (OLD-1).

use super::date;

/// Time, tag and event id of the last message a client received, each possibly absent (OLD-1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Seconds since the epoch.
    pub time: Option<u64>,
    pub tag: Option<u32>,
    /// Never empty (OLD-6).
    pub event_id: Option<Vec<u8>>,
}

impl Cursor {
    /// Reads the three values of a request; an unusable value counts as absent (OLD-2..6).
    pub fn from_values(time: Option<&[u8]>, tag: Option<&[u8]>, event_id: Option<&[u8]>) -> Cursor {
        Cursor {
            time: time.and_then(parse_time),
            tag: tag.and_then(parse_tag),
            event_id: event_id.and_then(parse_event_id),
        }
    }
}

/// Reads an HTTP date (OLD-3, DIR-168): RFC 1123, RFC 850 or asctime, the zone ignored, a one-digit
/// day allowed. Epoch seconds and everything else are absent.
pub fn parse_time(value: &[u8]) -> Option<u64> {
    date::parse_http(value)
}

/// Reads a tag: `N` and `W/N` as always, and the proper entity tags `"N"` and `W/"N"` (OLD-5,
/// HDR-7, DIR-169).
///
/// A number above all tags is absent: both skip the whole second (OLD-12).
pub fn parse_tag(value: &[u8]) -> Option<u32> {
    let value = value.strip_prefix(b"W/").unwrap_or(value);
    let digits = match value.strip_prefix(b"\"") {
        Some(quoted) => quoted.strip_suffix(b"\"")?,
        None => value,
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// A tag as the `Etag` of an answer, weak: `W/3` (HDR-6).
pub fn append_etag(tag: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"W/");
    out.extend_from_slice(itoa::Buffer::new().format(tag).as_bytes());
}

/// The event id that `push_stream_event_id auto` gives a message: where it is in the order of all messages.
pub fn append_id(time: u64, tag: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
    out.push(b':');
    out.extend_from_slice(itoa::Buffer::new().format(tag).as_bytes());
}

/// Reads what [`append_id`] wrote: time and tag.
pub fn parse_id(id: &[u8]) -> Option<(u64, u32)> {
    let (time, tag) = std::str::from_utf8(id).ok()?.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(time) || !digits(tag) {
        return None;
    }
    Some((time.parse().ok()?, tag.parse().ok()?))
}

/// Takes any event id but the empty one, which is absent wherever it comes from (OLD-6, DIR-170).
pub fn parse_event_id(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty()).then(|| value.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags() {
        // OLD-5, HDR-7, DIR-169
        for value in [&b"3"[..], b"W/3", b"\"3\"", b"W/\"3\"", b"003", b"W/03"] {
            assert_eq!(parse_tag(value), Some(3), "{value:?}");
        }
        assert_eq!(parse_tag(b"W/0"), Some(0));
        assert_eq!(parse_tag(b"4294967295"), Some(u32::MAX));
    }

    #[test]
    fn anything_else_is_no_tag() {
        // OLD-5; `*` is no precondition here (HDR-13)
        for value in [
            &b""[..],
            b"W/",
            b"-1",
            b"+1",
            b"*",
            b"\"\"",
            b"W/\"\"",
            b"\"",
            b"\"1",
            b"1\"",
            b"w/1",
            b"W/W/1",
            b"\"W/1\"",
            b" 1",
            b"1 ",
            b"1, 2",
            b"abc",
            b"1a",
            b"4294967296",
        ] {
            assert_eq!(parse_tag(value), None, "{value:?}");
        }
    }

    #[test]
    fn an_empty_event_id_is_absent() {
        // OLD-6, DIR-170
        assert_eq!(parse_event_id(b""), None);
        assert_eq!(parse_event_id(b"a\xffb "), Some(b"a\xffb ".to_vec()));
    }

    #[test]
    fn a_whole_cursor() {
        // OLD-1, OLD-2
        let cursor = Cursor::from_values(
            Some(b"Sat, 21 Nov 2026 19:25:29 GMT"),
            Some(b"W/2"),
            Some(b"event 1"),
        );
        let expected =
            Cursor { time: Some(1_795_289_129), tag: Some(2), event_id: Some(b"event 1".to_vec()) };
        assert_eq!(cursor, expected);
        assert_eq!(Cursor::from_values(None, None, None), Cursor::default());
        assert_eq!(Cursor::from_values(Some(b""), Some(b""), Some(b"")), Cursor::default());
        assert_eq!(Cursor::from_values(Some(b"null"), Some(b"x"), None), Cursor::default());
    }

    #[test]
    fn what_is_no_id_of_ours() {
        for id in ["", ":", "1", "1:", ":1", "+1:1", "1:-1", "1:1:1", " 1:1", "1:4294967296", "a:1"]
        {
            assert_eq!(parse_id(id.as_bytes()), None, "{id}");
        }
    }

    proptest! {
        #[test]
        fn ids_are_read_back(time: u64, tag: u32) {
            let mut id = Vec::new();
            append_id(time, tag, &mut id);
            prop_assert_eq!(parse_id(&id), Some((time, tag)));
        }

        #[test]
        fn any_tag_in_any_form(tag: u32) {
            for form in [format!("{tag}"), format!("W/{tag}"), format!("\"{tag}\""),
                         format!("W/\"{tag}\"")] {
                prop_assert_eq!(parse_tag(form.as_bytes()), Some(tag));
            }
        }

        #[test]
        fn any_bytes_are_a_cursor(time: Vec<u8>, tag: Vec<u8>, event_id: Vec<u8>) {
            let cursor = Cursor::from_values(Some(&time), Some(&tag), Some(&event_id));
            prop_assert_eq!(cursor.event_id.unwrap_or_default(), event_id);
            if cursor.tag.is_some() {
                prop_assert!(tag.iter().all(|byte| b"W/\"0123456789".contains(byte)));
            }
        }

        #[test]
        fn nearly_a_tag(value in "W?/?\"?[0-9]{0,11}\"?") {
            // Accepted exactly when it is one of the four forms and its number fits.
            let bare = value.strip_prefix("W/").unwrap_or(&value);
            let bare = bare.strip_prefix('"').and_then(|b| b.strip_suffix('"')).unwrap_or(bare);
            prop_assert_eq!(parse_tag(value.as_bytes()), bare.parse::<u32>().ok());
        }
    }
}

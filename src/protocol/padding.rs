//! Padding by user agent: the grammar of the directive, and the bytes that fill.
//!
//! Some browsers show nothing of a stream until they have received a certain amount. Padding makes
//! the header and each message at least that long.

/// The largest minimum that a group may ask for, in bytes: far above what any browser needs, and
/// small enough to be sent with every message (DIR-154).
pub const MAX_MINIMUM: usize = 1 << 20;

/// How long header and message must at least be, in bytes; 0: no padding (DIR-160).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minimums {
    pub header: usize,
    pub message: usize,
}

/// One group of the directive: a regular expression for the user agent and what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'v> {
    pub agent: &'v [u8],
    pub minimums: Minimums,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaddingError {
    /// DIR-151, PAD-2: no group in all that is left of the value.
    #[error("padding pattern not match the value {0}")]
    NoGroup(String),
    /// DIR-152: a group, but not where one must begin.
    #[error("error applying padding pattern to {0}")]
    Misplaced(String),
    /// DIR-154.
    #[error("padding length is too large in {0}, at most {MAX_MINIMUM} is allowed")]
    TooLarge(String),
}

/// Takes `<regex>,<header_min>,<message_min>` groups, joined by `:`, apart (DIR-148, PAD-1).
///
/// The expression may contain commas but no `:`. One `:` after the last group is tolerated, no other
/// byte is (the sane reading of DIR-150). The errors show the value from the first bad group on.
pub fn parse(value: &[u8]) -> Result<Vec<Group<'_>>, PaddingError> {
    let mut groups = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let (first, after) = match memchr::memchr(b':', rest) {
            Some(colon) => (&rest[..colon], &rest[colon + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        let Some((agent, header, message)) = split(first) else {
            let later = after.split(|byte| *byte == b':').any(|piece| split(piece).is_some());
            let error = if later { PaddingError::Misplaced } else { PaddingError::NoGroup };
            return Err(error(shown(rest)));
        };
        let minimum = |digits| number(digits).ok_or_else(|| PaddingError::TooLarge(shown(first)));
        let minimums = Minimums { header: minimum(header)?, message: minimum(message)? };
        groups.push(Group { agent, minimums });
        rest = after;
    }
    Ok(groups)
}

/// The expression and the two numbers, which are what stands behind the last two commas.
fn split(group: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let is_number = |part: &&[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let mut parts = group.rsplitn(3, |byte| *byte == b',');
    let message = parts.next().filter(is_number)?;
    let header = parts.next().filter(is_number)?;
    let agent = parts.next().filter(|agent| !agent.is_empty())?;
    Some((agent, header, message))
}

fn shown(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn number(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0usize, |number, digit| {
        let number = number * 10 + usize::from(digit - b'0');
        (number <= MAX_MINIMUM).then_some(number)
    })
}

/// How many bytes fill a gap of `needed` bytes: the next multiple of 100 above it, but no more than
/// the `largest` minimum of the whole configuration (DIR-158, PAD-7). Nothing fills no gap.
pub fn amount(needed: usize, largest: usize) -> usize {
    match needed {
        0 => 0,
        needed => ((needed / 100 + 1) * 100).min(largest.max(needed)),
    }
}

/// Appends `len` bytes of line breaks, the filler of a plain stream: CRLF pairs, behind a lone LF if
/// `len` is odd (DIR-159, PAD-8).
pub fn append_crlf(len: usize, out: &mut Vec<u8>) {
    if len % 2 == 1 {
        out.push(b'\n');
    }
    out.extend(b"\r\n".iter().cycle().take(len - len % 2));
}

/// Appends `len` bytes that are one comment line of an event stream (DIR-159, PAD-8).
pub fn append_comment(len: usize, out: &mut Vec<u8>) {
    let Some(colons) = len.checked_sub(1) else { return };
    out.resize(out.len() + colons, b':');
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn group(agent: &str, header: usize, message: usize) -> Group<'_> {
        Group { agent: agent.as_bytes(), minimums: Minimums { header, message } }
    }

    #[test]
    fn groups() {
        // DIR-148, DIR-160, PAD-1
        assert_eq!(parse(b""), Ok(vec![]));
        assert_eq!(parse(b"a,1,2"), Ok(vec![group("a", 1, 2)]));
        assert_eq!(parse(b"a,1,2:"), Ok(vec![group("a", 1, 2)]));
        assert_eq!(parse(b"a{1,2}b,1,2"), Ok(vec![group("a{1,2}b", 1, 2)]));
        assert_eq!(parse(b"a,0,0:b c,007,4"), Ok(vec![group("a", 0, 0), group("b c", 7, 4)]));
        // DIR-150: this cannot be told from an expression with commas.
        assert_eq!(parse(b"a,1,2;b,3,4"), Ok(vec![group("a,1,2;b", 3, 4)]));
    }

    #[test]
    fn what_is_no_group_is_shown() {
        // DIR-151, DIR-152
        let no_group = |rest: &str| Err(PaddingError::NoGroup(rest.into()));
        let misplaced = |rest: &str| Err(PaddingError::Misplaced(rest.into()));
        for value in ["abc", "abc,1", "a,-1,2", ",1,2", ":", "a,1,", "1,2", "a,1,2x", "a,1,2 "] {
            assert_eq!(parse(value.as_bytes()), no_group(value));
        }
        assert_eq!(parse(b"a,1,2:bad"), no_group("bad"));
        assert_eq!(parse(b"a,1,2::"), no_group(":"));
        assert_eq!(parse(b":a,1,2"), misplaced(":a,1,2"));
        assert_eq!(parse(b"a,1,2::b,1,2"), misplaced(":b,1,2"));
        assert_eq!(parse(b"abc:b,1,2"), misplaced("abc:b,1,2"));
        assert_eq!(
            parse(b"a\\d").unwrap_err().to_string(),
            "padding pattern not match the value a\\d"
        );
    }

    #[test]
    fn lengths_are_bounded() {
        // DIR-154
        let most = MAX_MINIMUM;
        let value = format!("a,{most},{most}");
        assert_eq!(parse(value.as_bytes()), Ok(vec![group("a", most, most)]));
        for value in [format!("a,{},1", most + 1), "a,1,99999999999999999999999".into()] {
            let error = PaddingError::TooLarge(value.clone());
            assert_eq!(parse(value.as_bytes()), Err(error));
        }
    }

    #[test]
    fn amounts() {
        // DIR-158, PAD-7: the probed examples
        assert_eq!(amount(499, 500), 500);
        assert_eq!(amount(97, 4097), 100);
        assert_eq!(amount(100, 4097), 200);
        assert_eq!(amount(1022, 4097), 1100);
        assert_eq!(amount(4087, 4097), 4097);
        assert_eq!(amount(0, 4097), 0);
        assert_eq!(amount(50, 50), 50);
    }

    #[test]
    fn fillers() {
        // DIR-159, PAD-8
        let crlf = |len| {
            let mut out = Vec::new();
            append_crlf(len, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!([crlf(0), crlf(1), crlf(2)], ["", "\n", "\r\n"]);
        assert_eq!(crlf(5), "\n\r\n\r\n");
        let comment = |len| {
            let mut out = b"x".to_vec();
            append_comment(len, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!([comment(0), comment(1), comment(4)], ["x", "x\n", "x:::\n"]);
    }

    proptest! {
        #[test]
        fn groups_round_trip(
            groups in prop::collection::vec(
                ("[^:]{1,12}", 0..=MAX_MINIMUM, 0..=MAX_MINIMUM), 0..5),
            trailing: bool,
        ) {
            let written: Vec<String> =
                groups.iter().map(|(agent, h, m)| format!("{agent},{h},{m}")).collect();
            let mut value = written.join(":");
            if trailing && !value.is_empty() {
                value.push(':');
            }
            let expected: Vec<Group<'_>> =
                groups.iter().map(|(agent, h, m)| group(agent, *h, *m)).collect();
            prop_assert_eq!(parse(value.as_bytes()), Ok(expected));
        }

        #[test]
        fn any_value_is_taken_apart_or_refused(
            value in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "[a,:0-9]{0,24}".prop_map(String::into_bytes),
            ],
        ) {
            if let Ok(groups) = parse(&value) {
                let len: usize = groups.iter().map(|group| group.agent.len() + 4).sum();
                prop_assert!(len <= value.len() + 1);
            }
        }

        #[test]
        fn padding_reaches_the_minimum(minimum in 0..=MAX_MINIMUM, above in 0..=9_999usize, len: u16) {
            let needed = minimum.saturating_sub(usize::from(len));
            let amount = amount(needed, minimum + above);
            prop_assert!(amount >= needed && amount <= minimum + above && amount <= needed + 100);
            let (mut crlf, mut comment) = (Vec::new(), Vec::new());
            append_crlf(amount, &mut crlf);
            append_comment(amount, &mut comment);
            prop_assert_eq!((crlf.len(), comment.len()), (amount, amount));
        }
    }
}

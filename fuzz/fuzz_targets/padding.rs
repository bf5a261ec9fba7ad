//! The value of the padding directive (DIR-148..154) against a reader that works from its end, and
//! the bytes that fill (DIR-158, DIR-159).
//!
//! An input is a length, a minimum, the largest of all minimums, and the value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::padding::{
    MAX_MINIMUM, PaddingError, amount, append_comment, append_crlf, parse,
};
use ngx_push_stream_fuzz::{fields, number};

fuzz_target!(|input: &[u8]| {
    let [len, minimum, above, value] = fields(input);
    let minimum = number::<usize>(minimum).min(MAX_MINIMUM);
    fill(number(len), minimum, minimum + number::<usize>(above).min(MAX_MINIMUM));

    let expected = groups(value);
    match parse(value) {
        Ok(found) => {
            let found: Vec<_> = found
                .iter()
                .map(|group| (group.agent, group.minimums.header, group.minimums.message))
                .collect();
            assert_eq!(Ok(found), expected);
        }
        Err(error) => {
            let shown = match &error {
                PaddingError::NoGroup(rest) => (Wrong::NoGroup, rest),
                PaddingError::Misplaced(rest) => (Wrong::Misplaced, rest),
                PaddingError::TooLarge(group) => (Wrong::TooLarge, group),
            };
            let (wrong, at) = expected.expect_err("a value that is refused");
            assert_eq!(shown, (wrong, &String::from_utf8_lossy(at).into_owned()));
        }
    }
});

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    NoGroup,
    Misplaced,
    TooLarge,
}

type Group<'v> = (&'v [u8], usize, usize);

/// All groups, or what is wrong with the first that is none and where it begins.
fn groups(value: &[u8]) -> Result<Vec<Group<'_>>, (Wrong, &[u8])> {
    let one_end_less = value.strip_suffix(b":").filter(|rest| !rest.is_empty());
    let mut found = Vec::new();
    let mut rest = one_end_less.unwrap_or(value);
    let mut wrong = None;
    // From the last group to the first: the last that is wrong is the first in the value.
    while !(rest.is_empty() && found.is_empty() && wrong.is_none()) {
        let start = rest.iter().rposition(|&byte| byte == b':').map_or(0, |colon| colon + 1);
        match group(&rest[start..]) {
            Some((agent, Some(header), Some(message))) => found.push((agent, header, message)),
            Some(_) => wrong = Some((Wrong::TooLarge, &rest[start..])),
            None => {
                // Whatever is a group further on, even with numbers that are too large.
                let later = value[start..].split(|&b| b == b':').any(|part| group(part).is_some());
                let kind = if later { Wrong::Misplaced } else { Wrong::NoGroup };
                wrong = Some((kind, &value[start..]));
            }
        }
        if start == 0 {
            break;
        }
        rest = &rest[..start - 1];
    }
    found.reverse();
    wrong.map_or(Ok(found), Err)
}

/// `<regex>,<number>,<number>`; a number that is too large is none.
fn group(part: &[u8]) -> Option<(&[u8], Option<usize>, Option<usize>)> {
    let (rest, message) = last_number(part)?;
    let (agent, header) = last_number(rest)?;
    (!agent.is_empty()).then_some((agent, header, message))
}

fn last_number(part: &[u8]) -> Option<(&[u8], Option<usize>)> {
    let comma = part.iter().rposition(|byte| !byte.is_ascii_digit())?;
    let digits = std::str::from_utf8(&part[comma + 1..]).expect("digits");
    if part[comma] != b',' || digits.is_empty() {
        return None;
    }
    // More digits than any machine counts are too large as well.
    let number = digits.parse::<usize>().ok().filter(|&number| number <= MAX_MINIMUM);
    Some((&part[..comma], number))
}

/// What is shorter than its minimum gets padding that reaches it, in steps of 100 (DIR-158).
fn fill(len: usize, minimum: usize, largest: usize) {
    let needed = minimum.saturating_sub(len);
    let amount = amount(needed, largest);
    match needed {
        0 => assert_eq!(amount, 0),
        _ if amount == largest => assert!(needed <= largest && largest <= needed / 100 * 100 + 100),
        _ => assert!(amount % 100 == 0 && amount > needed && amount - needed <= 100),
    }
    // Longer ones are no different, and slow.
    let amount = amount.min(4_099);
    let (mut plain, mut comment) = (b"x".to_vec(), b"x".to_vec());
    append_crlf(amount, &mut plain);
    append_comment(amount, &mut comment);
    assert_eq!((plain.len(), comment.len()), (1 + amount, 1 + amount));
    // Cut at the front if odd (DIR-159): reading from the end it is all pairs.
    assert!(plain[1..].iter().rev().zip(b"\n\r".iter().cycle()).all(|(a, b)| a == b));
    let filled = comment[1..].strip_suffix(b"\n").unwrap_or_default();
    assert!(filled.iter().all(|&byte| byte == b':') && filled.len() + 1 == amount.max(1));
}

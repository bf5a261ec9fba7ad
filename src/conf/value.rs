//! The grammars of directive arguments, as nginx's own directives have them (DIR-43..46, DIR-49).

use std::time::Duration;

use super::settings::{DirectOutput, EventIdSource, MemoryFull, Refuse};
use crate::protocol::websocket::extensions;
use crate::protocol::websocket::rules::Masking;

/// What an argument should have been; [`super::error::DirectiveError`] adds directive and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error("it must be \"on\" or \"off\"")]
    Flag,
    #[error("it must be a whole number without unit, at most 9223372036854775807")]
    Number,
    #[error("it must be a time in whole seconds such as 30, 45s, 5m or 1h30m")]
    Seconds,
    #[error("it must be a time such as 30, 500ms, 45s, 5m or 1h30m")]
    Milliseconds,
    #[error("it must be a number of bytes, optionally with the unit k or m, such as 512k or 32m")]
    Size,
    #[error("it must be \"auto\", \"on\" or \"off\"")]
    DirectOutput,
    #[error("it must be \"auto\" or \"publisher\"")]
    EventIdSource,
    #[error("it must be \"close\" or \"http\"")]
    Refuse,
    #[error("it must be \"optional\" or \"required\"")]
    Masking,
    #[error("it must be \"evict\" or \"refuse\"")]
    MemoryFull,
    #[error("each name must be an HTTP token")]
    Token,
    #[error("each origin must be such as https://example.com or https://*.example.com:8443")]
    Origin,
}

/// The largest value nginx itself accepts for numbers and times.
const MAX: u64 = i64::MAX as u64;

/// `on` or `off`, in any letter case (DIR-43).
pub fn flag(value: &[u8]) -> Result<bool, ValueError> {
    match value {
        v if v.eq_ignore_ascii_case(b"on") => Ok(true),
        v if v.eq_ignore_ascii_case(b"off") => Ok(false),
        _ => Err(ValueError::Flag),
    }
}

/// Unsigned decimal digits (DIR-44).
pub fn number(value: &[u8]) -> Result<u64, ValueError> {
    digits(value).ok_or(ValueError::Number)
}

/// A time with units `y M w d h m s`; a bare number counts seconds (DIR-45).
pub fn seconds(value: &[u8]) -> Result<u64, ValueError> {
    const UNITS: &[(&[u8], u64)] = &[
        (b"y", 365 * 86_400),
        (b"M", 30 * 86_400),
        (b"w", 7 * 86_400),
        (b"d", 86_400),
        (b"h", 3_600),
        (b"m", 60),
        (b"s", 1),
    ];
    time(value, UNITS, 1).ok_or(ValueError::Seconds)
}

/// A time with units `w d h m s ms`; a bare number counts seconds (DIR-46).
pub fn milliseconds(value: &[u8]) -> Result<Duration, ValueError> {
    const UNITS: &[(&[u8], u64)] = &[
        (b"w", 7 * 86_400_000),
        (b"d", 86_400_000),
        (b"h", 3_600_000),
        (b"m", 60_000),
        (b"s", 1_000),
        (b"ms", 1),
    ];
    time(value, UNITS, 1_000).map(Duration::from_millis).ok_or(ValueError::Milliseconds)
}

/// Bytes, with `k`/`K` for KiB and `m`/`M` for MiB (DIR-49).
pub fn size(value: &[u8]) -> Result<usize, ValueError> {
    let (number, unit) = match value {
        [number @ .., b'k' | b'K'] => (number, 1 << 10),
        [number @ .., b'm' | b'M'] => (number, 1 << 20),
        number => (number, 1),
    };
    digits(number)
        .and_then(|n| n.checked_mul(unit))
        .filter(|n| *n <= MAX)
        .and_then(|n| usize::try_from(n).ok())
        .ok_or(ValueError::Size)
}

/// The bytes as they stand; an empty value counts as set (DIR-61).
pub fn text(value: &[u8]) -> Result<Vec<u8>, ValueError> {
    Ok(value.to_vec())
}

/// `auto`, `on` or `off`, in any letter case.
pub fn direct_output(value: &[u8]) -> Result<DirectOutput, ValueError> {
    match value {
        v if v.eq_ignore_ascii_case(b"auto") => Ok(DirectOutput::Auto),
        v if v.eq_ignore_ascii_case(b"on") => Ok(DirectOutput::On),
        v if v.eq_ignore_ascii_case(b"off") => Ok(DirectOutput::Off),
        _ => Err(ValueError::DirectOutput),
    }
}

/// `auto` or `publisher`, in any letter case.
pub fn event_id_source(value: &[u8]) -> Result<EventIdSource, ValueError> {
    match value {
        v if v.eq_ignore_ascii_case(b"auto") => Ok(EventIdSource::Auto),
        v if v.eq_ignore_ascii_case(b"publisher") => Ok(EventIdSource::Publisher),
        _ => Err(ValueError::EventIdSource),
    }
}

/// `evict` or `refuse`, in any letter case.
pub fn memory_full(value: &[u8]) -> Result<MemoryFull, ValueError> {
    match value {
        v if v.eq_ignore_ascii_case(b"evict") => Ok(MemoryFull::Evict),
        v if v.eq_ignore_ascii_case(b"refuse") => Ok(MemoryFull::Refuse),
        _ => Err(ValueError::MemoryFull),
    }
}

/// `close` or `http`, in any letter case.
pub fn refuse(value: &[u8]) -> Result<Refuse, ValueError> {
    match value {
        v if v.eq_ignore_ascii_case(b"close") => Ok(Refuse::Close),
        v if v.eq_ignore_ascii_case(b"http") => Ok(Refuse::Http),
        _ => Err(ValueError::Refuse),
    }
}

/// `optional` or `required`, in any letter case.
pub fn masking(value: &[u8]) -> Result<Masking, ValueError> {
    match value {
        v if v.eq_ignore_ascii_case(b"optional") => Ok(Masking::Optional),
        v if v.eq_ignore_ascii_case(b"required") => Ok(Masking::Required),
        _ => Err(ValueError::Masking),
    }
}

/// Names as HTTP headers can list them (RFC 9110 section 5.6.2).
pub fn tokens(values: &[&[u8]]) -> Result<Vec<Vec<u8>>, ValueError> {
    let is_name =
        |value: &&[u8]| !value.is_empty() && value.iter().all(|byte| extensions::is_token(*byte));
    match values.iter().all(is_name) {
        true => Ok(values.iter().map(|value| value.to_vec()).collect()),
        false => Err(ValueError::Token),
    }
}

/// Origins with a scheme and nothing behind host and port (RFC 6454 section 6.1); `*.` may stand for the
/// first labels of the host.
pub fn origins(values: &[&[u8]]) -> Result<Vec<Vec<u8>>, ValueError> {
    let is_origin = |value: &&[u8]| {
        let Some(at) = value.windows(3).position(|part| part == b"://") else { return false };
        let (scheme, host) = (&value[..at], &value[at + 3..]);
        let in_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        scheme.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme.iter().all(in_scheme)
            && is_host_and_port(host.strip_prefix(b"*.").unwrap_or(host))
    };
    match values.iter().all(is_origin) {
        true => Ok(values.iter().map(|value| value.to_vec()).collect()),
        false => Err(ValueError::Origin),
    }
}

/// A name or address, one of IPv6 in brackets, and perhaps a port (RFC 3986 section 3.2).
fn is_host_and_port(value: &[u8]) -> bool {
    let in_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-._".contains(*byte);
    let in_address = |byte: &&u8| byte.is_ascii_hexdigit() || b":.".contains(*byte);
    let (len, is_host) = match value.strip_prefix(b"[") {
        Some(rest) => {
            let len = rest.iter().take_while(in_address).count();
            (len + 2, len > 0 && rest.get(len) == Some(&b']'))
        }
        None => {
            let len = value.iter().take_while(in_name).count();
            (len, len > 0)
        }
    };
    is_host
        && match &value[len..] {
            [] => true,
            [b':', port @ ..] => digits(port).is_some_and(|port| port <= u16::MAX.into()),
            _ => false,
        }
}

fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit).filter(|n| *n <= MAX)
    })
}

/// nginx's time syntax: numbers with units, the units in falling order, each at most once, and a
/// number without unit (counted in `bare`) only at the end.
fn time(value: &[u8], mut units: &[(&[u8], u64)], bare: u64) -> Option<u64> {
    let mut total = 0u64;
    let mut rest = value;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number_len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, after) = rest.split_at(number_len);
        let unit_len = after.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let (unit, after) = after.split_at(unit_len);
        let scale = if unit.is_empty() {
            units = &[];
            bare
        } else {
            let found = units.iter().position(|(name, _)| *name == unit)?;
            let scale = units[found].1;
            units = &units[found + 1..];
            scale
        };
        total = digits(number)?.checked_mul(scale)?.checked_add(total).filter(|n| *n <= MAX)?;
        let spaces = after.iter().take_while(|b| **b == b' ').count();
        if unit.is_empty() && !after.is_empty() && spaces < after.len() {
            return None;
        }
        rest = &after[spaces..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_ignore_letter_case() {
        assert_eq!(flag(b"on"), Ok(true));
        assert_eq!(flag(b"OFF"), Ok(false));
        assert_eq!(flag(b"yes"), Err(ValueError::Flag));
        assert_eq!(flag(b""), Err(ValueError::Flag));
    }

    #[test]
    fn numbers_are_bounded_digits() {
        assert_eq!(number(b"0"), Ok(0));
        assert_eq!(number(b"9223372036854775807"), Ok(i64::MAX as u64));
        for wrong in
            [&b"9223372036854775808"[..], b"-1", b"", b"1k", b" 1", b"99999999999999999999"]
        {
            assert_eq!(number(wrong), Err(ValueError::Number), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn seconds_take_units_from_years_down() {
        assert_eq!(seconds(b"30"), Ok(30));
        assert_eq!(seconds(b"1m30s"), Ok(90));
        assert_eq!(seconds(b"1m30"), Ok(90));
        assert_eq!(seconds(b"1m 30s"), Ok(90));
        assert_eq!(seconds(b"1y1M1w1d1h1m1s"), Ok(31_536_000 + 2_592_000 + 604_800 + 90_061));
        for wrong in [&b"10ms"[..], b"", b"s", b"1s1m", b"1m1m", b"30 s", b"1x", b"-1", b"30 30"] {
            assert_eq!(seconds(wrong), Err(ValueError::Seconds), "{}", wrong.escape_ascii());
        }
        assert_eq!(seconds(b"999999999999999999y"), Err(ValueError::Seconds));
    }

    #[test]
    fn milliseconds_take_units_from_weeks_down() {
        assert_eq!(milliseconds(b"2"), Ok(Duration::from_secs(2)));
        assert_eq!(milliseconds(b"0ms"), Ok(Duration::ZERO));
        assert_eq!(milliseconds(b"1s500ms"), Ok(Duration::from_millis(1_500)));
        assert_eq!(milliseconds(b"1w"), Ok(Duration::from_secs(604_800)));
        for wrong in [&b"1M"[..], b"1y", b"1ms1s", b"ms", b"1.5s"] {
            assert_eq!(milliseconds(wrong), Err(ValueError::Milliseconds));
        }
    }

    #[test]
    fn sizes_know_k_and_m_only() {
        assert_eq!(size(b"100"), Ok(100));
        assert_eq!(size(b"125k"), Ok(128_000));
        assert_eq!(size(b"32M"), Ok(32 << 20));
        for wrong in [&b"1g"[..], b"abc", b"-1", b"", b"m", b"9223372036854775807k"] {
            assert_eq!(size(wrong), Err(ValueError::Size), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn a_full_zone_evicts_or_refuses() {
        assert_eq!(memory_full(b"evict"), Ok(MemoryFull::Evict));
        assert_eq!(memory_full(b"Refuse"), Ok(MemoryFull::Refuse));
        assert_eq!(memory_full(b"on"), Err(ValueError::MemoryFull));
    }

    #[test]
    fn direct_output_has_three_modes() {
        assert_eq!(direct_output(b"auto"), Ok(DirectOutput::Auto));
        assert_eq!(direct_output(b"On"), Ok(DirectOutput::On));
        assert_eq!(direct_output(b"off"), Ok(DirectOutput::Off));
        assert_eq!(direct_output(b""), Err(ValueError::DirectOutput));
    }

    #[test]
    fn event_ids_have_two_sources() {
        assert_eq!(event_id_source(b"AUTO"), Ok(EventIdSource::Auto));
        assert_eq!(event_id_source(b"publisher"), Ok(EventIdSource::Publisher));
        assert_eq!(event_id_source(b"on"), Err(ValueError::EventIdSource));
    }

    #[test]
    fn refusals_have_two_ways() {
        assert_eq!(refuse(b"Close"), Ok(Refuse::Close));
        assert_eq!(refuse(b"http"), Ok(Refuse::Http));
        assert_eq!(refuse(b"on"), Err(ValueError::Refuse));
    }

    #[test]
    fn masking_is_optional_or_required() {
        // WS-67
        assert_eq!(masking(b"Optional"), Ok(Masking::Optional));
        assert_eq!(masking(b"required"), Ok(Masking::Required));
        for wrong in [&b"on"[..], b"off", b"none", b""] {
            assert_eq!(masking(wrong), Err(ValueError::Masking));
        }
    }

    #[test]
    fn subprotocols_are_tokens() {
        // WS-GAP-18
        let names: [&[u8]; 3] = [b"chat", b"v2.chat", b"!#$%&'*+-.^_`|~"];
        assert_eq!(tokens(&names), Ok(names.map(<[u8]>::to_vec).to_vec()));
        for wrong in [&b""[..], b"a b", b"a,b", b"a;b", b"\"a\"", b"a/b", b"a\r\nb", b"\xc3\xa9"] {
            assert_eq!(tokens(&[b"chat", wrong]), Err(ValueError::Token));
        }
    }

    #[test]
    fn origins_have_a_scheme_and_a_host() {
        // WS-GAP-19
        let right: [&[u8]; 7] = [
            b"https://example.com",
            b"HTTP://Example.com:8080",
            b"https://*.example.com:8443",
            b"http://localhost",
            b"http://192.0.2.1:65535",
            b"http://[2001:db8::1]:8080",
            b"moz-extension://1a2b-3c",
        ];
        assert_eq!(origins(&right), Ok(right.map(<[u8]>::to_vec).to_vec()));
        for wrong in [
            &b""[..],
            b"*",
            b"null",
            b"example.com",
            b"://example.com",
            b"1http://example.com",
            b"https://",
            b"https://*",
            b"https://*.",
            b"https://a.*.example.com",
            b"https://a*.example.com",
            b"https://example.com/",
            b"https://example.com/path",
            b"https://user@example.com",
            b"https://example.com:",
            b"https://example.com:65536",
            b"https://example.com:x",
            b"https://exa mple.com",
            b"https://[::1",
            b"https://[]",
            b"https://a://b",
        ] {
            let refused = origins(&[b"https://example.com", wrong]);
            assert_eq!(refused, Err(ValueError::Origin), "{}", wrong.escape_ascii());
        }
    }
}

//! The cursor of a returning client: dates, tags and event ids (OLD-1..6, DIR-167..170).
//!
//! An input is the value of a time, of a tag, of an event id, and a second since the epoch.
#![no_main]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::cursor::Cursor;
use ngx_http_push_stream_module::protocol::date;
use ngx_push_stream_fuzz::{fields, number};

const LAST_SECOND: u64 = 253_402_300_799;

fuzz_target!(|input: &[u8]| {
    let [time, tag, event_id, second] = fields(input);
    let cursor = Cursor::from_values(Some(time), Some(tag), Some(event_id));
    assert_eq!(cursor.event_id.unwrap_or_default(), event_id);
    assert_eq!(cursor.tag, tag_of(tag));
    if let Some(read) = cursor.time {
        assert!(names(time, read), "{read} was read from {}", time.escape_ascii());
    }
    // Whatever liberties are taken, what is right by the letter is understood.
    if let Some(read) = read_by_others(time).filter(|&read| names(time, read)) {
        assert_eq!(cursor.time, Some(read));
    }
    written_dates_are_read(number(second), time);
});

/// One of the four forms `N`, `W/N`, `"N"` and `W/"N"`, with a number that a tag can be (OLD-5).
fn tag_of(value: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(value).ok()?;
    let digits = text.trim_matches(|char: char| !char.is_ascii_digit());
    let forms =
        [digits.into(), format!("W/{digits}"), format!("\"{digits}\""), format!("W/\"{digits}\"")];
    let known = forms.iter().any(|form| form == text);
    known.then(|| digits.parse().ok()).flatten()
}

fn read_by_others(value: &[u8]) -> Option<u64> {
    // They trim spaces, which no header has around it.
    let text = std::str::from_utf8(value).ok().filter(|text| text.trim() == *text)?;
    let time = httpdate::parse_http_date(text).ok()?;
    Some(time.duration_since(UNIX_EPOCH).expect("from 1970 on").as_secs())
}

/// Whether the value has the words and numbers of that second, in the order of one of the forms.
fn names(value: &[u8], second: u64) -> bool {
    let written = imf(second);
    let (day, month, year) = (&written[5..7], &written[8..11], &written[12..16]);
    let clock = &written[17..25];
    // The weekday may be anything, and so may what follows.
    let Some(weekday_end) = value.iter().position(|byte| matches!(byte, b',' | b' ')) else {
        return false;
    };
    let start = value[weekday_end + 1..].trim_ascii_start();
    [day, day.trim_start_matches('0')].into_iter().any(|day| {
        let forms = [
            format!("{day} {month} {year} {clock}"),
            format!("{day}-{month}-{} {clock}", &year[2..]),
            format!("{month} {day} {clock} {year}"),
            format!("{month}  {day} {clock} {year}"),
        ];
        forms.iter().any(|form| start.starts_with(form.as_bytes()))
    })
}

/// Each form of a second is read as that second, with any zone after it (OLD-3).
fn written_dates_are_read(second: u64, zone: &[u8]) {
    let mut out = Vec::new();
    date::append_http(second, &mut out);
    let second = second.min(LAST_SECOND);
    let written = imf(second);
    assert_eq!(out, written.as_bytes());
    assert_eq!(out.len(), date::HTTP_LEN);

    let (day, month, year) = (&written[5..7], &written[8..11], &written[12..16]);
    let clock = &written[17..25];
    let short_day = day.trim_start_matches('0');
    for date in [
        written[..25].to_owned(),
        format!("Mon, {short_day} {month} {year} {clock}"),
        format!("Monday {month} {short_day:>2} {clock} {year}"),
    ] {
        let text = [date.as_bytes(), b" ", zone].concat();
        assert_eq!(date::parse_http(&text), Some(second), "{}", text.escape_ascii());
    }
    let two_digits = format!("Monday, {day}-{month}-{} {clock} GMT", &year[2..]);
    let read = date::parse_http(two_digits.as_bytes());
    assert_eq!(read.map(imf).map(|read| read[14..].to_owned()), Some(written[14..].to_owned()));

    let mut iso = Vec::new();
    date::append_iso(second, &mut iso);
    let iso = String::from_utf8(iso).expect("digits");
    assert_eq!((&iso[..4], &iso[8..10], &iso[11..]), (year, day, clock));
}

fn imf(second: u64) -> String {
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(second);
    httpdate::fmt_http_date(time)
}

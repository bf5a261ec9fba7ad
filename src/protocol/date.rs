//! Dates on the wire: the HTTP date of messages and cursors, the ISO 8601 time of statistics.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

/// The length of every HTTP date: the year has four digits.
pub const HTTP_LEN: usize = 29;

/// 9999-12-31T23:59:59, the last second with a four-digit year.
const LAST_SECOND: u64 = 253_402_300_799;

const SECONDS_PER_DAY: u64 = 86_400;

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Appends `Sat, 21 Nov 2026 19:25:29 GMT` (TPL-1, DIR-114).
pub fn append_http(time: u64, out: &mut Vec<u8>) {
    let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(time.min(LAST_SECOND)));
    write!(out, "{date}").expect("writing to a vector cannot fail");
}

/// Appends `2026-11-21T19:25:29`, in UTC and without a zone (STAT-43).
pub fn append_iso(time: u64, out: &mut Vec<u8>) {
    let time = time.min(LAST_SECOND);
    let (year, month, day) = civil_date(time / SECONDS_PER_DAY);
    let second = time % SECONDS_PER_DAY;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
        .expect("writing to a vector cannot fail");
}

/// Reads an HTTP date as seconds since the epoch (OLD-3).
///
/// Taken are RFC 1123, RFC 850 and asctime dates from 1970 on, the first two also with a one-digit
/// day. The weekday is not compared with the date, and whatever follows the time of day (in asctime
/// the year) is the zone, which is ignored.
pub fn parse_http(text: &[u8]) -> Option<u64> {
    let weekday_end = text.iter().position(|byte| matches!(byte, b',' | b' '))?;
    let (separator, rest) = text[weekday_end..].split_first()?;
    let mut fields = Fields(rest.trim_ascii_start());
    if *separator == b',' { fields.day_first() } else { fields.month_first() }
}

/// What is left of a date that is being read.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// `21 Nov 2026 19:25:29` (RFC 1123) or `21-Nov-26 19:25:29` (RFC 850).
    fn day_first(&mut self) -> Option<u64> {
        let day = self.number(1..=2)?;
        let month;
        let year;
        if self.0.starts_with(b"-") {
            self.literal(b'-')?;
            month = self.month()?;
            self.literal(b'-')?;
            let short = self.number(2..=2)?;
            year = if short < 70 { 2000 + short } else { 1900 + short };
        } else {
            self.literal(b' ')?;
            month = self.month()?;
            self.literal(b' ')?;
            year = self.number(4..=4)?;
        }
        self.literal(b' ')?;
        let second = self.time_of_day()?;
        Some(seconds_to(year, month, day)? + second)
    }

    /// `Nov 21 19:25:29 2026` or `Jan  1 00:00:00 1970` (asctime).
    fn month_first(&mut self) -> Option<u64> {
        let month = self.month()?;
        self.literal(b' ')?;
        self.0 = self.0.strip_prefix(b" ").unwrap_or(self.0);
        let day = self.number(1..=2)?;
        self.literal(b' ')?;
        let second = self.time_of_day()?;
        self.literal(b' ')?;
        let year = self.number(4..=4)?;
        Some(seconds_to(year, month, day)? + second)
    }

    /// `19:25:29` as the second of the day.
    fn time_of_day(&mut self) -> Option<u64> {
        let hour = self.number(2..=2)?;
        self.literal(b':')?;
        let minute = self.number(2..=2)?;
        self.literal(b':')?;
        let second = self.number(2..=2)?;
        (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
    }

    fn month(&mut self) -> Option<u64> {
        let (name, rest) = self.0.split_at_checked(3)?;
        let index = MONTHS.iter().position(|month| *month == name)?;
        self.0 = rest;
        Some(index as u64 + 1)
    }

    fn number(&mut self, digits: std::ops::RangeInclusive<usize>) -> Option<u64> {
        let found =
            self.0.iter().take(*digits.end()).take_while(|byte| byte.is_ascii_digit()).count();
        if !digits.contains(&found) {
            return None;
        }
        let (number, rest) = self.0.split_at(found);
        self.0 = rest;
        Some(number.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
    }

    fn literal(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }
}

/// Seconds from the epoch to the start of that day; none for a day that no calendar has.
fn seconds_to(year: u64, month: u64, day: u64) -> Option<u64> {
    // Day 0 would be one of the month before, and before the epoch there is none to count from.
    let days = (year >= 1970 && day > 0).then(|| days_to(year, month, day))?;
    // A day beyond the end of its month comes back as one of the next.
    (civil_date(days) == (year, month, day)).then_some(days * SECONDS_PER_DAY)
}

/// Days from the start of the year 0, counted in years that begin in March, to the epoch. With such
/// years the leap day is the last one and needs no case of its own.
const EPOCH_DAY: u64 = 719_468;
const DAYS_PER_400_YEARS: u64 = 146_097;

/// Days from the epoch to a date of 1970 or later.
fn days_to(year: u64, month: u64, day: u64) -> u64 {
    let year = if month < 3 { year - 1 } else { year };
    let month = (month + 9) % 12;
    (365 * year + year / 4 - year / 100 + year / 400) + (153 * month + 2) / 5 + day - 1 - EPOCH_DAY
}

/// The year, month and day that lie so many days after the epoch.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH_DAY;
    let day = days % DAYS_PER_400_YEARS;
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + days / DAYS_PER_400_YEARS * 400 + u64::from(month < 3);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn http(time: u64) -> String {
        let mut out = Vec::new();
        append_http(time, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn iso(time: u64) -> String {
        let mut out = Vec::new();
        append_iso(time, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn http_dates() {
        // TPL-1, DIR-114
        assert_eq!(http(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http(1_795_289_129), "Sat, 21 Nov 2026 19:25:29 GMT");
        assert_eq!(http(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn iso_times() {
        // STAT-43
        assert_eq!(iso(0), "1970-01-01T00:00:00");
        assert_eq!(iso(1_795_289_129), "2026-11-21T19:25:29");
        assert_eq!(iso(951_782_400), "2000-02-29T00:00:00");
        assert_eq!(iso(951_868_799), "2000-02-29T23:59:59");
        assert_eq!(iso(4_107_542_399), "2100-02-28T23:59:59");
        assert_eq!(iso(4_107_542_400), "2100-03-01T00:00:00");
        assert_eq!(iso(u64::MAX), "9999-12-31T23:59:59");
    }

    #[test]
    fn the_three_forms() {
        // OLD-3
        let time = Some(1_795_289_375);
        assert_eq!(parse_http(b"Sat, 21 Nov 2026 19:29:35 GMT"), time);
        assert_eq!(parse_http(b"Saturday, 21-Nov-26 19:29:35 GMT"), time);
        assert_eq!(parse_http(b"Sat Nov 21 19:29:35 2026"), time);
        assert_eq!(parse_http(b"Thursday, 01-Jan-70 00:00:00 GMT"), Some(0));
        assert_eq!(parse_http(b"Thu Jan  1 00:00:00 1970"), Some(0));
        assert_eq!(parse_http(b"Monday, 31-Dec-69 23:59:59 GMT"), Some(3_155_759_999));
    }

    #[test]
    fn the_zone_is_ignored() {
        // OLD-3
        for zone in ["", " GMT", " +0200", " PST", " é", "Z"] {
            let text = format!("Sat, 21 Nov 2026 19:29:35{zone}");
            assert_eq!(parse_http(text.as_bytes()), Some(1_795_289_375), "{text}");
        }
    }

    #[test]
    fn a_one_digit_day() {
        // OLD-3, the sane addition
        assert_eq!(parse_http(b"Thu, 1 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse_http(b"Thu, 8 Jan 1970 00:00:01 GMT"), Some(604_801));
        assert_eq!(parse_http(b"Thursday, 8-Jan-70 00:00:01 GMT"), Some(604_801));
    }

    #[test]
    fn anything_else_is_no_date() {
        // OLD-3, OLD-4
        for text in [
            "",
            " ",
            ",",
            "0",
            "null",
            "1795289375",
            "now",
            "Sat,",
            "Sat, ",
            "Sat,+21+Nov+2026+19:29:35+GMT",
            "Sat, 21 Nov 2026",
            "Sat, 21 Nov 2026 19:29 GMT",
            "Sat, 21 Nov 2026 19:29:3",
            "Sat, 21 nov 2026 19:29:35 GMT",
            "Sat, 021 Nov 2026 19:29:35 GMT",
            "Sat, 21 Nov 26 19:29:35 GMT",
            "Sat, 21-Nov-2026 19:29:35 GMT",
            "Sat, 21-Nov 2026 19:29:35 GMT",
            "Sat, 21 Nov 2026 24:00:00 GMT",
            "Sat, 21 Nov 2026 19:60:00 GMT",
            "Sat, 21 Nov 2026 19:29:60 GMT",
            "Sat, 00 Nov 2026 19:29:35 GMT",
            "Thursday, 00-Jan-70 00:00:00 GMT",
            "Sat, 31 Nov 2026 19:29:35 GMT",
            "Sun, 29 Feb 2026 19:29:35 GMT",
            "Sat, 32 Dec 2026 19:29:35 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Sat, -1 Nov 2026 19:29:35 GMT",
            "Sat Nov 21 19:29:35",
            "Sat Nov 21 19:29:35 26",
            "2026-11-21T19:29:35",
        ] {
            assert_eq!(parse_http(text.as_bytes()), None, "{text}");
        }
        assert!(parse_http(b"Tue, 29 Feb 2028 19:29:35 GMT").is_some());
        assert_eq!(parse_http(b"Mon, 29 Feb 2100 19:29:35 GMT"), None);
    }

    proptest! {
        #[test]
        fn every_form_of_every_second_comes_back(time in 0..=LAST_SECOND) {
            // OLD-3
            let date = http(time);
            prop_assert_eq!(date.len(), HTTP_LEN);
            prop_assert_eq!(parse_http(date.as_bytes()), Some(time));
            let (weekday, day, month) = (&date[..3], &date[5..7], &date[8..11]);
            let (year, clock) = (&date[12..16], &date[17..25]);
            let asctime = format!("{weekday} {month} {day} {clock} {year}");
            prop_assert_eq!(parse_http(asctime.as_bytes()), Some(time));
            let day_number = day.trim_start_matches('0');
            let spaced = format!("{weekday} {month} {day_number:>2} {clock} {year}");
            prop_assert_eq!(parse_http(spaced.as_bytes()), Some(time));
            let number = 1 + MONTHS.iter().position(|name| *name == month.as_bytes()).unwrap();
            prop_assert_eq!(iso(time), format!("{year}-{number:02}-{day}T{clock}"));
        }

        #[test]
        fn rfc_850_years_turn_at_seventy(time in 0u64..3_155_760_000) {
            // OLD-3
            let date = http(time);
            let (day, month, year, clock) =
                (&date[5..7], &date[8..11], &date[14..16], &date[17..25]);
            let text = format!("Monday, {day}-{month}-{year} {clock} GMT");
            prop_assert_eq!(parse_http(text.as_bytes()), Some(time));
        }

        #[test]
        fn any_bytes_parse_without_panic(text: Vec<u8>, nearly in "[A-Za-z]{0,9},? ?[0-9]{0,3}[ -]?\
            (Jan|Feb|Nov|Dec|Foo)?[ -]{0,2}[0-9]{0,5} ?([0-9]{2}:){0,3}[0-9]{0,3}[ A-Z0-9]{0,6}") {
            for text in [&text[..], nearly.as_bytes()] {
                // What is read is a second that can be written and read again.
                if let Some(time) = parse_http(text) {
                    prop_assert_eq!(parse_http(http(time).as_bytes()), Some(time));
                }
            }
        }
    }
}

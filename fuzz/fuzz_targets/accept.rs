//! Content negotiation (PUB-54..57, STAT-28, RFC 9110 section 12.5.1) against a reader that collects
//! all ranges before it decides.
//!
//! An input is the lines of the header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ngx_http_push_stream_module::protocol::accept::{Statistics, channels, statistics};

fuzz_target!(|input: &[u8]| {
    let lines = || input.split(|&byte| byte == b'\n');
    let ranges: Vec<Range> = lines().flat_map(|line| split(line, ',')).collect();

    let chosen = channels(lines());
    let expected = best(&ranges, &OFFERS[..6]).unwrap_or("application/json");
    assert_eq!(chosen.content_type, expected);
    // PUB-57: the content type names the format.
    let format = format!("{:?}", chosen.format).to_lowercase();
    assert!(chosen.content_type.ends_with(&format));

    let shown = match statistics(lines()) {
        Statistics::Channels(representation) => representation.content_type,
        Statistics::Metrics(exposition) => {
            exposition.content_type().split("; charset").next().unwrap()
        }
    };
    assert_eq!(shown, best(&ranges, &OFFERS).unwrap_or("application/json"));

    // Names of types and parameters have no letter case.
    let upper = input.to_ascii_uppercase();
    assert_eq!(channels(upper.split(|&byte| byte == b'\n')), chosen);
});

/// What is offered, best first, by the subtype that asks for it.
const OFFERS: [(&str, &str); 8] = [
    ("json", "application/json"),
    ("plain", "text/plain"),
    ("yaml", "application/yaml"),
    ("xml", "application/xml"),
    ("x-json", "text/x-json"),
    ("x-yaml", "text/x-yaml"),
    ("plain", PROMETHEUS),
    ("openmetrics-text", OPEN_METRICS),
];
const PROMETHEUS: &str = "text/plain; version=0.0.4";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

/// A range in lower case, and its quality in thousandths.
struct Range {
    kind: String,
    subtype: String,
    quality: u16,
    has_version: bool,
}

/// The content type of what is wanted most.
fn best(ranges: &[Range], offers: &[(&str, &'static str)]) -> Option<&'static str> {
    let with_metrics = offers.len() == OFFERS.len();
    let mut best = None;
    for (subtype, content_type) in offers {
        // How well a range fits: 3 for the type itself, 1 for any.
        let fits = |range: &Range| {
            let kind = content_type.split('/').next().unwrap();
            let either = ["text", "application"].contains(&range.kind.as_str());
            let by_version = with_metrics
                && range.kind == "text"
                && range.subtype == "plain"
                && range.has_version;
            match *content_type {
                PROMETHEUS => 3 * u8::from(by_version),
                OPEN_METRICS => {
                    3 * u8::from(range.kind == "application" && range.subtype == *subtype)
                }
                _ if either && range.subtype == *subtype => 3 * u8::from(!by_version),
                _ if range.kind == kind && range.subtype == "*" => 2,
                _ => u8::from(range.kind == "*" && range.subtype == "*"),
            }
        };
        let closest = ranges.iter().map(fits).max().unwrap_or(0);
        // The most specific ones decide alone; of these the highest quality, of equals the first.
        let mut wish: Option<(u16, usize)> = None;
        for (position, range) in ranges.iter().enumerate() {
            if closest > 0 && fits(range) == closest && wish.is_none_or(|(q, _)| range.quality > q)
            {
                wish = Some((range.quality, position));
            }
        }
        let Some((quality, position)) = wish.filter(|(quality, _)| *quality > 0) else { continue };
        let better = best.is_none_or(|(q, fit, at, _)| {
            (quality, closest) > (q, fit) || ((quality, closest) == (q, fit) && position < at)
        });
        if better {
            best = Some((quality, closest, position, *content_type));
        }
    }
    best.map(|(.., content_type)| content_type)
}

/// The ranges of a line; what is no range is left out.
fn split(line: &[u8], separator: char) -> Vec<Range> {
    parts(line, separator).iter().filter_map(|text| range(text)).collect()
}

/// What stands between separators, as text of one character for each byte.
fn parts(line: &[u8], separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = line.iter().map(|&byte| char::from(byte));
    let mut quoted = false;
    while let Some(char) = chars.next() {
        if char == separator && !quoted {
            parts.push(String::new());
            continue;
        }
        let part = parts.last_mut().expect("never empty");
        part.push(char);
        match char {
            '"' => quoted = !quoted,
            '\\' if quoted => part.extend(chars.next()),
            _ => {}
        }
    }
    parts
}

fn range(text: &str) -> Option<Range> {
    let bytes: Vec<u8> = text.chars().map(|char| u8::try_from(char).expect("of a byte")).collect();
    let parts: Vec<String> = parts(&bytes, ';')
        .iter()
        .map(|part| part.trim_matches(|c: char| c.is_ascii_whitespace()).to_ascii_lowercase())
        .collect();
    let (kind, subtype) = match parts[0].as_str() {
        "*" => ("*", "*"),
        range => range.split_once('/')?,
    };
    let mut quality = 1000;
    let mut has_version = false;
    for (name, value) in parts[1..].iter().filter_map(|part| part.split_once('=')) {
        match name {
            "q" => quality = parse_qvalue(value)?,
            "version" => has_version = true,
            _ => {}
        }
    }
    Some(Range { kind: kind.into(), subtype: subtype.into(), quality, has_version })
}

fn parse_qvalue(value: &str) -> Option<u16> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.chars().all(|char| char.is_ascii_digit()) {
        return None;
    }
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    let less_than_one = whole.chars().all(|char| char == '0');
    Some(if less_than_one { fraction.parse().expect("three digits") } else { 1000 })
}

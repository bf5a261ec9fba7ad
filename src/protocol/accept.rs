//! The choice of a format by the `Accept` request header (PUB-54..57, STAT-28).
//!
//! Proactive negotiation as RFC 9110, section 12.5.1, has it: quality values, wildcards, and the more
//! specific range decides. Several header lines are one list. Among equals the more specific range
//! wins, then the one named first. Nothing is refused: where nothing fits, and for what cannot be read,
//! the answer is JSON.

use std::cmp::Reverse;

use super::metrics::Exposition;
use super::statistics::Format;

/// How an answer about channels is written, and the content type that says so (PUB-55).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Representation {
    pub format: Format,
    pub content_type: &'static str,
}

/// What a statistics location answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    Channels(Representation),
    Metrics(Exposition),
}

/// In the server's own order of preference; the first is the fallback.
const REPRESENTATIONS: [Representation; 6] = [
    Representation { format: Format::Json, content_type: "application/json" },
    Representation { format: Format::Plain, content_type: "text/plain" },
    Representation { format: Format::Yaml, content_type: "application/yaml" },
    Representation { format: Format::Xml, content_type: "application/xml" },
    Representation { format: Format::Json, content_type: "text/x-json" },
    Representation { format: Format::Yaml, content_type: "text/x-yaml" },
];
/// What `Accept` calls them, under `text` and `application` alike (PUB-55).
const SUBTYPES: [&str; 6] = ["json", "plain", "yaml", "xml", "x-json", "x-yaml"];
/// Where the metrics stand in the list of candidates, behind the representations.
const PROMETHEUS: usize = 6;
const OPEN_METRICS: usize = 7;

/// Chooses for an answer about channels, by the lines of the `Accept` header.
pub fn channels<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Representation {
    REPRESENTATIONS[Wishes::read(lines, false).best()]
}

/// Chooses for a statistics location: as [`channels`], and a scraper gets metrics. It is known by
/// `application/openmetrics-text`, or by a parameter `version` of `text/plain`, whatever versions it
/// knows; no wildcard stands for metrics.
pub fn statistics<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Statistics {
    match Wishes::read(lines, true).best() {
        PROMETHEUS => Statistics::Metrics(Exposition::Prometheus),
        OPEN_METRICS => Statistics::Metrics(Exposition::OpenMetrics),
        representation => Statistics::Channels(REPRESENTATIONS[representation]),
    }
}

/// How much something is wanted, and since which range of the list. What is less wanted is less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Preference {
    /// In thousandths.
    quality: u16,
    position: Reverse<usize>,
}

/// What the ranges of the header say about each candidate.
#[derive(Default)]
struct Wishes {
    exact: [Option<Preference>; 8],
    text: Option<Preference>,
    application: Option<Preference>,
    any: Option<Preference>,
}

impl Wishes {
    fn read<'a>(lines: impl IntoIterator<Item = &'a [u8]>, metrics: bool) -> Self {
        let mut wishes = Self::default();
        let ranges = lines.into_iter().flat_map(|line| split(line, b','));
        for (position, range) in ranges.enumerate() {
            let Some(range) = Range::parse(range) else { continue };
            let wish = Some(Preference { quality: range.quality, position: Reverse(position) });
            if let Some(place) = wishes.place(&range, metrics) {
                *place = wish.max(*place);
            }
        }
        wishes
    }

    /// Where a range belongs; none if it asks for something that is not offered.
    fn place(&mut self, range: &Range<'_>, metrics: bool) -> Option<&mut Option<Preference>> {
        let is = |part: &[u8], name: &str| part.eq_ignore_ascii_case(name.as_bytes());
        let (text, application) = (is(range.kind, "text"), is(range.kind, "application"));
        match range.subtype {
            b"*" if range.kind == b"*" => Some(&mut self.any),
            b"*" if text => Some(&mut self.text),
            b"*" if application => Some(&mut self.application),
            subtype if metrics && application && is(subtype, "openmetrics-text") => {
                Some(&mut self.exact[OPEN_METRICS])
            }
            subtype if metrics && text && is(subtype, "plain") && range.has_version => {
                Some(&mut self.exact[PROMETHEUS])
            }
            subtype if text || application => {
                let found = SUBTYPES.iter().position(|name| is(subtype, name))?;
                Some(&mut self.exact[found])
            }
            _ => None,
        }
    }

    /// The candidate to answer with.
    fn best(&self) -> usize {
        let wanted = (0..self.exact.len()).filter_map(|candidate| {
            let (wish, specificity) = self.wish(candidate)?;
            let rank = (wish.quality, specificity, wish.position, Reverse(candidate));
            (wish.quality > 0).then_some((rank, candidate))
        });
        wanted.max().map_or(0, |(_, candidate)| candidate)
    }

    /// What the most specific range for a candidate says, and how specific it is.
    fn wish(&self, candidate: usize) -> Option<(Preference, u8)> {
        if let Some(wish) = self.exact[candidate] {
            return Some((wish, 2));
        }
        let content_type = REPRESENTATIONS.get(candidate)?.content_type;
        let of_kind = if content_type.starts_with("text/") { self.text } else { self.application };
        of_kind.map(|wish| (wish, 1)).or(self.any.map(|wish| (wish, 0)))
    }
}

/// One media range of the list.
struct Range<'a> {
    kind: &'a [u8],
    subtype: &'a [u8],
    /// In thousandths.
    quality: u16,
    has_version: bool,
}

impl<'a> Range<'a> {
    /// `type/subtype;name=value;q=0.5`; a lone `*` is `*/*`, as Java's own client sends it.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let mut parts = split(text, b';').map(<[u8]>::trim_ascii);
        let (kind, subtype) = match parts.next()? {
            b"*" => (&b"*"[..], &b"*"[..]),
            range => halves(range, b'/')?,
        };
        let mut range = Self { kind, subtype, quality: 1000, has_version: false };
        for (name, value) in parts.filter_map(|parameter| halves(parameter, b'=')) {
            if name.eq_ignore_ascii_case(b"q") {
                range.quality = parse_qvalue(value)?;
            }
            range.has_version |= name.eq_ignore_ascii_case(b"version");
        }
        Some(range)
    }
}

/// `0.5`, in as many digits as a client likes; more than 1 is 1. None: no number.
fn parse_qvalue(value: &[u8]) -> Option<u16> {
    let (whole, fraction) = halves(value, b'.').unwrap_or((value, b""));
    let digits = || whole.iter().chain(fraction);
    if digits().next().is_none() || !digits().all(u8::is_ascii_digit) {
        return None;
    }
    if whole.iter().any(|digit| *digit != b'0') {
        return Some(1000);
    }
    let places = fraction.iter().chain(b"000").take(3);
    Some(places.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
}

fn halves(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, text)?;
    Some((&text[..at], &text[at + 1..]))
}

/// The parts between separators that are not in a quoted string.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |byte| {
        let literal = std::mem::take(&mut escaped);
        match byte {
            b'\\' if quoted => escaped = !literal,
            b'"' if !literal => quoted = !quoted,
            _ => {}
        }
        *byte == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn publisher(accept: &str) -> &'static str {
        channels([accept.as_bytes()]).content_type
    }

    fn scraped(accept: &str) -> Option<Exposition> {
        match statistics([accept.as_bytes()]) {
            Statistics::Metrics(exposition) => Some(exposition),
            Statistics::Channels(_) => None,
        }
    }

    #[test]
    fn exact_media_types() {
        // PUB-55, PUB-57, STAT-28
        for (accept, content_type, format) in [
            ("application/json", "application/json", Format::Json),
            ("text/plain", "text/plain", Format::Plain),
            ("application/yaml", "application/yaml", Format::Yaml),
            ("application/xml", "application/xml", Format::Xml),
            ("text/x-json", "text/x-json", Format::Json),
            ("text/x-yaml", "text/x-yaml", Format::Yaml),
            ("text/json", "application/json", Format::Json),
            ("application/plain", "text/plain", Format::Plain),
            ("text/yaml", "application/yaml", Format::Yaml),
            ("text/xml", "application/xml", Format::Xml),
            ("application/x-json", "text/x-json", Format::Json),
            ("application/x-yaml", "text/x-yaml", Format::Yaml),
            ("APPLICATION/XML", "application/xml", Format::Xml),
            ("text/plain; charset=utf-8", "text/plain", Format::Plain),
        ] {
            let representation = Representation { format, content_type };
            assert_eq!(channels([accept.as_bytes()]), representation, "{accept}");
            assert_eq!(
                statistics([accept.as_bytes()]),
                Statistics::Channels(representation),
                "{accept}"
            );
        }
    }

    #[test]
    fn json_is_the_fallback() {
        // PUB-55, PUB-56
        assert_eq!(channels([]).content_type, "application/json");
        for accept in [
            "",
            ",",
            ";",
            "/",
            "plain",
            "image/png",
            "foo/plain",
            "application/vnd.x+json",
            "foo/jsonfoo",
            "text/plainer",
            "text/plain;q=0",
            "*/*;q=0",
            "text/plain;q=high",
            "text/plain;q=",
            "text/plain;q=-1",
            "text/ plain",
            "\"text/plain\"",
            "*/plain",
        ] {
            assert_eq!(publisher(accept), "application/json", "{accept}");
        }
    }

    #[test]
    fn quality_and_order() {
        // PUB-56
        for (accept, content_type) in [
            ("application/json;q=0.1, text/plain", "text/plain"),
            ("text/plain, application/json", "text/plain"),
            ("application/json, text/plain", "application/json"),
            ("text/plain;q=0.4,text/xml;q=0.5,text/yaml;q=0.499", "application/xml"),
            ("text/plain;q=.2, text/xml;q=.3", "application/xml"),
            ("text/plain;q=0.9999, text/xml;q=7", "application/xml"),
            ("text/plain ; a=\"x,y;q=0\" ; Q=0.5, text/xml;q=0.4", "text/plain"),
            ("text/plain;a=\"\\\",\", text/xml;q=0.4", "text/plain"),
            ("text/xml;q=0, application/xml;q=0.5, text/plain;q=0.1", "application/xml"),
        ] {
            assert_eq!(publisher(accept), content_type, "{accept}");
        }
    }

    #[test]
    fn wildcards() {
        // PUB-56
        for (accept, content_type) in [
            ("*/*", "application/json"),
            ("*", "application/json"),
            ("application/*", "application/json"),
            ("text/*", "text/plain"),
            ("*/*, text/xml", "application/xml"),
            ("text/*, application/yaml", "application/yaml"),
            ("text/*;q=0.5, */*;q=0.4", "text/plain"),
            ("text/*;q=0.4, */*;q=0.5", "application/json"),
            ("application/json;q=0, */*", "text/plain"),
            ("application/json;q=0, application/*", "application/yaml"),
            ("application/json;q=0.1, */*;q=0.2", "text/plain"),
        ] {
            assert_eq!(publisher(accept), content_type, "{accept}");
        }
    }

    #[test]
    fn what_clients_send() {
        // PUB-56
        for (accept, content_type) in [
            // Firefox, Chrome.
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/xml"),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
                 image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
                "application/xml",
            ),
            // jQuery, axios, Java's HttpURLConnection.
            ("application/json, text/javascript, */*; q=0.01", "application/json"),
            ("application/xml, text/xml, */*; q=0.01", "application/xml"),
            ("text/plain, */*; q=0.01", "text/plain"),
            ("application/json, text/plain, */*", "application/json"),
            ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/json"),
        ] {
            assert_eq!(publisher(accept), content_type, "{accept}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        // RFC 9110, section 5.3
        let lines: [&[u8]; 3] = [b"image/png", b"text/plain;q=0.5", b"text/xml"];
        assert_eq!(channels(lines).content_type, "application/xml");
        let lines: [&[u8]; 2] = [b"text/plain", b"text/xml"];
        assert_eq!(channels(lines).content_type, "text/plain");
    }

    #[test]
    fn scrapers() {
        use Exposition::{OpenMetrics, Prometheus};
        for (accept, exposition) in [
            ("text/plain;version=0.0.4", Some(Prometheus)),
            ("TEXT/plain; charset=utf-8; Version=\"0.0.4\"", Some(Prometheus)),
            ("application/openmetrics-text", Some(OpenMetrics)),
            ("application/openmetrics-text; version=1.0.0", Some(OpenMetrics)),
            // Prometheus 2.0, 2.5, 2.50 and 3.0.
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
                Some(Prometheus),
            ),
            (
                "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,\
                 */*;q=0.1",
                Some(OpenMetrics),
            ),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,\
                 */*;q=0.1",
                Some(OpenMetrics),
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Some(OpenMetrics),
            ),
            ("text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3", Some(Prometheus)),
            // Nobody else.
            ("text/plain", None),
            ("text/plain;version=0.0.4;q=0.5, text/plain", None),
            ("text/plain;version=0.0.4;q=0", None),
            ("application/plain;version=0.0.4", None),
            ("text/openmetrics-text", None),
            ("text/*", None),
            ("application/*", None),
            ("*/*", None),
        ] {
            assert_eq!(scraped(accept), exposition, "{accept}");
        }
    }

    #[test]
    fn a_publisher_location_has_no_metrics() {
        assert_eq!(publisher("text/plain;version=0.0.4"), "text/plain");
        assert_eq!(publisher("application/openmetrics-text"), "application/json");
        assert_eq!(publisher("application/openmetrics-text, text/plain;q=0.1"), "text/plain");
    }

    /// Made of what means something, so that much of it does.
    fn nearly_a_list() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "text",
            "application",
            "/",
            "*",
            "plain",
            "json",
            "x-json",
            "xml",
            "openmetrics-text",
            ";",
            ",",
            " ",
            "q=",
            "0.5",
            "0",
            "1",
            "version=",
            "\"",
            "\\",
            "é",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(lines: Vec<Vec<u8>>) {
            let _ = channels(lines.iter().map(Vec::as_slice));
            let _ = statistics(lines.iter().map(Vec::as_slice));
        }

        #[test]
        fn publisher_and_statistics_agree_but_for_metrics(accept in nearly_a_list()) {
            let chosen = statistics([accept.as_bytes()]);
            if !accept.contains("version") && !accept.contains("openmetrics") {
                prop_assert_eq!(chosen, Statistics::Channels(channels([accept.as_bytes()])));
            }
        }

        #[test]
        fn what_follows_with_less_quality_changes_nothing(
            first in prop::sample::select(&SUBTYPES[..]),
            rest in prop::collection::vec(
                (prop::sample::select(vec!["text/plain", "text/xml", "*/*", "text/*", "image/png"]),
                 0u16..1000),
                0..5,
            ),
        ) {
            let mut accept = format!("application/{first}");
            for (range, quality) in rest {
                let same = range.ends_with(first);
                let quality = if same { 1000 } else { quality };
                accept.push_str(&format!(", {range};q={}.{:03}", quality / 1000, quality % 1000));
            }
            let alone = format!("text/{first}");
            prop_assert_eq!(publisher(&accept), publisher(&alone));
        }

        #[test]
        fn the_greatest_quality_wins(
            qualities in prop::sample::subsequence((1u16..1000).collect::<Vec<_>>(), 6)
                .prop_shuffle(),
        ) {
            let ranges: Vec<_> = SUBTYPES.iter().zip(&qualities)
                .map(|(subtype, quality)| format!("text/{subtype};q=0.{quality:03}"))
                .collect();
            let best = (0..6).max_by_key(|i| qualities[*i]).unwrap();
            prop_assert_eq!(publisher(&ranges.join(",")), REPRESENTATIONS[best].content_type);
        }
    }

    #[test]
    fn a_long_header_is_read_once() {
        let ranges = "text/x;q=0.1,".repeat(10_000) + "text/plain;q=0.001";
        assert_eq!(publisher(&ranges), "text/plain");
    }
}

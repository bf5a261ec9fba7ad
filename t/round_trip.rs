//! Whatever is published comes back: any id, any body, any event id and type, through any template,
//! to a live subscriber and to one that reads the stored message, and in the statistics.

mod support;

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use support::stream::End;
use support::{Nginx, Stream};

const CASES: u32 = 100;
/// Locations, each with templates of its own.
const LOCATIONS: usize = 24;
/// The message template of a location that tells when a message came.
const STAMP: &str = "~time~ ~tag~\n";

/// Header, message and footer template of one location.
#[derive(Clone, Debug)]
struct Templates {
    header: String,
    message: String,
    footer: String,
}

#[derive(Clone, Debug)]
struct Case {
    location: usize,
    id: Vec<u8>,
    body: Vec<u8>,
    event_id: Option<String>,
    event_type: Option<String>,
}

/// TPL-1..6, SUB-12, DIR-107..119, PUB-17..31, PUB-36..38, PUB-58, PUB-68, STAT-29, STAT-41.
#[test]
fn whatever_is_published_comes_back() {
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        // Each try publishes and may wait for what never comes.
        max_shrink_iters: 100,
        failure_persistence: None,
        ..Config::default()
    });
    let locations: Vec<Templates> = prop::collection::vec(templates(), LOCATIONS)
        .new_tree(&mut runner)
        .expect("templates")
        .current();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let nginx = runtime.block_on(configured(&locations).start());
    let result = runner.run(&case(), |case| {
        runtime.block_on(comes_back(&nginx, &locations[case.location], &case));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}\nthe locations have {locations:#?}");
    }
}

fn configured(locations: &[Templates]) -> support::Builder {
    let stamp = format!("push_stream_message_template {};", quoted(STAMP));
    locations.iter().enumerate().fold(
        subscriber(Nginx::builder(), "stamp", &stamp),
        |builder, (n, templates)| {
            let directives = format!(
                "push_stream_header_template {};\npush_stream_message_template {};\n\
                 push_stream_footer_template {};\n",
                quoted(&templates.header),
                quoted(&templates.message),
                quoted(&templates.footer)
            );
            subscriber(builder, &format!("t{n}"), &directives)
        },
    )
}

/// Takes the id from an argument, which nginx hands on as it is in the request.
fn subscriber(builder: support::Builder, name: &str, directives: &str) -> support::Builder {
    let role = "push_stream_subscriber; push_stream_channels_path $arg_id;";
    builder.location(&format!("= /{name}"), &format!("{role}\n{directives}"))
}

/// A word of nginx's configuration.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

async fn comes_back(nginx: &Nginx, templates: &Templates, case: &Case) {
    // The suffix keeps one that the id itself may end in (PUB-20).
    let id = escaped(&case.id) + ".b";
    let target = format!("/t{}?id={id}", case.location);
    let mut live = nginx.stream(&format!("{target}0")).await;

    let mut call = nginx.call("POST", &format!("/pub?id={id}0")).body(&case.body);
    for (name, value) in [("Event-Id", &case.event_id), ("Event-Type", &case.event_type)] {
        if let Some(value) = value {
            call = call.header(name, value);
        }
    }
    let answer = call.send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for info in [Some(answer.json()), nginx.channel(&format!("{id}0")).await] {
        let info = info.expect("the channel");
        assert_eq!(info["channel"], *String::from_utf8_lossy(&case.id));
        assert_eq!((&info["published_messages"], &info["stored_messages"]), (&1.into(), &1.into()));
    }

    // JSON shows bytes that are no text as U+FFFD; plain text keeps every id apart.
    let call = nginx.call("GET", &format!("/stats?id={id}0")).header("Accept", "text/plain");
    let plain = call.send().await;
    let line = plain.text().lines().next().and_then(|line| line.strip_prefix("channel: "));
    assert_eq!(line.map(unescaped).as_ref(), Some(&case.id), "{plain:?}");

    let mut stamps = nginx.stream(&format!("/stamp?id={id}1")).await;
    let published = stamp(&mut stamps).await;
    let mut replay = nginx.stream(&format!("{target}1")).await;
    assert_eq!(nginx.delete(&format!("/pub?id={id}0")).await.status, 200);
    // DEL-4: nothing else was published in the second of the deletion.
    let deleted = stamp(&mut stamps).await;
    let tag = if deleted.time == published.time { &published.tag } else { "0" };
    assert!(deleted.seconds() >= published.seconds(), "{published:?}, {deleted:?}");
    assert_eq!(deleted.tag, tag, "{published:?}, {deleted:?}");

    let empty = String::new();
    let message = [
        ("~id~", &b"1"[..]),
        ("~channel~", &case.id),
        ("~text~", &case.body),
        ("~size~", &case.body.len().to_string().into_bytes()),
        ("~time~", published.time.as_bytes()),
        ("~tag~", published.tag.as_bytes()),
        ("~event-id~", case.event_id.as_ref().unwrap_or(&empty).as_bytes()),
        ("~event-type~", case.event_type.as_ref().unwrap_or(&empty).as_bytes()),
    ];
    // DEL-2, DIR-112, DIR-115..117.
    let farewell = [
        ("~id~", &b"-2"[..]),
        ("~channel~", &case.id),
        ("~text~", b"Channel deleted"),
        ("~size~", b"15"),
        ("~time~", deleted.time.as_bytes()),
        ("~tag~", deleted.tag.as_bytes()),
        ("~event-id~", b""),
        ("~event-type~", b""),
    ];
    let expected = [
        templates.header.as_bytes(),
        &expanded(&templates.message, &message),
        &expanded(&templates.message, &farewell),
        templates.footer.as_bytes(),
    ]
    .concat();
    expect_all(&mut live, &expected).await;
    expect_all(&mut replay, &expected).await;
}

/// A line of the stamp location.
#[derive(Debug)]
struct Stamp {
    time: String,
    tag: String,
}

impl Stamp {
    fn seconds(&self) -> std::time::SystemTime {
        httpdate::parse_http_date(&self.time).expect("an HTTP date")
    }
}

async fn stamp(stream: &mut Stream) -> Stamp {
    let line = stream.line().await;
    let (time, tag) = line.rsplit_once(' ').expect("a time and a tag");
    Stamp { time: time.into(), tag: tag.into() }
}

async fn expect_all(stream: &mut Stream, expected: &[u8]) {
    let (seen, end) = stream.rest().await;
    assert_eq!(end, End::Clean);
    assert!(
        seen == expected,
        "expected '{}', got '{}'",
        expected.escape_ascii(),
        seen.escape_ascii()
    );
}

fn expanded(template: &str, values: &[(&str, &[u8]); 8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = template.as_bytes();
    while let [byte, after @ ..] = rest {
        let found = values.iter().find(|(token, _)| {
            rest.get(..token.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(token.as_bytes()))
        });
        match found {
            Some((token, value)) => {
                out.extend_from_slice(value);
                rest = &rest[token.len()..];
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    out
}

fn escaped(value: &[u8]) -> String {
    let mut out = String::new();
    for byte in value {
        let _ = write!(out, "%{byte:02X}");
    }
    out
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut pieces = text.split('%');
    let mut out = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at(2);
        out.push(u8::from_str_radix(digits, 16).expect("two digits"));
        out.extend_from_slice(rest.as_bytes());
    }
    out
}

fn templates() -> impl Strategy<Value = Templates> {
    // An empty message template is refused (DIR-80).
    let message = text().prop_filter("a message template", |text| !text.is_empty());
    (text(), message, text()).prop_map(|(header, message, footer)| Templates {
        header,
        message,
        footer,
    })
}

/// Tokens, what nearly is one, and whatever nginx or a template might take for something else.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "~id~", "~event-id~", "~event-type~", "~channel~", "~text~", "~size~", "~tag~", "~time~",
            "~ID~", "~Event-Type~", "~TEXT~",
        ]).prop_map(String::from),
        1 => prop::sample::select(vec![
            "~", "~~", "~text", "event-~", "$host", "${x}", "\\", "\"", "'", "{", "}", ";", "#", "\n",
            "\r\n", "\\n", "%41", "</script>",
        ]).prop_map(String::from),
        1 => "[^\0]{0,6}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn case() -> impl Strategy<Value = Case> {
    let header = "[!-~]([ -~]{0,20}[!-~])?";
    (
        0..LOCATIONS,
        id(),
        body(),
        prop::option::of(header.prop_map(String::from)),
        prop::option::of(header.prop_map(String::from)),
    )
        .prop_map(|(location, id, body, event_id, event_type)| Case {
            location,
            id,
            body,
            event_id,
            event_type,
        })
}

/// PATH-7, PUB-26..31: what is not a control character, a separator or reserved.
fn id() -> impl Strategy<Value = Vec<u8>> {
    let byte = (0x20u8..=0xff).prop_filter("an id byte", |byte| !b"/*\x7f".contains(byte));
    let piece = prop_oneof![
        4 => prop::collection::vec(byte, 1..12),
        1 => prop::sample::select(vec![".b3", ".b", "~text~", "%2F", "\"\\", "<x>", "é", ": "])
            .prop_map(|piece| piece.as_bytes().to_vec()),
    ];
    prop::collection::vec(piece, 1..8)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("an id that is not reserved", |id| id != b"ALL")
}

/// PUB-36..39: not empty; small ones, and such as nginx keeps in several buffers or in a file.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let small = || prop::collection::vec(any::<u8>(), 1..200);
    prop_oneof![
        4 => small(),
        1 => "(~text~|~id~|[ -~\r\n]){1,9}".prop_map(String::into_bytes),
        1 => (small(), 100usize..2_000).prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

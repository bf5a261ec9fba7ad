//! Every shape in every format, to the byte (section 3).

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

use crate::bodies::{self, Line};
use crate::support::{Answer, Nginx, wait_for};
use crate::{FORMATS, get_as, pids};

/// The exact media types, and what else asks for them (PUB-55, STAT-28).
const NAMES: [(&str, &str); 6] = [
    ("application/json", "application/json"),
    ("text/plain", "text/plain"),
    ("application/yaml", "application/yaml"),
    ("application/xml", "application/xml"),
    ("text/x-json", "text/x-json"),
    ("application/x-yaml", "text/x-yaml"),
];

/// An answer, and what JSON says of the same target: nothing that shows has changed in between.
async fn with_json(nginx: &Nginx, target: &str, accept: &str) -> (Answer, Value) {
    wait_for("an answer within a second", || async {
        let before = nginx.get(target).await.json();
        let answer = get_as(nginx, target, accept).await;
        (before == nginx.get(target).await.json()).then_some((answer, before))
    })
    .await
}

/// PUB-58..65, STAT-7, STAT-8, STAT-10, STAT-29..35, STAT-42..48.
#[tokio::test]
async fn channels() {
    let nginx = Nginx::builder().http("push_stream_wildcard_channel_prefix w_;").start().await;
    nginx.publish("zz/w_1/aa/zz", "x").await;
    nginx.publish_live("aa", "x").await;
    let _subscribers = [nginx.stream("/sub/aa/w_1").await, nginx.stream("/sub/aa/new").await];
    let zz: Line<'_> = ("zz", 2, 2, 0);
    let w_1 = ("w_1", 1, 1, 1);
    let aa = ("aa", 2, 1, 2);
    let new = ("new", 0, 0, 1);
    for (accept, content_type) in NAMES {
        for (target, line) in [
            ("/stats?id=zz", zz),
            ("/stats?id=aa.b3", aa),
            ("/stats?id=none/w_1", w_1),
            ("/stats?id=/new/none/", new),
        ] {
            let answer = get_as(&nginx, target, accept).await;
            assert_eq!(answer.header("content-type"), Some(content_type));
            assert_eq!(answer.text(), bodies::single(content_type, line));
        }
        for (target, lines) in [
            ("/stats?id=aa/none/zz/aa", &[aa, zz, aa][..]),
            ("/stats?id=ALL", &[zz, w_1, aa, new]),
            ("/stats?id=a*", &[aa]),
            ("/stats?id=none*", &[]),
        ] {
            let (answer, json) = with_json(&nginx, target, accept).await;
            assert_eq!((&json["channels"], &json["wildcard_channels"]), (&3.into(), &1.into()));
            assert_eq!(answer.header("content-type"), Some(content_type));
            assert_eq!(answer.text(), bodies::group(content_type, &json, lines));
        }
    }
}

/// STAT-10, STAT-31..34: a zone without any channel.
#[tokio::test]
async fn an_empty_list() {
    let nginx = Nginx::start().await;
    for (accept, content_type) in NAMES {
        let (answer, json) = with_json(&nginx, "/stats?id=ALL", accept).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), bodies::group(content_type, &json, &[]));
    }
}

/// STAT-36..40, STAT-42..45, STAT-49..50, STAT-52, STAT-53, STAT-55..58.
#[tokio::test]
async fn summary() {
    let nginx = Nginx::builder().workers(3).start().await;
    nginx.publish("a/b/c", "x").await;
    nginx.publish_live("a", "x").await;
    nginx.delete("/pub?id=c").await;
    let _subscribers = [nginx.stream("/sub/a/b").await, nginx.stream("/sub/a").await];
    for (accept, content_type) in NAMES {
        let (answer, json) = with_json(&nginx, "/stats", accept).await;
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert_eq!(answer.text(), bodies::summary(content_type, &json));
    }

    let answer = nginx.get("/stats").await;
    let stats = answer.json();
    for (name, number) in
        [("channels", 2), ("wildcard_channels", 0), ("published_messages", 4), ("subscribers", 2)]
    {
        assert_eq!(stats[name], number, "{name}");
    }
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a host name");
    assert_eq!(stats["hostname"], hostname.trim().to_lowercase());
    let time = stats["time"].as_str().expect("a time");
    assert_eq!(time.len(), 19);
    // The Date header shows the same clock in another form.
    let date = answer.header("date").expect("a date");
    assert_eq!(time[8..10], date[5..7]);
    assert_eq!(time[10..16], format!("T{}", &date[17..22]));
    let mut pids = pids(&stats);
    pids.sort_unstable();
    assert_eq!(pids, nginx.worker_pids().into_iter().collect::<Vec<_>>());
}

/// The id that a reader of YAML gets, whether it takes it for text or for a number.
fn yaml_id(body: &str) -> String {
    let documents = Yaml::load_from_str(body).expect("YAML");
    let id = &documents[0]["channel"];
    id.as_integer().map_or_else(|| id.as_str().expect("an id").to_owned(), |n| n.to_string())
}

/// STAT-41, PUB-67: what an id holds, and how each format shows it.
#[tokio::test]
async fn ids_are_escaped() {
    let nginx = Nginx::start().await;
    for (id, shown) in [
        ("q%22uote%5C", ["q\\\"uote\\\\", "q\"uote\\", "\"q\\\"uote\\\\\"", "q\"uote\\"]),
        ("%3Cx%3E%26", ["<x>&", "<x>&", "\"<x>&\"", "&lt;x&gt;&amp;"]),
        ("a:%20b", ["a: b", "a: b", "\"a: b\"", "a: b"]),
        ("-%20x", ["- x", "- x", "\"- x\"", "- x"]),
        ("null", ["null", "null", "\"null\"", "null"]),
        ("42", ["42", "42", "42", "42"]),
        ("100%25", ["100%", "100%25", "\"100%\"", "100%"]),
        ("%FFx", ["\u{fffd}x", "%FFx", "\"\u{fffd}x\"", "\u{fffd}x"]),
        ("caf%C3%A9", ["caf\u{e9}", "caf\u{e9}", "\"caf\u{e9}\"", "caf\u{e9}"]),
        // A line break of Unicode, which is no control character of ours.
        ("a%C2%85b", ["a\u{85}b", "a%C2%85b", "\"a\\u0085b\"", "a\u{85}b"]),
    ] {
        for ((accept, content_type), shown) in FORMATS.into_iter().zip(shown) {
            let line = (shown, 0, 0, 1);
            let _subscriber = nginx.stream(&format!("/raw?id={id}")).await;
            let one = get_as(&nginx, &format!("/stats?id={id}"), accept).await;
            assert_eq!(one.text(), bodies::single(content_type, line));
            if content_type == "application/yaml" {
                let json = get_as(&nginx, &format!("/stats?id={id}"), "application/json").await;
                assert_eq!(yaml_id(one.text()), json.json()["channel"]);
            }
            let target = format!("/stats?id={id}*");
            let (list, json) = with_json(&nginx, &target, accept).await;
            assert_eq!(list.text(), bodies::group(content_type, &json, &[line]));
            drop(_subscriber);
            nginx.delete(&format!("/pub?id={id}")).await;
        }
    }
}

/// STAT-28, PUB-54, PUB-56: the header is negotiated, all its lines together.
#[tokio::test]
async fn negotiation() {
    let nginx = Nginx::start().await;
    for (lines, content_type) in [
        (&[][..], "application/json"),
        (&["Accept: */*"], "application/json"),
        (&["Accept: image/png"], "application/json"),
        (&["Accept:"], "application/json"),
        (&["accept: APPLICATION/XML"], "application/xml"),
        (&["Accept: application/json;q=0.1, text/plain"], "text/plain"),
        (&["Accept: text/plain;q=0.2", "Accept: text/xml;q=0.3"], "application/xml"),
        (
            &["Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
            "application/xml",
        ),
    ] {
        let mut raw = nginx.raw().await;
        raw.request("GET /stats", lines).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("content-type"), Some(content_type), "{lines:?}");
    }
}

//! Channel paths and channel ids.

use crate::support::{Answer, Nginx};

fn ids(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let name = |info: &serde_json::Value| info["channel"].as_str().expect("an id").to_owned();
    match json["infos"].as_array() {
        Some(infos) => infos.iter().map(name).collect(),
        None => vec![name(&json)],
    }
}

/// PUB-17..20, PUB-22, PATH-1..8: what a path names. `+` is no space, `?` is an ordinary byte,
/// malformed escapes vanish as PATH-5 says, empty items are skipped.
#[tokio::test]
async fn grammar() {
    let nginx = Nginx::start().await;
    let cases: &[(&str, &[&str])] = &[
        ("ts/", &["ts"]),
        ("a/b", &["a", "b"]),
        ("bt.b3", &["bt"]),
        ("bt.b007/n", &["bt", "n"]),
        ("bt.b0", &["bt"]),
        ("bt.b", &["bt.b"]),
        ("bt.bx", &["bt.bx"]),
        ("bt.b3x", &["bt.b3x"]),
        ("bt.B3", &["bt.B3"]),
        ("bt.b-3", &["bt.b-3"]),
        ("bt.b3.", &["bt.b3."]),
        ("x.b3.b4", &["x.b3"]),
        ("x%2Eb4", &["x"]),
        ("mc%2Fmd", &["mc", "md"]),
        ("me%252Ff", &["me%2Ff"]),
        ("/ls", &["ls"]),
        ("da//db", &["da", "db"]),
        ("/.b3/dc", &["dc"]),
        ("p+q", &["p+q"]),
        ("q1?b%41", &["q1?bA"]),
        ("d%3Fxx", &["d?xx"]),
        ("%zz", &["zz"]),
        ("a%4zb", &["ab"]),
        ("lone%", &["lone"]),
        ("lone%4", &["lone"]),
        ("huge.b99999999999999999999999999", &["huge"]),
    ];
    for (written, expected) in cases {
        let answer = nginx.post(&format!("/pub?id={written}"), "x").await;
        assert_eq!(answer.status, 200, "{written}: {answer:?}");
        assert_eq!(ids(&answer), *expected, "{written}");
    }
}

/// PUB-23, PUB-24, PATH-10, PATH-11, DIR-164: nothing remains, so no id was given.
#[tokio::test]
async fn no_id() {
    let nginx = Nginx::start().await;
    for query in ["", "?id=", "?id=/", "?id=//", "?id=.b3", "?id=/.b3/", "?id=%"] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = nginx.call(method, &format!("/pub{query}")).body("x").send().await;
            answer.assert_refused(400, Some("No channel id provided."));
        }
    }
    assert_eq!(nginx.stat("channels").await, 0);
}

/// PUB-25, PUB-50: a repeated id is processed repeatedly; what is shown of it is what it is afterwards.
#[tokio::test]
async fn repeated_id() {
    let nginx = Nginx::start().await;
    let answer = nginx.publish("dd/dd", "x").await;
    assert_eq!(ids(&answer), ["dd", "dd"]);
    assert_eq!(answer.json()["infos"][0]["published_messages"], 2);
    assert_eq!(answer.json()["infos"][0], answer.json()["infos"][1]);
    nginx.post("/live?id=dd.b1/dd", "x").await;
    let answer = nginx.publish("e/dd/e", "x").await.json();
    let published = |n: usize| answer["infos"][n]["published_messages"].as_u64();
    assert_eq!([published(0), published(1), published(2)], [Some(2), Some(5), Some(2)]);
    nginx.delete("/pub?id=e/dd").await;
    nginx.publish("dd/dd", "x").await;
    assert_eq!(nginx.channel_stat("dd", "published_messages").await, 2);
    assert_eq!(ids(&nginx.get("/pub?id=dd/dd").await), ["dd", "dd"]);
}

/// PUB-26, PUB-67: any printable byte; JSON stays JSON; a byte that is not UTF-8 shows as U+FFFD.
#[tokio::test]
async fn unusual_bytes() {
    let nginx = Nginx::start().await;
    let cases = [
        ("sp%20ace", "sp ace"),
        ("q%22uote%5C", "q\"uote\\"),
        ("%3Cx%3E%26", "<x>&"),
        ("caf%C3%A9", "caf\u{e9}"),
        ("bad%FFbyte", "bad\u{fffd}byte"),
        ("cut%C3", "cut\u{fffd}"),
        ("a;b,c%23", "a;b,c#"),
        ("Case", "Case"),
        ("case", "case"),
    ];
    for (written, shown) in cases {
        assert_eq!(ids(&nginx.publish(written, "x").await), [shown]);
        assert_eq!(nginx.channel_stat(written, "published_messages").await, 1, "{written}");
    }
    let all = nginx.get("/stats?id=ALL").await;
    assert_eq!(ids(&all), cases.map(|(_, shown)| shown));
}

/// PUB-27, PUB-28.
#[tokio::test]
async fn reserved_ids() {
    let nginx = Nginx::start().await;
    for id in ["ALL", "ALL.b1", "%41LL", "a/ALL", "*", "a*b", "a%2Ab", "x*.b2", "a/b*"] {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let answer = nginx.call(method, &format!("/pub?id={id}")).body("x").send().await;
            answer.assert_refused(403, Some("Channel id not authorized for this method."));
        }
    }
    // PUB-32, ADM-8: nothing was created on the way to the refusal.
    assert_eq!(nginx.stat("channels").await, 0);
    for id in ["all", "ALLx", "xALL"] {
        nginx.publish(id, "x").await;
    }
}

/// PUB-29, PUB-31, PATH-12, PATH-18: control bytes are refused wherever they stand, at once and
/// without harm to the worker.
#[tokio::test]
async fn control_bytes() {
    let nginx = Nginx::start().await;
    let workers = nginx.worker_pids();
    let bytes = (0u8..0x20).chain([0x7f]).map(|byte| format!("%{byte:02X}"));
    for byte in bytes {
        for id in [format!("x{byte}"), format!("{byte}x"), format!("a/x{byte}*"), byte.clone()] {
            for method in ["GET", "POST", "DELETE"] {
                let answer = nginx.call(method, &format!("/pub?id={id}")).body("x").send().await;
                answer.assert_refused(400, Some("Channel id contains control characters."));
            }
        }
    }
    assert_eq!(nginx.worker_pids(), workers);
    assert_eq!(nginx.stat("channels").await, 0);
}

/// PUB-30, DIR-172: counted in decoded bytes without the suffix; the whole request is refused.
#[tokio::test]
async fn length_limit() {
    let nginx = Nginx::builder().http("push_stream_max_channel_id_length 5;").start().await;
    for id in ["12345", "12345.b1000", "%31%32%33%34%35", "1234%C3%A9"] {
        let too_long = id.ends_with("A9");
        for (method, body) in [("POST", "x"), ("GET", ""), ("PUT", "x"), ("DELETE", "")] {
            let answer = nginx.call(method, &format!("/pub?id={id}")).body(body).send().await;
            if too_long {
                answer.assert_refused(400, Some("Channel id is too large."));
            } else if method != "GET" {
                assert_eq!(answer.status, 200, "{method} {id}");
            }
        }
    }
    for list in ["ok/123456", "123456/ok", "ok//123456.b1/"] {
        for method in ["POST", "PUT", "GET", "DELETE"] {
            let answer = nginx.call(method, &format!("/pub?id={list}")).body("x").send().await;
            answer.assert_refused(400, Some("Channel id is too large."));
        }
    }
    assert!(nginx.channel("ok").await.is_none());
    // PUB-102.
    assert!(!nginx.log_lines("channel id is larger than allowed").is_empty());
}

/// PUB-17, PUB-22, PATH-3, PATH-16: what nginx has decoded for a location's expression is decoded once
/// more, a query argument once; of an argument given twice nginx takes the first.
#[tokio::test]
async fn captured_and_repeated() {
    let nginx = Nginx::builder()
        .location("~ ^/p/(.*)$", "push_stream_publisher; push_stream_channels_path $1;")
        .start()
        .await;
    for (target, expected) in [
        ("/p/a/b", &["a", "b"][..]),
        ("/p/a%2Fb.b2", &["a", "b"]),
        ("/p/a%252Fb", &["a", "b"]),
        ("/p/a%25252Fb", &["a%2Fb"]),
        ("/p/s%20p", &["s p"]),
        ("/pub?id=one&id=two", &["one"]),
        ("/pub?ID=upper", &["upper"]),
    ] {
        let answer = nginx.post(target, "x").await;
        assert_eq!(
            (answer.status, ids(&answer)),
            (200, expected.iter().map(|s| s.to_string()).collect())
        );
    }
    nginx.post("/p/", "x").await.assert_refused(400, Some("No channel id provided."));
}

/// DIR-163, PATH-17: a configured value with escapes is decoded per request, never in place.
#[tokio::test]
async fn constant_path_with_escapes() {
    let nginx = Nginx::builder()
        .workers(1)
        .location("/fixed", "push_stream_publisher; push_stream_channels_path \"k%2541/%42\";")
        .start()
        .await;
    for round in 1..=5 {
        let answer = nginx.post("/fixed", "x").await;
        assert_eq!(ids(&answer), ["k%41", "B"]);
        assert_eq!(answer.json()["infos"][0]["published_messages"].as_u64(), Some(round));
    }
    assert_eq!(nginx.stat("channels").await, 2);
}

/// 900 ids in one request, each with a backtrack.
#[tokio::test]
async fn nine_hundred_ids() {
    let nginx = Nginx::start().await;
    let path = (0..900).map(|n| format!("c{n}.b9")).collect::<Vec<_>>().join("/");
    let answer = nginx.publish(&path, "x").await;
    assert_eq!(ids(&answer), (0..900).map(|n| format!("c{n}")).collect::<Vec<_>>());
    assert_eq!(nginx.stat("channels").await, 900);
    assert_eq!(ids(&nginx.get(&format!("/pub?id={path}")).await).len(), 900);
    assert_eq!(nginx.delete(&format!("/pub?id={path}")).await.status, 200);
    assert_eq!(nginx.stat("channels").await, 0);
}

//! The statistics location (docs/spec/statistics.md, JSON).

mod support;

use serde_json::Value;
use support::hostile::{CONDITIONS, smuggle};
use support::{Answer, CACHE_CONTROL, EXPIRES, Nginx, next_second, wait_for, wait_within};

fn listed(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    let infos = json["infos"].as_array().expect("a group");
    infos.iter().map(|info| info["channel"].as_str().expect("an id").to_owned()).collect()
}

fn workers(stats: &Value) -> &Vec<Value> {
    stats["by_worker"].as_array().expect("workers")
}

/// STAT-1, STAT-2, STAT-20, STAT-21.
#[tokio::test]
async fn methods() {
    let nginx = Nginx::builder()
        .location(
            "/cors",
            "push_stream_channels_statistics; push_stream_channels_path $arg_id;
             push_stream_allowed_origins *;",
        )
        .start()
        .await;
    for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "FROBNICATE"] {
        for target in ["/stats", "/stats?id=a", "/cors"] {
            let answer = nginx.call(method, target).send().await;
            assert_eq!(answer.header("allow"), Some("GET"), "{method}");
            assert_eq!(answer.header("x-nginx-pushstream-tag"), None);
            assert_eq!(answer.header("access-control-allow-origin"), None);
            answer.assert_refused(405, None);
        }
    }
    assert_eq!(nginx.get("/cors").await.header("access-control-allow-origin"), None);
}

/// STAT-20..22, STAT-24, STAT-26.
#[tokio::test]
async fn headers() {
    let nginx = Nginx::builder().http("push_stream_max_channel_id_length 5;").start().await;
    nginx.publish("a", "x").await;
    for (target, status) in
        [("/stats", 200), ("/stats?id=a", 200), ("/stats?id=no", 404), ("/stats?id=123456", 400)]
    {
        let answer = nginx.get(target).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("expires"), Some(EXPIRES));
        assert_eq!(answer.header("cache-control"), Some(CACHE_CONTROL));
        assert_eq!(answer.header("x-nginx-pushstream-tag"), Some(env!("CARGO_PKG_VERSION")));
        let commit = answer.header("x-nginx-pushstream-commit").expect("a commit");
        assert!(
            commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{commit}"
        );
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
        assert_eq!(answer.header("content-type"), (status == 200).then_some("application/json"));
        assert_eq!(answer.explanation(), (status == 400).then_some("Channel id is too large."));
        for absent in ["last-modified", "etag", "accept-ranges"] {
            assert_eq!(answer.header(absent), None);
        }
    }
}

/// STAT-24, STAT-25.
#[tokio::test]
async fn conditional_headers_are_ignored() {
    let nginx = Nginx::start().await;
    let mut raw = nginx.raw().await;
    for header in CONDITIONS {
        raw.request("GET /stats?id=ALL", &[header]).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status(), 200, "{header}");
        assert!(answer.body.ends_with(b"]}\r\n"), "{header}");
    }
}

/// STAT-23, PUB-8: nginx may compress; what has no body stays as it is.
#[tokio::test]
async fn gzip() {
    let nginx = Nginx::builder()
        .http("gzip on; gzip_types application/json; gzip_min_length 1;")
        .start()
        .await;
    for (method, target, body, status) in [
        ("GET", "/stats", "", 200),
        ("POST", "/pub?id=a", "x", 200),
        ("GET", "/stats?id=a", "", 200),
        ("GET", "/stats?id=none", "", 404),
    ] {
        let call = nginx.call(method, target).header("Accept-Encoding", "gzip").body(body);
        let answer = call.send().await;
        assert_eq!(answer.status, status);
        if status == 404 {
            answer.assert_refused(404, None);
            continue;
        }
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{target}");
        let mut text = String::new();
        let mut decoder = flate2::read::GzDecoder::new(answer.body.as_slice());
        std::io::Read::read_to_string(&mut decoder, &mut text).expect("gzip");
        serde_json::from_str::<Value>(&text).expect("JSON");
    }
}

/// STAT-18, STAT-19, and the same refusal of control bytes as everywhere.
#[tokio::test]
async fn hostile_requests() {
    let nginx = Nginx::start().await;
    let pids = nginx.worker_pids();
    for start in ["GET /stats", "GET /stats?id=none", "GET /stats?id=a%0A", "POST /stats"] {
        smuggle(&nginx, start).await;
    }
    for id in ["x%0A", "%0A", "a/b%00", "ALL%7F", "a*%0A"] {
        let refused = nginx.get(&format!("/stats?id={id}")).await;
        refused.assert_refused(400, Some("Channel id contains control characters."));
    }
    assert_eq!(nginx.worker_pids(), pids);
}

/// STAT-7..10, STAT-14, STAT-16, STAT-29..31, STAT-35, STAT-41, STAT-45.
#[tokio::test]
async fn channels() {
    let nginx = Nginx::builder().http("push_stream_wildcard_channel_prefix w_;").start().await;
    let empty = nginx.get("/stats?id=ALL").await;
    let json = empty.json();
    let head = |json: &Value, channels: u64, wildcard: u64| {
        format!(
            "{{\"hostname\": {}, \"time\": {}, \"channels\": {channels}, \"wildcard_channels\": \
             {wildcard}, \"uptime\": {}, \"infos\": [\r\n",
            json["hostname"], json["time"], json["uptime"]
        )
    };
    assert_eq!(empty.text(), format!("{}]}}\r\n", head(&json, 0, 0)));
    assert_eq!(listed(&nginx.get("/stats?id=none*").await), [""; 0]);

    for id in ["zz", "w_1", "aa", "a%22b", "ab"] {
        nginx.publish(id, "x").await;
    }
    let _subscriber = nginx.stream("/sub/aa/ab").await;
    let one = nginx.get("/stats?id=aa.b3").await;
    let aa = "{\"channel\": \"aa\", \"published_messages\": 1, \"stored_messages\": 1, \
              \"subscribers\": 1}";
    assert_eq!(one.text(), format!("{aa}\r\n"));
    assert_eq!(nginx.get("/stats?id=none/aa").await.text(), format!("{aa}\r\n"));
    let two = nginx.get("/stats?id=aa/none/aa").await;
    let json = two.json();
    assert_eq!(two.text(), format!("{}{aa},\r\n{aa}\r\n]}}\r\n", head(&json, 4, 1)));

    let all = ["zz", "w_1", "aa", "a\"b", "ab"];
    for id in ["ALL", "*", "%2A", "ALL.b3", "ALL/aa", "*.b1"] {
        assert_eq!(listed(&nginx.get(&format!("/stats?id={id}")).await), all, "{id}");
    }
    for id in ["a*", "a*zzz", "a%2a", "a*.b9"] {
        assert_eq!(listed(&nginx.get(&format!("/stats?id={id}")).await), ["aa", "a\"b", "ab"]);
    }
    for id in ["none", "none/nothing", "all", "Aa", "a"] {
        nginx.get(&format!("/stats?id={id}")).await.assert_refused(404, None);
    }
    assert_eq!(nginx.stat("channels").await, 4);
}

/// STAT-3, STAT-4, STAT-12: an empty value is the summary; the length check comes first.
#[tokio::test]
async fn what_is_reported() {
    let nginx = Nginx::builder()
        .http("push_stream_max_channel_id_length 5;")
        .location("/empty", "push_stream_channels_statistics; push_stream_channels_path \"\";")
        .start()
        .await;
    for target in ["/stats", "/stats?id=", "/stats?other=x", "/empty?id=a"] {
        assert_eq!(workers(&nginx.get(target).await.json()).len(), 4, "{target}");
    }
    for id in ["123456", "a/123456", "123456/ALL"] {
        let answer = nginx.get(&format!("/stats?id={id}")).await;
        answer.assert_refused(400, Some("Channel id is too large."));
    }
}

/// STAT-36, STAT-37, STAT-42..44, STAT-56..58: the summary to the byte.
#[tokio::test]
async fn summary() {
    let nginx = Nginx::builder().workers(2).start().await;
    nginx.publish("a", "x").await;
    let _subscriber = nginx.stream("/sub/a").await;
    let answer = nginx.get("/stats").await;
    let stats = answer.json();
    let worker = |n: usize| {
        let worker = &workers(&stats)[n];
        format!(
            "{{\"pid\": \"{}\", \"subscribers\": {}, \"uptime\": {}}}",
            worker["pid"].as_str().expect("a quoted pid"),
            worker["subscribers"],
            worker["uptime"]
        )
    };
    let expected = format!(
        "{{\"hostname\": {}, \"time\": {}, \"channels\": 1, \"wildcard_channels\": 0, \
         \"published_messages\": 1, \"stored_messages\": 1, \"messages_in_trash\": 0, \
         \"channels_in_delete\": 0, \"channels_in_trash\": 0, \"subscribers\": 1, \"uptime\": {}, \
         \"by_worker\": [\r\n{},\r\n{}\r\n]}}\r\n",
        stats["hostname"],
        stats["time"],
        stats["uptime"],
        worker(0),
        worker(1)
    );
    assert_eq!(answer.text(), expected);

    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a host name");
    assert_eq!(stats["hostname"], hostname.trim().to_lowercase());
    let time = stats["time"].as_str().expect("a time");
    assert_eq!(time.len(), 19);
    // The Date header shows the same clock in another form.
    let date = answer.header("date").expect("a date");
    assert_eq!(time[8..10], date[5..7]);
    assert_eq!(time[10..16], format!("T{}", &date[17..22]));

    let mut pids: Vec<i32> = workers(&stats)
        .iter()
        .map(|worker| worker["pid"].as_str().and_then(|pid| pid.parse().ok()).expect("a pid"))
        .collect();
    pids.sort_unstable();
    assert_eq!(pids, nginx.worker_pids().into_iter().collect::<Vec<_>>());
}

/// STAT-46..50, STAT-55, STAT-61, LIFE-74..78: what counts what.
#[tokio::test]
async fn counters() {
    let nginx = Nginx::start().await;
    let mut streams = vec![nginx.stream("/sub/a/b").await, nginx.stream("/sub/a/c").await];
    nginx.publish("a/b", "x").await;
    nginx.publish_live("a", "x").await;
    let stats = nginx.stats().await;
    assert_eq!((&stats["published_messages"], &stats["stored_messages"]), (&3.into(), &2.into()));
    assert_eq!((&stats["subscribers"], &stats["channels"]), (&2.into(), &3.into()));
    let by_worker = workers(&stats).iter().filter_map(|worker| worker["subscribers"].as_u64());
    assert_eq!(by_worker.sum::<u64>(), 2);
    for (id, published, stored, subscribers) in [("a", 2, 1, 2), ("b", 1, 1, 1), ("c", 0, 0, 1)] {
        let info = nginx.channel(id).await.expect("a channel");
        assert_eq!(info["published_messages"], published, "{id}");
        assert_eq!(info["stored_messages"], stored, "{id}");
        assert_eq!(info["subscribers"], subscribers, "{id}");
    }
    streams.pop();
    nginx.wait_stat("subscribers", 1).await;
    assert_eq!(nginx.channel_stat("a", "subscribers").await, 1);
    streams.clear();
    nginx.wait_stat("subscribers", 0).await;
    nginx.delete("/pub?id=a/b/c").await;
    nginx.wait_stat("stored_messages", 0).await;
    assert_eq!(nginx.stat("published_messages").await, 3);
}

/// STAT-52, LIFE-43: unstored messages pass through the trash and leave it.
#[tokio::test]
async fn messages_in_trash() {
    let nginx = Nginx::start().await;
    for _ in 0..5 {
        nginx.publish_live("t", "x").await;
    }
    assert_eq!(nginx.stat("messages_in_trash").await, 5);
    assert_eq!(nginx.stat("stored_messages").await, 0);
    nginx.wait_stat("messages_in_trash", 0).await;
}

/// STAT-56, STAT-57, STAT-58, LIFE-74, LIFE-75, LIFE-95: uptimes, and workers that come and go.
#[tokio::test]
async fn uptime_and_reload() {
    let nginx = Nginx::builder().listen("").workers(3).start().await;
    nginx.publish("u", "x").await;
    for _ in 0..3 {
        next_second().await;
    }
    for count in [1, 5, 2] {
        nginx.reload_with(|builder| builder.workers(count)).await;
        let pids = nginx.worker_pids();
        let stats = wait_for("only the new workers", || async {
            let stats = nginx.stats().await;
            let shown = workers(&stats).iter().filter_map(|worker| worker["pid"].as_str());
            let shown = shown.filter_map(|pid| pid.parse().ok()).collect();
            (pids == shown).then_some(stats)
        })
        .await;
        let uptime = stats["uptime"].as_u64().expect("an uptime");
        assert!(uptime >= 2, "{stats}");
        for worker in workers(&stats) {
            assert!(worker["uptime"].as_u64().is_some_and(|seconds| seconds < uptime), "{stats}");
        }
    }
    assert_eq!(nginx.channel_stat("u", "stored_messages").await, 1);
}

/// STAT-59, STAT-60, LIFE-83: a killed worker's place is taken and its subscribers are subtracted.
#[tokio::test]
async fn a_killed_worker() {
    let nginx = Nginx::start().await;
    let mut streams = Vec::new();
    for _ in 0..40 {
        streams.push(nginx.stream("/sub/k/l").await);
    }
    let stats = nginx.stats().await;
    let victim = workers(&stats).iter().max_by_key(|worker| worker["subscribers"].as_u64());
    let victim = victim.expect("a worker");
    let lost = victim["subscribers"].as_u64().expect("a count");
    assert!(lost > 0);
    let pid = victim["pid"].as_str().and_then(|pid| pid.parse().ok()).expect("a pid");
    nginx.kill_worker(pid);
    nginx.all_workers().await;
    wait_within(std::time::Duration::from_secs(5), "right counts", || async {
        let stats = nginx.stats().await;
        let sum: u64 = workers(&stats).iter().filter_map(|one| one["subscribers"].as_u64()).sum();
        let channel = nginx.channel_stat("k", "subscribers").await;
        let total = stats["subscribers"].as_u64();
        (total == Some(40 - lost) && sum == 40 - lost && channel == 40 - lost).then_some(())
    })
    .await;
}

/// STAT-62..65: thousands of channels listed while others come and go: always well-formed.
#[tokio::test]
async fn long_lists() {
    let nginx = Nginx::start().await;
    for page in 0..6 {
        let path = (0..800).map(|n| format!("p{}", page * 800 + n)).collect::<Vec<_>>().join("/");
        nginx.publish(&path, "x").await;
    }
    let port = nginx.port;
    let churn = tokio::spawn(async move {
        let mut client = support::Client::connect(port).await.expect("connect");
        for n in 0..200 {
            client.post(&format!("/live?id=t{n}"), "x").await.expect("a publish");
            let call = support::Call::new(port, "DELETE", &format!("/pub?id=t{n}"));
            client.send(call).await.expect("a deletion");
        }
    });
    let mut lists = 0;
    while lists < 3 || !churn.is_finished() {
        let seen = listed(&nginx.get("/stats?id=p*").await);
        assert!(seen.iter().enumerate().all(|(n, id)| *id == format!("p{n}")));
        assert_eq!(seen.len(), 4800);
        assert!(listed(&nginx.get("/stats?id=ALL").await).len() >= 4800);
        lists += 1;
    }
    churn.await.expect("the churn");
}

/// STAT-62: the summary is well-formed while workers start and stop.
#[tokio::test]
async fn a_summary_at_any_moment() {
    let nginx = Nginx::builder().listen("").start().await;
    let port = nginx.port;
    let asking = tokio::spawn(async move {
        let mut seen = 0;
        loop {
            let answer = support::Call::new(port, "GET", "/stats").try_send().await;
            // A connection may fall between two generations; an answer must be whole.
            if let Ok(answer) = answer {
                assert!(!workers(&answer.json()).is_empty());
                seen += 1;
            }
            if seen >= 300 {
                return;
            }
        }
    });
    for count in [1, 6, 2, 4] {
        nginx.reload_with(|builder| builder.workers(count)).await;
    }
    asking.await.expect("every summary was well-formed");
}

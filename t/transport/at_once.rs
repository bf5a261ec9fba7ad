//! Whatever filter of nginx's stands between, and for the whole site: what a subscriber is told leaves at
//! once, in every mode and over every transport, and holds no worker up that is to go.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::builder::nginx_binary;
use crate::support::process::send_signal;
use crate::support::{Answer, Builder, Call, Nginx, Way, wait_within};

/// What a worker may take to go when no client is slow; far from `send_timeout`, which is a minute.
const PROMPT: Duration = Duration::from_secs(10);

/// Messages with something for each filter: a whole match at the beginning, half of one at the end.
const STORED: &str = "secret <!--#echo var=\"uri\" --> secr";
const LIVE: &str = "live secret <!--#inc";

/// What these directives do to the answers of subscribers.
#[derive(Default)]
struct Filter {
    /// An option of nginx's `configure`, and the file of a dynamic module.
    needs: Option<(&'static str, &'static str)>,
    http: &'static str,
    /// For the whole server.
    server: &'static str,
    /// For each location, where they are not allowed elsewhere, or would be in the way of publishing.
    location: &'static str,
    replaces: Option<(&'static str, &'static str)>,
    before: &'static str,
    after: &'static str,
}

impl Filter {
    fn of(&self, text: &str) -> String {
        match self.replaces {
            Some((old, new)) => text.replace(old, new),
            None => text.to_owned(),
        }
    }

    fn whole(&self, text: &str) -> String {
        format!("{}{}{}", self.before, self.of(text), self.after)
    }

    /// The configuration, unless this nginx does not have the filter.
    fn builder(&self) -> Option<Builder> {
        let mut nginx = Nginx::builder().http2().tls();
        if let Some((option, file)) = self.needs {
            match provided(option, file) {
                Provided::Inside => {}
                Provided::Loadable(path) => nginx = nginx.main(&format!("load_module {path};")),
                Provided::No => {
                    println!("skipped: this nginx has no {option}");
                    return None;
                }
            }
        }
        let templates = "push_stream_footer_template FOOT;";
        let pings = "push_stream_ping_message_interval 100ms;";
        for (mode, name, directives) in [
            ("streaming", "stream", templates),
            ("streaming", "pinged", pings),
            ("eventsource", "events", templates),
            ("eventsource", "events-pinged", pings),
            ("polling", "poll", ""),
            ("long-polling", "lp", ""),
            ("long-polling", "brief", "push_stream_longpolling_connection_ttl 100ms;"),
        ] {
            nginx = nginx.mode(mode, name, &format!("{directives} {}", self.location));
        }
        let nginx = nginx.http(self.http).server("default_type text/html;").server(self.server);
        Some(nginx.location("/part/", "default_type text/none; return 200 $uri;"))
    }
}

enum Provided {
    Inside,
    Loadable(String),
    No,
}

/// How the nginx under test comes to a filter.
fn provided(option: &str, file: &str) -> Provided {
    let text = options();
    let configured = |wanted: &str| text.split_whitespace().any(|word| word == wanted);
    if configured(option) {
        return Provided::Inside;
    }
    match configured(&format!("{option}=dynamic")) {
        true => loadable(file),
        false => Provided::No,
    }
}

/// A dynamic module that lies where the nginx under test has its own.
fn loadable(file: &str) -> Provided {
    let text = options();
    let modules = text.split_whitespace().find_map(|word| word.strip_prefix("--modules-path="));
    let path = modules.map(|modules| format!("{modules}/{file}"));
    path.filter(|path| Path::new(path).exists()).map_or(Provided::No, Provided::Loadable)
}

/// What `nginx -V` says.
fn options() -> String {
    let output = Command::new(nginx_binary()).arg("-V").output().expect("nginx -V runs");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn get(way: &Way, target: &str) -> Call {
    Call::new(way.clone(), "GET", target)
}

fn assert_answer(what: &str, answer: &Answer, text: &str) {
    assert_eq!((answer.status, answer.text()), (200, text), "{what}");
    // The cursor with which the client comes back (HDR-6).
    assert!(answer.header("last-modified").is_some(), "{what}: {answer:?}");
    assert!(answer.header("etag").is_some_and(|tag| tag.starts_with("W/")), "{what}: {answer:?}");
}

/// Head, messages that were stored and that come, and the end.
async fn streams(nginx: &Nginx, filter: &Filter, way: &Way) {
    nginx.publish("s", STORED).await;
    let mut stream = get(way, "/stream/s").stream().await;
    let mut events = get(way, "/events/s").stream().await;
    let mut replayed = get(way, "/stream/s.b1").stream().await;
    let mut more = get(way, "/events/s.b1").stream().await;
    replayed.expect(filter.before.to_owned() + &filter.of(STORED)).await;
    more.expect(format!("{}: \ndata: {}\n\n", filter.before, filter.of(STORED))).await;
    for (text, first) in [(LIVE, true), (STORED, false), ("secret", false), (LIVE, false)] {
        nginx.publish("s", text).await;
        let (before, text) = (if first { filter.before } else { "" }, filter.of(text));
        stream.expect(before.to_owned() + &text).await;
        replayed.expect(&text).await;
        let opening = if first { ": \n" } else { "" };
        events.expect(format!("{before}{opening}data: {text}\n\n")).await;
        more.expect(format!("data: {text}\n\n")).await;
    }
    assert_eq!(nginx.delete("/pub?id=s").await.status, 200);
    for stream in [&mut stream, &mut replayed] {
        stream.ends_with(&format!("Channel deletedFOOT{}", filter.after)).await;
    }
    for events in [&mut events, &mut more] {
        events.ends_with(&format!("data: Channel deleted\n\n: FOOT\n{}", filter.after)).await;
    }
    let mut pinged = get(way, "/pinged/quiet").stream().await;
    pinged.expect(filter.before.to_owned() + "  ").await;
    let mut pinged = get(way, "/events-pinged/quiet").stream().await;
    pinged.expect(filter.before.to_owned() + ": \n: -1\n: -1\n").await;
}

/// Polls that find something, that find nothing, and that wait.
async fn polls(nginx: &Nginx, filter: &Filter, name: &str, way: &Way) {
    nginx.publish("p", STORED).await;
    for (target, text) in [
        ("/poll/p.b1", STORED),
        ("/lp/p.b1", STORED),
        ("/poll/p.b1?callback=f", &format!("f([{STORED}]);")),
        ("/lp/p.b1?callback=f", &format!("f([{STORED}]);")),
    ] {
        let answer = get(way, target).send().await;
        assert_answer(&format!("{target} over {name}"), &answer, &filter.whole(text));
    }
    for target in ["/poll/none", "/brief/none", "/poll/none?callback=f", "/brief/none?callback=f"] {
        let answer = get(way, target).send().await;
        assert_eq!((answer.status, answer.text()), (304, ""), "{target} over {name}");
    }
    for (target, text) in
        [("/lp/live", LIVE.to_owned()), ("/lp/live?callback=f", format!("f([{LIVE}]);"))]
    {
        let waiting = tokio::spawn(get(way, target).send());
        nginx.wait_channel_stat("live", "subscribers", 1).await;
        nginx.publish_live("live", LIVE).await;
        let answer = waiting.await.expect("an answer");
        assert_answer(&format!("{target} over {name}"), &answer, &filter.whole(&text));
    }
    assert_eq!(nginx.delete("/pub?id=p").await.status, 200);
}

/// A reload and a stop end what stands open, and no worker stays (LIFE-90, LIFE-94).
async fn ends(nginx: &Nginx, filter: &Filter) {
    for stops in [false, true] {
        let mut open = Vec::new();
        let mut polls = Vec::new();
        let ways = nginx.ways();
        for (_, way) in &ways {
            open.push((get(way, "/stream/e").stream().await, "FOOT"));
            open.push((get(way, "/events/e").stream().await, "\n\n: FOOT\n"));
            polls.push(tokio::spawn(get(way, "/lp/quiet").send()));
        }
        nginx.wait_stat("subscribers", 3 * ways.len() as u64).await;
        nginx.publish_live("e", LIVE).await;
        match stops {
            true => send_signal(nginx.master_pid(), libc::SIGQUIT),
            false => nginx.reload().await,
        }
        for (stream, ending) in &mut open {
            let (rest, _) = stream.rest().await;
            let rest = String::from_utf8_lossy(&rest).into_owned();
            let expected = format!("{}{ending}{}", filter.of(LIVE), filter.after);
            assert!(rest.ends_with(&expected), "{rest:?} instead of {expected:?}");
        }
        for poll in polls {
            assert_eq!(poll.await.expect("an answer").status, 304);
        }
        wait_within(PROMPT, "the workers to go", || async {
            let gone = if stops { nginx.has_exited() } else { nginx.retiring_pids().is_empty() };
            gone.then_some(())
        })
        .await;
    }
}

async fn everything(filter: Filter) {
    let Some(nginx) = filter.builder() else { return };
    let nginx = nginx.start().await;
    for (name, way) in nginx.ways() {
        streams(&nginx, &filter, &way).await;
        polls(&nginx, &filter, name, &way).await;
    }
    ends(&nginx, &filter).await;
}

/// SUB-65, SUB-66: commands in messages are text.
#[tokio::test]
async fn ssi() {
    everything(Filter { server: "ssi on;", location: "ssi_types *;", ..Filter::default() }).await;
    let own = "ssi on; ssi_types *; ssi_silent_errors on;";
    everything(Filter { location: own, ..Filter::default() }).await;
}

/// SUB-66: in a location's `if` and `limit_except` too, and nowhere else.
#[tokio::test]
async fn ssi_in_levels_and_beside_them() {
    let levels =
        "ssi on; ssi_types *; if ($arg_if) { set $matches 1; } limit_except GET { allow all; }";
    let page = "ssi on; ssi_types *; return 200 '<!--#echo var=\"uri\" -->';";
    let nginx = Nginx::builder()
        .mode("polling", "poll", levels)
        .mode("streaming", "stream", levels)
        .location("/page", page)
        .start()
        .await;
    nginx.publish("a", STORED).await;
    for query in ["", "?if=1"] {
        let answer = nginx.get(&format!("/poll/a.b1{query}")).await;
        assert_answer(query, &answer, STORED);
        nginx.stream(&format!("/stream/a.b1{query}")).await.expect(STORED).await;
    }
    assert_eq!(nginx.call("PUT", "/poll/a").send().await.status, 405);
    assert_eq!(nginx.get("/page").await.text(), "/page");
}

/// SUB-65
#[tokio::test]
async fn postpone_output() {
    let server = "postpone_output 64k; output_buffers 1 1k; tcp_nopush on; sendfile on;";
    everything(Filter { server, ..Filter::default() }).await;
}

/// SUB-65, SUB-67: each message is looked through for itself, so half a match at its end waits for nothing.
#[tokio::test]
async fn sub_filter() {
    let server = "sub_filter secret public; sub_filter_once off; sub_filter_last_modified on;";
    everything(Filter {
        server,
        location: "sub_filter_types *;",
        replaces: Some(("secret", "public")),
        ..Filter::default()
    })
    .await;
    // Patterns of several lengths, one of them with a variable.
    everything(Filter {
        server: "set $what secret; sub_filter $what public; sub_filter 'secret <!--#include x' y;
                 sub_filter_once off; sub_filter_last_modified on;",
        location: "sub_filter_types *;",
        replaces: Some(("secret", "public")),
        ..Filter::default()
    })
    .await;
}

/// SUB-65: for clients that do not take it compressed; `transport::filters::gzip` for those who do.
#[tokio::test]
async fn gzip() {
    let server = "gzip on; postpone_gzipping 64k; postpone_output 64k; gunzip on; gzip_vary on;";
    everything(Filter { server, location: "gzip_types *;", ..Filter::default() }).await;
}

/// SUB-65, SUB-68: the part before comes first and with the head, the part after comes last.
#[tokio::test]
async fn additions() {
    let needs = Some(("--with-http_addition_module", ""));
    let location = "addition_types *;";
    everything(Filter {
        needs,
        server: "add_before_body /part/before;",
        location,
        before: "/part/before",
        ..Filter::default()
    })
    .await;
    everything(Filter {
        needs,
        server: "add_after_body /part/after;",
        location,
        after: "/part/after",
        ..Filter::default()
    })
    .await;
    everything(Filter {
        needs,
        server: "add_before_body /part/before; add_after_body /part/after;",
        location,
        before: "/part/before",
        after: "/part/after",
        ..Filter::default()
    })
    .await;
}

/// SUB-65: a subscriber's answer has no ranges to be made of slices.
#[tokio::test]
async fn slice() {
    everything(Filter {
        needs: Some(("--with-http_slice_module", "")),
        server: "slice 10; set $range $slice_range; add_header X-Range $slice_range;",
        ..Filter::default()
    })
    .await;
}

/// SUB-65: recoded from one charset to another, through UTF-8 or not.
#[tokio::test]
async fn charset() {
    for (http, location) in [
        (
            "charset_map koi8-r windows-1251 { 80 88; }",
            "charset windows-1251; source_charset koi8-r;",
        ),
        ("charset_map koi8-r utf-8 { C0 D18E; }", "charset koi8-r; source_charset utf-8;"),
        ("charset_map koi8-r utf-8 { C0 D18E; }", "charset utf-8; source_charset koi8-r;"),
    ] {
        // With a type of its own no charset is added to it.
        let location = format!("{location} charset_types text/none text/event-stream;").leak();
        everything(Filter { http, location, ..Filter::default() }).await;
    }
}

/// SUB-65, SUB-66
#[tokio::test]
async fn image_filter() {
    for location in ["image_filter size;", "image_filter resize 10 10;", "image_filter test;"] {
        everything(Filter {
            needs: Some(("--with-http_image_filter_module", "ngx_http_image_filter_module.so")),
            location,
            ..Filter::default()
        })
        .await;
    }
}

/// SUB-65, SUB-66
#[tokio::test]
async fn xslt() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let sheet = dir.path().join("sheet.xsl");
    let text = "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'/>";
    std::fs::write(&sheet, text).expect("a file");
    let location = format!("xslt_stylesheet {}; xslt_types *;", sheet.display()).leak();
    everything(Filter {
        needs: Some(("--with-http_xslt_module", "ngx_http_xslt_filter_module.so")),
        location,
        ..Filter::default()
    })
    .await;
}

/// SUB-69: a filter that looks at whole lines keeps the last one until the end, which nothing waits for
/// before it.
#[tokio::test]
async fn a_filter_of_others() {
    let Provided::Loadable(path) = loadable("ngx_http_subs_filter_module.so") else {
        println!("skipped: this nginx has no ngx_http_subs_filter_module");
        return;
    };
    let nginx = Nginx::builder()
        .main(&format!("load_module {path};"))
        .server("default_type text/html; subs_filter secret public;")
        .mode("streaming", "stream", "push_stream_footer_template FOOT;")
        .mode("polling", "poll", "")
        .mode("long-polling", "lp", "")
        .start()
        .await;
    nginx.publish("a", "a secret\nsecr").await;
    for target in ["/poll/a.b1", "/lp/a.b1"] {
        let answer = nginx.get(target).await;
        assert_eq!((answer.status, answer.text()), (200, "a public\nsecr"), "{target}");
    }
    let waiting = tokio::spawn(nginx.call("GET", "/lp/live").send());
    nginx.wait_channel_stat("live", "subscribers", 1).await;
    nginx.publish_live("live", "secret").await;
    assert_eq!(waiting.await.expect("an answer").text(), "public");

    let mut stream = nginx.stream("/stream/a.b1").await;
    stream.expect("a public\n").await;
    send_signal(nginx.master_pid(), libc::SIGQUIT);
    stream.ends_with("secrFOOT").await;
    wait_within(PROMPT, "the master to go", || async { nginx.has_exited().then_some(()) }).await;
}

//! Which mode a request gets: by location, and by the header `X-Nginx-PushStream-Mode`.

use crate::support::{Builder, Call, Nginx};

const MODE: &str = "X-Nginx-PushStream-Mode";
const MODES: [&str; 4] = ["streaming", "eventsource", "polling", "long-polling"];

/// A location of each mode, named as the mode.
fn a_location_of_each() -> Builder {
    let quick = "push_stream_longpolling_connection_ttl 200ms;";
    MODES.into_iter().fold(Nginx::builder(), |nginx, mode| nginx.mode(mode, mode, quick))
}

/// Told from the answer where nothing is stored: what a poll, a wait and a stream look like.
async fn mode_of(call: Call) -> &'static str {
    let answer = call.try_stream().await.expect("an answer");
    match (answer.status, answer.header("etag"), answer.header("content-type")) {
        (304, None, Some("text/plain")) => "polling",
        (304, Some("W/0"), Some("text/plain")) => "long-polling",
        (200, None, Some("text/plain")) => "streaming",
        (200, None, Some("text/event-stream; charset=utf-8")) => "eventsource",
        _ => panic!("no mode answers like this: {answer:?}"),
    }
}

/// MODE-1, MODE-2, MODE-3: the header chooses polling and long polling everywhere; its name and value in
/// any case; anything else is ignored.
#[tokio::test]
async fn by_location_and_header() {
    let nginx = a_location_of_each().start().await;
    let chosen = [
        ("polling", "polling"),
        ("POLLING", "polling"),
        ("long-polling", "long-polling"),
        ("Long-Polling", "long-polling"),
    ];
    for location in MODES {
        let call = || nginx.call("GET", &format!("/{location}/a"));
        assert_eq!(mode_of(call()).await, location);
        for (value, mode) in chosen {
            assert_eq!(mode_of(call().header(MODE, value)).await, mode, "{location} + {value}");
        }
        let call = nginx.call("GET", &format!("/{location}/a"));
        let call = call.header("x-NGINX-pushstream-mode", "polling");
        assert_eq!(mode_of(call).await, "polling", "{location}");
    }
    for ignored in ["streaming", "eventsource", "websocket", "polling2", "long_polling", "", "long"]
    {
        for location in ["streaming", "polling"] {
            let call = nginx.call("GET", &format!("/{location}/a")).header(MODE, ignored);
            assert_eq!(mode_of(call).await, location, "{ignored:?}");
        }
    }
}

/// SUB-2: the argument in any case, and streaming without one.
#[tokio::test]
async fn by_argument() {
    let quick = "push_stream_longpolling_connection_ttl 200ms;";
    let nginx = Nginx::builder()
        .mode("", "none", quick)
        .mode("POLLING", "upper", quick)
        .mode("Long-Polling", "mixed", quick)
        .mode("eventSource", "camel", quick)
        .start()
        .await;
    for (location, mode) in [
        ("none", "streaming"),
        ("upper", "polling"),
        ("mixed", "long-polling"),
        ("camel", "eventsource"),
    ] {
        assert_eq!(mode_of(nginx.call("GET", &format!("/{location}/a"))).await, mode);
    }
}

/// MODE-6: the header changes nothing for OPTIONS, refusals and admission.
#[tokio::test]
async fn the_header_is_read_after_admission() {
    let nginx = a_location_of_each().start().await;
    for location in MODES {
        let call = |method, target: &str| nginx.call(method, target).header(MODE, "polling");
        let answer = call("OPTIONS", &format!("/{location}/a")).send().await;
        assert_eq!((answer.status, answer.header("expires")), (200, None), "{location}");
        let answer = call("GET", &format!("/{location}/ALL")).send().await;
        answer.assert_refused(403, Some("Channel id not authorized for this method."));
        let answer = call("HEAD", &format!("/{location}/a")).send().await;
        answer.assert_refused(405, None);
    }
}

/// MODE-4, MODE-5: what belongs to an EventSource location stays in a polled answer, its content type
/// excepted.
#[tokio::test]
async fn an_eventsource_location_that_is_polled() {
    let nginx = Nginx::builder()
        .mode(
            "eventsource",
            "es",
            "push_stream_header_template HEAD; push_stream_footer_template FOOT;
             push_stream_longpolling_connection_ttl 200ms;",
        )
        .start()
        .await;
    let named = nginx.call("POST", "/pub?id=a").header("Event-Id", "e1").header("Event-Type", "t1");
    assert_eq!(named.body("one\ntwo").send().await.status, 200);
    let expected = ": HEAD\nid: e1\nevent: t1\ndata: one\ndata: two\n\n: FOOT\n";

    for mode in ["polling", "long-polling"] {
        let answer = nginx.call("GET", "/es/a.b1").header(MODE, mode).send().await;
        assert_eq!((answer.status, answer.text()), (200, expected), "{mode}");
        assert_eq!(answer.header("content-type"), Some("text/plain"), "{mode}");
        let answer = nginx.call("GET", "/es/empty").header(MODE, mode).send().await;
        assert_eq!((answer.status, answer.header("content-type")), (304, Some("text/plain")));
    }

    let mut waiting = nginx.raw().await;
    waiting.request("GET /es/b", &[&format!("{MODE}: long-polling")]).await;
    nginx.wait_channel_stat("b", "subscribers", 1).await;
    let named = nginx.call("POST", "/pub?id=b").header("Event-Id", "e1").header("Event-Type", "t1");
    assert_eq!(named.body("one\ntwo").send().await.status, 200);
    let answer = waiting.answer().await;
    assert_eq!((answer.status(), String::from_utf8_lossy(&answer.body).as_ref()), (200, expected));
    assert_eq!(answer.header("content-type"), Some("text/plain"));

    for mode in ["polling", "long-polling"] {
        for id in ["a.b1", "empty"] {
            let call = nginx.call("GET", &format!("/es/{id}?callback=f")).header(MODE, mode);
            let answer = call.send().await;
            let kind = answer.header("content-type");
            assert_eq!(kind, Some("application/javascript"), "{mode} {id} {answer:?}");
        }
    }
}

//! Long polling with `fetch` and XMLHttpRequest, and JSONP, in a browser.

use crate::support::{Nginx, Page};

/// The sample with timeouts as short as a test wants them.
async fn start() -> Nginx {
    let builder = Nginx::builder().sample("browser-client.conf");
    builder.with("longpolling_connection_ttl 30s", "longpolling_connection_ttl 400ms").start().await
}

/// Publishes `m1` to `m20`, of which some come in one second, some while nobody waits; waits until the page
/// has them all, once and in order, and at least one timeout.
async fn publish_and_compare(nginx: &Nginx, page: &Page) {
    page.wait("timeouts > 0", true).await;
    let mut expected = Vec::new();
    for n in 1..=20 {
        nginx.publish(["a", "b"][n % 2], format!("m{n}%20%22")).await;
        expected.push(format!("m{n} \""));
        if n % 7 == 0 {
            page.wait("seen.length", n as u64).await;
            let before = page.value("timeouts").await.as_u64().expect("a number");
            page.wait(&format!("timeouts > {before}"), true).await;
        }
    }
    page.wait("seen.length", 20).await;
    let by_channel = |rest| {
        let of_it = expected.iter().enumerate().filter(move |(n, _)| (n + 1) % 2 == rest);
        of_it.map(|(_, text)| text.clone()).collect::<Vec<_>>()
    };
    for (channel, rest) in [("a", 0), ("b", 1)] {
        let texts = format!("seen.filter(m => m.channel == '{channel}').map(m => m.text)");
        page.wait(&texts, by_channel(rest)).await;
    }
}

/// CLI-36, CLI-60..62, LP-4..10: the headers of each answer go into the next request.
#[tokio::test]
async fn with_fetch() {
    let nginx = start().await;
    let page = Page::open(
        &nginx,
        "fetch",
        r#"<script>
            const seen = [];
            let timeouts = 0;
            async function poll(time, tag) {
                const headers = { "If-Modified-Since": time, "If-None-Match": tag };
                const answer = await fetch("/lp/a/b?&tag=&time=&eventid=&_=" + Date.now(), { headers });
                if (answer.status == 304) timeouts++;
                else if (answer.status == 200) {
                    for (const part of (await answer.text()).replaceAll("}{", "}\n{").split("\n")) {
                        const { channel, text } = JSON.parse(part);
                        seen.push({ channel, text: decodeURIComponent(text) });
                    }
                } else throw answer.status;
                poll(answer.headers.get("Last-Modified"), answer.headers.get("Etag"));
            }
            poll("Thu, 01 Jan 1970 00:00:00 GMT", "0");
        </script>"#,
    )
    .await;
    publish_and_compare(&nginx, &page).await;
}

/// The same with XMLHttpRequest.
#[tokio::test]
async fn with_xml_http_request() {
    let nginx = start().await;
    let page = Page::open(
        &nginx,
        "xhr",
        r#"<script>
            const seen = [];
            let timeouts = 0;
            function poll(time, tag) {
                const xhr = new XMLHttpRequest();
                xhr.open("GET", "/lp/a/b");
                xhr.setRequestHeader("If-Modified-Since", time);
                xhr.setRequestHeader("If-None-Match", tag);
                xhr.onload = () => {
                    if (xhr.status == 304) timeouts++;
                    else for (const part of xhr.responseText.replaceAll("}{", "}\n{").split("\n")) {
                        const { channel, text } = JSON.parse(part);
                        seen.push({ channel, text: decodeURIComponent(text) });
                    }
                    poll(xhr.getResponseHeader("Last-Modified"), xhr.getResponseHeader("Etag"));
                };
                xhr.send();
            }
            poll("null", "0");
        </script>"#,
    )
    .await;
    publish_and_compare(&nginx, &page).await;
}

/// CLI-35, CLI-38, CLI-63..65, CLI-83, CLI-84, JP-3, JP-6: scripts whose arguments carry the cursor of the
/// newest message, which is not always the last (OLD-14).
#[tokio::test]
async fn with_scripts() {
    let nginx = start().await;
    let page = Page::open(
        &nginx,
        "jsonp",
        r#"<script>
            const seen = [];
            let timeouts = 0, time = "Thu, 01 Jan 1970 00:00:00 GMT", tag = "0", polls = 0;
            function poll() {
                const script = document.createElement("script");
                const name = "PushStreamManager_0_onmessage_" + ++polls;
                let called = false;
                window[name] = messages => {
                    called = true;
                    for (const message of messages) {
                        const later = Date.parse(message.time) - Date.parse(time);
                        if (later > 0 || later == 0 && +message.tag > +tag) ({ time, tag } = message);
                        seen.push({ channel: message.channel, text: decodeURIComponent(message.text) });
                    }
                };
                // A 304 has no script: that is an error to some browsers, and none to others.
                script.onload = script.onerror = () => {
                    if (!called) timeouts++;
                    script.remove();
                    poll();
                };
                script.src = "/lp/a/b?qs=on&tag=" + encodeURIComponent(tag) + "&time=" +
                    encodeURIComponent(time) + "&eventid=&callback=" + name + "&_=" + Date.now();
                document.head.prepend(script);
            }
            poll();
        </script>"#,
    )
    .await;
    publish_and_compare(&nginx, &page).await;
}

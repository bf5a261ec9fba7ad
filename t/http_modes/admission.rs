//! Who may poll, wait and open an EventSource: the same rules, the same refusals as for streaming.

use crate::support::Nginx;

const MODES: [&str; 3] = ["polling", "long-polling", "eventsource"];

/// ADM-1..3, PATH-10..12: header-only refusals, to which `error_page` is not applied; nothing is created.
#[tokio::test]
async fn refusals() {
    let mut nginx = Nginx::builder()
        .http("push_stream_max_channel_id_length 5; add_header X-Always yes always;")
        .http("error_page 400 403 405 /other;")
        .location("/other", "return 200 replaced;");
    for mode in MODES {
        let directives =
            format!("push_stream_subscriber {mode}; push_stream_channels_path $arg_id;");
        nginx = nginx.location(&format!("/{mode}"), &directives);
    }
    let nginx = nginx.start().await;
    for mode in MODES {
        for (id, status, text) in [
            ("", 400, "No channel id provided."),
            ("//", 400, "No channel id provided."),
            ("ALL", 403, "Channel id not authorized for this method."),
            ("ok/a*", 403, "Channel id not authorized for this method."),
            ("ok/123456.b1", 400, "Channel id is too large."),
            ("a%0A", 400, "Channel id contains control characters."),
        ] {
            let answer = nginx.get(&format!("/{mode}?id={id}&callback=f")).await;
            answer.assert_refused(status, Some(text));
            assert_eq!(answer.header("x-always"), Some("yes"));
        }
    }
    assert_eq!(nginx.stat("channels").await, 0);
}

/// ADM-4, ADM-7, ADM-8, ADM-13: creation within the limits, in all modes.
#[tokio::test]
async fn creation() {
    let mut nginx = Nginx::builder()
        .http("push_stream_max_number_of_channels 3; push_stream_wildcard_channel_prefix w_;");
    for mode in MODES {
        nginx = nginx
            .mode(mode, mode, "push_stream_longpolling_connection_ttl 100ms;")
            .mode(mode, &format!("known-{mode}"), "push_stream_authorized_channels_only on;")
            .mode(mode, &format!("two-{mode}"), "push_stream_wildcard_channel_max_qtd 2;");
    }
    let nginx = nginx.start().await;
    for mode in MODES {
        let refused = [
            (format!("/known-{mode}/none"), "Subscriber could not create channels."),
            (format!("/two-{mode}/w_1"), "Subscribed too much wildcard channels."),
            (format!("/two-{mode}/a/w_1/w_2/w_3"), "Subscribed too much wildcard channels."),
            (format!("/{mode}/a/b/c/d"), "Number of channels were exceeded."),
        ];
        for (target, text) in refused {
            nginx.get(&target).await.assert_refused(403, Some(text));
        }
    }
    assert_eq!(nginx.stat("channels").await, 0);
    for mode in MODES {
        let answer = nginx.call("GET", &format!("/{mode}/{mode}")).try_stream().await;
        assert!([200, 304].contains(&answer.expect("an answer").status), "{mode}");
        assert!(nginx.channel(mode).await.is_some(), "{mode}");
    }
}

/// ADM-5, ADM-12: a full channel takes no further subscriber in any mode, nor a poll.
#[tokio::test]
async fn a_full_channel() {
    let mut nginx = Nginx::builder().http("push_stream_max_subscribers_per_channel 1;");
    for mode in MODES {
        nginx = nginx.mode(mode, mode, "");
    }
    let nginx = nginx.start().await;
    let mut waiting = nginx.raw().await;
    waiting.request("GET /long-polling/full/full", &[]).await;
    nginx.wait_channel_stat("full", "subscribers", 1).await;
    nginx.publish("full2", "stored").await;
    for mode in MODES {
        let answer = nginx.get(&format!("/{mode}/full2.b1/full")).await;
        answer.assert_refused(403, Some("Subscribers limit per channel has been exceeded."));
    }
    nginx.publish_live("full", "go").await;
    assert_eq!(waiting.answer().await.body, b"go");
    assert_eq!(nginx.get("/polling/full").await.status, 304);
}

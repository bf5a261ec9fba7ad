//! Which channels a path asks for (section 1).

use crate::support::Nginx;
use crate::{FORMATS, get_as, listed};

/// STAT-5, STAT-6, STAT-11, STAT-14, STAT-35.
#[tokio::test]
async fn lists() {
    let nginx = Nginx::builder().http("push_stream_wildcard_channel_prefix w_;").start().await;
    for id in ["zz", "w_1", "aa", "a%22b", "ab"] {
        nginx.publish(id, "x").await;
    }
    let all = ["zz", "w_1", "aa", "a\"b", "ab"];
    for id in ["ALL", "*", "%2A", "ALL.b3", "ALL/aa", "aa/ALL", "*.b1", "none/*/zz"] {
        assert_eq!(listed(&nginx.get(&format!("/stats?id={id}")).await), all, "{id}");
    }
    for id in ["a*", "a*zzz", "a%2a", "a*.b9", "zz/a*", "a*/zz", "a*/ALL"] {
        let listed = listed(&nginx.get(&format!("/stats?id={id}")).await);
        assert_eq!(listed, ["aa", "a\"b", "ab"], "{id}");
    }
    assert_eq!(listed(&nginx.get("/stats?id=w*").await), ["w_1"]);
    assert_eq!(listed(&nginx.get("/stats?id=none*").await), [""; 0]);
}

/// STAT-5, STAT-7..9, STAT-15, STAT-16: by name; nothing is created by asking.
#[tokio::test]
async fn names() {
    let nginx = Nginx::start().await;
    nginx.publish("aa", "x").await;
    for id in ["none", "none/nothing", "all", "Aa", "a", "aaa"] {
        for (accept, _) in FORMATS {
            get_as(&nginx, &format!("/stats?id={id}"), accept).await.assert_refused(404, None);
        }
    }
    for id in ["/", "%2F", ".b1", "/.b1/"] {
        let refused = nginx.get(&format!("/stats?id={id}")).await;
        refused.assert_refused(400, Some("No channel id provided."));
    }
    // The number of results decides about the shape.
    for id in ["aa", "aa.b3", "none/aa", "/aa/", "aa/none.b1"] {
        let one = nginx.get(&format!("/stats?id={id}")).await.json();
        assert_eq!(one["channel"], "aa", "{id}");
    }
    assert_eq!(listed(&nginx.get("/stats?id=aa/none/aa").await), ["aa", "aa"]);
    assert_eq!(nginx.stat("channels").await, 1);
    assert_eq!(nginx.channel_stat("aa", "published_messages").await, 1);
}

/// STAT-16: being asked about does not keep a channel.
#[tokio::test]
async fn asking_renews_nothing() {
    let nginx = Nginx::builder().http("push_stream_channel_inactivity_time 1s;").start().await;
    nginx.publish_live("idle", "x").await;
    // Asks about it again and again until it is gone.
    nginx.wait_gone("idle").await;
    assert_eq!(nginx.stat("channels").await, 0);
}

/// STAT-12, STAT-13: what stands for many channels has no length but its prefix.
#[tokio::test]
async fn lengths() {
    let nginx = Nginx::builder().http("push_stream_max_channel_id_length 2;").start().await;
    nginx.publish("ab", "x").await;
    for id in ["ALL", "ab*", "ab*cdefgh", "*abcdef", "ALL/abc", "a*/abc", "ab.b123"] {
        assert_eq!(nginx.get(&format!("/stats?id={id}")).await.status, 200, "{id}");
    }
    for id in ["abc", "abc*", "ab/abc", "abc/ALL", "ALLx"] {
        let refused = nginx.get(&format!("/stats?id={id}")).await;
        refused.assert_refused(400, Some("Channel id is too large."));
    }
}

//! Streams that a document or an image never finishes loading.

use crate::support::{Nginx, Page};

/// CLI-43, CLI-44, CLI-46, CLI-80, CLI-81: the frame registers, and each message, stored or live, calls the
/// page; so do pings and the end of the channel, after which the frame has loaded.
#[tokio::test]
async fn forever_iframe() {
    let nginx = Nginx::builder()
        .sample("forever-iframe.conf")
        .with("ping_message_interval 10s", "ping_message_interval 500ms")
        .start()
        .await;
    let named = nginx.call("POST", "/pub?id=a").header("Event-Id", "e1");
    assert_eq!(named.body("stored%3C%2Fscript%3E").send().await.status, 200);
    let page = Page::open(
        &nginx,
        "frame",
        r#"<body><script>
            const seen = [];
            let frames = 0, pings = 0, loaded = 0;
            window.PushStream = {
                register(frame) {
                    frames++;
                    frame.p = (id, channel, text, eventId, time, tag) => {
                        if (id == -1) pings++;
                        else seen.push([id, channel, decodeURIComponent(text), eventId, +tag > 0].join());
                    };
                },
            };
            // The page itself has loaded before the frame, which never does.
            onload = () => {
                const frame = document.createElement("iframe");
                frame.style.display = "none";
                frame.src = "/sub/a.b1?_=1&streamid=1";
                frame.onload = () => loaded++;
                document.body.append(frame);
            };
        </script>"#,
    )
    .await;
    page.wait("seen", vec!["1,a,stored</script>,e1,true"]).await;
    nginx.publish("a", "%C3%A4%27%22").await;
    page.wait("seen[1]", "2,a,ä'\",,true").await;
    page.wait("pings > 1", true).await;
    assert_eq!(page.value("[frames, loaded]").await, serde_json::json!([1, 0]));
    assert_eq!(nginx.delete("/pub?id=a").await.status, 200);
    page.wait("seen[2].split(',').slice(0, 4).join()", "-2,a,Channel deleted,").await;
    page.wait("loaded", 1).await;
}

/// CLI-92, TPL-5: images made by one page, published by it, and shown by an `<img>`, each as it comes.
#[tokio::test]
async fn motion_jpeg() {
    let nginx = Nginx::builder().sample("mjpeg.conf").start().await;
    let page = Page::open(
        &nginx,
        "camera",
        r#"<body><img src="/cam/door"><script>
            const image = document.querySelector("img");
            let published = 0;
            function shoot(width) {
                const canvas = document.createElement("canvas");
                canvas.width = width;
                canvas.height = 10;
                canvas.getContext("2d").fillRect(1, 1, 5, 5);
                canvas.toBlob(async blob => {
                    const answer = await fetch("/pub?id=door", { method: "POST", body: blob });
                    if (answer.status == 200) published++;
                }, "image/jpeg");
            }
        </script>"#,
    )
    .await;
    nginx.wait_channel_stat("door", "subscribers", 1).await;
    // Chromium shows an image when it sees the next one begin.
    for (n, (width, shown)) in [(20, 0), (35, 20), (50, 35)].into_iter().enumerate() {
        page.value(&format!("shoot({width})")).await;
        page.wait("published", n as u64 + 1).await;
        page.wait("image.naturalWidth", shown).await;
    }
}

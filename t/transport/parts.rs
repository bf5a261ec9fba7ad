//! A subscriber that is to be part of another response is refused: SSI, `auth_request`, `mirror`,
//! `add_after_body`.

use crate::support::Nginx;

const MODES: [&str; 4] = ["streaming", "eventsource", "polling", "long-polling"];
const REFUSED: &str = "a subscriber cannot be part of another response";

async fn refusals(nginx: &Nginx, count: usize) {
    crate::support::wait_for("the refusals in the log", || async {
        (nginx.log_lines(REFUSED).len() == count).then_some(())
    })
    .await;
    assert_eq!(nginx.stat("subscribers").await, 0);
    assert!(nginx.channel("a").await.is_none());
}

/// An include of a subscriber shows that it failed; what surrounds it arrives.
#[tokio::test]
async fn ssi() {
    let mut nginx = Nginx::builder().location("/pages/", "ssi on;");
    for mode in MODES {
        nginx = nginx.mode(mode, mode, "");
    }
    let nginx = nginx.expect_log(REFUSED).start().await;
    for (n, mode) in MODES.into_iter().enumerate() {
        let directory = nginx.dir().join("html/pages");
        std::fs::create_dir_all(&directory).expect("a directory");
        let page = format!("before <!--#include virtual=\"/{mode}/a\" --> after");
        std::fs::write(directory.join(format!("{mode}.html")), page).expect("a file");
        let answer = nginx.get(&format!("/pages/{mode}.html")).await;
        assert_eq!(answer.status, 200, "{mode}");
        let text = answer.text();
        assert!(text.starts_with("before ") && text.ends_with(" after"), "{mode}: {text}");
        assert!(text.contains("500 Internal Server Error"), "{mode}: {text}");
        refusals(&nginx, n + 1).await;
    }
}

/// As the judge of `auth_request` it fails, and so does the request.
#[tokio::test]
async fn auth_request() {
    let mut nginx = Nginx::builder().expect_log("auth request unexpected status");
    for mode in MODES {
        nginx = nginx
            .mode(mode, mode, "")
            .location(&format!("/file-{mode}"), &format!("auth_request /{mode}/a; root html;"));
    }
    let nginx = nginx.expect_log(REFUSED).start().await;
    for (n, mode) in MODES.into_iter().enumerate() {
        assert_eq!(nginx.get(&format!("/file-{mode}")).await.status, 500, "{mode}");
        refusals(&nginx, n + 1).await;
    }
}

/// A mirrored request is nobody's answer, so it is refused; the original is served.
#[tokio::test]
async fn mirror() {
    let mut nginx = Nginx::builder();
    for mode in MODES {
        nginx = nginx.mode(mode, mode, "").location(
            &format!("= /page-{mode}"),
            &format!("mirror /{mode}/a; proxy_pass http://127.0.0.1:$server_port/stats;"),
        );
    }
    let nginx = nginx.expect_log(REFUSED).start().await;
    for (n, mode) in MODES.into_iter().enumerate() {
        assert_eq!(nginx.get(&format!("/page-{mode}")).await.status, 200, "{mode}");
        refusals(&nginx, n + 1).await;
    }
}

/// What a subscriber is appended to still arrives.
#[tokio::test]
async fn add_after_body() {
    let mut nginx = Nginx::builder();
    for mode in MODES {
        nginx = nginx.mode(mode, mode, "").location(
            &format!("= /page-{mode}"),
            &format!("add_after_body /{mode}/a; addition_types *; empty_gif;"),
        );
    }
    let nginx = nginx.expect_log(REFUSED).start().await;
    for (n, mode) in MODES.into_iter().enumerate() {
        let answer = nginx.get(&format!("/page-{mode}")).await;
        assert!(answer.status == 200 && answer.body.starts_with(b"GIF89a"), "{mode}: {answer:?}");
        refusals(&nginx, n + 1).await;
    }
}

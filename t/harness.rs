//! The harness itself, on an nginx without the module: what it starts runs, what it reloads is
//! replaced, what it kills comes back, and what it must not overlook fails the test.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use support::{Builder, Nginx, process};

fn plain() -> Builder {
    Nginx::builder().no_module().location("/hello", "return 200 hello;")
}

#[tokio::test]
async fn serves_reloads_and_replaces_killed_workers() {
    let nginx = plain().start().await;
    assert_eq!(nginx.get("/hello").await.text(), "hello");

    let before = nginx.worker_pids();
    assert_eq!(before.len(), 4);
    nginx.reload_with(|builder| builder.workers(2)).await;
    let after = nginx.worker_pids();
    assert_eq!((after.len(), after.is_disjoint(&before)), (2, true));
    drop(nginx);

    let nginx = plain().workers(1).start().await;
    let victim = *nginx.worker_pids().first().expect("a worker");
    nginx.kill_worker(victim);
    support::wait_for("the replacement", || async {
        let pids = nginx.worker_pids();
        (pids.len() == 1 && !pids.contains(&victim)).then_some(())
    })
    .await;
    let mut raw = nginx.raw().await;
    raw.request("GET /hello", &["Connection: close"]).await;
    assert_eq!(raw.answer().await.body, b"hello");
    raw.expect_close().await;
}

#[tokio::test]
async fn leaves_no_process_behind() {
    let nginx = plain().start().await;
    let mut pids = nginx.worker_pids();
    pids.insert(nginx.master_pid());
    drop(nginx);
    assert!(!pids.into_iter().any(process::is_alive));
}

#[tokio::test]
async fn a_loud_log_line_fails_the_test_unless_expected() {
    let provoke = async |builder: Builder| {
        let nginx = builder.location("/missing", "root /nonexistent;").start().await;
        assert_eq!(nginx.get("/missing/file").await.status, 404);
        nginx
    };
    let loud = provoke(plain()).await;
    assert!(catch_unwind(AssertUnwindSafe(|| drop(loud))).is_err());
    drop(provoke(plain().expect_log("/nonexistent/missing/file")).await);
}

#[tokio::test]
async fn a_worker_that_dies_on_a_signal_fails_the_test() {
    let nginx = plain().start().await;
    let victim = *nginx.worker_pids().first().expect("a worker");
    process::send_signal(victim, libc::SIGKILL);
    nginx.wait_log("exited on signal 9").await;
    assert!(catch_unwind(AssertUnwindSafe(|| drop(nginx))).is_err());
}

#[tokio::test]
async fn a_configuration_error_is_shown() {
    let checked = plain().server("no_such_directive on;").check();
    assert!(!checked.ok);
    assert!(checked.output.contains("unknown directive \"no_such_directive\""));
    assert!(plain().check().ok);
}

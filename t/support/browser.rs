//! Headless Chromium, driven through ChromeDriver (WebDriver, as the W3C specifies it).
//!
//! All tests of a binary share one browser with one window, so they take turns.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::{Call, Nginx, wait_for};

/// Without the icon the browser would ask for one.
const HEAD: &str = r#"<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,">"#;

/// The window, while it is this test's turn.
pub struct Page {
    browser: MutexGuard<'static, Option<Browser>>,
}

struct Browser {
    port: u16,
    session: String,
}

impl Page {
    /// Writes `html` where `nginx` serves pages from, and opens it.
    pub async fn open(nginx: &Nginx, name: &str, html: &str) -> Self {
        Self::open_at(nginx, &format!("http://127.0.0.1:{}", nginx.port), name, html).await
    }

    /// The same at one of its other addresses.
    pub async fn open_at(nginx: &Nginx, origin: &str, name: &str, html: &str) -> Self {
        static BROWSER: Mutex<Option<Browser>> = Mutex::const_new(None);
        let mut browser = BROWSER.lock().await;
        if browser.is_none() {
            *browser = Some(Browser::start().await);
        }
        let page = Self { browser };
        let html = format!("{HEAD}<title>{name}</title>\n{html}");
        std::fs::create_dir_all(nginx.dir().join("html")).expect("a directory");
        std::fs::write(nginx.dir().join("html").join(format!("{name}.html")), html)
            .expect("a file");
        page.go(&format!("{origin}/{name}.html")).await;
        page
    }

    /// The value of a JavaScript expression.
    pub async fn value(&self, expression: &str) -> Value {
        let script = json!({"script": format!("return {expression};"), "args": []});
        self.command("execute/sync", script).await
    }

    /// The value of an expression as soon as it has one.
    pub async fn ready(&self, expression: &str) -> Value {
        wait_for(expression, async || Some(self.value(expression).await).filter(|v| !v.is_null()))
            .await
    }

    /// Waits until an expression has this value.
    pub async fn wait(&self, expression: &str, value: impl Into<Value>) {
        let value = value.into();
        let last = std::cell::RefCell::new(Value::Null);
        let equal = wait_for("a value on a page", async || {
            let seen = self.value(expression).await;
            let equal = seen == value;
            *last.borrow_mut() = seen;
            equal.then_some(())
        });
        // Says more than that it never came.
        tokio::time::timeout(super::DEADLINE / 2, equal)
            .await
            .unwrap_or_else(|_| panic!("{expression} is {}, not {value}", last.borrow()));
    }

    async fn go(&self, url: &str) {
        self.command("url", json!({ "url": url })).await;
    }

    async fn command(&self, command: &str, argument: Value) -> Value {
        let browser = self.browser.as_ref().expect("started");
        browser.post(&format!("/session/{}/{command}", browser.session), argument).await
    }
}

impl Browser {
    async fn start() -> Self {
        let (tell, port) = tokio::sync::oneshot::channel();
        std::thread::spawn(|| chromedriver(tell));
        let port = port.await.expect("chromedriver starts: is it installed?");
        let mut browser = Self { port, session: String::new() };
        // The sandbox of Chromium refuses root; the pipe makes it end with chromedriver.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-pipe",
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            // Some of the pages never finish loading.
            "pageLoadStrategy": "eager",
            // A test's certificate is its own.
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"args": arguments}, "timeouts": {"pageLoad": 20_000},
        }}});
        let session = browser.post("/session", capabilities).await;
        browser.session = session["sessionId"].as_str().expect("a session").into();
        browser
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let call = Call::new(self.port, "POST", path).header("Content-Type", "application/json");
        let answer = call.body(body.to_string()).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()["value"].take()
    }
}

/// Runs ChromeDriver as long as this process lives, and tells its port.
fn chromedriver(tell: tokio::sync::oneshot::Sender<u16>) {
    // What Chromium leaves behind stays in cargo's directory.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chromium");
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch).expect("a directory");
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").env("TMPDIR", scratch).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: only an async-signal-safe call between fork and exec. The thread that forks ends with the
    // process.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
    let Ok(mut child) = command.spawn() else { return };
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
    });
    if let Some(port) = port {
        let _ = tell.send(port);
    }
    let _ = child.wait();
}

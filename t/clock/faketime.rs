//! A wall clock to be set.

use std::path::{Path, PathBuf};

use crate::support::{Builder, Nginx, wait_for};

pub const HOUR: i64 = 3600;

/// What nginx believes the wall clock to show, as an offset from the true time.
pub struct Clock {
    dir: tempfile::TempDir,
}

fn library() -> PathBuf {
    let dirs = ["/usr/lib", "/usr/lib64"].map(Path::new);
    let places = dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
    let mut candidates = dirs.iter().map(|dir| dir.to_path_buf()).chain(places.map(|e| e.path()));
    let found = candidates
        .find_map(|dir| Some(dir.join("faketime/libfaketime.so.1")).filter(|path| path.is_file()));
    found.expect("libfaketime is installed: apt-get install libfaketime")
}

impl Clock {
    pub fn new() -> Self {
        let clock = Self { dir: tempfile::tempdir().expect("a temporary directory") };
        clock.write(0);
        clock
    }

    /// A server that lives by this clock.
    pub fn server(&self) -> Builder {
        let path = |path: PathBuf| path.to_str().expect("a printable path").to_owned();
        Nginx::builder()
            .workers(3)
            .env("LD_PRELOAD", &path(library()))
            .env("FAKETIME_TIMESTAMP_FILE", &path(self.file()))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_RESET", "1")
    }

    /// Sets the clock; returns when an answer shows the new time.
    pub async fn set(&self, nginx: &Nginx, ahead: i64) {
        self.write(ahead);
        wait_for("the clock to be set", || async {
            let date = nginx.get("/stats").await;
            let date = httpdate::parse_http_date(date.header("date")?).ok()?;
            let shown = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs() as i64;
            let true_time = std::time::UNIX_EPOCH.elapsed().ok()?.as_secs() as i64;
            ((shown - true_time - ahead).abs() < 60).then_some(())
        })
        .await;
    }

    fn write(&self, ahead: i64) {
        // In one step: it is read all the time.
        let new = self.dir.path().join("new");
        std::fs::write(&new, format!("{ahead:+}\n")).expect("a file");
        std::fs::rename(new, self.file()).expect("a file");
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("clock")
    }
}

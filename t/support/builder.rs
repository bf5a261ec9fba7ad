//! The configuration of one test's nginx, and `nginx -t`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Nginx, tls};

/// Locations that nearly every test needs; [`Builder::bare`] leaves them out.
///
/// Ids arrive as a query argument where a test wants exact bytes (decoded once), and as a
/// captured path where it reads better.
const STANDARD_LOCATIONS: &str = r#"
        location /stats {
            push_stream_channels_statistics;
            push_stream_channels_path $arg_id;
        }
        location /pub {
            push_stream_publisher admin;
            push_stream_channels_path $arg_id;
            push_stream_store_messages on;
        }
        location /live {
            push_stream_publisher admin;
            push_stream_channels_path $arg_id;
        }
        location ~ ^/sub/(.*)$ {
            push_stream_subscriber;
            push_stream_channels_path $1;
            push_stream_message_template "~id~ ~channel~ ~text~\n";
        }
        location /raw {
            push_stream_subscriber;
            push_stream_channels_path $arg_id;
        }
"#;

#[derive(Clone)]
pub struct Builder {
    pub(super) workers: usize,
    pub(super) open_files: Option<u64>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) connections: usize,
    pub(super) module: bool,
    provoked: bool,
    pub(super) single: bool,
    pub(super) daemon: bool,
    pub(super) bare_name: bool,
    user: Option<String>,
    events: String,
    pub(super) http2_port: Option<u16>,
    pub(super) tls_port: Option<u16>,
    pub(super) expected: Vec<String>,
    zone: Option<String>,
    listen: String,
    main: String,
    http: String,
    server: String,
    standard: bool,
    sample: Option<String>,
}

/// What `nginx -t` said.
pub struct Checked {
    pub ok: bool,
    pub output: String,
}

impl Default for Builder {
    /// Four workers, each with a listening socket of its own so that connections spread.
    fn default() -> Self {
        Self {
            workers: 4,
            open_files: None,
            environment: Vec::new(),
            connections: 4096,
            module: true,
            provoked: false,
            single: false,
            daemon: false,
            bare_name: false,
            user: None,
            events: String::new(),
            http2_port: None,
            tls_port: None,
            expected: Vec::new(),
            zone: Some("32m".into()),
            listen: "reuseport".into(),
            main: String::new(),
            http: String::new(),
            server: String::new(),
            standard: true,
            sample: None,
        }
    }
}

impl Builder {
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// The argument of `push_stream_shared_memory_size`.
    pub fn zone(mut self, size: &str) -> Self {
        self.zone = Some(size.into());
        self
    }

    pub fn no_zone(mut self) -> Self {
        self.zone = None;
        self
    }

    /// Parameters of the `listen` directive.
    pub fn listen(mut self, parameters: &str) -> Self {
        self.listen = parameters.into();
        self
    }

    /// Also listens for HTTP/2 without TLS, on [`Nginx::http2_port`].
    pub fn http2(mut self) -> Self {
        // Replaced by a free one at each attempt to start.
        self.http2_port = Some(0);
        self
    }

    /// Also listens for HTTP/1.1 and HTTP/2 over TLS, on [`Nginx::tls_port`].
    pub fn tls(mut self) -> Self {
        self.tls_port = Some(0);
        self
    }

    /// `ulimit -n` of the master and its workers, and a fitting `worker_connections`.
    pub fn open_files(mut self, limit: u64, connections: usize) -> Self {
        self.open_files = Some(limit);
        self.connections = connections;
        self
    }

    /// `worker_connections`.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Directives of the block `events`.
    pub fn events(mut self, directives: &str) -> Self {
        self.events = directives.into();
        self
    }

    /// Whom the workers of a master that is root run as; else they are who the master is.
    pub fn user(mut self, name: &str) -> Self {
        self.user = Some(name.into());
        self
    }

    /// The process that is started ends when the master runs in the background. Only such a master can be
    /// upgraded: nginx takes USR2 for a mistake while the process that started it lives.
    pub fn daemon(mut self) -> Self {
        self.daemon = true;
        self
    }

    /// As a shell starts it that was told `nginx` and no path.
    pub fn bare_name(mut self) -> Self {
        self.bare_name = true;
        self
    }

    /// A variable of the environment, of the workers too.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self.main(&format!("env {name};"))
    }

    /// A file of `nginx-conf/` as it stands, but for the port and where nginx's own files are. Pages go into
    /// `html` in [`Nginx::dir`].
    pub fn sample(self, name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("nginx-conf").join(name);
        self.whole(std::fs::read_to_string(&path).expect("a sample"))
    }

    /// A configuration that is whole as a sample is.
    pub fn whole(mut self, text: String) -> Self {
        self.sample = Some(text);
        self
    }

    /// Changes a text of the sample.
    pub fn with(mut self, old: &str, new: &str) -> Self {
        let sample = self.sample.as_mut().expect("Builder::sample was called");
        assert!(sample.contains(old), "the sample has no '{old}'");
        *sample = sample.replace(old, new);
        self
    }

    /// Serves pages from `html` in [`Nginx::dir`], for a browser. Of the connections that it opens to
    /// have them at hand, none keeps a worker from leaving for long.
    pub fn pages(self) -> Self {
        self.server("client_header_timeout 1s;")
            .location("~ [.]html$", "root html; types { text/html html; }")
    }

    /// One process, no master.
    pub fn single_process(mut self) -> Self {
        self.single = true;
        self.listen.clear();
        self.main("master_process off;")
    }

    /// Plain nginx, for the tests of the harness itself.
    pub fn no_module(mut self) -> Self {
        self.module = false;
        self.zone = None;
        self.standard = false;
        self
    }

    /// With the module that panics where a test asks it to ([`Nginx::provoke`]).
    pub fn provoked(mut self) -> Self {
        self.provoked = true;
        self
    }

    /// Leaves out the standard locations.
    pub fn bare(mut self) -> Self {
        self.standard = false;
        self
    }

    pub fn main(mut self, directives: &str) -> Self {
        let _ = writeln!(self.main, "{directives}");
        self
    }

    pub fn http(mut self, directives: &str) -> Self {
        let _ = writeln!(self.http, "    {directives}");
        self
    }

    pub fn server(mut self, directives: &str) -> Self {
        let _ = writeln!(self.server, "        {directives}");
        self
    }

    /// Forgets what [`Builder::http`] gave, for a reload with another setting.
    pub fn without_http(mut self) -> Self {
        self.http.clear();
        self
    }

    pub fn without_server(mut self) -> Self {
        self.server.clear();
        self
    }

    pub fn location(self, path: &str, directives: &str) -> Self {
        self.server(&format!("location {path} {{ {directives} }}"))
    }

    /// A streaming location that takes its channels from the rest of the path.
    pub fn subscriber(self, name: &str, directives: &str) -> Self {
        self.mode("", name, directives)
    }

    /// A subscriber location of the given mode that takes its channels from the rest of the path.
    pub fn mode(self, mode: &str, name: &str, directives: &str) -> Self {
        self.location(
            &format!("~ ^/{name}/(.*)$"),
            &format!("push_stream_subscriber {mode}; push_stream_channels_path $1; {directives}"),
        )
    }

    /// A WebSocket location that takes its channels from the rest of the path.
    pub fn websocket(self, name: &str, directives: &str) -> Self {
        self.location(
            &format!("~ ^/{name}/(.*)$"),
            &format!(
                "push_stream_subscriber websocket; push_stream_channels_path $1; {directives}"
            ),
        )
    }

    /// Lets the error log hold lines of level warn or worse that contain `text`.
    pub fn expect_log(mut self, text: &str) -> Self {
        self.expected.push(text.into());
        self
    }

    pub async fn start(self) -> Nginx {
        Nginx::start_with(self).await
    }

    /// `nginx -t` on this configuration.
    pub fn check(&self) -> Checked {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let conf = self.write(dir.path(), 10_999);
        let output = Command::new(nginx_binary())
            .arg("-t")
            .args(self.arguments(dir.path(), &conf))
            .output()
            .expect("nginx -t runs");
        Checked {
            ok: output.status.success(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(super) fn arguments(&self, dir: &Path, conf: &Path) -> Vec<PathBuf> {
        let log = dir.join("error.log");
        let mut arguments: Vec<PathBuf> =
            vec!["-p".into(), dir.into(), "-e".into(), log, "-c".into(), conf.into()];
        if self.sample.is_some() {
            let pid = dir.join("nginx.pid");
            let global = format!("daemon off; pid {}; {}", pid.display(), user(None));
            arguments.extend(["-g".into(), global.into()]);
        }
        arguments
    }

    /// Puts this configuration in place for a server that is running, without telling it.
    pub fn write_for(&self, nginx: &Nginx) {
        self.write(nginx.dir(), nginx.port);
    }

    pub(super) fn write(&self, dir: &Path, port: u16) -> PathBuf {
        if self.user.is_some() {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(dir, open).expect("a directory of one's own");
        }
        // In one step, because nginx may be reading it for an earlier reload.
        let (path, new) = (dir.join("nginx.conf"), dir.join("nginx.conf.new"));
        let text = match &self.sample {
            Some(sample) => sample_text(sample, dir, port),
            None => self.text(dir, port),
        };
        std::fs::write(&new, text).expect("the configuration is written");
        std::fs::rename(new, &path).expect("the configuration is put in place");
        path
    }

    /// The listening sockets beside the first.
    fn listen_also(&self, dir: &Path) -> String {
        let mut out = String::new();
        let parameters = &self.listen;
        let directive = has_http2_directive();
        let http2 = if directive { "" } else { "http2" };
        if let Some(port) = self.http2_port {
            let _ = writeln!(out, "        listen 127.0.0.1:{port} {http2} {parameters};");
        }
        if let Some(port) = self.tls_port {
            tls::make_certificate(dir);
            let (certificate, key) = (dir.join(tls::CERTIFICATE), dir.join(tls::KEY));
            let _ = write!(
                out,
                "        listen 127.0.0.1:{port} ssl {http2} {parameters};\n        \
                 ssl_certificate {};\n        ssl_certificate_key {};\n",
                certificate.display(),
                key.display()
            );
        }
        if directive && !out.is_empty() {
            out.push_str("        http2 on;\n");
        }
        out
    }

    fn text(&self, dir: &Path, port: u16) -> String {
        let also = self.listen_also(dir);
        let temporary = temporary_paths(dir);
        let dir = dir.display();
        let mut out = String::new();
        if self.module {
            let module = match self.provoked {
                true => named_by("PUSH_STREAM_PROVOKED_MODULE"),
                false => module_path(),
            };
            let _ = writeln!(out, "load_module {};", module.display());
        }
        let _ = write!(
            out,
            "{}worker_processes {};\ndaemon {};\npid {dir}/nginx.pid;\nerror_log {dir}/error.log \
             info;\n{}events {{ worker_connections {}; {} }}\nhttp {{\n    access_log off;\n    \
             default_type text/plain;\n    client_max_body_size 64m;\n    keepalive_requests 1000000;\n",
            user(self.user.as_deref()),
            self.workers,
            if self.daemon { "on" } else { "off" },
            self.main,
            self.connections,
            self.events
        );
        out.push_str(&temporary);
        if let Some(zone) = &self.zone {
            let _ = writeln!(out, "    push_stream_shared_memory_size {zone};");
        }
        let standard = if self.standard { STANDARD_LOCATIONS } else { "" };
        let _ = write!(
            out,
            "{}    server {{\n        listen 127.0.0.1:{port} {};\n{}{}{standard}    }}\n}}\n",
            self.http, self.listen, also, self.server
        );
        out
    }
}

/// Workers of a master that is root read what it wrote, unless they are to be somebody else.
fn user(name: Option<&str>) -> String {
    // SAFETY: geteuid only reads.
    let is_root = unsafe { libc::geteuid() } == 0;
    if is_root { format!("user {}; ", name.unwrap_or("root")) } else { String::new() }
}

/// Where nginx keeps bodies, for the block `http`.
fn temporary_paths(dir: &Path) -> String {
    let path = |kind| format!("    {kind}_temp_path {}/{kind};\n", dir.display());
    ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].into_iter().map(path).collect()
}

/// A sample with this test's module and port, and with nginx's own files in `dir`. Of the directories that
/// nginx was configured with, `dir` has that of pages, as a distribution's prefix does.
fn sample_text(sample: &str, dir: &Path, port: u16) -> String {
    std::fs::create_dir_all(dir.join("html")).expect("a directory");
    let module = format!("load_module {};", module_path().display());
    let log = format!("error_log {}/error.log info;", dir.display());
    sample
        .replace("load_module modules/ngx_http_push_stream_module.so;", &module)
        .replace("error_log stderr warn;", &log)
        .replace("/var/log/nginx/", &format!("{}/", dir.display()))
        .replace("\nhttp {\n", &format!("\nhttp {{\n{}", temporary_paths(dir)))
        .replace("listen 8080;", &format!("listen 127.0.0.1:{port} reuseport;"))
}

/// Whether the nginx under test has the directive `http2`, and `listen ... http2` only with a warning: it is asked,
/// as its version says little about what was patched or left out.
fn has_http2_directive() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("nginx.conf");
        let paths = temporary_paths(dir.path());
        std::fs::write(&path, format!("events {{}}\nhttp {{\n{paths}\nhttp2 on;\n}}\n"))
            .expect("a file");
        let pid = format!("error_log stderr; pid {};", dir.path().join("pid").display());
        let mut nginx = Command::new(nginx_binary());
        let output =
            nginx.arg("-tc").arg(&path).args(["-g", &pid]).output().expect("nginx -t runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let unknown = said.contains("unknown directive \"http2\"");
        assert!(output.status.success() || unknown, "{said}");
        !unknown
    })
}

/// The nginx under test.
pub fn nginx_binary() -> PathBuf {
    named_by("PUSH_STREAM_NGINX")
}

fn module_path() -> PathBuf {
    named_by("PUSH_STREAM_MODULE")
}

fn named_by(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    let path = path.unwrap_or_else(|| {
        panic!("{variable} is not set: run `make test`, or see CONTRIBUTING.md")
    });
    assert!(path.is_file(), "{variable} names no file: {}", path.display());
    path
}

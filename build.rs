//! Build script: nothing without the `nginx` feature; with it
//! - hands on what nginx was configured with as `ngx_feature`, `ngx_os` and `nginxX_Y_Z` cfgs,
//! - generates the accessors of the request's bit-fields (`src/ngx_ext/request_bits.rs`).

#[cfg(feature = "nginx")]
#[path = "build/commit.rs"]
mod commit;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/commit.rs");
    #[cfg(feature = "nginx")]
    nginx::main();
}

#[cfg(feature = "nginx")]
mod nginx {
    use std::env;
    use std::path::{Path, PathBuf};

    use super::commit;

    /// nginx versions in which something the module touches has changed.
    const VERSIONS: &[(u64, &str)] = &[
        // headers that may occur more than once became linked lists
        (1_023_000, "nginx1_23_0"),
        // HTTP/2 is a directive of its own
        (1_025_001, "nginx1_25_1"),
    ];

    /// The request of nginx 1.29.3 and later in small, for the check of the accessors.
    const REQUEST_WITH_PORT: &str = "t/fixtures/request_with_port.h";

    pub fn main() {
        cfgs_of_nginx();

        let out = PathBuf::from(variable("OUT_DIR"));
        let include: Vec<PathBuf> = env::split_paths(&variable("DEP_NGINX_INCLUDE")).collect();
        let mut args: Vec<String> =
            include.iter().map(|path| format!("-I{}", path.display())).collect();
        args.extend(defines().split_whitespace().map(str::to_owned));

        let header = "#include <ngx_config.h>\n#include <ngx_core.h>\n#include <ngx_http.h>\n";
        let nginx = bindgen::Builder::default().header_contents("request.h", header);
        request_bits(nginx.clang_args(&args), &out.join("request_bits.rs"));

        println!("cargo::rerun-if-changed={REQUEST_WITH_PORT}");
        let fixture = bindgen::Builder::default().header(REQUEST_WITH_PORT);
        request_bits(fixture, &out.join("request_with_port.rs"));

        commit();

        // The check in the test suite compiles its C side with the same headers.
        println!("cargo::rustc-env=PUSH_STREAM_NGINX_CFLAGS={}", args.join("\x1f"));
    }

    /// Generates `ngx_http_request_s` and nothing else.
    ///
    /// The bindings of `nginx-sys` misplace bit-fields that follow a field of 16 bits, as they do
    /// in nginx 1.29.3 and later; bindgen from 0.73 on places them right. The types of the other
    /// fields are those of `nginx-sys`, which the including module has in scope.
    fn request_bits(builder: bindgen::Builder, to: &Path) {
        builder
            .allowlist_type("ngx_http_request_s")
            .allowlist_recursively(false)
            .rust_target(bindgen::RustTarget::stable(85, 0).expect("rust-version is supported"))
            .rust_edition(bindgen::RustEdition::Edition2024)
            .use_core()
            .derive_debug(false)
            .derive_copy(false)
            .generate_comments(false)
            .layout_tests(true)
            .generate()
            .expect("bindings of ngx_http_request_s")
            .write_to_file(to)
            .expect("OUT_DIR is writable");
    }

    /// Tells the compiler what `nginx-sys` has found out about nginx.
    fn cfgs_of_nginx() {
        for (cfg, known, found) in [
            ("ngx_feature", "DEP_NGINX_FEATURES_CHECK", "DEP_NGINX_FEATURES"),
            ("ngx_os", "DEP_NGINX_OS_CHECK", "DEP_NGINX_OS"),
        ] {
            println!("cargo::rustc-check-cfg=cfg({cfg}, values({}))", variable(known));
            for value in variable(found).split(',').map(str::trim).filter(|v| !v.is_empty()) {
                println!("cargo::rustc-cfg={cfg}=\"{value}\"");
            }
        }

        let version: u64 =
            variable("DEP_NGINX_VERSION_NUMBER").parse().expect("nginx version is a number");
        for (since, cfg) in VERSIONS {
            println!("cargo::rustc-check-cfg=cfg({cfg})");
            if version >= *since {
                println!("cargo::rustc-cfg={cfg}");
            }
        }
    }

    /// The `-D` flags nginx is compiled with.
    ///
    /// `nginx-sys` 0.5.0 hands them on under the key `metadata`, a slip it may repair some day.
    fn defines() -> String {
        match env::var("DEP_NGINX_CFLAGS") {
            Ok(defines) => defines,
            Err(_) => {
                let defines = variable("DEP_NGINX_METADATA");
                defines.strip_prefix("cflags=").expect("flags of nginx-sys").to_owned()
            }
        }
    }

    /// Tells which commit this is, for `X-Nginx-PushStream-Commit`.
    fn commit() {
        println!("cargo::rerun-if-env-changed=PUSH_STREAM_COMMIT");
        let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
        for path in commit::files(&root).iter().map(String::as_str).chain([commit::FILE]) {
            if root.join(path).exists() {
                println!("cargo::rerun-if-changed={path}");
            }
        }
        match commit::of(&root, env::var("PUSH_STREAM_COMMIT").ok().as_deref()) {
            Ok(commit) => println!(
                "cargo::rustc-env=PUSH_STREAM_COMMIT={}",
                commit.as_deref().unwrap_or("unknown")
            ),
            Err(why) => println!("cargo::error={why}"),
        }
    }

    fn variable(name: &str) -> String {
        println!("cargo::rerun-if-env-changed={name}");
        env::var(name).unwrap_or_else(|_| panic!("{name} is not set: nginx-sys did not run"))
    }
}

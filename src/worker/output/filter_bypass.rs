//! Whether a subscriber's bytes may go straight to its connection, past the output filters.
//!
//! A filter that wants to see them says so in the request, but a module nobody knows may do things
//! nobody thought of. So `push_stream_direct_output auto` goes past the filters only if every HTTP
//! module that is loaded is one of nginx's own.

use crate::conf::DirectOutput;

/// HTTP modules that come with nginx, without `ngx_http_` and `_module`.
const KNOWN: &[&str] = &[
    "acme",
    "access",
    "addition_filter",
    "api",
    "auth_basic",
    "auth_request",
    "autoindex",
    "browser",
    "charset_filter",
    "chunked_filter",
    "copy_filter",
    "core",
    "dav",
    "degradation",
    "empty_gif",
    "fastcgi",
    "flv",
    "geo",
    "geoip",
    "grpc",
    "gunzip_filter",
    "gzip_filter",
    "gzip_static",
    "header_count",
    "header_filter",
    "headers_filter",
    "image_filter",
    "index",
    "limit_conn",
    "limit_req",
    "log",
    "map",
    "memcached",
    "mirror",
    "mp4",
    "not_modified_filter",
    "perl",
    "postpone_filter",
    "proxy",
    "proxy_v2",
    "push_stream",
    "random_index",
    "range_body_filter",
    "range_header_filter",
    "realip",
    "referer",
    "rewrite",
    "scgi",
    "secure_link",
    "slice_filter",
    "split_clients",
    "ssi_filter",
    "ssl",
    "static",
    "stub_status",
    "sub_filter",
    "trailers_filter",
    "try_files",
    "tunnel",
    "upstream",
    "upstream_hash",
    "upstream_ip_hash",
    "upstream_keepalive",
    "upstream_least_conn",
    "upstream_random",
    "upstream_sticky",
    "upstream_zone",
    "userid_filter",
    "uwsgi",
    "v2",
    "v2_filter",
    "v3",
    "v3_filter",
    "write_filter",
    "xslt_filter",
];

/// The modules among these that are not nginx's own.
pub fn unknown<'a>(modules: &[&'a str]) -> Vec<&'a str> {
    let name = |module: &'a str| {
        let name = module.strip_prefix("ngx_http_").unwrap_or(module);
        name.strip_suffix("_module").unwrap_or(name)
    };
    modules.iter().copied().filter(|module| !KNOWN.contains(&name(module))).collect()
}

/// Whether the setting allows it.
pub fn allowed(setting: DirectOutput, all_known: bool) -> bool {
    match setting {
        DirectOutput::Auto => all_known,
        DirectOutput::On => true,
        DirectOutput::Off => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strangers_are_unknown() {
        let loaded =
            ["ngx_http_core_module", "ngx_http_brotli_filter_module", "ngx_http_v2_module"];
        assert_eq!(unknown(&loaded), ["ngx_http_brotli_filter_module"]);
        assert!(unknown(&["ngx_http_push_stream_module"]).is_empty());
    }

    #[test]
    fn auto_asks_the_modules() {
        assert!(allowed(DirectOutput::Auto, true) && !allowed(DirectOutput::Auto, false));
        assert!(allowed(DirectOutput::On, false) && !allowed(DirectOutput::Off, true));
    }
}

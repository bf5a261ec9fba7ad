//! Settings of nginx's core module for a request.

use nginx_sys::{ngx_http_core_loc_conf_t, ngx_http_core_module};

use super::request::Request;

impl Request<'_> {
    /// `send_timeout` of the request's location, milliseconds.
    pub fn send_timeout(self) -> u64 {
        // SAFETY: every request has a configuration of the core module.
        unsafe { (*self.core_conf()).send_timeout as u64 }
    }

    /// `client_body_timeout` of the request's location, milliseconds.
    pub fn client_body_timeout(self) -> u64 {
        // SAFETY: every request has a configuration of the core module.
        unsafe { (*self.core_conf()).client_body_timeout as u64 }
    }

    /// `client_max_body_size` of the request's location, bytes; `None`: no limit.
    pub fn client_max_body_size(self) -> Option<u64> {
        // SAFETY: every request has a configuration of the core module.
        let size = unsafe { (*self.core_conf()).client_max_body_size };
        u64::try_from(size).ok().filter(|size| *size > 0)
    }

    /// `lingering_timeout` of the request's location, milliseconds.
    pub fn lingering_timeout(self) -> u64 {
        // SAFETY: every request has a configuration of the core module.
        unsafe { (*self.core_conf()).lingering_timeout as u64 }
    }

    /// The content type of `default_type`, whatever the URI ends in (HDR-5), unless the application that
    /// passed the request on said another (HDR-15).
    pub fn set_default_content_type(self) {
        // SAFETY: a live request; the string lives as long as the configuration.
        unsafe {
            let default = (*self.core_conf()).default_type;
            let out = &mut (*self.as_ptr()).headers_out;
            if out.content_type.len > 0 {
                return;
            }
            out.content_type = default;
            out.content_type_len = default.len;
            out.content_type_lowcase = std::ptr::null_mut();
        }
    }

    /// `tcp_nodelay` of the request's location.
    pub fn wants_nodelay(self) -> bool {
        // SAFETY: every request has a configuration of the core module.
        unsafe { (*self.core_conf()).tcp_nodelay != 0 }
    }

    unsafe fn core_conf(self) -> *const ngx_http_core_loc_conf_t {
        // SAFETY: every request has a configuration of the core module.
        unsafe { (*(*self.as_ptr()).loc_conf.add(ngx_http_core_module.ctx_index)).cast() }
    }
}

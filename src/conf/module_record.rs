//! What nginx knows the module by.

use nginx_sys::ngx_module_t;

/// The module's record: its address tags the zone, its index finds the configuration.
pub(super) fn module() -> *mut ngx_module_t {
    &raw mut crate::ngx_http_push_stream_module
}

/// The module's place in the contexts of requests and configurations.
pub fn ctx_index() -> usize {
    // SAFETY: nginx numbers the modules before it calls any of them and not again.
    unsafe { (*module()).ctx_index }
}

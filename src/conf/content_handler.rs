//! Who serves the requests of locations with a role.

use std::sync::OnceLock;

use nginx_sys::{
    ngx_conf_t, ngx_http_conf_ctx_t, ngx_http_core_loc_conf_t, ngx_http_core_module,
    ngx_http_request_t, ngx_int_t,
};

/// A content handler as nginx calls it.
pub type ContentHandler = unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t;

static CONTENT_HANDLER: OnceLock<ContentHandler> = OnceLock::new();

/// Says who serves the requests of locations with a role. To be called before the configuration
/// is read; the handler finds its location with [`super::location_conf`].
pub fn install_content_handler(handler: ContentHandler) {
    CONTENT_HANDLER.get_or_init(|| handler);
}

/// Makes the location being read or merged ours (DIR-54).
///
/// # Safety
/// `cf` must stand in a location.
pub(super) unsafe fn serve(cf: *const ngx_conf_t) {
    // SAFETY: the caller vouches for `cf`.
    unsafe { (*core_loc_conf(cf)).handler = CONTENT_HANDLER.get().copied() };
}

/// # Safety
/// `cf` must stand in the `http` block.
pub(super) unsafe fn core_loc_conf(cf: *const ngx_conf_t) -> *mut ngx_http_core_loc_conf_t {
    // SAFETY: in `http`, `ctx` is the http context of the level at hand, and the core module has
    // an entry in each of them.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        (*(*ctx).loc_conf.add(ngx_http_core_module.ctx_index)).cast()
    }
}

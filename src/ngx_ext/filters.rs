//! Output filters of nginx that a location is to be without.

use std::ffi::c_void;

use nginx_sys::{ngx_conf_t, ngx_http_conf_ctx_t, ngx_http_module_t};

use super::modules;
use super::request::OutOfMemory;

/// The settings of all modules at one level of the configuration.
#[derive(Clone, Copy)]
pub struct LocationLevel(*mut *mut c_void);

impl LocationLevel {
    /// The location being read or merged.
    ///
    /// # Safety
    /// `cf` must stand in the `http` block.
    pub unsafe fn at_hand(cf: *const ngx_conf_t) -> Self {
        // SAFETY: in `http`, `ctx` is the http context of the level at hand.
        unsafe { Self((*(*cf).ctx.cast::<ngx_http_conf_ctx_t>()).loc_conf) }
    }
}

/// Gives these levels the defaults of an HTTP module, whatever was configured: with them every filter of
/// nginx does nothing. A module that is not loaded needs none.
///
/// # Safety
/// `cf` must be a configuration whose levels are merged and not yet in use; `levels` are of it.
pub unsafe fn unset(
    cf: *mut ngx_conf_t,
    module: &str,
    levels: &[LocationLevel],
) -> Result<(), OutOfMemory> {
    // SAFETY: the caller vouches for `cf`. A module's own functions make and merge what its place in a
    // level holds, in the way in which nginx calls them.
    unsafe {
        let Some(module) = modules::find((*cf).cycle, module) else { return Ok(()) };
        let hooks = &*(*module).ctx.cast::<ngx_http_module_t>();
        let (Some(create), Some(merge)) = (hooks.create_loc_conf, hooks.merge_loc_conf) else {
            return Ok(());
        };
        let (outer, defaults) = (create(cf), create(cf));
        if outer.is_null() || defaults.is_null() || !merge(cf, outer, defaults).is_null() {
            return Err(OutOfMemory);
        }
        for LocationLevel(settings) in levels {
            *settings.add((*module).ctx_index) = defaults;
        }
        Ok(())
    }
}

//! The HTTP modules that a cycle has.

use std::ffi::CStr;

use nginx_sys::{NGX_HTTP_MODULE, ngx_cycle_t, ngx_module_t};

/// The HTTP module of this name, if a cycle has it.
///
/// # Safety
/// `cycle` must be live, or being made from a configuration.
pub unsafe fn find(cycle: *const ngx_cycle_t, name: &str) -> Option<*mut ngx_module_t> {
    // SAFETY: the caller's promise.
    let mut modules = unsafe { all(cycle) };
    modules.find(|(_, its)| its.to_bytes() == name.as_bytes()).map(|(module, _)| module)
}

/// The HTTP modules of a cycle that have names, in nginx's order.
///
/// # Safety
/// As [`find`], as long as the result is used.
pub unsafe fn all<'a>(
    cycle: *const ngx_cycle_t,
) -> impl Iterator<Item = (*mut ngx_module_t, &'a CStr)> {
    // SAFETY: the caller vouches for the cycle.
    let mut next = unsafe { (*cycle).modules };
    let all = std::iter::from_fn(move || {
        // SAFETY: a null pointer ends the array, and nothing is read behind it.
        unsafe {
            let module = (*next).as_ref()?;
            let at = *next;
            next = next.add(1);
            Some((at, module))
        }
    });
    all.filter(|(_, module)| module.type_ == NGX_HTTP_MODULE as usize && !module.name.is_null())
        // SAFETY: names are C strings, and live as long as their modules.
        .map(|(at, module)| (at, unsafe { CStr::from_ptr(module.name.cast()) }))
}

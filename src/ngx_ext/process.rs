//! What kind of process this is, and what it has loaded.

use nginx_sys::{
    NGX_PROCESS_SINGLE, NGX_PROCESS_WORKER, ngx_core_conf_t, ngx_core_module, ngx_cycle,
    ngx_cycle_t, ngx_exiting, ngx_inherited, ngx_pid, ngx_process, ngx_process_slot, ngx_quit,
    ngx_terminate, ngx_test_config,
};

use super::modules;

/// `nginx -t`: the configuration is read, nothing is served.
pub fn is_test() -> bool {
    // SAFETY: set before any module is called.
    unsafe { ngx_test_config != 0 }
}

/// A process that serves requests; not the master, nor a helper of the cache.
pub fn is_worker() -> bool {
    // SAFETY: set before any module's process hook is called.
    let process = unsafe { ngx_process } as u32;
    process == NGX_PROCESS_WORKER || process == NGX_PROCESS_SINGLE
}

/// The master was started by another one, on its listening sockets.
pub fn has_inherited_sockets() -> bool {
    // SAFETY: set when the process starts.
    unsafe { ngx_inherited != 0 }
}

/// While a configuration is being taken up: another one is or was in force, in this master or in that
/// which started it.
pub fn has_predecessor() -> bool {
    // SAFETY: until a configuration is taken up, `ngx_cycle` is the one before, or one without any.
    has_inherited_sockets() || unsafe { !(*ngx_cycle).conf_ctx.is_null() }
}

/// Lets this worker finish its requests and exit, as if its master had said so.
pub fn finish() {
    // SAFETY: what nginx's handler of QUIT sets; the worker looks at it in its next turn.
    unsafe { ngx_quit = 1 }
}

/// A worker that is to finish its requests and exit.
pub fn is_exiting() -> bool {
    // SAFETY: a number that this thread sets.
    unsafe { ngx_exiting != 0 }
}

/// A process that is to exit, at once or when its requests are finished: it keeps no connection.
pub fn is_going() -> bool {
    // SAFETY: numbers that this thread and its signal handlers set.
    unsafe { ngx_exiting != 0 || ngx_quit != 0 || ngx_terminate != 0 }
}

/// `worker_shutdown_timeout` of a cycle in milliseconds; `None`: there is none.
///
/// # Safety
///
/// `cycle` is one whose configuration was read.
pub unsafe fn shutdown_timeout(cycle: *const ngx_cycle_t) -> Option<u64> {
    // SAFETY: the caller's promise.
    let timeout = unsafe { (*core_conf(cycle)).shutdown_timeout };
    Some(timeout as u64).filter(|&timeout| timeout > 0)
}

/// # Safety
///
/// `cycle` is one whose configuration was read.
unsafe fn core_conf(cycle: *const ngx_cycle_t) -> *const ngx_core_conf_t {
    // SAFETY: the core module always has a configuration.
    unsafe { (*(*cycle).conf_ctx.add(ngx_core_module.index)).cast::<ngx_core_conf_t>() }
}

pub fn pid() -> u32 {
    // SAFETY: set when the process starts.
    unsafe { ngx_pid as u32 }
}

/// nginx's number for this process (STAT-58).
pub fn slot() -> u32 {
    // SAFETY: set when the process starts.
    u32::try_from(unsafe { ngx_process_slot }).unwrap_or(0)
}

/// `worker_processes` of a cycle.
///
/// # Safety
///
/// `cycle` is one whose configuration was read.
pub unsafe fn worker_processes(cycle: *const ngx_cycle_t) -> usize {
    // SAFETY: the caller's promise.
    usize::try_from(unsafe { (*core_conf(cycle)).worker_processes }).unwrap_or(1)
}

/// Names of the HTTP modules of a cycle, dynamic ones included.
///
/// # Safety
///
/// `cycle` is live; the names live as long as it.
pub unsafe fn http_modules<'a>(cycle: *const ngx_cycle_t) -> Vec<&'a str> {
    // SAFETY: the caller vouches for the cycle, whose modules live as long.
    let names = unsafe { modules::all(cycle) }.map(|(_, name)| name.to_str());
    names.filter_map(Result::ok).collect()
}

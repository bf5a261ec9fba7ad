//! What module configuration needs from nginx's `ngx_conf_t`.

use std::ffi::c_void;
use std::fmt;

use nginx_sys::{
    ngx_conf_full_name, ngx_conf_log_error, ngx_conf_t, ngx_pool_cleanup_add, ngx_pool_t,
    ngx_str_t, ngx_uint_t,
};
use ngx::core::Status;

use super::log::{self, Level};

/// The words of the directive being read, its name first.
///
/// # Safety
/// `cf` must be valid and inside a directive's handler; the words live as long as its pool.
pub unsafe fn words<'a>(cf: *const ngx_conf_t) -> &'a [ngx_str_t] {
    // SAFETY: nginx keeps the words in an array of strings while the handler runs.
    unsafe { (*(*cf).args).as_slice::<ngx_str_t>() }
}

/// The file and line being read; `None` outside files (for example `-g`).
///
/// # Safety
/// `cf` must be valid.
pub unsafe fn place(cf: *const ngx_conf_t) -> Option<(String, usize)> {
    // SAFETY: `conf_file` is null or describes the file being read.
    unsafe {
        let file = (*cf).conf_file.as_ref()?;
        let name = String::from_utf8_lossy(file.file.name.as_bytes()).into_owned();
        Some((name, file.line))
    }
}

/// Logs one line that ends in the file and line being read.
///
/// # Safety
/// `cf` must be valid.
pub unsafe fn log(level: Level, cf: *mut ngx_conf_t, line: fmt::Arguments<'_>) {
    let line = one_line(line);
    // SAFETY: `%*s` takes a length and a pointer, both of the string that outlives the call.
    unsafe {
        let format = c"%*s".as_ptr();
        ngx_conf_log_error(level as ngx_uint_t, cf, 0, format, line.len(), line.as_ptr());
    }
}

/// Logs one line of the module's, with its name, that ends in a place other than the one being read.
///
/// # Safety
/// `cf` must be valid.
pub unsafe fn log_at(
    level: Level,
    cf: *mut ngx_conf_t,
    place: &impl fmt::Display,
    line: fmt::Arguments<'_>,
) {
    let line = one_line(format_args!("{}{line}", log::PREFIX));
    // SAFETY: the log of a configuration is valid while it is read.
    unsafe { log::write_verbatim(level, (*cf).log, format_args!("{line} in {place}")) }
}

/// Values of a configuration may be long and hold line breaks; a line of the log may not, and has
/// to keep room for the place. What is allowed stands behind the value, so the middle is left out.
fn one_line(line: fmt::Arguments<'_>) -> String {
    const HEAD: usize = 500;
    const TAIL: usize = 400;
    let mut shown = String::new();
    for character in line.to_string().chars() {
        match character.is_control() {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    if shown.len() > HEAD + TAIL {
        let boundary = |at| (at..).find(|at| shown.is_char_boundary(*at)).unwrap_or(at);
        let (head, tail) = (boundary(HEAD), boundary(shown.len() - TAIL));
        shown.replace_range(head..tail, "...");
    }
    shown
}

/// `path` as nginx resolves it: relative paths start at nginx's prefix. `None`: out of memory.
///
/// # Safety
/// `cf` must be valid, `path` one of its words.
pub unsafe fn full_path<'a>(cf: *mut ngx_conf_t, path: ngx_str_t) -> Option<&'a [u8]> {
    let mut path = path;
    // SAFETY: nginx replaces the string by one that lives in the cycle's pool, or leaves it.
    unsafe {
        if !Status(ngx_conf_full_name((*cf).cycle, &mut path, 0)).is_ok() {
            return None;
        }
        Some(std::slice::from_raw_parts(path.data, path.len))
    }
}

/// Moves `value` to the heap and ties its life to `pool`; null when memory ran out.
///
/// # Safety
/// `pool` must be valid, and nobody may use the value once the pool is destroyed.
pub unsafe fn place_in_pool<T>(pool: *mut ngx_pool_t, value: T) -> *mut T {
    unsafe extern "C" fn drop_value<T>(data: *mut c_void) {
        // SAFETY: `data` is the box leaked below, and nginx runs a cleanup once.
        let value = unsafe { Box::from_raw(data.cast::<T>()) };
        // SAFETY: the log of the running cycle outlives the call.
        unsafe {
            super::guard::guard(super::log::cycle_log(), "a pool cleanup", (), || drop(value));
        }
    }

    // SAFETY: the caller vouches for `pool`; the cleanup gets a pointer it may own.
    unsafe {
        let cleanup = ngx_pool_cleanup_add(pool, 0);
        if cleanup.is_null() {
            return std::ptr::null_mut();
        }
        let value = Box::into_raw(Box::new(value));
        (*cleanup).data = value.cast();
        (*cleanup).handler = Some(drop_value::<T>);
        value
    }
}

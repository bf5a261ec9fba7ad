//! The module's record and the hooks nginx calls with it.

use nginx_sys::{
    NGX_HTTP_MODULE, ngx_conf_t, ngx_cycle_t, ngx_http_module_t, ngx_int_t, ngx_module_t,
};
use ngx::core::Status;

use crate::ngx_ext::guard::{guard, guard_or};
use crate::ngx_ext::log::cycle_log;
use crate::{conf, http, worker};

static CONTEXT: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: Some(preconfiguration),
    postconfiguration: Some(conf::postconfiguration),
    create_main_conf: Some(conf::create_main_conf),
    init_main_conf: Some(conf::init_main_conf),
    create_srv_conf: None,
    merge_srv_conf: None,
    create_loc_conf: Some(conf::create_loc_conf),
    merge_loc_conf: Some(conf::merge_loc_conf),
};

/// The module, as `load_module` looks for it.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static mut ngx_http_push_stream_module: ngx_module_t = ngx_module_t {
    ctx: (&raw const CONTEXT).cast_mut().cast(),
    commands: conf::commands(),
    type_: NGX_HTTP_MODULE as usize,
    init_module: Some(init_module),
    init_process: Some(init_process),
    exit_process: Some(exit_process),
    ..ngx_module_t::default()
};

ngx::ngx_modules!(ngx_http_push_stream_module);

unsafe extern "C" fn preconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: nginx calls with the configuration it is about to read.
    unsafe {
        guard((*cf).log, "preconfiguration", Status::NGX_ERROR.0, || {
            conf::install_content_handler(http::content_handler);
            Status::NGX_OK.0
        })
    }
}

unsafe extern "C" fn init_module(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    // SAFETY: nginx calls with the cycle it is starting. A failure here would end the master, so none
    // is reported.
    unsafe {
        guard((*cycle).log, "init_module", (), || {
            conf::notice_if_unused(cycle);
            worker::init_module(cycle);
        });
    }
    Status::NGX_OK.0
}

unsafe extern "C" fn init_process(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    // SAFETY: nginx calls with the cycle that this process serves.
    unsafe {
        guard_or(
            (*cycle).log,
            "init_process",
            || worker::wait_for_place(cycle, &worker::HANDLERS),
            || worker::init_process(cycle, &worker::HANDLERS),
        );
    }
    Status::NGX_OK.0
}

unsafe extern "C" fn exit_process(_cycle: *mut ngx_cycle_t) {
    // SAFETY: the log of the running cycle.
    unsafe { guard(cycle_log(), "exit_process", (), worker::exit_process) };
}

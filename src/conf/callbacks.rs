//! What nginx calls around the directives: creating, merging and checking configurations.

use std::ffi::{c_char, c_void};
use std::ptr;

use nginx_sys::{ngx_conf_t, ngx_int_t};
use ngx::core::{NGX_CONF_ERROR, NGX_CONF_OK, Status};

use super::content_handler::{core_loc_conf, serve};
use super::error::CheckError;
use super::location::Location;
use super::main::Main;
use super::padding::Padding;
use super::role::Role;
use super::settings::MainSettings;
use super::shared_zone::SharedZone;
use super::source_location::{SourceLocation, SourceLocations};
use super::state::{LocationConf, MainConf, main_conf_being_read};
use super::templates::TemplateTable;
use crate::ngx_ext::conf::{log_at, place_in_pool};
use crate::ngx_ext::filters;
use crate::ngx_ext::guard::guard;
use crate::ngx_ext::log::Level;
use crate::ngx_ext::regex::Regex;
use crate::ngx_ext::request::OutOfMemory;

/// Filters of nginx that want a whole document before they let go of its first byte, or take what it says
/// for commands of the server's.
const FOR_DOCUMENTS: [&str; 3] =
    ["ngx_http_ssi_filter_module", "ngx_http_image_filter_module", "ngx_http_xslt_filter_module"];

/// An empty `http` level.
///
/// # Safety
/// For nginx to call while it reads the configuration.
pub unsafe extern "C" fn create_main_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    // SAFETY: nginx calls with the configuration being read.
    unsafe {
        guard((*cf).log, "create_main_conf", ptr::null_mut(), || {
            let conf = MainConf {
                settings: MainSettings::default(),
                places: SourceLocations::default(),
                first_role: None,
                zone: SharedZone::default(),
                templates: TemplateTable::default(),
                main: None,
                subscribers: Vec::new(),
            };
            place_in_pool((*cf).pool, conf).cast()
        })
    }
}

/// An empty level that can hold location settings.
///
/// # Safety
/// For nginx to call while it reads the configuration.
pub unsafe extern "C" fn create_loc_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    // SAFETY: nginx calls with the configuration being read.
    unsafe {
        guard((*cf).log, "create_loc_conf", ptr::null_mut(), || {
            place_in_pool((*cf).pool, LocationConf::default()).cast()
        })
    }
}

/// The whole `http` block was read: the main settings take effect if the module is used
/// (DIR-56, DIR-65..72).
///
/// # Safety
/// For nginx to call with what [`create_main_conf`] returned.
pub unsafe extern "C" fn init_main_conf(cf: *mut ngx_conf_t, conf: *mut c_void) -> *mut c_char {
    // SAFETY: `conf` comes from `create_main_conf`, and nothing else refers to it now.
    unsafe {
        guard((*cf).log, "init_main_conf", NGX_CONF_ERROR, || {
            let conf = &mut *conf.cast::<MainConf>();
            let Some(first_role) = &conf.first_role else { return NGX_CONF_OK };
            if !conf.zone.is_set() {
                return refuse(cf, CheckError::ZoneMissing, &conf.places, first_role);
            }
            match Main::resolve(&conf.settings) {
                Ok(main) => conf.main = Some(main),
                Err(error) => return refuse(cf, error, &conf.places, first_role),
            }
            NGX_CONF_OK
        })
    }
}

/// One level takes over what the outer one sets, then its role, if any, takes effect. Only levels
/// that serve requests of this module are checked: those with a role directive of their own and
/// the nameless ones inside them, `if` and `limit_except` (DIR-58, DIR-60, DIR-75).
///
/// # Safety
/// For nginx to call with what [`create_loc_conf`] returned, twice.
pub unsafe extern "C" fn merge_loc_conf(
    cf: *mut ngx_conf_t,
    outer: *mut c_void,
    conf: *mut c_void,
) -> *mut c_char {
    // SAFETY: both come from `create_loc_conf` and differ; the main configuration is a third.
    unsafe {
        guard((*cf).log, "merge_loc_conf", NGX_CONF_ERROR, || {
            let outer = &*outer.cast::<LocationConf>();
            let conf = &mut *conf.cast::<LocationConf>();
            conf.settings.inherit(&outer.settings);
            conf.places.inherit(&outer.places);

            let core = core_loc_conf(cf);
            if conf.role.is_none() && (*core).noname() != 0 {
                conf.role.clone_from(&outer.role);
                // An `if` keeps the handler of its location; `limit_except` has to be given it.
                if conf.role.is_some() && (*core).lmt_excpt() != 0 && (*core).handler.is_none() {
                    serve(cf);
                }
            }

            let Some((role, place)) = &conf.role else { return NGX_CONF_OK };
            let Some(mut main_conf) = main_conf_being_read(cf) else { return NGX_CONF_ERROR };
            let main_conf = main_conf.as_mut();
            let Some(main) = &mut main_conf.main else { return NGX_CONF_ERROR };
            let mut compile = |source: &[u8]| Regex::compile(cf, source);
            let templates = &mut main_conf.templates;
            match Location::resolve(*role, &conf.settings, main, templates, &mut compile) {
                Ok(location) => {
                    announce(cf, &location.padding, &conf.places, place);
                    if let Role::Subscriber(_) = role {
                        main_conf.subscribers.push(filters::LocationLevel::at_hand(cf));
                    }
                    main.largest_padding = main.largest_padding.max(location.padding.largest());
                    conf.location = Some(location);
                }
                Err(error) => return refuse(cf, error, &conf.places, place),
            }
            NGX_CONF_OK
        })
    }
}

/// All levels are merged: subscriber locations are without the filters that are for whole documents
/// (SUB-65).
///
/// # Safety
/// For nginx to call when it has read the `http` block.
pub unsafe extern "C" fn postconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: nginx calls with the configuration it has read and not taken up.
    unsafe {
        guard((*cf).log, "postconfiguration", Status::NGX_ERROR.0, || {
            let Some(main_conf) = main_conf_being_read(cf) else { return Status::NGX_OK.0 };
            let subscribers = &main_conf.as_ref().subscribers;
            for module in FOR_DOCUMENTS {
                if let Err(OutOfMemory) = filters::unset(cf, module, subscribers) {
                    return Status::NGX_ERROR.0;
                }
            }
            Status::NGX_OK.0
        })
    }
}

/// Logs the failed check at the directive to blame, or at the role that asks for it.
///
/// # Safety
/// `cf` must be the configuration being read.
unsafe fn refuse(
    cf: *mut ngx_conf_t,
    error: CheckError,
    places: &SourceLocations,
    role: &SourceLocation,
) -> *mut c_char {
    let place = error.directive().and_then(|name| places.get(name)).unwrap_or(role);
    // SAFETY: the caller vouches for `cf`.
    unsafe {
        log_at(Level::Emerg, cf, place, format_args!("{error}"));
        if let Some(consequence) = error.consequence() {
            log_at(Level::Emerg, cf, place, format_args!("{consequence}"));
        }
    }
    NGX_CONF_ERROR
}

/// Logs each group of padding that applies here (DIR-155).
///
/// # Safety
/// `cf` must be the configuration being read.
unsafe fn announce(
    cf: *mut ngx_conf_t,
    padding: &Padding,
    places: &SourceLocations,
    role: &SourceLocation,
) {
    let place = places.get("push_stream_padding_by_user_agent").unwrap_or(role);
    for line in padding.announcements() {
        // SAFETY: the caller vouches for `cf`.
        unsafe { log_at(Level::Info, cf, place, format_args!("{line}")) };
    }
}

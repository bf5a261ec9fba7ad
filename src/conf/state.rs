//! The configuration as it is read and as it is in force, and how it is found from where a callback stands.

use std::ptr::NonNull;

use nginx_sys::{
    ngx_conf_t, ngx_cycle_t, ngx_http_conf_ctx_t, ngx_http_module, ngx_http_request_t,
};

use super::location::Location;
use super::main::Main;
use super::module_record::ctx_index;
use super::role::Role;
use super::settings::{LocationSettings, MainSettings};
use super::shared_zone::SharedZone;
use super::source_location::{SourceLocation, SourceLocations};
use super::templates::TemplateTable;
use crate::ngx_ext::filters::LocationLevel;
use crate::ngx_ext::log::{self, Level};
use crate::store::Zone;

/// The `http` level: as written, and what follows from it.
pub struct MainConf {
    pub(super) settings: MainSettings,
    pub(super) places: SourceLocations,
    /// Where the first role directive stands; the module is used if there is one (DIR-56).
    pub(super) first_role: Option<SourceLocation>,
    pub(super) zone: SharedZone,
    pub(super) templates: TemplateTable,
    /// Set once the configuration was checked, if the module is used.
    pub(super) main: Option<Main>,
    /// Where subscribers are served.
    pub(super) subscribers: Vec<LocationLevel>,
}

impl MainConf {
    /// The settings in force; `None` when no location has a role (DIR-56).
    pub fn main(&self) -> Option<&Main> {
        self.main.as_ref()
    }

    /// The zone; `None` until nginx has set it up, and when the module is not used.
    pub fn zone(&self) -> Option<Zone> {
        self.zone.ready()
    }

    pub(super) fn is_used(&self) -> bool {
        self.first_role.is_some()
    }
}

/// One `server`, `location`, `if` or `limit_except` level: as written, and what follows from it.
#[derive(Default)]
pub(super) struct LocationConf {
    pub settings: LocationSettings,
    pub places: SourceLocations,
    pub role: Option<(Role, SourceLocation)>,
    pub location: Option<Location>,
}

/// The settings of the location that serves this request; `None` if it has no role.
///
/// # Safety
/// `r` must be a live request. The settings live as long as the cycle it was accepted in.
pub unsafe fn location_conf<'a>(r: *const ngx_http_request_t) -> Option<&'a Location> {
    // SAFETY: `create_loc_conf` made the entry; nothing writes to it once requests are served.
    unsafe {
        let conf = *(*r).loc_conf.add(ctx_index());
        conf.cast::<LocationConf>().as_ref()?.location.as_ref()
    }
}

/// The `http` level of the configuration that serves this request.
///
/// # Safety
/// `r` must be a live request. The configuration lives as long as the cycle it was accepted in.
pub unsafe fn main_conf<'a>(r: *const ngx_http_request_t) -> Option<&'a MainConf> {
    // SAFETY: `create_main_conf` made the entry; nothing writes to it once requests are served.
    unsafe { (*(*r).main_conf.add(ctx_index())).cast::<MainConf>().as_ref() }
}

/// The `http` level of a cycle; `None` without an `http` block.
///
/// # Safety
/// `cycle` must be a live cycle whose configuration was read.
pub unsafe fn main_conf_of_cycle<'a>(cycle: *const ngx_cycle_t) -> Option<&'a MainConf> {
    // SAFETY: the http module's entry is null or its context, which holds one entry a module.
    unsafe {
        let http = *(*cycle).conf_ctx.add(ngx_http_module.index);
        let ctx = http.cast::<ngx_http_conf_ctx_t>().as_ref()?;
        (*ctx.main_conf.add(ctx_index())).cast::<MainConf>().as_ref()
    }
}

/// The `http` level being read.
///
/// # Safety
/// `cf` must stand inside the `http` block.
pub(super) unsafe fn main_conf_being_read(cf: *const ngx_conf_t) -> Option<NonNull<MainConf>> {
    // SAFETY: inside `http`, `ctx` is the http context and our main configuration exists.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>().as_ref()?;
        NonNull::new((*ctx.main_conf.add(ctx_index())).cast())
    }
}

/// Says at start that the module is loaded but not used (DIR-57).
///
/// # Safety
/// `cycle` must be the cycle that is being started.
pub unsafe fn notice_if_unused(cycle: *const ngx_cycle_t) {
    // SAFETY: the caller vouches for the cycle.
    unsafe {
        if !main_conf_of_cycle(cycle).is_some_and(MainConf::is_used) {
            log::write_verbatim(
                Level::Notice,
                (*cycle).log,
                format_args!(
                    "ngx_http_push_stream_module will not be used with this configuration."
                ),
            );
        }
    }
}

//! `push_stream_shared_memory_size`: the memory all workers share (DIR-89..100, LIFE-1..5, 97).

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_conf_t, ngx_cycle_t, ngx_int_t, ngx_log_t, ngx_pagesize, ngx_shared_memory_add,
    ngx_shm_zone_t, ngx_slab_alloc, ngx_slab_pool_t, ngx_str_t,
};
use ngx::core::Status;

use super::error::{DirectiveError, DirectiveFailure};
use super::module_record::module;
use super::value;
use crate::ngx_ext::conf;
use crate::ngx_ext::guard::guard;
use crate::ngx_ext::log::{self, Level};
use crate::ngx_ext::process;
use crate::ngx_ext::str::constant;
use crate::store::Zone;

const NAME: &str = "push_stream_shared_memory_size";
const DEFAULT_ZONE: &str = "push_stream_module";
const MIN_PAGES: usize = 32;

/// The zone of a configuration, which nginx refers to by its address.
#[derive(Default)]
pub(super) struct SharedZone(Cell<State>);

/// The zone's life: a half-made one cannot be used by mistake.
#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Unset,
    /// Asked of nginx, which makes it when the whole configuration was read.
    Requested,
    Ready(Zone),
}

impl SharedZone {
    /// Whether the directive was read.
    pub fn is_set(&self) -> bool {
        !matches!(self.0.get(), State::Unset)
    }

    /// The zone; `None` until nginx has set it up.
    pub fn ready(&self) -> Option<Zone> {
        match self.0.get() {
            State::Ready(zone) => Some(zone),
            _ => None,
        }
    }
}

/// Asks nginx for the zone that the directive describes.
///
/// # Safety
/// `cf` must be reading the directive, and the words its own; `shared` lives as long as the cycle.
pub(super) unsafe fn request(
    cf: *mut ngx_conf_t,
    shared: &SharedZone,
    size_word: ngx_str_t,
    name_word: Option<ngx_str_t>,
) -> Result<(), DirectiveFailure> {
    // SAFETY: the caller vouches for `cf`; nginx returns null or a zone it keeps with the cycle.
    unsafe {
        let mut name = name_word.unwrap_or(constant(DEFAULT_ZONE));
        let size = rounded_size(size_word.as_bytes(), ngx_pagesize)?;
        let size = match old_size((*cf).cycle, &name) {
            Some(old) if old != size => {
                let shown = String::from_utf8_lossy(name.as_bytes());
                conf::log(
                    Level::Warn,
                    cf,
                    format_args!(
                        "Cannot change memory area size without restart, ignoring change on zone: \
                         {shown}"
                    ),
                );
                old
            }
            _ => size,
        };

        let zone = ngx_shared_memory_add(cf, &mut name, size, module().cast());
        let zone = zone.as_mut().ok_or(DirectiveFailure::Reported)?;
        zone.init = Some(init_zone);
        zone.data = ptr::from_ref(shared).cast_mut().cast();

        conf::log(
            Level::Info,
            cf,
            format_args!(
                "Using {}KiB of shared memory for push stream module on zone: {}",
                size / 1024,
                String::from_utf8_lossy(name.as_bytes())
            ),
        );
        shared.0.set(State::Requested);
        Ok(())
    }
}

/// The size in whole pages, at least the minimum (DIR-89, DIR-90).
fn rounded_size(word: &[u8], page: usize) -> Result<usize, DirectiveError> {
    let refused = |expected| DirectiveError::value(NAME, word, expected);
    let size = value::size(word).map_err(refused)?;
    let size = size
        .checked_next_multiple_of(page)
        .filter(|size| isize::try_from(*size).is_ok())
        .ok_or_else(|| refused(value::ValueError::Size))?;
    if size < MIN_PAGES * page {
        return Err(DirectiveError::ZoneTooSmall {
            minimum_kib: MIN_PAGES * page / 1024,
            value: String::from_utf8_lossy(word).into_owned(),
        });
    }
    Ok(size)
}

/// The size of the zone of this name that the running cycle uses, if it is ours (LIFE-97).
///
/// # Safety
/// `cycle` must be the cycle being configured.
unsafe fn old_size(cycle: *const ngx_cycle_t, name: &ngx_str_t) -> Option<usize> {
    // SAFETY: the old cycle and its list of zones stay until the new one is complete.
    unsafe {
        let old = (*cycle).old_cycle.as_ref()?;
        let mut part = &raw const old.shared_memory.part;
        while let Some(zones) = part.as_ref() {
            for i in 0..zones.nelts {
                let zone = &*zones.elts.cast::<ngx_shm_zone_t>().add(i);
                if zone.tag == module().cast() && zone.shm.name.as_bytes() == name.as_bytes() {
                    return Some(zone.shm.size);
                }
            }
            part = zones.next;
        }
        None
    }
}

/// nginx has mapped the zone, or found that the old one can stay.
unsafe extern "C" fn init_zone(shm_zone: *mut ngx_shm_zone_t, old: *mut c_void) -> ngx_int_t {
    // SAFETY: nginx hands over the zone that `request` prepared; `data` is what it was given.
    unsafe {
        let log = (*shm_zone).shm.log;
        guard(log, "init_zone", Status::NGX_ERROR.0, || {
            let shared = &*(*shm_zone).data.cast::<SharedZone>();
            let pool = (*shm_zone).shm.addr.cast::<ngx_slab_pool_t>();
            let reused = !old.is_null() || (*shm_zone).shm.exists != 0;
            let zone = if reused { attach(pool) } else { create(pool) };
            match zone {
                Ok(zone) => {
                    shared.0.set(State::Ready(zone));
                    Status::NGX_OK.0
                }
                Err(reason) => {
                    refuse(log, &(*shm_zone).shm.name, &reason);
                    Status::NGX_ERROR.0
                }
            }
        })
    }
}

/// Takes everything the slab has in one allocation, never to call the slab again: its lists do
/// not survive a process killed inside it. The address goes where every later cycle finds it.
///
/// # Safety
/// `pool` must be a slab pool fresh from nginx.
unsafe fn create(pool: *mut ngx_slab_pool_t) -> Result<Zone, String> {
    // SAFETY: the caller vouches for the pool; the memory is as long as the slab says, aligned to
    // a page, and ours alone.
    unsafe {
        let len = area_len(pool);
        let area = NonNull::new(ngx_slab_alloc(pool, len).cast::<u8>())
            .ok_or("its memory cannot be taken in one piece")?;
        let now = nginx_sys::ngx_time().max(0) as u64;
        let zone = Zone::create(area, len, now).map_err(|error| error.to_string())?;
        if process::has_predecessor() {
            zone.come_after_another(now);
        }
        (*pool).data = area.as_ptr().cast();
        Ok(zone)
    }
}

/// The zone that an earlier cycle made. One that does not fit is never made anew in place: old
/// workers still use it.
///
/// # Safety
/// `pool` must be the slab pool at the start of a zone that exists.
unsafe fn attach(pool: *mut ngx_slab_pool_t) -> Result<Zone, String> {
    // SAFETY: `create` left address and length in the slab pool.
    unsafe {
        let area = NonNull::new((*pool).data.cast::<u8>()).ok_or("it was never set up")?;
        Zone::attach(area, area_len(pool)).map_err(|error| error.to_string())
    }
}

/// All pages of the slab, whether taken or not.
///
/// # Safety
/// `pool` must be an initialised slab pool.
unsafe fn area_len(pool: *const ngx_slab_pool_t) -> usize {
    // SAFETY: `pages` and `last` delimit the page table, `last` never before `pages`.
    unsafe { (*pool).last.offset_from((*pool).pages) as usize * ngx_pagesize }
}

/// # Safety
/// `log` must be valid.
unsafe fn refuse(log: *mut ngx_log_t, name: &ngx_str_t, reason: &str) {
    let name = String::from_utf8_lossy(name.as_bytes());
    // SAFETY: the caller vouches for `log`.
    unsafe {
        log::write(
            Level::Emerg,
            log,
            format_args!(
                "the shared memory zone \"{name}\" cannot be used: {reason}; \
                 a zone of another size or module version needs a restart"
            ),
        );
    }
}

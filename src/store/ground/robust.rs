//! A mutex in the zone that survives its owner.
//!
//! `PTHREAD_PROCESS_SHARED | PTHREAD_MUTEX_ROBUST`: when the process that holds it dies, the kernel
//! marks it and the next one to lock it is told so. Two uses: the zone's lock, and one mutex per
//! worker slot that a worker holds for its whole life, which is how the others know, without pids
//! that may be reused, whether it still lives.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use std::sync::OnceLock;

use rustix::time::{ClockId, clock_gettime};

/// Longest sleep of a process that waits for a mutex, in nanoseconds. Thousands of times a transaction.
const MAX_WAIT_NS: libc::c_long = 10_000_000;

/// The mutex itself. Its bytes belong to the C library.
#[repr(C)]
pub struct RobustMutex(UnsafeCell<libc::pthread_mutex_t>);

/// How a mutex was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acquired {
    /// Nobody held it.
    Clean,
    /// Its owner died holding it. It is ours and usable again.
    OwnerDied,
}

impl RobustMutex {
    /// Makes the mutex. For zone creation, before anyone else sees it.
    pub fn init(&self) -> Result<(), i32> {
        let mut attr = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        // SAFETY: `attr` is initialised before any other use and destroyed at the end; the mutex is
        // zeroed memory that nobody uses yet.
        unsafe {
            check(libc::pthread_mutexattr_init(attr.as_mut_ptr()))?;
            check(libc::pthread_mutexattr_setpshared(
                attr.as_mut_ptr(),
                libc::PTHREAD_PROCESS_SHARED,
            ))?;
            check(libc::pthread_mutexattr_setrobust(
                attr.as_mut_ptr(),
                libc::PTHREAD_MUTEX_ROBUST,
            ))?;
            check(libc::pthread_mutex_init(self.0.get(), attr.as_ptr()))?;
            check(libc::pthread_mutexattr_destroy(attr.as_mut_ptr()))
        }
    }

    /// Waits for the mutex. An error is one of the caller's own making (not a mutex).
    ///
    /// The C library's wait can be missed for ever: a waiter that was woken is killed before it takes the
    /// mutex, another process takes and releases it meanwhile without knowing of waiters, and those that
    /// still sleep are never woken although it is free. So nobody sleeps longer than a nap at a time.
    pub fn lock(&self) -> Result<Acquired, i32> {
        loop {
            if let Some(got) = self.try_lock()? {
                return Ok(got);
            }
            let code = self.lock_for_a_nap();
            if code == libc::ETIMEDOUT {
                continue;
            }
            if let Some(got) = self.acquired(code)? {
                return Ok(got);
            }
        }
    }

    /// By the clock that nobody sets, if the C library can: were the other set back, the nap would be as long
    /// as that.
    fn lock_for_a_nap(&self) -> libc::c_int {
        let timed_lock = clock_lock();
        let clock = timed_lock.map_or(ClockId::Realtime, |_| ClockId::Monotonic);
        let until = after_nap(clock);
        // SAFETY: an initialised mutex in memory that stays mapped, and a valid time.
        unsafe {
            match timed_lock {
                Some(timed_lock) => {
                    timed_lock(self.0.get(), clock as libc::clockid_t, &raw const until)
                }
                None => libc::pthread_mutex_timedlock(self.0.get(), &raw const until),
            }
        }
    }

    /// Takes the mutex if nobody alive holds it; `None` if somebody does.
    pub fn try_lock(&self) -> Result<Option<Acquired>, i32> {
        // SAFETY: an initialised mutex in memory that stays mapped.
        self.acquired(unsafe { libc::pthread_mutex_trylock(self.0.get()) })
    }

    /// Gives the mutex back; only by the thread that took it.
    pub fn unlock(&self) {
        // SAFETY: an initialised mutex that this thread holds; otherwise it answers EPERM.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }

    /// Thread id of the holder, if there is one at this moment.
    #[cfg(any(test, feature = "oracle"))]
    pub fn holder(&self) -> Option<u32> {
        // The kernel reads the owner of a robust mutex in this word, so every C library has it; the
        // upper two bits say whether somebody waits and whether the owner died.
        use core::sync::atomic::{AtomicU32, Ordering};
        const WORD: usize = if cfg!(target_env = "musl") { 1 } else { 0 };
        const THREAD: u32 = 0x3fff_ffff;
        // SAFETY: inside the mutex, aligned, and only ever accessed atomically.
        let word = unsafe { &*self.0.get().cast::<AtomicU32>().add(WORD) };
        // Relaxed: the answer is of a moment, for reports; who wants to change something takes the mutex.
        let holder = word.load(Ordering::Relaxed) & THREAD;
        (holder != 0).then_some(holder)
    }

    fn acquired(&self, code: i32) -> Result<Option<Acquired>, i32> {
        match code {
            0 => Ok(Some(Acquired::Clean)),
            libc::EBUSY => Ok(None),
            libc::EOWNERDEAD => {
                // SAFETY: we hold the mutex, and it is in the inconsistent state.
                check(unsafe { libc::pthread_mutex_consistent(self.0.get()) })?;
                Ok(Some(Acquired::OwnerDied))
            }
            code => Err(code),
        }
    }
}

/// A mutex that is given back when this is dropped, in whatever way.
pub struct Held<'m>(&'m RobustMutex);

impl<'m> Held<'m> {
    /// As [`RobustMutex::try_lock`], where an error counts as somebody else's.
    pub fn try_lock(mutex: &'m RobustMutex) -> Option<Self> {
        matches!(mutex.try_lock(), Ok(Some(_))).then(|| Held(mutex))
    }

    /// It stays taken for as long as this thread lives.
    pub fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

fn check(code: i32) -> Result<(), i32> {
    if code == 0 { Ok(()) } else { Err(code) }
}

type ClockLock = unsafe extern "C" fn(
    *mut libc::pthread_mutex_t,
    libc::clockid_t,
    *const libc::timespec,
) -> libc::c_int;

/// `pthread_mutex_clocklock` is in glibc since 2.30, and not in musl: looked for when first needed, so that
/// the module loads without.
fn clock_lock() -> Option<ClockLock> {
    static FOUND: OnceLock<Option<ClockLock>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: a name that ends with a NUL; if there is such a function, this is its type.
        unsafe {
            let found = libc::dlsym(libc::RTLD_DEFAULT, c"pthread_mutex_clocklock".as_ptr());
            core::mem::transmute::<*mut libc::c_void, Option<ClockLock>>(found)
        }
    })
}

fn after_nap(clock: ClockId) -> libc::timespec {
    let now = clock_gettime(clock);
    let mut until = libc::timespec {
        tv_sec: now.tv_sec as libc::time_t,
        tv_nsec: now.tv_nsec as libc::c_long + MAX_WAIT_NS,
    };
    if until.tv_nsec >= 1_000_000_000 {
        until.tv_nsec -= 1_000_000_000;
        until.tv_sec += 1;
    }
    until
}

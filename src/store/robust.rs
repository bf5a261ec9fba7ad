//! A mutex in the zone that survives its owner.
//!
//! `PTHREAD_PROCESS_SHARED | PTHREAD_MUTEX_ROBUST`: when the process that holds it dies, the kernel
//! marks it and the next one to lock it is told so. Two uses: the zone's lock, and one mutex per
//! worker slot that a worker holds for its whole life, which is how the others know, without pids
//! that may be reused, whether it still lives.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

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

    /// Waits for the mutex. An error is one of the caller's own making (locked twice, not a mutex).
    pub fn lock(&self) -> Result<Acquired, i32> {
        // SAFETY: an initialised mutex in memory that stays mapped.
        self.acquired(unsafe { libc::pthread_mutex_lock(self.0.get()) }).map(|got| match got {
            Some(got) => got,
            None => unreachable!("pthread_mutex_lock does not answer EBUSY"),
        })
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

fn check(code: i32) -> Result<(), i32> {
    if code == 0 { Ok(()) } else { Err(code) }
}

//! The zone as plain memory: references, cells, and nothing that knows what they mean.
//!
//! Everything two processes can touch at the same time is an atomic word, so a `&T` into the zone is
//! sound whatever the other processes do; the order of their stores is the lock's business
//! (`transaction/mod.rs`), on machines that reorder them (arm64) as well: all words of a transaction were written
//! before the lock is given back, and are read after it is taken. A reader without the lock (`has_mail`,
//! counters, settings, the clock) gets one word that stands for itself and may be a moment old; what it
//! does about it, it decides again under the lock, or at its next look. The bytes of messages and ids are
//! written before the transaction that makes them visible, and read after one that found them.
//!
//! References are offsets in units of [`UNIT`] bytes: four bytes each, and valid in every process wherever
//! the zone is mapped.

use core::cmp::Ordering as Order;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::mem::{align_of, size_of};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Granularity and alignment of every object of the zone, in bytes.
pub const UNIT: usize = 16;

/// The largest zone that 32-bit references can span, in bytes (64 GiB).
pub const MAX_LEN: usize = (u32::MAX as usize) * UNIT;

/// A type that may live in the zone.
///
/// # Safety
///
/// The type is `repr(C)`, consists of cells only (every bit pattern is valid, every access atomic),
/// has no drop glue, and its alignment divides [`UNIT`].
pub unsafe trait Object: Sized {}

/// Where an object lies in the zone. Never null.
pub struct Ref<T> {
    units: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Ref<T> {
    /// The reference with this raw value, if it is not null.
    pub fn from_raw(units: u32) -> Option<Self> {
        (units != 0).then_some(Self { units, of: PhantomData })
    }

    /// The reference to the object `offset` bytes after the start of the zone.
    pub fn from_offset(offset: usize) -> Self {
        debug_assert!(offset % UNIT == 0 && offset != 0 && offset <= MAX_LEN);
        Self { units: (offset / UNIT) as u32, of: PhantomData }
    }

    /// The value that is stored in a [`Link`].
    pub fn raw(self) -> u32 {
        self.units
    }

    /// Bytes from the start of the zone.
    pub fn offset(self) -> usize {
        self.units as usize * UNIT
    }

    /// The same place, seen as another type.
    pub fn cast<U>(self) -> Ref<U> {
        Ref { units: self.units, of: PhantomData }
    }
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Ref<T> {}
impl<T> PartialEq for Ref<T> {
    fn eq(&self, other: &Self) -> bool {
        self.units == other.units
    }
}
impl<T> Eq for Ref<T> {}
impl<T> PartialOrd for Ref<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Ref<T> {
    fn cmp(&self, other: &Self) -> Order {
        self.units.cmp(&other.units)
    }
}
impl<T> Hash for Ref<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.units.hash(state);
    }
}
impl<T> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{:#x}", self.offset())
    }
}

/// A 32-bit field. Plain stores are for objects nobody else can see yet and for fields that one
/// process owns; everything else is changed through a transaction (`Transaction::set`).
#[repr(transparent)]
pub struct Cell32(AtomicU32);

/// A 64-bit field; as [`Cell32`].
#[repr(transparent)]
pub struct Cell64(AtomicU64);

macro_rules! cell {
    ($cell:ty, $value:ty) => {
        impl $cell {
            pub fn get(&self) -> $value {
                // Relaxed: under the lock, taking that has ordered it; without, nothing else is
                // concluded from this word.
                self.0.load(Ordering::Relaxed)
            }
            pub fn store(&self, value: $value) {
                // Relaxed: giving back the lock publishes it, or the fork after a zone was made; the
                // clock's shift, stored without either, stands for itself.
                self.0.store(value, Ordering::Relaxed);
            }
            /// For counters outside any transaction. Several processes may call it.
            pub fn add(&self, n: $value) {
                // Relaxed: no count is lost, and no other word is read by it.
                self.0.fetch_add(n, Ordering::Relaxed);
            }
            /// The counterpart of `add`.
            pub fn sub(&self, n: $value) {
                // Relaxed: as `add`.
                self.0.fetch_sub(n, Ordering::Relaxed);
            }
        }
    };
}
cell!(Cell32, u32);
cell!(Cell64, u64);

/// A field that holds an optional reference.
#[repr(transparent)]
pub struct Link<T> {
    cell: Cell32,
    of: PhantomData<fn() -> T>,
}

impl<T> Link<T> {
    pub fn get(&self) -> Option<Ref<T>> {
        Ref::from_raw(self.cell.get())
    }
    pub fn store(&self, to: Option<Ref<T>>) {
        self.cell.store(raw(to));
    }
    pub fn cell(&self) -> &Cell32 {
        &self.cell
    }
}

/// What a [`Link`] holds for this reference.
pub fn raw<T>(to: Option<Ref<T>>) -> u32 {
    to.map_or(0, Ref::raw)
}

/// The mapped bytes. Copies are handles to the same memory.
#[derive(Clone, Copy)]
pub struct Memory {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is shared between processes anyway; all access to it is atomic or, for bytes,
// under the rules of `bytes`/`fill`.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// # Safety
    ///
    /// `base` is aligned to [`UNIT`], and `len` bytes from it stay mapped, readable and writable, as
    /// long as any copy of the result or anything borrowed from one is in use.
    pub unsafe fn new(base: NonNull<u8>, len: usize) -> Self {
        debug_assert!(base.as_ptr().addr() % UNIT == 0);
        Self { base, len }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// The object at `r`. Panics if it would reach beyond the zone.
    pub fn at<T: Object>(&self, r: Ref<T>) -> &T {
        self.array::<T>(r.offset(), 1).first().unwrap_or_else(|| unreachable!())
    }

    /// `n` objects side by side, `offset` bytes from the start. Panics if they reach beyond the zone.
    pub fn array<T: Object>(&self, offset: usize, n: usize) -> &[T] {
        let end = n.checked_mul(size_of::<T>()).and_then(|size| offset.checked_add(size));
        assert!(end.is_some_and(|end| end <= self.len), "zone reference out of bounds: {offset}");
        assert!(offset % align_of::<T>() == 0, "zone reference misaligned: {offset}");
        // SAFETY: in bounds and aligned (checked above), mapped (`new`), and `Object` promises that
        // any bytes are a valid `T` that is only accessed atomically.
        unsafe { core::slice::from_raw_parts(self.base.as_ptr().add(offset).cast::<T>(), n) }
    }

    /// Offset of a field that was reached through `at` or `array`.
    pub fn offset_of<T>(&self, field: &T) -> usize {
        core::ptr::from_ref(field).addr() - self.base.as_ptr().addr()
    }

    /// Bytes of a message or of a channel id.
    ///
    /// # Safety
    ///
    /// Nobody writes these bytes while the slice is in use: they were written before the object
    /// became visible and the caller holds the object (see `mod.rs`, "who keeps what alive").
    pub unsafe fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len), "bytes out of bounds");
        // SAFETY: in bounds, mapped, and not written meanwhile (the caller).
        unsafe { core::slice::from_raw_parts(self.base.as_ptr().add(offset), len) }
    }

    /// Writes bytes into an object that nobody else reads yet.
    ///
    /// # Safety
    ///
    /// The caller allocated this object and has not made it visible.
    pub unsafe fn fill(&self, offset: usize, bytes: &[u8]) {
        let end = offset.checked_add(bytes.len());
        assert!(end.is_some_and(|end| end <= self.len), "bytes out of bounds");
        // SAFETY: in bounds, mapped, exclusively the caller's.
        unsafe {
            self.base.as_ptr().add(offset).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    /// Clears `len` bytes; for the first initialisation only.
    ///
    /// # Safety
    ///
    /// Nobody else uses the zone yet.
    pub unsafe fn clear(&self, offset: usize, len: usize) {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len), "bytes out of bounds");
        // SAFETY: in bounds, mapped, exclusively the caller's.
        unsafe { self.base.as_ptr().add(offset).write_bytes(0, len) };
    }
}

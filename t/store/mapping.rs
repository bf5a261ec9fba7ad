//! Memory for zones outside nginx.

use std::ptr::NonNull;

/// Anonymous memory, shared with every process that is forked from here on. Never unmapped.
pub fn map(len: usize) -> NonNull<u8> {
    // SAFETY: a new mapping; nothing existing is touched.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(base, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
    NonNull::new(base.cast()).expect("mmap does not answer null")
}

//! Memory whose size others choose: who publishes, subscribes, or creates channels.

/// Room for so many bytes more, with some to spare for later ones.
///
/// # Panics
/// If there is no memory, which costs the request at hand. An allocation that fails elsewhere ends the
/// worker, and all its connections.
pub fn more(bytes: &mut Vec<u8>, more: usize) {
    if bytes.try_reserve(more).is_err() {
        none(more);
    }
}

/// As [`more`], and none to spare.
///
/// # Panics
/// As [`more`].
pub fn exactly(bytes: &mut Vec<u8>, more: usize) {
    if bytes.try_reserve_exact(more).is_err() {
        none(more);
    }
}

/// Nothing yet, with room for exactly so many bytes.
///
/// # Panics
/// As [`more`].
pub fn with_capacity(capacity: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    exactly(&mut bytes, capacity);
    bytes
}

#[cold]
fn none(more: usize) -> ! {
    panic!("no memory for {more} bytes");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_as_is_asked_for() {
        let mut bytes = with_capacity(1000);
        assert_eq!(bytes.capacity(), 1000);
        bytes.extend_from_slice(&[b'x'; 999]);
        more(&mut bytes, 2);
        assert!(bytes.capacity() > 1000);
        exactly(&mut bytes, 100_000);
        assert_eq!(bytes.capacity(), 100_999);
    }

    #[test]
    #[should_panic(expected = "no memory for 9223372036854775808 bytes")]
    fn more_than_there_is() {
        // No allocator is asked, which a sanitizer would report.
        more(&mut Vec::new(), 9_223_372_036_854_775_808);
    }
}

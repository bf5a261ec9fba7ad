//! The mask of a client's frame (RFC 6455 section 5.3), eight bytes at a time.

/// Masks or unmasks bytes that begin `offset` bytes into a frame's payload.
pub fn apply(key: [u8; 4], offset: u64, bytes: &mut [u8]) {
    let mut key = key;
    key.rotate_left((offset % 4) as usize);
    let word = u32::from_ne_bytes(key);
    let double = u64::from_ne_bytes([key, key].concat().try_into().expect("two keys are a word"));

    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let value = u64::from_ne_bytes((&*chunk).try_into().expect("a chunk is a word"));
        chunk.copy_from_slice(&(value ^ double).to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(word.to_ne_bytes().iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_byte_gets_its_part_of_the_key(key: [u8; 4], offset in 0u64..9, bytes: Vec<u8>) {
            let expected: Vec<u8> = bytes.iter().enumerate()
                .map(|(i, byte)| byte ^ key[(i + offset as usize) % 4]).collect();
            let mut masked = bytes;
            apply(key, offset, &mut masked);
            prop_assert_eq!(masked, expected);
        }
    }
}

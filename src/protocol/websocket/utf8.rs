//! UTF-8 checked piece by piece, since characters may be split over frames and reads (WS-82,
//! WS-GAP-12).

/// Bytes that are no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUtf8;

/// The beginning of a character whose rest has not come yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utf8 {
    begun: [u8; 3],
    len: u8,
}

impl Utf8 {
    /// Takes the next piece; wrong bytes are told as soon as they are seen.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), NotUtf8> {
        while self.len > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            piece = rest;
            let mut character = [0; 4];
            let len = usize::from(self.len);
            character[..len].copy_from_slice(&self.begun[..len]);
            character[len] = byte;
            self.check(&character[..=len])?;
        }
        self.check(piece)
    }

    /// The text is complete: no character may be left half.
    pub fn finish(self) -> Result<(), NotUtf8> {
        if self.len == 0 { Ok(()) } else { Err(NotUtf8) }
    }

    fn check(&mut self, bytes: &[u8]) -> Result<(), NotUtf8> {
        self.len = 0;
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(NotUtf8),
            Err(error) => {
                let begun = &bytes[error.valid_up_to()..];
                self.begun[..begun.len()].copy_from_slice(begun);
                self.len = begun.len() as u8;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(), NotUtf8> {
        let mut utf8 = Utf8::default();
        for piece in pieces {
            utf8.push(piece)?;
        }
        utf8.finish()
    }

    #[test]
    fn characters_split_anywhere() {
        let text = "aé€😀".as_bytes();
        assert_eq!(whole(text.chunks(1)), Ok(()));
        assert_eq!(whole(text.chunks(3)), Ok(()));
        assert_eq!(whole([&text[..text.len() - 1]]), Err(NotUtf8));
    }

    #[test]
    fn what_is_no_utf_8() {
        // WS-81
        for bytes in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"] {
            assert_eq!(whole([bytes]), Err(NotUtf8));
            assert_eq!(whole(bytes.chunks(1)), Err(NotUtf8));
        }
    }

    #[test]
    fn wrong_bytes_are_told_at_once() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.push(b"\xed"), Ok(()));
        assert_eq!(utf8.push(b"\xa0"), Err(NotUtf8));
    }

    proptest! {
        #[test]
        fn splits_do_not_matter(
            bytes in prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)],
            size in 1usize..9,
        ) {
            let expected = std::str::from_utf8(&bytes).is_ok();
            prop_assert_eq!(whole(bytes.chunks(size)).is_ok(), expected);
        }
    }
}

//! What a client compressed by permessage-deflate (RFC 7692 section 7.2.2), step by step: a message that
//! was made to be slow takes many, between which others are served.

use flate2::{Decompress, FlushDecompress, Status};

use super::deflate::TAIL;
use crate::protocol::reserve;

/// An empty last block. Read after [`TAIL`] it shows whether the message ended where a block did.
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// Final blocks that one message may have; behind each decompressing begins anew.
const MAX_FINAL_BLOCKS: usize = 256;

/// Compressed bytes that one step reads at most. They make 2 MiB if they are the best of all, and take half
/// a millisecond if they are the worst.
const STEP: usize = 2 * 1024;

/// What decompressing a message costs besides its bytes, as so many of them.
pub const BEGIN: u64 = 128;

/// What a compressed byte costs at most, as so many bytes: those of blocks that have codes of their own and
/// hardly any text.
pub const WEIGHT: u64 = 8;

/// Why a message cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// It is, or would be, longer than allowed.
    TooBig,
    Corrupt,
}

/// A message that is being decompressed.
#[derive(Debug)]
pub struct Inflation {
    packed: Vec<u8>,
    part: Part,
    /// Bytes read of this part.
    read: usize,
    inflate: Decompress,
    out: Vec<u8>,
    max: usize,
    /// Whether a final block ended where reading goes on.
    ended: bool,
    /// Whether some of what was read may not have been written, for want of room.
    full: bool,
    final_blocks: usize,
}

/// What is read, one behind the other.
#[derive(Clone, Copy, Debug)]
enum Part {
    Payload,
    Tail,
    LastBlock,
}

impl Inflation {
    /// To decompress a message's payload to at most `max` bytes; it never takes more memory for them than
    /// one byte above that.
    pub fn new(packed: Vec<u8>, max: u64) -> Self {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let out = Vec::with_capacity(packed.len().saturating_mul(2).clamp(64, 4096).min(max));
        // Some leave out the octet of RFC 7692 section 7.2.3.6.
        let ended = packed.is_empty();
        let (part, inflate) = (Part::Payload, Decompress::new(false));
        Self { packed, part, read: 0, inflate, out, max, ended, full: false, final_blocks: 0 }
    }

    /// Bytes of the message that it holds, in both forms.
    pub fn buffered(&self) -> usize {
        self.packed.capacity() + self.out.capacity()
    }

    /// Goes one step on, and tells what that cost, as so many bytes; `None`: all is done.
    pub fn step(&mut self) -> Result<Option<u64>, InflateError> {
        let (part, next) = match self.part {
            Part::Payload => (&self.packed[..], Some(Part::Tail)),
            Part::Tail => (&TAIL[..], Some(Part::LastBlock)),
            Part::LastBlock => (&LAST_BLOCK[..], None),
        };
        let piece = &part[self.read..];
        if piece.is_empty() && (self.ended || !self.full) {
            return match next {
                // Nothing but a final block was needed, though the RFC has an empty one behind it.
                _ if self.ended => Ok(None),
                None => Err(InflateError::Corrupt),
                Some(next) => {
                    (self.part, self.read) = (next, 0);
                    Ok(Some(0))
                }
            };
        }

        if self.ended {
            // A final block may end any part of a message (RFC 7692 section 7.2.3.4).
            self.inflate.reset(false);
            self.final_blocks += 1;
            if self.final_blocks >= MAX_FINAL_BLOCKS {
                return Err(InflateError::Corrupt);
            }
        }
        if self.out.len() == self.out.capacity() {
            let most = self.max.saturating_add(1).saturating_sub(self.out.len());
            let more = self.out.len().max(64).min(most);
            reserve::exactly(&mut self.out, more);
        }
        let (read, written) = (self.inflate.total_in(), self.out.len());
        let piece = &piece[..piece.len().min(STEP)];
        let status = self
            .inflate
            .decompress_vec(piece, &mut self.out, FlushDecompress::Sync)
            .map_err(|_| InflateError::Corrupt)?;
        if self.out.len() > self.max {
            return Err(InflateError::TooBig);
        }
        let (read, written) = (self.inflate.total_in() - read, self.out.len() - written);
        self.ended = status == Status::StreamEnd;
        self.full = self.out.len() == self.out.capacity();
        if !self.ended && read == 0 && written == 0 && !piece.is_empty() {
            return Err(InflateError::Corrupt);
        }
        self.read += read as usize;
        let weight = if matches!(self.part, Part::Payload) { WEIGHT } else { 0 };
        Ok(Some(weight * read + written as u64))
    }

    /// What there is of it so far.
    pub fn payload(&self) -> &[u8] {
        &self.out
    }

    /// What it was before it was compressed, once all is done.
    pub fn into_payload(self) -> Vec<u8> {
        self.out
    }
}

/// Decompresses a message's payload to at most `max` bytes, however long it takes.
pub fn inflate(payload: &[u8], max: u64) -> Result<Vec<u8>, InflateError> {
    let mut inflation = Inflation::new(payload.to_vec(), max);
    while inflation.step()?.is_some() {}
    Ok(inflation.into_payload())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::websocket::deflate::compress;
    use proptest::prelude::*;

    fn compressed(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        compress(payload, &mut out);
        out
    }

    #[test]
    fn the_rfcs_examples() {
        // RFC 7692 section 7.2.3
        assert_eq!(inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", 5).unwrap(), b"Hello");
        assert_eq!(inflate(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 5).unwrap(), b"Hello");
        assert_eq!(inflate(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 5).unwrap(), b"Hello");
        assert_eq!(
            inflate(b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 5).unwrap(),
            b"Hello"
        );
        assert_eq!(inflate(b"\x00", 0).unwrap(), b"");
        assert_eq!(inflate(b"", 0).unwrap(), b"");
    }

    #[test]
    fn a_final_block_ends_no_message() {
        // RFC 7692 section 7.2.3.4
        let twice = b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00";
        assert_eq!(inflate(twice, 10).unwrap(), b"HelloHello");
        assert_eq!(inflate(twice, 9), Err(InflateError::TooBig));
        let bare = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
        assert_eq!(inflate(bare, 5).unwrap(), b"Hello", "as some say it");
        assert_eq!(inflate(&bare.repeat(256), 2000).unwrap(), b"Hello".repeat(256));
        assert_eq!(inflate(&bare.repeat(257), 2000), Err(InflateError::Corrupt));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = compressed(&vec![0; 10 << 20]);
        assert!(bomb.len() < 64 << 10);
        assert_eq!(inflate(&bomb, 1 << 20), Err(InflateError::TooBig));
        assert_eq!(inflate(&bomb, 10 << 20).map(|out| out.len()), Ok(10 << 20));
    }

    #[test]
    fn what_is_not_deflate() {
        assert_eq!(inflate(b"\xff\xff\xff", 100), Err(InflateError::Corrupt));
        // It ends within a block: a stored one of 5 bytes with 2, and half of "Hello".
        assert_eq!(inflate(b"\x00\x05\x00\xfa\xff\x48\x65", 100), Err(InflateError::Corrupt));
        assert_eq!(inflate(b"\xf2\x48\xcd", 100), Err(InflateError::Corrupt));
        // What it repeats lies before its beginning.
        assert_eq!(inflate(b"\x02\x02\x00\x00", 100), Err(InflateError::Corrupt));
    }

    proptest! {
        #[test]
        fn any_payload_comes_back(payload in prop::collection::vec(any::<u8>(), 0..5000)) {
            let out = compressed(&payload);
            prop_assert_eq!(inflate(&out, payload.len() as u64), Ok(payload.clone()));
            if !payload.is_empty() {
                let less = payload.len() as u64 - 1;
                prop_assert_eq!(inflate(&out, less), Err(InflateError::TooBig));
            }
        }

        #[test]
        fn anything_ends(payload: Vec<u8>, max in 0u64..1000) {
            if let Ok(out) = inflate(&payload, max) {
                prop_assert!(out.len() as u64 <= max);
                prop_assert!(out.capacity() as u64 <= max + 1);
            }
        }
    }
}

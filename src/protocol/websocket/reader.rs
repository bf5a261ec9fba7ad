//! Frames from the client, however they are cut (RFC 6455 sections 5, 6 and 8.1).
//!
//! A reader holds what came of the message in progress and nothing in advance: a length that is only
//! announced takes no memory, and never more than the largest message does (WS-GAP-13).

use super::close::Close;
use super::frame::{MAX_CONTROL_PAYLOAD, Opcode};
use super::inflate::{self, InflateError, Inflation};
use super::mask;
use super::rules::{Masking, ReaderLimits, Violation};
use super::utf8::Utf8;
use crate::protocol::reserve;

/// What a message costs, whatever becomes of it, as so many bytes.
const MESSAGE: u64 = 64;

/// Something whole from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Close),
}

/// What came of reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// All input was read.
    Starved,
    /// A bounded piece of work was done, and there may be more, even without input.
    Working,
    Whole(Incoming),
}

/// A frame whose head is complete.
#[derive(Debug)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    /// `None`: the client did not mask it.
    key: Option<[u8; 4]>,
    len: u64,
    read: u64,
}

/// A message of which at least one frame has begun.
#[derive(Debug)]
struct Message {
    is_text: bool,
    compressed: bool,
    len: u64,
    utf8: Utf8,
}

/// A whole message that is being decompressed.
#[derive(Debug)]
struct CompressedMessage {
    message: Message,
    inflation: Inflation,
    /// Bytes of it that are known to be UTF-8, if it is text.
    checked: usize,
}

/// The frames of one connection.
#[derive(Debug)]
pub struct Reader {
    rules: ReaderLimits,
    head: [u8; 14],
    head_len: u8,
    frame: Option<Frame>,
    message: Option<Message>,
    data: Vec<u8>,
    packed: Option<Box<CompressedMessage>>,
    control: Vec<u8>,
    forgets: bool,
    /// Whether what is unfinished has grown since this was last asked.
    progressed: bool,
    /// What messages cost since this was last asked.
    work: u64,
}

impl Reader {
    pub fn new(rules: ReaderLimits) -> Self {
        let (data, control) = (Vec::new(), Vec::new());
        let (frame, message, packed) = (None, None, None);
        let (head, head_len) = ([0; 14], 0);
        let (forgets, progressed, work) = (false, false, 0);
        Self {
            rules,
            head,
            head_len,
            frame,
            message,
            data,
            packed,
            control,
            forgets,
            progressed,
            work,
        }
    }

    /// From now on messages are thrown away unseen, the one in progress with them: only what controls the
    /// connection still counts, and the order of frames (RFC 6455 section 7.1.1, WS-GAP-16). No text,
    /// length, or kind of a message is a violation any more.
    pub fn forget_messages(&mut self) {
        self.rules.keep = false;
        self.forgets = true;
        self.data = Vec::new();
        self.packed = None;
        if let Some(message) = &mut self.message {
            message.is_text = false;
            message.compressed = false;
            message.utf8 = Utf8::default();
        }
    }

    /// Bytes that it holds of what has begun.
    pub fn buffered(&self) -> usize {
        let packed = self.packed.as_ref().map_or(0, |packed| packed.inflation.buffered());
        self.data.capacity() + packed + self.control.capacity()
    }

    /// What messages cost since the last call beyond being read, wanted or not, as so many bytes
    /// (WS-86).
    pub fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }

    /// Whether anything came since the last call that brings the message in progress nearer to its end,
    /// or the frame where there is no message. Control frames between fragments do not (WS-85).
    pub fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.progressed)
    }

    /// Whether something has begun and not ended.
    pub fn is_inside(&self) -> bool {
        self.head_len > 0 || self.frame.is_some() || self.message.is_some() || self.packed.is_some()
    }

    /// Reads until something is whole, or a bounded piece of work is done; what is left of the input
    /// stays in `input`, unmasked bytes behind it are overwritten.
    pub fn read(&mut self, input: &mut &mut [u8]) -> Result<Read, Violation> {
        if self.packed.is_some() {
            return self.decompress();
        }
        self.progressed |= self.message.is_none() && !input.is_empty();
        if self.frame.is_none() && !self.read_head(input)? {
            return Ok(Read::Starved);
        }
        self.read_payload(input)
    }

    /// Whether a frame's head is complete now.
    fn read_head(&mut self, input: &mut &mut [u8]) -> Result<bool, Violation> {
        loop {
            let have = usize::from(self.head_len);
            let need = head_len(&self.head[..have]);
            if have == need {
                break;
            }
            let piece = take(input, need - have);
            if piece.is_empty() {
                return Ok(false);
            }
            self.head[have..have + piece.len()].copy_from_slice(piece);
            self.head_len += piece.len() as u8;
            if self.head_len == 2 {
                self.check_start()?;
            }
        }
        let frame = self.whole_head()?;
        self.progressed |= !frame.opcode.is_control();
        self.begin(&frame)?;
        self.frame = Some(frame);
        self.head_len = 0;
        Ok(true)
    }

    /// What the first two bytes tell (WS-GAP-5..8, WS-GAP-10).
    fn check_start(&self) -> Result<(), Violation> {
        let [first, second, ..] = self.head;
        let bits = first & 0x0f;
        let opcode = Opcode::from_bits(bits).ok_or(Violation::ReservedOpcode(bits))?;
        let compressed = first & 0x70 == 0x40
            && self.rules.deflate
            && matches!(opcode, Opcode::Text | Opcode::Binary);
        if first & 0x70 != 0 && !compressed {
            return Err(Violation::ReservedBits);
        }
        if !is_masked(second) && self.rules.masking == Masking::Required {
            return Err(Violation::Unmasked);
        }
        match opcode {
            _ if opcode.is_control() && first & 0x80 == 0 => Err(Violation::FragmentedControl),
            _ if opcode.is_control() && second & 0x7f > 125 => Err(Violation::LongControl),
            Opcode::Continuation if self.message.is_none() => Err(Violation::NothingToContinue),
            Opcode::Text | Opcode::Binary if self.message.is_some() => Err(Violation::Interrupted),
            Opcode::Binary if !self.rules.binary && !self.forgets => Err(Violation::Binary),
            _ => Ok(()),
        }
    }

    fn whole_head(&self) -> Result<Frame, Violation> {
        let head = &self.head[..usize::from(self.head_len)];
        let (start, key) = head.split_at(head.len() - key_len(head[1]));
        let len = match (start[1] & 0x7f, &start[2..]) {
            (126, len) => u16::from_be_bytes(len.try_into().expect("two bytes")).into(),
            (127, len) => u64::from_be_bytes(len.try_into().expect("eight bytes")),
            (len, _) => u64::from(len),
        };
        // The shortest form, and the top bit clear (WS-GAP-14).
        let shortest = match start[1] & 0x7f {
            126 => len > 125,
            127 => len > 0xffff && len >> 63 == 0,
            _ => true,
        };
        if !shortest {
            return Err(Violation::Length);
        }
        let opcode = Opcode::from_bits(start[0] & 0x0f).expect("checked at its first bytes");
        let key = is_masked(start[1]).then(|| key.try_into().expect("four bytes"));
        Ok(Frame { opcode, fin: start[0] & 0x80 != 0, key, len, read: 0 })
    }

    /// A data frame begins or continues a message, which its length must not make too big.
    fn begin(&mut self, frame: &Frame) -> Result<(), Violation> {
        if frame.opcode.is_control() {
            return Ok(());
        }
        let compressed = self.head[0] & 0x40 != 0 && !self.forgets;
        let is_text = frame.opcode == Opcode::Text && !self.forgets;
        let message = self.message.get_or_insert_with(|| Message {
            is_text,
            compressed,
            len: 0,
            utf8: Utf8::default(),
        });
        message.len = message.len.saturating_add(frame.len);
        match message.len > self.rules.limit(message.compressed) && !self.forgets {
            true => Err(Violation::TooBig(self.rules.max_message)),
            false => Ok(()),
        }
    }

    fn read_payload(&mut self, input: &mut &mut [u8]) -> Result<Read, Violation> {
        let Some(frame) = &mut self.frame else { return Ok(Read::Working) };
        let left = usize::try_from(frame.len - frame.read).unwrap_or(usize::MAX);
        let piece = take(input, left);
        if piece.is_empty() && left > 0 {
            return Ok(Read::Starved);
        }
        if let Some(key) = frame.key {
            mask::apply(key, frame.read, piece);
        }
        frame.read += piece.len() as u64;
        let (opcode, ends) = (frame.opcode, frame.read == frame.len);
        let fin = frame.fin;
        if ends {
            self.frame = None;
        }

        if opcode.is_control() {
            debug_assert!(self.control.len() + piece.len() <= MAX_CONTROL_PAYLOAD);
            append(piece, MAX_CONTROL_PAYLOAD as u64, &mut self.control);
            return if ends { self.control_frame(opcode) } else { Ok(Read::Working) };
        }
        self.progressed = true;
        if let Some(message) = &mut self.message {
            if message.is_text && !message.compressed {
                message.utf8.push(piece)?;
            }
            if self.rules.keep || message.compressed {
                append(piece, self.rules.limit(message.compressed), &mut self.data);
            }
        }
        if ends && fin { self.whole_message() } else { Ok(Read::Working) }
    }

    fn control_frame(&mut self, opcode: Opcode) -> Result<Read, Violation> {
        let payload = std::mem::take(&mut self.control);
        Ok(Read::Whole(match opcode {
            Opcode::Ping => Incoming::Ping(payload),
            Opcode::Pong => Incoming::Pong(payload),
            _ => Incoming::Close(Close::parse(&payload)?),
        }))
    }

    fn whole_message(&mut self) -> Result<Read, Violation> {
        let data = std::mem::take(&mut self.data);
        let Some(message) = self.message.take() else { return Ok(Read::Working) };
        self.work += MESSAGE;
        if message.compressed {
            self.work += inflate::BEGIN;
            let inflation = Inflation::new(data, self.rules.max_message);
            self.packed = Some(Box::new(CompressedMessage { message, inflation, checked: 0 }));
            return Ok(Read::Working);
        }
        message.utf8.finish()?;
        Ok(self.deliver(message.is_text, data))
    }

    /// One step of decompressing a message.
    fn decompress(&mut self) -> Result<Read, Violation> {
        let Some(mut packed) = self.packed.take() else { return Ok(Read::Working) };
        let CompressedMessage { message, inflation, checked } = &mut *packed;
        let step = inflation.step().map_err(|error| match error {
            InflateError::TooBig => Violation::TooBig(self.rules.max_message),
            InflateError::Corrupt => Violation::Compression,
        })?;
        if message.is_text {
            message.utf8.push(&inflation.payload()[*checked..])?;
            *checked = inflation.payload().len();
        }
        if let Some(work) = step {
            self.work += work;
            self.packed = Some(packed);
            return Ok(Read::Working);
        }
        let CompressedMessage { message, inflation, .. } = *packed;
        message.utf8.finish()?;
        Ok(self.deliver(message.is_text, inflation.into_payload()))
    }

    fn deliver(&self, is_text: bool, data: Vec<u8>) -> Read {
        match is_text {
            _ if !self.rules.keep => Read::Working,
            true => Read::Whole(Incoming::Text(data)),
            false => Read::Whole(Incoming::Binary(data)),
        }
    }
}

/// How long the head is that begins so.
fn head_len(begun: &[u8]) -> usize {
    let Some(&second) = begun.get(1) else { return 2 };
    let of_length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + of_length + key_len(second)
}

/// How long the key is behind the length, by a frame's second byte.
fn key_len(second: u8) -> usize {
    if is_masked(second) { 4 } else { 0 }
}

fn is_masked(second: u8) -> bool {
    second & 0x80 != 0
}

/// Takes up to `most` bytes from the front of the input.
fn take<'a>(input: &mut &'a mut [u8], most: usize) -> &'a mut [u8] {
    let n = most.min(input.len());
    let (piece, rest) = std::mem::take(input).split_at_mut(n);
    *input = rest;
    piece
}

/// Appends a piece of a message of at most `limit` bytes, taking twice as much room when there is too
/// little, but no more than the limit.
fn append(piece: &[u8], limit: u64, data: &mut Vec<u8>) {
    let need = data.len() + piece.len();
    if need > data.capacity() {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let capacity = need.max(data.capacity().saturating_mul(2).min(limit));
        reserve::exactly(data, capacity - data.len());
    }
    data.extend_from_slice(piece);
}

#[cfg(test)]
mod tests;

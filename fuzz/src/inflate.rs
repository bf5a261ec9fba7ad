//! DEFLATE (RFC 1951) once more, as simply as it can be said, to check another against.

/// What bytes are decompressed to.
#[derive(Debug, PartialEq, Eq)]
pub enum Inflated {
    /// Everything was read, and the last block ended where the bytes do.
    Whole(Vec<u8>),
    /// After so much it goes wrong, or does not end.
    Broken(Vec<u8>),
    /// Decoders differ here, and may: incomplete codes, distances before the beginning.
    Unclear,
}

enum Stop {
    Broken,
    Unclear,
}

/// Decompresses a payload of permessage-deflate (RFC 7692 section 7.2.2); behind a final block the next
/// begins anew.
pub fn message(payload: &[u8]) -> Inflated {
    if payload.is_empty() {
        // Not of the RFC, but nobody minds.
        return Inflated::Whole(Vec::new());
    }
    let input = [payload, &[0, 0, 0xff, 0xff], &[1, 0, 0, 0xff, 0xff]].concat();
    let mut bits = Bits { input: &input, at: 0 };
    let mut out = Vec::new();
    let (mut begin, mut final_blocks) = (0, 0);
    loop {
        let last = match block(&mut bits, &mut out, begin) {
            Ok(last) => last,
            Err(Stop::Broken) => return Inflated::Broken(out),
            Err(Stop::Unclear) => return Inflated::Unclear,
        };
        if last {
            bits.align();
            // Without any block behind its last one a message is taken too.
            if [payload.len(), payload.len() + 4, input.len()].contains(&(bits.at / 8)) {
                return Inflated::Whole(out);
            }
            begin = out.len();
            final_blocks += 1;
            if final_blocks >= 256 {
                return Inflated::Unclear;
            }
        }
    }
}

struct Bits<'i> {
    input: &'i [u8],
    /// In bits.
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, n: usize) -> Result<usize, Stop> {
        let mut value = 0;
        for i in 0..n {
            let byte = self.input.get(self.at / 8).ok_or(Stop::Broken)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Ok(value)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    fn symbol(&mut self, code: &Code) -> Result<usize, Stop> {
        let (mut value, mut first, mut index) = (0, 0, 0);
        for count in &code.counts[1..] {
            value |= self.take(1)?;
            if value < first + count {
                return Ok(code.symbols[index + value - first]);
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        Err(Stop::Unclear)
    }
}

/// A canonical Huffman code: how many symbols have each length, and the symbols in their order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    /// `None` unless every sequence of bits is a symbol's. Of distances there may be one alone, with one bit,
    /// or none (RFC 1951 section 3.2.7).
    fn new(lens: &[usize], may_be_one: bool) -> Option<Code> {
        let mut counts = [0; 16];
        lens.iter().for_each(|&len| counts[len] += 1);
        let symbols = |len| (0..lens.len()).filter(move |&symbol| lens[symbol] == len);
        let room: usize = (1..16).map(|len| counts[len] << (15 - len)).sum();
        counts[0] = 0;
        let few = may_be_one && (room == 0 || room == 1 << 14 && counts[1] == 1);
        (few || room == 1 << 15)
            .then(|| Code { counts, symbols: (1..16).flat_map(symbols).collect() })
    }
}

fn block(bits: &mut Bits<'_>, out: &mut Vec<u8>, begin: usize) -> Result<bool, Stop> {
    let last = bits.take(1)? == 1;
    match bits.take(2)? {
        0 => {
            bits.align();
            let (len, check) = (bits.take(16)?, bits.take(16)?);
            if len != !check & 0xffff {
                return Err(Stop::Broken);
            }
            for _ in 0..len {
                out.push(bits.take(8)? as u8);
            }
        }
        1 => {
            let lens = |symbol| match symbol {
                0..=143 => 8,
                144..=255 => 9,
                256..=279 => 7,
                _ => 8,
            };
            let literals: Vec<usize> = (0..288).map(lens).collect();
            let literals = Code::new(&literals, false).ok_or(Stop::Unclear)?;
            let distances = Code::new(&[5; 32], false).ok_or(Stop::Unclear)?;
            symbols(bits, &literals, &distances, out, begin)?;
        }
        2 => {
            let (literals, distances) = codes(bits)?;
            symbols(bits, &literals, &distances, out, begin)?;
        }
        _ => return Err(Stop::Broken),
    }
    Ok(last)
}

fn codes(bits: &mut Bits<'_>) -> Result<(Code, Code), Stop> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (bits.take(5)? + 257, bits.take(5)? + 1);
    let given = bits.take(4)? + 4;
    let mut lens = [0; 19];
    for at in &ORDER[..given] {
        lens[*at] = bits.take(3)?;
    }
    let lengths = Code::new(&lens, false).ok_or(Stop::Unclear)?;
    let mut lens = Vec::new();
    while lens.len() < literals + distances {
        let (len, times) = match bits.symbol(&lengths)? {
            16 => (*lens.last().ok_or(Stop::Unclear)?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            len => (len, 1),
        };
        lens.extend(std::iter::repeat_n(len, times));
    }
    if lens.len() > literals + distances || literals > 286 || distances > 30 || lens[256] == 0 {
        return Err(Stop::Unclear);
    }
    let (literals, distances) = lens.split_at(literals);
    let distances = Code::new(distances, true).ok_or(Stop::Unclear)?;
    Ok((Code::new(literals, false).ok_or(Stop::Unclear)?, distances))
}

fn symbols(
    bits: &mut Bits<'_>,
    literals: &Code,
    distances: &Code,
    out: &mut Vec<u8>,
    begin: usize,
) -> Result<(), Stop> {
    loop {
        let symbol = bits.symbol(literals)?;
        let len = match symbol {
            0..=255 => {
                out.push(symbol as u8);
                continue;
            }
            256 => return Ok(()),
            257..=264 => symbol - 254,
            285 => 258,
            265..=284 => {
                let extra = (symbol - 261) / 4;
                ((4 + (symbol - 261) % 4) << extra) + 3 + bits.take(extra)?
            }
            _ => return Err(Stop::Broken),
        };
        let symbol = bits.symbol(distances)?;
        let distance = match symbol {
            0..=3 => symbol + 1,
            4..=29 => {
                let extra = symbol / 2 - 1;
                ((2 + symbol % 2) << extra) + 1 + bits.take(extra)?
            }
            _ => return Err(Stop::Broken),
        };
        if distance > out.len() - begin {
            return Err(Stop::Unclear);
        }
        for _ in 0..len {
            out.push(out[out.len() - distance]);
        }
    }
}

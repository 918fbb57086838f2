//! A range coder: symbols in, bytes out, and back, each symbol at the cost of its share of a whole.
//!
//! Integers only, so that the same shares give the same bytes on every machine. The range has 64 bits, of which at least
//! 56 are in use whenever a symbol is coded; a whole of 2^32 parts costs less than 2^-24 of its length by that.

/// Where the range is widened by a byte.
const LEAST: u64 = 1 << 56;

/// The part of a whole that a symbol has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The parts before it.
    pub start: u64,
    /// Its own parts: at least one.
    pub size: u64,
    /// All parts: at most 2^33.
    pub whole: u64,
}

impl Share {
    /// The bits that it costs.
    pub fn bits(&self) -> f64 {
        (self.whole as f64 / self.size as f64).log2()
    }
}

/// Writes symbols.
#[derive(Debug)]
pub struct RangeEncoder {
    low: u64,
    range: u64,
    bytes: Vec<u8>,
}

impl Default for RangeEncoder {
    fn default() -> Self {
        Self { low: 0, range: u64::MAX, bytes: Vec::new() }
    }
}

impl RangeEncoder {
    /// Adds a symbol.
    pub fn encode(&mut self, share: Share) {
        let part = self.range / share.whole;
        self.raise(part * share.start);
        self.range = part * share.size;
        while self.range < LEAST {
            self.bytes.push(self.low.to_be_bytes()[0]);
            self.low <<= 8;
            self.range <<= 8;
        }
    }

    /// Moves the lower end up; what overflows goes into the bytes that are there.
    fn raise(&mut self, by: u64) {
        let (low, is_over) = self.low.overflowing_add(by);
        self.low = low;
        if is_over {
            self.carry();
        }
    }

    fn carry(&mut self) {
        for byte in self.bytes.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                return;
            }
        }
    }

    /// As few bytes as tell the symbols; whoever reads them takes zeros for what comes after.
    pub fn finish(mut self) -> Vec<u8> {
        let (low, end) = (u128::from(self.low), u128::from(self.low) + u128::from(self.range));
        for n in 0..=8 {
            let below = (1u128 << (8 * (8 - n))) - 1;
            let value = (low + below) & !below;
            if value < end {
                // what is added lies within the range: at most a carry comes of it
                self.raise(u64::try_from(value - low).unwrap_or(0));
                self.bytes.extend_from_slice(&self.low.to_be_bytes()[..n]);
                break;
            }
        }
        while self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
        self.bytes
    }
}

/// Reads symbols.
#[derive(Debug)]
pub struct RangeDecoder<'a> {
    /// How far what was written is above the lower end.
    offset: u64,
    range: u64,
    rest: &'a [u8],
}

impl<'a> RangeDecoder<'a> {
    /// A reader of what [`RangeEncoder::finish`] gave.
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { offset: 0, range: u64::MAX, rest: bytes };
        for _ in 0..8 {
            decoder.take_byte();
        }
        decoder
    }

    fn take_byte(&mut self) {
        let (byte, rest) = self.rest.split_first().map_or((0, self.rest), |(byte, rest)| (*byte, rest));
        self.offset = (self.offset << 8) | u64::from(byte);
        self.rest = rest;
    }

    /// The part of the next symbol among `whole`; none if no encoder has written this.
    pub fn place(&self, whole: u64) -> Option<u64> {
        let part = self.offset / (self.range / whole);
        (part < whole).then_some(part)
    }

    /// Takes away the symbol that was found at [`place`](Self::place).
    pub fn take(&mut self, share: Share) {
        let part = self.range / share.whole;
        self.offset -= part * share.start;
        self.range = part * share.size;
        while self.range < LEAST {
            self.take_byte();
            self.range <<= 8;
        }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares(sizes: &[u64]) -> Vec<Share> {
        let whole = sizes.iter().sum();
        let start = |k: usize| sizes[..k].iter().sum();
        (0..sizes.len()).map(|k| Share { start: start(k), size: sizes[k], whole }).collect()
    }

    fn written(symbols: &[Share]) -> Vec<u8> {
        let mut encoder = RangeEncoder::default();
        for share in symbols {
            encoder.encode(*share);
        }
        encoder.finish()
    }

    /// Reads symbols of known wholes back.
    fn read(bytes: &[u8], models: &[Vec<Share>]) -> Vec<usize> {
        let mut decoder = RangeDecoder::new(bytes);
        let mut next = |model: &Vec<Share>| {
            let place = decoder.place(model[0].whole).unwrap();
            let symbol =
                model.iter().position(|share| (share.start..share.start + share.size).contains(&place)).unwrap();
            decoder.take(model[symbol]);
            symbol
        };
        models.iter().map(&mut next).collect()
    }

    #[test]
    fn hand_worked_bytes() {
        assert_eq!(written(&[]), [0u8; 0]);
        // a symbol that is sure says nothing
        assert_eq!(written(&[Share { start: 0, size: 5, whole: 5 }; 100]), [0u8; 0]);
        // one of 256 equal parts, 2^64 - 1 in all: 0x41 parts of 0x00ff_ffff_ffff_ffff lie below 0x41 in the first byte,
        // so that 0x41 with zeros is the first value of one byte within the part
        let of_256 = |n| Share { start: n, size: 1, whole: 256 };
        assert_eq!(written(&[of_256(0x41)]), [0x41]);
        assert_eq!(written(&[of_256(0)]), [0u8; 0]);
        // halves: 1, 0, 1, 1, 0, 1, 0, 0 are the bits of 0xb4
        let bit = |n| Share { start: n, size: 1, whole: 2 };
        assert_eq!(written(&[1, 0, 1, 1, 0, 1, 0, 0].map(bit)), [0xb4]);
    }

    #[test]
    fn a_carry_runs_through_bytes_that_are_full() {
        // the highest part of a whole again and again: the lower end creeps up to the next byte
        let whole = (1 << 32) - 1;
        let most = Share { start: whole - 1, size: 1, whole };
        let mixed: Vec<Share> =
            (0..40).map(|k| if k % 3 == 0 { Share { start: 1, size: whole - 1, whole } } else { most }).collect();
        let low = Share { start: 0, size: 1, whole };
        let model = vec![low, Share { start: 1, size: whole - 2, whole }, most];
        let bytes = written(&[most; 20]);
        assert_eq!(read(&bytes, &vec![model; 20]), [2; 20]);
        let two = vec![low, Share { start: 1, size: whole - 1, whole }];
        let three = vec![Share { start: 0, size: whole - 1, whole }, most];
        let models: Vec<Vec<Share>> = (0..40).map(|k| if k % 3 == 0 { two.clone() } else { three.clone() }).collect();
        assert_eq!(read(&written(&mixed), &models), [1; 40]);
    }

    /// Sizes of a whole that is at most 2^32, some of them as small and some as large as can be.
    fn model() -> impl Strategy<Value = Vec<Share>> {
        let size = prop_oneof![Just(1u64), 1u64..100, 1u64..(1 << 26), Just((1u64 << 32) - 1_000_000_000)];
        proptest::collection::vec(size, 1..12).prop_map(|sizes| {
            let whole: u64 = sizes.iter().sum();
            let most = 1u64 << 32;
            let sizes: Vec<u64> =
                sizes.iter().map(|&size| if whole > most { 1 + size * (most - 16) / whole } else { size }).collect();
            shares(&sizes)
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_is_no_longer_than_its_shares(
            drawn in proptest::collection::vec((model(), any::<prop::sample::Index>()), 0..200)
        ) {
            let (models, symbols): (Vec<Vec<Share>>, Vec<usize>) =
                drawn.into_iter().map(|(model, index)| { let k = index.index(model.len()); (model, k) }).unzip();
            let coded: Vec<Share> = models.iter().zip(&symbols).map(|(model, k)| model[*k]).collect();
            let bytes = written(&coded);
            prop_assert_eq!(read(&bytes, &models), symbols);
            let ideal: f64 = coded.iter().map(Share::bits).sum::<f64>() / 8.0;
            prop_assert!(bytes.len() as f64 <= ideal * 1.0001 + 2.0, "{} bytes of {ideal}", bytes.len());
        }

        #[test]
        fn any_bytes_are_read_as_something_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40), model in model()) {
            let mut decoder = RangeDecoder::new(&bytes);
            for _ in 0..60 {
                let Some(place) = decoder.place(model[0].whole) else { break };
                let symbol = model.iter().find(|share| (share.start..share.start + share.size).contains(&place)).unwrap();
                decoder.take(*symbol);
            }
        }
    }
}

//! The blocks of quantised files, as codes with a scale and an offset: a weight is `code * scale + min`.
//!
//! Formats: llama.cpp's `ggml-common.h`. For every type here, `code * scale` is exact in f32, so that the fused
//! multiplication gives the bits of llama.cpp's and candle's own dequantisation.

use candle_core::quantized::GgmlDType;
use half::f16;

/// A type of blocks that there are kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// Weights of a row that share a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Group {
    /// Unsigned; as many of them as the kind's groups have.
    pub codes: [u8; LONGEST],
    pub scale: f32,
    pub min: f32,
}

/// Codes of the longest group.
const LONGEST: usize = 32;

impl Kind {
    /// The kind of a type, if there are kernels for it.
    pub(super) const fn of(dtype: GgmlDType) -> Option<Self> {
        Some(match dtype {
            GgmlDType::Q4_0 => Self::Q4_0,
            GgmlDType::Q4_1 => Self::Q4_1,
            GgmlDType::Q5_0 => Self::Q5_0,
            GgmlDType::Q5_1 => Self::Q5_1,
            GgmlDType::Q8_0 => Self::Q8_0,
            GgmlDType::Q4K => Self::Q4K,
            GgmlDType::Q5K => Self::Q5K,
            GgmlDType::Q6K => Self::Q6K,
            _ => return None,
        })
    }

    /// Bits of a code.
    pub(super) const fn bits(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q4K => 4,
            Self::Q5_0 | Self::Q5_1 | Self::Q8_0 | Self::Q5K | Self::Q6K => 8,
        }
    }

    /// Weights that share a scale.
    pub(super) const fn group(self) -> usize {
        match self {
            Self::Q6K => 16,
            _ => 32,
        }
    }

    /// What a weight of zero is coded as, where there is no offset but this: `min = -scale * zero`.
    pub(super) const fn zero(self) -> Option<u8> {
        match self {
            Self::Q4_0 => Some(8),
            Self::Q5_0 => Some(16),
            Self::Q8_0 => Some(128),
            Self::Q6K => Some(32),
            Self::Q4_1 | Self::Q5_1 | Self::Q4K | Self::Q5K => None,
        }
    }

    /// Whether scales (and offsets) are f16.
    pub(super) const fn has_half_scales(self) -> bool {
        !matches!(self, Self::Q4K | Self::Q5K | Self::Q6K)
    }

    /// Weights and bytes of a block.
    const fn block(self) -> (usize, usize) {
        match self {
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// Bytes of a row of `n` weights.
    pub(super) const fn row_bytes(self, n: usize) -> usize {
        let (weights, bytes) = self.block();
        n / weights * bytes
    }

    /// Puts the groups of a row, in order, in place of what is in `into`.
    pub(super) fn groups(self, row: &[u8], into: &mut Vec<Group>) {
        into.clear();
        for block in row.chunks_exact(self.block().1) {
            match self {
                Self::Q4K | Self::Q5K => into.extend((0..8).map(|group| affine(self, block, group))),
                Self::Q6K => into.extend((0..16).map(|group| six_bits(block, group))),
                _ => into.push(self.single(block)),
            }
        }
    }

    /// The group of a block that is one.
    fn single(self, block: &[u8]) -> Group {
        match self {
            Self::Q4_0 => symmetric(nibbles(&block[2..18]), half_at(block, 0), 8.0),
            Self::Q4_1 => Group { codes: nibbles(&block[4..20]), scale: half_at(block, 0), min: half_at(block, 2) },
            Self::Q5_0 => symmetric(five_bits(&block[6..22], &block[2..6]), half_at(block, 0), 16.0),
            Self::Q5_1 => {
                let codes = five_bits(&block[8..24], &block[4..8]);
                Group { codes, scale: half_at(block, 0), min: half_at(block, 2) }
            }
            _ => symmetric(signed(&block[2..34]), half_at(block, 0), 128.0),
        }
    }
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Codes whose zero is `zero`, a power of two: the product is exact.
const fn symmetric(codes: [u8; LONGEST], scale: f32, zero: f32) -> Group {
    Group { codes, scale, min: -scale * zero }
}

/// The lower halves of sixteen bytes, then the upper ones.
fn nibbles(bytes: &[u8]) -> [u8; LONGEST] {
    let mut codes = [0; LONGEST];
    let (low, high) = codes.split_at_mut(LONGEST / 2);
    for ((byte, low), high) in bytes.iter().zip(low).zip(high) {
        (*low, *high) = (byte & 15, byte >> 4);
    }
    codes
}

/// The same with a fifth bit of each from a word.
fn five_bits(bytes: &[u8], high: &[u8]) -> [u8; LONGEST] {
    let mut codes = nibbles(bytes);
    let high = high.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    for (i, code) in codes.iter_mut().enumerate() {
        *code |= u8::from(high >> i & 1 == 1) << 4;
    }
    codes
}

/// Signed bytes, with zero at 128.
fn signed(bytes: &[u8]) -> [u8; LONGEST] {
    let mut codes = [0; LONGEST];
    codes.iter_mut().zip(bytes).for_each(|(code, byte)| *code = byte ^ 0x80);
    codes
}

/// A group of `Q4_K` or `Q5_K`: eight of them, with scales and offsets of six bits.
fn affine(kind: Kind, block: &[u8], group: usize) -> Group {
    let (scale, min) = (half_at(block, 0), half_at(block, 2));
    let (high, low): (Option<&[u8]>, &[u8]) = match kind {
        Kind::Q5K => (Some(&block[16..48]), &block[48..176]),
        _ => (None, &block[16..144]),
    };
    let bytes = &low[group / 2 * 32..][..32];
    let shift = 4 * (group % 2);
    let codes = std::array::from_fn(|i| bytes[i] >> shift & 15 | high.map_or(0, |high| (high[i] >> group & 1) << 4));
    let (scales, mins) = six_bit_scales(group, &block[4..16]);
    Group { codes, scale: scale * f32::from(scales), min: -(min * f32::from(mins)) }
}

/// Scale and offset of a group of a block of 256.
fn six_bit_scales(group: usize, packed: &[u8]) -> (u8, u8) {
    match group {
        0..4 => (packed[group] & 63, packed[group + 4] & 63),
        _ => (packed[group + 4] & 15 | packed[group - 4] >> 6 << 4, packed[group + 4] >> 4 | packed[group] >> 6 << 4),
    }
}

/// A group of `Q6_K`: sixteen of them, with scales of eight bits.
fn six_bits(block: &[u8], group: usize) -> Group {
    let (low, high, scales, scale) = (&block[..128], &block[128..192], &block[192..208], half_at(block, 208));
    // of 128 weights, four runs of 32 share 64 bytes of low and 32 of high bits
    let (part, run) = (group / 8, group / 2 % 4);
    let low = &low[64 * part + 32 * (run % 2) + 16 * (group % 2)..];
    let high = &high[32 * part + 16 * (group % 2)..];
    let code = |i: usize| low[i] >> (4 * (run / 2)) & 15 | (high[i] >> (2 * run) & 3) << 4;
    let codes = std::array::from_fn(|i| if i < 16 { code(i) } else { 0 });
    symmetric(codes, scale * f32::from(scales[group].cast_signed()), 32.0)
}

/// Every type that there are kernels for.
#[cfg(test)]
pub(super) const TYPES: [GgmlDType; 8] = [
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
];

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_core::quantized::QTensor;

    use super::*;
    use crate::noise::normal;

    #[test]
    #[expect(clippy::float_cmp, reason = "a zero may have another sign, and nothing else may differ")]
    fn weights_are_those_of_candles_dequantisation_bit_for_bit() {
        for dtype in TYPES {
            let dense = ((normal(1, (5, 512)) * 1.5).unwrap() + 0.3).unwrap();
            let stored = QTensor::quantize(&dense, dtype).unwrap();
            let expected = stored.dequantize(&Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
            let kind = Kind::of(dtype).unwrap();
            let data = stored.data().unwrap();
            assert_eq!(data.len(), 5 * kind.row_bytes(512), "{dtype:?}");
            for (row, expected) in data.chunks_exact(kind.row_bytes(512)).zip(expected) {
                let mut groups = Vec::new();
                kind.groups(row, &mut groups);
                assert_eq!(groups.len() * kind.group(), 512);
                let weights = groups.iter().flat_map(|group| {
                    assert!(group.codes.iter().all(|&code| usize::from(code) < 1 << kind.bits()));
                    group.codes[..kind.group()].iter().map(|&code| f32::from(code).mul_add(group.scale, group.min))
                });
                let same = weights.zip(&expected).all(|(found, expected)| found == *expected);
                assert!(same, "{dtype:?}");
            }
        }
    }
}

//! What compressors that know no language make of the same bytes, each at its highest common level, with as little around
//! the data as its format allows.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use lzma_rust2::{CheckType, XzOptions, XzWriter};

/// A compressor.
#[derive(Debug, Clone, Copy)]
pub struct Other {
    /// Its name, as a metric has it.
    pub name: &'static str,
    /// What exactly is measured.
    pub about: &'static str,
    pack: fn(&[u8]) -> io::Result<Vec<u8>>,
}

impl Other {
    /// The bytes that it makes of these.
    pub fn pack(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        (self.pack)(bytes)
    }
}

/// Every compressor, the oldest first.
pub static OTHERS: &[Other] = &[
    Other { name: "zip", about: "deflate, level 9, without the head of a file", pack: deflate },
    Other { name: "xz", about: "xz, level 9, without a checksum", pack: xz },
    Other { name: "zstd", about: "zstd, level 19, without a checksum", pack: zstd },
];

fn deflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn xz(bytes: &[u8]) -> io::Result<Vec<u8>> {
    const LEVEL: u32 = 9;
    /// The smallest dictionary there is.
    const LEAST: u32 = 4096;
    let mut options = XzOptions::with_preset(LEVEL);
    options.set_check_sum_type(CheckType::None);
    // a dictionary that is larger than the text takes memory and changes nothing
    let enough = u32::try_from(bytes.len()).unwrap_or(u32::MAX).checked_next_power_of_two().unwrap_or(u32::MAX);
    options.lzma_options.dict_size = options.lzma_options.dict_size.min(enough.max(LEAST));
    let mut writer = XzWriter::new(Vec::new(), options)?;
    writer.write_all(bytes)?;
    writer.finish()
}

fn zstd(bytes: &[u8]) -> io::Result<Vec<u8>> {
    const LEVEL: i32 = 19;
    ::zstd::bulk::compress(bytes, LEVEL)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;
    use lzma_rust2::XzReader;
    use proptest::prelude::*;

    use super::*;

    fn unpack(name: &str, packed: &[u8], n: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        match name {
            "zip" => DeflateDecoder::new(packed).read_to_end(&mut bytes).map(drop).unwrap(),
            "xz" => XzReader::new(packed, false).read_to_end(&mut bytes).map(drop).unwrap(),
            _ => bytes = ::zstd::bulk::decompress(packed, n).unwrap(),
        }
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn each_gives_back_what_it_was_given(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            for other in OTHERS {
                let packed = other.pack(&bytes).unwrap();
                prop_assert_eq!(unpack(other.name, &packed, bytes.len()), bytes.clone(), "{}", other.name);
            }
        }
    }

    #[test]
    fn a_text_that_repeats_itself_becomes_short() {
        let text = "The cat sat on a mat. ".repeat(200);
        for other in OTHERS {
            let n = other.pack(text.as_bytes()).unwrap().len();
            assert!(n < 150, "{}: {n} bytes of {}", other.name, text.len());
        }
    }
}

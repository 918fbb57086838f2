//! Data inside a page: a zlib stream in base64, which browsers unpack by themselves.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::ReportError;

/// More than this is nothing that we wrote: a page of a stranger must not fill the memory.
const MOST_BYTES: u64 = 1 << 30;

pub(super) fn pack(bytes: &[u8]) -> Result<String, ReportError> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(BASE64_STANDARD.encode(encoder.finish()?))
}

pub(super) fn unpack(text: &str) -> Result<Vec<u8>, ReportError> {
    let packed = BASE64_STANDARD.decode(text.trim())?;
    let mut bytes = Vec::new();
    ZlibDecoder::new(packed.as_slice()).take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_back() {
        for bytes in [&b""[..], b"a", &[7; 10_000]] {
            assert_eq!(unpack(&pack(bytes).unwrap()).unwrap(), bytes);
        }
        assert!(pack(&[7; 10_000]).unwrap().len() < 200);
        assert!(unpack("%%%").is_err() && unpack("AAAA").is_err());
    }
}

//! The scales of quantised blocks: what is no finite number there makes none of a whole block.

use candle_core::quantized::{GgmlDType, QTensor};
use half::{bf16, f16};

/// The first scale that is not a finite number.
pub(super) fn not_finite(tensor: &QTensor) -> candle_core::Result<Option<f32>> {
    let data = tensor.data()?;
    let damaged = |scales: &[u8]| {
        let mut scales = scales.chunks_exact(2).map(|bytes| number(tensor.dtype(), [bytes[0], bytes[1]]));
        scales.find(|scale| !scale.is_finite())
    };
    let Some((first, n_bytes)) = place(tensor.dtype()) else { return Ok(None) };
    let blocks = data.chunks_exact(tensor.dtype().type_size());
    Ok(blocks.filter_map(|block| block.get(first..first + n_bytes)).find_map(damaged))
}

fn number(dtype: GgmlDType, bytes: [u8; 2]) -> f32 {
    match dtype {
        GgmlDType::BF16 => bf16::from_le_bytes(bytes).to_f32(),
        _ => f16::from_le_bytes(bytes).to_f32(),
    }
}

/// Where a block has its scales of sixteen bits, and how many bytes of them.
const fn place(dtype: GgmlDType) -> Option<(usize, usize)> {
    Some(match dtype {
        GgmlDType::F16 | GgmlDType::BF16 | GgmlDType::Q4_0 | GgmlDType::Q5_0 | GgmlDType::Q8_0 => (0, 2),
        GgmlDType::Q4_1 | GgmlDType::Q5_1 | GgmlDType::Q8_1 | GgmlDType::Q4K | GgmlDType::Q5K => (0, 4),
        GgmlDType::Q2K => (80, 4),
        GgmlDType::Q3K => (108, 2),
        GgmlDType::Q6K => (208, 2),
        // not of sixteen bits
        GgmlDType::F32 | GgmlDType::Q8K => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use candle_core::Device;
    use candle_core::quantized::QStorage;

    use super::*;
    use crate::noise::normal;

    #[test]
    fn a_scale_that_is_not_a_number_is_found_in_every_type() {
        use GgmlDType as D;
        let types =
            [D::F16, D::BF16, D::Q4_0, D::Q4_1, D::Q5_0, D::Q5_1, D::Q8_0, D::Q2K, D::Q3K, D::Q4K, D::Q5K, D::Q6K];
        let dense = normal(1, (2, 256));
        for dtype in types {
            let good = QTensor::quantize(&dense, dtype).unwrap();
            assert_eq!(not_finite(&good).unwrap(), None, "{dtype:?}");
            let (first, n_bytes) = place(dtype).unwrap();
            for at in (first..first + n_bytes).step_by(2) {
                let mut bytes = good.data().unwrap().into_owned();
                let block = bytes.len() - dtype.type_size();
                bytes[block + at..block + at + 2].copy_from_slice(&[0xff, 0x7f]);
                let storage = QStorage::from_data(Cow::Owned(bytes), &Device::Cpu, dtype).unwrap();
                let damaged = QTensor::new(storage, (2, 256)).unwrap();
                assert!(not_finite(&damaged).unwrap().unwrap().is_nan(), "{dtype:?} {at}");
                let values = damaged.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert!(values.iter().any(|value| value.is_nan()), "{dtype:?} {at}: it is a scale");
            }
        }
    }
}

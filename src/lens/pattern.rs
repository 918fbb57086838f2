//! Attention patterns as several lenses read them: of one block, with or without the first token.

use super::{LensError, Sink};
use crate::hook::{Head, HookPoint, Site};
use crate::trace::Trace;

/// The patterns of a block's heads, `[head][query][key]`.
pub(super) fn patterns(trace: &Trace, sink: Sink, layer: usize) -> Result<Vec<Vec<Vec<f32>>>, LensError> {
    let mut heads = trace.get(HookPoint::block(layer, Site::Pattern))?.to_vec3::<f32>()?;
    for head in &mut heads {
        seen(head, sink);
    }
    Ok(heads)
}

/// The pattern of one head, `[query][key]`.
pub(super) fn pattern(trace: &Trace, sink: Sink, head: Head) -> Result<Vec<Vec<f32>>, LensError> {
    let mut pattern = trace.get(HookPoint::block(head.layer, Site::Pattern))?.get(head.head)?.to_vec2::<f32>()?;
    seen(&mut pattern, sink);
    Ok(pattern)
}

fn seen(pattern: &mut [Vec<f32>], sink: Sink) {
    if sink == Sink::Masked {
        for row in pattern {
            mask_sink(row);
        }
    }
}

/// Leaves the first token out; a row that looks nowhere else stays as it is.
fn mask_sink(row: &mut [f32]) {
    let rest: f32 = row.iter().skip(1).sum();
    if rest > 0.0 {
        row[0] = 0.0;
        for weight in row {
            *weight /= rest;
        }
    }
}

/// How a caption names the switch.
pub(super) const fn sink_note(sink: Sink) -> &'static str {
    match sink {
        Sink::Kept => "",
        Sink::Masked => " The first token is left out and the rest of each row scaled up to 1.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sink_is_left_out_and_rows_sum_to_one_again() {
        let mut row = [0.6, 0.1, 0.3];
        mask_sink(&mut row);
        assert!(row.iter().zip([0.0, 0.25, 0.75]).all(|(found, expected)| (found - expected).abs() < 1e-6), "{row:?}");
        let mut first = [1.0, 0.0];
        mask_sink(&mut first);
        assert!((first[0] - 1.0).abs() < 1e-6, "a row that looks nowhere else stays as it is");
    }
}

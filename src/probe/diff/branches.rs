//! Two continuations in one model: where their tokens part, and how far apart the layers are at their ends.

use super::super::ProbeError;
use super::jensen_shannon;
use crate::figure::{Cell, Column, Content, Figure, Provenance, Table};
use crate::lens::Stream;
use crate::lens::logit_lens::stages;
use crate::model::decoder::Decoder;
use crate::model::sample::{argmax, kl, log_softmax};
use crate::model::{CancelToken, CausalLm as _};
use crate::text::Tokenizer;
use crate::trace::{Trace, TracePlan};

/// The first position at which two sequences have different tokens, or at which one of them has ended.
pub fn parting(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Compares the residual stream at the last position of `a` with that of `b`, after each block.
///
/// # Errors
/// A model that cannot be run, numbers that are none, or cancellation.
pub fn branches(
    lm: &Decoder,
    tokenizer: &Tokenizer,
    [a, b]: [&[u32]; 2],
    provenance: &Provenance,
    cancel: &CancelToken,
) -> Result<Figure, ProbeError> {
    let stages = stages(lm.config(), Stream::Blocks);
    let plan = TracePlan::new(stages.iter().map(|stage| stage.at));
    let run = |ids: &[u32]| Trace::record(lm, ids, &plan, &mut cancel.clone());
    let traces = [run(a)?, run(b)?];
    let mut rows = Vec::with_capacity(stages.len());
    for stage in &stages {
        cancel.check()?;
        let last = |trace: &Trace| -> Result<Vec<f32>, ProbeError> {
            Ok(trace.get(stage.at)?.get(trace.ids.len() - 1)?.to_vec1()?)
        };
        let logits = |trace: &Trace| -> Result<Vec<f32>, ProbeError> {
            Ok(lm.unembed(&trace.get(stage.at)?.get(trace.ids.len() - 1)?.unsqueeze(0)?)?.flatten_all()?.to_vec1()?)
        };
        let streams = [last(&traces[0])?, last(&traces[1])?];
        let logits = [logits(&traces[0])?, logits(&traces[1])?];
        let logprobs = [log_softmax(&logits[0]), log_softmax(&logits[1])];
        let [p, q] = &logprobs;
        let (relative, cosine) = apart(&streams[0], &streams[1]);
        let mut row = vec![Cell::Text(stage.to_string()), Cell::number(relative, 4), Cell::number(cosine, 4)];
        row.extend([kl(p, q), jensen_shannon(p, q)].map(|value| Cell::number(value, 4)));
        for side in 0..2 {
            let top = argmax(&logits[side]);
            row.push(Cell::Text(tokenizer.visible(top)));
            row.push(Cell::number(logprobs[side][top as usize].exp(), 4));
        }
        rows.push(row);
    }
    let names = ["layer", "apart", "cosine", "kl_a_b", "js", "top_a", "prob_a", "top_b", "prob_b"];
    let units = ["", "", "", "nats", "nats", "", "", "", ""];
    let columns = names.iter().zip(units).map(|(name, unit)| Column::new(name, unit)).collect();
    let caption = format!(
        "After each block, at the last position of a (\"{}\") and of b (\"{}\"), whose tokens part at position {}: \
         apart is ‖b − a‖ / ‖a‖ of the residual stream; KL(a ‖ b) and the Jensen–Shannon divergence (at most ln 2) \
         are those of the logit lens, as are the top tokens.",
        tokenizer.decode(a),
        tokenizer.decode(b),
        parting(a, b),
    );
    Ok(Figure {
        title: "Where the branches part".into(),
        caption,
        provenance: provenance.clone(),
        content: Content::Table(Table::new(columns, rows)?),
    })
}

/// ‖b − a‖ / ‖a‖, and the cosine of a and b.
fn apart(a: &[f32], b: &[f32]) -> (f64, f64) {
    let sum =
        |of: &dyn Fn(f64, f64) -> f64| -> f64 { a.iter().zip(b).map(|(&a, &b)| of(f64::from(a), f64::from(b))).sum() };
    let norm = |square: f64| square.max(f64::MIN_POSITIVE).sqrt();
    let (aa, bb) = (norm(sum(&|a, _| a * a)), norm(sum(&|_, b| b * b)));
    (sum(&|a, b| (b - a) * (b - a)).sqrt() / aa, sum(&|a, b| a * b) / (aa * bb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_part_where_tokens_differ_or_one_ends() {
        assert_eq!(parting(&[1, 2, 3], &[1, 2, 4]), 2);
        assert_eq!(parting(&[1, 2], &[1, 2, 4]), 2);
        assert_eq!(parting(&[1], &[2]), 0);
    }

    #[test]
    fn distances_worked_by_hand() {
        let (relative, cosine) = apart(&[3.0, 4.0], &[3.0, -4.0]);
        assert!((relative - 1.6).abs() < 1e-12 && (cosine - (9.0 - 16.0) / 25.0).abs() < 1e-12);
        let same = apart(&[1.0, 2.0], &[1.0, 2.0]);
        assert!(same.0.abs() < 1e-12 && (same.1 - 1.0).abs() < 1e-12);
    }
}

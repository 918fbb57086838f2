//! The residual stream is what was written into it: the embeddings and the output of every sublayer.
//!
//! The sum is kept in f64 and compared after every block, so that the first block that breaks it is named. Deviations
//! are relative to the largest absolute value that has stood in the sum at that position: f32 rounds in proportion to
//! it, and a model may write thousands that it takes back later.

use candle_core::Tensor;

use super::{Invariant, Measured, Rounding, Tolerance};
use crate::hook::{HookPoint, Site};
use crate::model::{NormPlacement, Result, Tap};
use crate::verify::Subject;
use crate::verify::worst::{Worst, flat};

pub(super) struct ResidualSum;

impl Invariant for ResidualSum {
    fn name(&self) -> &'static str {
        "residual-sum"
    }

    fn about(&self) -> &'static str {
        "after every block the residual stream is the sum of the embeddings and of every attn_out and mlp_out so far"
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::relative(1e-5)
    }

    fn rounding(&self) -> Rounding {
        Rounding::Keeps
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Measured> {
        if matches!(subject.lm.config().placement, NormPlacement::Residual | NormPlacement::Carried) {
            return Ok(Measured::NotApplicable("this model normalises the residual stream itself".into()));
        }
        let mut sum = Sum { n_pos: subject.n_pos(), ..Sum::default() };
        subject.watch(&mut sum)?;
        Ok(sum.worst.measured())
    }
}

#[derive(Default)]
struct Sum {
    worst: Worst,
    n_pos: usize,
    /// `[pos, d_model]`, flattened.
    written: Vec<f64>,
    /// The largest absolute value so far, by position.
    largest: Vec<f64>,
}

impl Sum {
    fn add(&mut self, values: &[f32]) {
        self.written.resize(values.len(), 0.0);
        for (sum, &value) in self.written.iter_mut().zip(values) {
            *sum += f64::from(value);
        }
        self.watch_size(values);
    }

    fn watch_size(&mut self, values: &[f32]) {
        self.largest.resize(self.n_pos, f64::MIN_POSITIVE);
        let width = values.len() / self.n_pos.max(1);
        for (largest, row) in self.largest.iter_mut().zip(values.chunks(width.max(1))) {
            *largest = row.iter().map(|&value| f64::from(value.abs())).fold(*largest, f64::max);
        }
    }

    fn compare(&mut self, at: HookPoint, stream: &[f32]) {
        self.watch_size(stream);
        let width = (stream.len() / self.n_pos.max(1)).max(1);
        for (index, (&found, &sum)) in stream.iter().zip(&self.written).enumerate() {
            let position = index / width;
            let deviation = (f64::from(found) - sum) / self.largest[position];
            self.worst.note(deviation, || format!("{at} [pos {position}, dim {}]", index % width));
        }
    }
}

impl Tap for Sum {
    fn wants(&self, at: HookPoint) -> bool {
        matches!(at.site(), Site::Embed | Site::PosEmbed | Site::AttnOut | Site::MlpOut | Site::ResidPost)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let values = flat(&x)?;
        match at.site() {
            Site::ResidPost => self.compare(at, &values),
            _ => self.add(&values),
        }
        Ok(x)
    }
}

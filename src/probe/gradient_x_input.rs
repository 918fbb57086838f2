//! Gradient × input: the gradient at each token's embedding, along that embedding.
//!
//! `S_i = e_i · ∇_{e_i} m` (Shrikumar et al. 2016; of differences of logits, Yin and Neubig 2022). It is the first order
//! of what would happen if the embedding became zero, where no decoder has ever been: the scores do not add up to the
//! metric, which is why their sum is shown beside it.

use super::input::{self, Asked};
use super::{Probe, ProbeError, Step, Subject};
use crate::figure::{Cell, Figure};

/// The probe.
pub struct GradientXInput;

impl Probe for GradientXInput {
    fn name(&self) -> &'static str {
        "gradient-x-input"
    }

    fn about(&self) -> &'static str {
        "for or against the answer: the gradient at each token's embedding, along that embedding"
    }

    fn run(&self, subject: &Subject<'_>, _: &mut dyn FnMut(Step)) -> Result<Vec<Figure>, ProbeError> {
        let asked = Asked::new(subject)?;
        let found = input::embedding_gradient(subject.lm, &subject.prompt.ids, asked.metric(), subject.cancel)?;
        let caption = format!(
            "Gradient of {} with respect to the embedding of each token, times that embedding. {LATER}",
            asked.describe(),
            LATER = input::LATER,
        );
        let rows = [
            ("metric of the prompt", Cell::number(found.value, 4)),
            ("sum of the scores", Cell::number(found.products.iter().sum(), 4)),
        ];
        let check = "Of a linear model the scores would add up to the metric. A decoder is none: read them against each \
                     other.";
        Ok(vec![
            asked.pieces.scores("Gradient × input", caption, &found.products)?,
            asked.pieces.numbers("Sum", check, &rows)?,
        ])
    }
}

//! Gradient norm: how strongly the answer reacts to a small change of each token's embedding.
//!
//! `S_i = ‖∇_{e_i} m‖₂` (Simonyan et al. 2013; of differences of logits, Yin and Neubig 2022). It has no sign and says
//! nothing about what the token did to the answer, only where the answer is sensitive.

use super::input::{self, Asked};
use super::{Probe, ProbeError, Step, Subject};
use crate::figure::Figure;

/// The probe.
pub struct GradientNorm;

impl Probe for GradientNorm {
    fn name(&self) -> &'static str {
        "gradient-norm"
    }

    fn about(&self) -> &'static str {
        "how strongly the answer reacts to a small change of each token's embedding"
    }

    fn run(&self, subject: &Subject<'_>, _: &mut dyn FnMut(Step)) -> Result<Vec<Figure>, ProbeError> {
        let asked = Asked::new(subject)?;
        let found = input::embedding_gradient(subject.lm, &subject.prompt.ids, asked.metric(), subject.cancel)?;
        let caption = format!(
            "Length of the gradient of {} with respect to the embedding of each token. It has no sign. {LATER}",
            asked.describe(),
            LATER = input::LATER,
        );
        Ok(vec![asked.pieces.scores("Gradient norm", caption, &found.norms)?])
    }
}

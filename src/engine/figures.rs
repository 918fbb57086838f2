//! Every lens on one prompt: the figures that a session's views stand for.

use super::{EngineError, Loaded, job};
use crate::figure::{Figure, Provenance};
use crate::hook::Head;
use crate::lens::{Ask, Context, LENSES, Question};
use crate::model::CancelToken;
use crate::model::sample::Sampling;
use crate::text::Prompt;
use crate::trace::{Trace, TracePlan};

/// What figures are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// The tokens.
    pub ids: Vec<u32>,
    /// The position and the tokens that are asked about.
    pub ask: Ask,
    /// What is changed in the forward pass, as typed.
    pub interventions: Vec<String>,
    /// The head that is shown large.
    pub head: Head,
    /// How the next token would be chosen.
    pub sampling: Sampling,
}

/// Entries of each kind that figures show.
const TOP: usize = 50;

/// The figures of every lens, under their names.
///
/// # Errors
/// Interventions or a question that do not fit, a model that cannot be run, or cancellation.
pub fn figures(
    loaded: &Loaded,
    asked: &Inspected,
    cancel: &CancelToken,
) -> Result<Vec<(String, Vec<Figure>)>, EngineError> {
    let cfg = &loaded.info.config;
    let prompt = Prompt::from_ids(asked.ids.clone(), cfg.d_vocab)?;
    let interventions = job::prepare(loaded, &prompt.ids, &asked.interventions, cancel)?;
    let question =
        Question { ask: asked.ask, top: TOP, head: Some(asked.head), sampling: asked.sampling, ..Question::default() };
    let plan = LENSES.iter().fold(TracePlan::default(), |plan, lens| plan.union(&lens.needs(cfg, &question)));
    let trace = Trace::record(&loaded.decoder, &prompt.ids, &plan, &mut (interventions.tap(0), cancel.clone()))?;
    let text = loaded.tokenizer.decode(&prompt.ids);
    let provenance = Provenance {
        prompt: Some(text),
        interventions: interventions.specs().to_vec(),
        ..loaded.provenance(Some(&prompt))
    };
    let context =
        Context { lm: &loaded.decoder, tokenizer: &loaded.tokenizer, provenance: &provenance, question: &question };
    let mut out = Vec::with_capacity(LENSES.len());
    for lens in LENSES {
        cancel.check()?;
        out.push((lens.name().to_owned(), lens.read(&trace, context)?));
    }
    Ok(out)
}

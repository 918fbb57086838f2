//! One forward pass of a prompt as a report shows it: every token with what was expected in its place, what each part adds,
//! what the lenses read, and the pattern of every head.

use super::EngineError;
use crate::figure::{Content, Figure, Note, Part, Piece, Scale, Strip, Waterfall};
use crate::lens::attention::{Attention, EachPattern, TakePattern};
use crate::lens::distribution::{NextTokens, next_token};
use crate::lens::dla::{self, Attribution, DirectLogitAttribution};
use crate::lens::logit_lens::LogitLens;
use crate::lens::{Context, Lens, LensError, Question};
use crate::model::{CausalLm as _, DecoderConfig};
use crate::probe::Subject;
use crate::trace::{Trace, TracePlan};

/// What was likelier at each token.
const N_LIKELIER: usize = 5;
/// Parts that are named; the others are added up.
const N_PARTS: usize = 14;

/// The figures of a report.
pub struct Overview {
    /// The prompt in its tokens.
    pub strip: Figure,
    /// What comes next.
    pub next: Vec<Figure>,
    /// What each part adds to the logit of A over B.
    pub parts: Figure,
    /// The same by head.
    pub attribution: Vec<Figure>,
    /// The logit lens.
    pub layers: Vec<Figure>,
    /// Statistics of every head.
    pub attention: Vec<Figure>,
}

/// What is recorded for it.
pub fn overview_plan(cfg: &DecoderConfig, question: &Question) -> TracePlan {
    let lenses: [&dyn Lens; 4] = [&NextTokens, &DirectLogitAttribution, &LogitLens, &Attention];
    lenses.iter().fold(TracePlan::default(), |plan, lens| plan.union(&lens.needs(cfg, question)))
}

/// Runs the model once and lays out what is asked.
///
/// # Errors
/// A question that does not fit, a model that cannot be run, or cancellation.
pub fn overview(subject: &Subject<'_>, take: &mut TakePattern<'_>) -> Result<Overview, EngineError> {
    let Subject { lm, tokenizer, provenance, question, prompt, cancel, .. } = *subject;
    let plan = overview_plan(lm.config(), question);
    let trace = Trace::record(lm, &prompt.ids, &plan, &mut (EachPattern::to(take), cancel.clone()))?;
    let context = Context { lm, tokenizer, provenance, question };
    let figures = |lens: &dyn Lens| -> Result<Vec<Figure>, LensError> {
        cancel.check()?;
        lens.read(&trace, context)
    };
    let found = dla::attribute(&trace, lm, context.target(&trace)?)?;
    Ok(Overview {
        strip: strip(&trace, context)?,
        next: figures(&NextTokens)?,
        parts: parts(&found, context),
        attribution: figures(&DirectLogitAttribution)?,
        layers: figures(&LogitLens)?,
        attention: figures(&Attention)?,
    })
}

/// Every token of the prompt with its surprisal, and what the model held for likeliest in its place.
fn strip(trace: &Trace, context: Context<'_>) -> Result<Figure, LensError> {
    let text = |id: u32| context.tokenizer.visible(id);
    let mut pieces = Vec::with_capacity(trace.ids.len());
    for (position, &id) in trace.ids.iter().enumerate() {
        let Some(before) = position.checked_sub(1) else {
            pieces.push(Piece { text: text(id), value: None, notes: Vec::new() });
            continue;
        };
        let found = next_token(&trace.logits_at(before)?, N_LIKELIER, Some(id))?;
        let asked = found.asked.map(|ranked| (ranked.logprob, ranked.rank));
        let itself =
            asked.map(|(logprob, rank)| Note { name: format!("its probability (rank {rank})"), value: logprob.exp() });
        let likelier = found.top.iter().map(|ranked| Note { name: text(ranked.id), value: ranked.logprob.exp() });
        pieces.push(Piece {
            text: text(id),
            value: asked.map(|(logprob, _)| -logprob / std::f64::consts::LN_2),
            notes: itself.into_iter().chain(likelier).collect(),
        });
    }
    #[expect(clippy::cast_possible_truncation, reason = "the end of a colour scale")]
    let uniform = (context.lm.config().d_vocab as f64).log2() as f32;
    Ok(Figure {
        title: "The prompt, token by token".into(),
        caption: format!(
            "Surprisal: -log2 of the probability that the model gave each token after those before it; {uniform:.1} bits is \
             what a uniform guess over the vocabulary has. Named beside it: the {N_LIKELIER} likeliest tokens in that place."
        ),
        provenance: context.provenance.clone(),
        content: Content::Strip(Strip {
            pieces,
            scale: Scale::Sequential { low: 0.0, high: uniform },
            unit: "surprisal, bits".into(),
            note_unit: "probability".into(),
        }),
    })
}

/// The strongest components one after the other, the rest added up.
fn parts(found: &Attribution, context: Context<'_>) -> Figure {
    let mut parts: Vec<Part> = found
        .components
        .iter()
        .map(|(component, share)| Part { name: component.to_string(), value: share.difference() })
        .collect();
    parts.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    let rest = parts.split_off(parts.len().min(N_PARTS));
    if !rest.is_empty() {
        let value = rest.iter().map(|part| part.value).sum();
        parts.push(Part { name: format!("{} others", rest.len()), value });
    }
    let token = |id: u32| context.tokenizer.visible(id);
    let target = found.target;
    let of = match target.versus {
        Some(versus) => format!("the logit of “{}” minus that of “{}”", token(target.token), token(versus)),
        None => format!("the logit of “{}”", token(target.token)),
    };
    Figure {
        title: "What each part adds".into(),
        caption: format!(
            "Direct logit attribution (Elhage et al. 2021): the direct contribution of each component to {of}, before a \
             soft-cap, with the scales of the norms frozen, strongest first. The remainder is what the parts do not add up to."
        ),
        provenance: context.provenance.clone(),
        content: Content::Waterfall(Waterfall::new(parts, found.logits.difference(), "logit")),
    }
}

//! One function a request, on a loaded model.

use std::sync::Arc;

use super::{
    Candidate, Distribution, EngineError, Event, EventSink, HeadGrid, Inspection, Loaded, Outcome, Panel, Progress,
    Request, Tokens, Verified,
};
use crate::hook::{HookPoint, Site};
use crate::lens::distribution::{NextToken, Ranked, next_token};
use crate::lens::logit_lens::LogitLens;
use crate::lens::{Context, Lens as _, Question, attention};
use crate::model::load::Precision;
use crate::model::sample::{Sampler, Sampling};
use crate::model::{CancelToken, CausalLm as _, last_logits};
use crate::text::{BosPolicy, Prompt, Tokenizer};
use crate::trace::{Trace, TracePlan};
use crate::verify::{self, Subject, Verdict};

pub(super) fn run(
    loaded: &Loaded,
    request: Request,
    cancel: &CancelToken,
    sink: &mut dyn EventSink,
) -> Result<Outcome, EngineError> {
    match request {
        Request::Load { .. } => Err(EngineError::NoModel),
        Request::Tokenise { text, bos } => tokenise(&loaded.tokenizer, &text, bos).map(Outcome::Tokens),
        Request::Verify => verify(loaded, cancel, sink).map(Outcome::Verified),
        Request::Inspect { ids, panels } => {
            inspect(loaded, &ids, &panels, cancel).map(|found| Outcome::Inspected(Arc::new(found)))
        }
        Request::Generate { ids, n_tokens, sampling } => {
            generate(loaded, &ids, Generation { n_tokens, sampling }, cancel, sink)
                .map(|ids| Outcome::Generated { ids })
        }
    }
}

fn tokenise(tokenizer: &Tokenizer, text: &str, bos: BosPolicy) -> Result<Tokens, EngineError> {
    let prompt = Prompt::new(tokenizer, text, bos)?;
    Ok(tokens(tokenizer, &prompt.ids, prompt.bos.to_string()))
}

fn tokens(tokenizer: &Tokenizer, ids: &[u32], bos: String) -> Tokens {
    Tokens { ids: ids.to_vec(), visible: ids.iter().map(|&id| tokenizer.visible(id)).collect(), bos }
}

fn inspect(loaded: &Loaded, ids: &[u32], panels: &[Panel], cancel: &CancelToken) -> Result<Inspection, EngineError> {
    let cfg = &loaded.info.config;
    Prompt::from_ids(ids.to_vec(), cfg.d_vocab)?;
    let mut plan = TracePlan::default();
    for panel in panels {
        plan = plan.union(&needs(loaded, *panel)?);
    }
    let trace = Trace::record(&loaded.decoder, ids, &plan, &mut cancel.clone())?;
    let provenance = loaded.provenance(None);
    let question = Question::default();
    let context =
        Context { lm: &loaded.decoder, tokenizer: &loaded.tokenizer, provenance: &provenance, question: &question };
    let mut found = Inspection { tokens: tokens(&loaded.tokenizer, ids, String::new()), ..Inspection::default() };
    for panel in panels {
        cancel.check()?;
        match *panel {
            Panel::Distributions { top } => found.distributions = Some(distributions(&trace, &loaded.tokenizer, top)?),
            Panel::AttentionHead { layer, head } => {
                found.attention = Some(Arc::new(attention::head_figure(&trace, context, layer, head)?));
            }
            Panel::HeadGrid { side } => {
                let (side, cells) = attention::thumbnails(&trace, cfg, side)?;
                found.head_grid =
                    Some(Arc::new(HeadGrid { n_layers: cfg.n_layers, n_heads: cfg.n_heads, side, cells }));
            }
            Panel::LogitLens => found.logit_lens = LogitLens.read(&trace, context)?.into_iter().next().map(Arc::new),
        }
    }
    Ok(found)
}

fn verify(loaded: &Loaded, cancel: &CancelToken, sink: &mut dyn EventSink) -> Result<Verified, EngineError> {
    let ids = loaded.verification_prompt()?.ids;
    let Precision { arithmetic, dtype, .. } = loaded.info.precision;
    let (lm, decoder) = (&loaded.decoder, Some(&loaded.decoder));
    let subject = Subject { lm, decoder, ids: &ids, arithmetic, dtype, cancel };
    let mut tell = |step: verify::Step| {
        sink.send(Event::Progress(Progress { done: step.done, total: step.total, unit: "laws" }));
    };
    let report = verify::run(&subject, None, &mut tell)?;
    let named = |verdict| report.checks.iter().filter(move |check| check.verdict == verdict);
    let failed = named(Verdict::Fails).map(|check| check.name).collect();
    Ok(Verified { n_hold: named(Verdict::Holds).count(), failed })
}

/// The hooks a panel needs.
fn needs(loaded: &Loaded, panel: Panel) -> Result<TracePlan, EngineError> {
    let cfg = &loaded.info.config;
    match panel {
        Panel::Distributions { .. } => Ok(TracePlan::default()),
        Panel::HeadGrid { .. } => Ok(TracePlan::sites(cfg, &[Site::Pattern])),
        Panel::LogitLens => Ok(LogitLens.needs(cfg, &Question::default())),
        Panel::AttentionHead { layer, head } => {
            check("layer", layer, cfg.n_layers)?;
            check("head", head, cfg.n_heads)?;
            Ok(TracePlan::new([HookPoint::block(layer, Site::Pattern)]))
        }
    }
}

fn check(what: &'static str, found: usize, n: usize) -> Result<(), EngineError> {
    if found < n { Ok(()) } else { Err(EngineError::OutOfRange { what, found, last: n.saturating_sub(1) }) }
}

fn distributions(trace: &Trace, tokenizer: &Tokenizer, top: usize) -> Result<Vec<Distribution>, EngineError> {
    let at = |position: usize| {
        let follows = trace.ids.get(position + 1).copied();
        Ok(distribution(position, next_token(&trace.logits_at(position)?, top, follows)?, tokenizer))
    };
    (0..trace.ids.len()).map(at).collect()
}

/// Names the tokens of a ranking.
pub(crate) fn distribution(position: usize, next: NextToken, tokenizer: &Tokenizer) -> Distribution {
    let candidate = |ranked: &Ranked| Candidate {
        rank: ranked.rank,
        id: ranked.id,
        text: tokenizer.text(ranked.id),
        visible: tokenizer.visible(ranked.id),
        logit: ranked.logit,
        logprob: ranked.logprob,
        prob: ranked.logprob.exp(),
    };
    Distribution {
        position,
        entropy_bits: next.entropy_bits,
        top: next.top.iter().map(candidate).collect(),
        actual: next.asked.as_ref().map(candidate),
    }
}

struct Generation {
    n_tokens: usize,
    sampling: Sampling,
}

fn generate(
    loaded: &Loaded,
    ids: &[u32],
    how: Generation,
    cancel: &CancelToken,
    sink: &mut dyn EventSink,
) -> Result<Vec<u32>, EngineError> {
    Prompt::from_ids(ids.to_vec(), loaded.info.config.d_vocab)?;
    let mut sampler = Sampler::new(how.sampling);
    let mut cache = loaded.decoder.new_cache();
    let mut next = ids.to_vec();
    let (mut said, mut chosen) = (ids.to_vec(), Vec::new());
    // the context may be filled to its last position, and no further
    let room = loaded.info.config.n_ctx.saturating_sub(ids.len());
    let n_tokens = how.n_tokens.min(room);
    for done in 1..=n_tokens {
        let logits = last_logits(&loaded.decoder, &next, &mut cache, &mut cancel.clone())?;
        let id = sampler.choose(&logits, &said);
        chosen.push(id);
        said.push(id);
        sink.send(Event::Token { id, visible: loaded.tokenizer.visible(id) });
        sink.send(Event::Progress(Progress { done, total: n_tokens, unit: "tokens" }));
        if loaded.tokenizer.eos() == Some(id) {
            break;
        }
        next = vec![id];
    }
    Ok(chosen)
}

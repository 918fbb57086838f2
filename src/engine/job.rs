//! One function a request, on a loaded model.

use std::sync::Arc;

use super::kv::{Remembered, Row};
use super::{
    Branches, Candidate, Chain, Distribution, EngineError, Event, EventSink, HeadGrid, Inspection, Law, Loaded,
    Outcome, Panel, Progress, Request, Tokens, Verified, chain, evaluate, figures, patch, why,
};
use crate::figure::Provenance;
use crate::hook::{HookPoint, Site};
use crate::intervene::{Intervened, Interventions, Runs, Spec};
use crate::lens::distribution::{NextToken, Ranked, next_token};
use crate::lens::dla::DirectLogitAttribution;
use crate::lens::logit_lens::LogitLens;
use crate::lens::{Ask, Context, Lens as _, LensError, Question, Target, Versus, attention};
use crate::model::load::Precision;
use crate::model::sample::{Sampler, Sampling, log_softmax};
use crate::model::{CancelToken, CausalLm as _, last_logits};
use crate::probe::diff;
use crate::probe::input::embedding_gradient;
use crate::text::{BosPolicy, Prompt, Tokenizer};
use crate::trace::{Metric, Quantity, Trace, TracePlan};
use crate::verify::{self, Subject, Verdict};

pub(super) fn run(
    (loaded, remembered): (&Loaded, &mut Remembered),
    request: Request,
    cancel: &CancelToken,
    sink: &mut dyn EventSink,
) -> Result<Outcome, EngineError> {
    match request {
        // the engine itself answers these
        Request::Load { .. }
        | Request::Heads
        | Request::Describe { .. }
        | Request::Survey { .. }
        | Request::Compare(_) => Err(EngineError::NoModel),
        Request::Tokenise { text, bos } => tokenise(&loaded.tokenizer, &text, bos).map(Outcome::Tokens),
        Request::Verify => verify(loaded, cancel, sink).map(Outcome::Verified),
        Request::Inspect { ids, ask, interventions, panels } => {
            let asked = Asked { ids: &ids, ask, specs: &interventions, panels: &panels };
            let found = match asked.only_distributions() {
                Some(top) => step(loaded, remembered, asked, top, cancel),
                None => inspect(loaded, asked, cancel),
            };
            found.map(|found| Outcome::Inspected(Arc::new(found)))
        }
        Request::Suites => evaluate::suites().map(|found| Outcome::Suites(Arc::new(found))),
        Request::Evaluate { suite, limit, seed } => evaluate::evaluate(loaded, &suite, (limit, seed), cancel, sink),
        Request::Patch(work) => patch::patch(loaded, *work, cancel, sink),
        Request::Generate { ids, n_tokens, sampling, interventions } => {
            let interventions = prepare(loaded, &ids, &interventions, cancel)?;
            let how = Generation { n_tokens, sampling, interventions };
            let ids = if how.interventions.is_empty() {
                generate_on(loaded, remembered, &ids, &how, cancel, sink)
            } else {
                generate(loaded, &ids, &how, cancel, sink)
            };
            ids.map(|ids| Outcome::Generated { ids })
        }
        Request::Chain { ids, interventions, sampling } => {
            follow(loaded, remembered, (&ids, &interventions), sampling, cancel)
                .map(|found| Outcome::Chain(Arc::new(found)))
        }
        Request::Attribution { ids, ask } => attribute(loaded, remembered, &ids, ask, cancel).map(Outcome::Attribution),
        Request::Figures(asked) => figures(loaded, &asked, cancel).map(|all| Outcome::Figures(Arc::new(all))),
        Request::Branches { a, b } => {
            branches(loaded, [&a, &b], cancel).map(|found| Outcome::Branches(Arc::new(found)))
        }
    }
}

fn tokenise(tokenizer: &Tokenizer, text: &str, bos: BosPolicy) -> Result<Tokens, EngineError> {
    let prompt = Prompt::new(tokenizer, text, bos)?;
    Ok(tokens(tokenizer, &prompt.ids, prompt.bos.to_string()))
}

pub(super) fn tokens(tokenizer: &Tokenizer, ids: &[u32], bos: String) -> Tokens {
    Tokens { ids: ids.to_vec(), visible: ids.iter().map(|&id| tokenizer.visible(id)).collect(), bos }
}

/// What is to be looked at.
#[derive(Clone, Copy)]
struct Asked<'a> {
    ids: &'a [u32],
    ask: Ask,
    specs: &'a [String],
    panels: &'a [Panel],
}

impl Asked<'_> {
    /// How many tokens each distribution is to have, if nothing else is asked of the model as it is.
    const fn only_distributions(&self) -> Option<usize> {
        match self.panels {
            [Panel::Distributions { top }] if self.specs.is_empty() => Some(*top),
            _ => None,
        }
    }
}

/// The distributions, running only the tokens that were not run before.
fn step(
    loaded: &Loaded,
    remembered: &mut Remembered,
    asked: Asked<'_>,
    top: usize,
    cancel: &CancelToken,
) -> Result<Inspection, EngineError> {
    Prompt::from_ids(asked.ids.to_vec(), loaded.info.config.d_vocab)?;
    let rows = remembered.rows(&loaded.decoder, asked.ids, cancel)?;
    let at = |(position, row): (usize, &Arc<Row>)| {
        let next = row.next(top, asked.ids.get(position + 1).copied())?;
        Ok(distribution(position, &next, None, &loaded.tokenizer))
    };
    Ok(Inspection {
        tokens: tokens(&loaded.tokenizer, asked.ids, String::new()),
        ask: asked.ask,
        distributions: Some(rows.iter().enumerate().map(at).collect::<Result<_, LensError>>()?),
        ..Inspection::default()
    })
}

/// Every token on its way through the chain.
fn follow(
    loaded: &Loaded,
    remembered: &mut Remembered,
    (ids, specs): (&[u32], &[String]),
    sampling: Sampling,
    cancel: &CancelToken,
) -> Result<Chain, EngineError> {
    Prompt::from_ids(ids.to_vec(), loaded.info.config.d_vocab)?;
    let rows = remembered.rows(&loaded.decoder, ids, cancel)?;
    let base = rows.last().map_or(&[][..], |row| &row.logits);
    let interventions = prepare(loaded, ids, specs, cancel)?;
    let tokenizer = &loaded.tokenizer;
    if interventions.is_empty() {
        return Ok(chain::follow(base, None, (ids, specs), sampling, tokenizer)?);
    }
    let lm = Intervened::new(&loaded.decoder, &interventions);
    let logits = last_logits(&lm, ids, &mut lm.new_cache(), &mut cancel.clone())?;
    Ok(chain::follow(&logits, Some(base), (ids, specs), sampling, tokenizer)?)
}

/// Gradient × input of each token up to the position that is asked about; nothing for those after it.
fn attribute(
    loaded: &Loaded,
    remembered: &mut Remembered,
    ids: &[u32],
    ask: Ask,
    cancel: &CancelToken,
) -> Result<Vec<f64>, EngineError> {
    Prompt::from_ids(ids.to_vec(), loaded.info.config.d_vocab)?;
    let position = ask.position_in(ids.len())?;
    let before = &ids[..=position];
    let rows = remembered.rows(&loaded.decoder, before, cancel)?;
    let target = ask.resolve(position, rows.last().map_or(&[][..], |row| &row.logits))?;
    let quantity = match target.versus {
        Some(versus) => Quantity::Difference(target.token, versus),
        None => Quantity::Logit(target.token),
    };
    let found = embedding_gradient(&loaded.decoder, before, Metric { position, quantity }, cancel)?;
    Ok(found.products)
}

/// How two continuations differ at their ends.
fn branches(loaded: &Loaded, ids: [&[u32]; 2], cancel: &CancelToken) -> Result<Branches, EngineError> {
    for ids in ids {
        Prompt::from_ids(ids.to_vec(), loaded.info.config.d_vocab)?;
    }
    let tokenizer = &loaded.tokenizer;
    let figure = diff::branches(&loaded.decoder, tokenizer, ids, &loaded.provenance(None), cancel)?;
    let at = diff::parting(ids[0], ids[1]);
    let token = |ids: &[u32]| ids.get(at).map_or_else(|| "its end".into(), |&id| tokenizer.visible(id));
    let end = |ids: &[u32]| {
        let last = &ids[ids.len().saturating_sub(SHOWN)..];
        last.iter().map(|&id| tokenizer.visible(id)).collect::<String>()
    };
    Ok(Branches {
        ends: ids.map(end),
        parting: format!("the tokens part at position {at}: {} | {}", token(ids[0]), token(ids[1])),
        figure,
    })
}

/// Tokens that tell the end of a continuation.
const SHOWN: usize = 4;

/// The interventions, checked against the model and the prompt.
fn prepare(loaded: &Loaded, ids: &[u32], specs: &[String], cancel: &CancelToken) -> Result<Interventions, EngineError> {
    let runs = Runs { ids: Some(ids), ..Runs::default() };
    Ok(Interventions::prepare(&Spec::parse_all(specs)?, &loaded.decoder, runs, cancel)?)
}

fn inspect(loaded: &Loaded, asked: Asked<'_>, cancel: &CancelToken) -> Result<Inspection, EngineError> {
    let cfg = &loaded.info.config;
    Prompt::from_ids(asked.ids.to_vec(), cfg.d_vocab)?;
    let mut plan = TracePlan::default();
    for panel in asked.panels {
        plan = plan.union(&needs(loaded, *panel)?);
    }
    let interventions = prepare(loaded, asked.ids, asked.specs, cancel)?;
    let base = Trace::record(&loaded.decoder, asked.ids, &plan, &mut cancel.clone())?;
    // the question is about what the model itself says, so that it stays the same when interventions change
    let position = asked.ask.position_in(asked.ids.len())?;
    let target = asked.ask.resolve(position, &base.logits_at(position)?)?;
    let (trace, base) = if interventions.is_empty() {
        (base, None)
    } else {
        let mut tap = (interventions.tap(0), cancel.clone());
        (Trace::record(&loaded.decoder, asked.ids, &plan, &mut tap)?, Some(base))
    };
    let look = Look { loaded, trace: &trace, base: base.as_ref(), target };
    let mut found = Inspection {
        tokens: tokens(&loaded.tokenizer, asked.ids, String::new()),
        ask: asked.ask,
        interventions: asked.specs.to_vec(),
        ..Inspection::default()
    };
    for panel in asked.panels {
        cancel.check()?;
        look.fill(*panel, &mut found)?;
    }
    Ok(found)
}

/// A forward pass, and that of the model as it is if interventions changed it.
struct Look<'a> {
    loaded: &'a Loaded,
    trace: &'a Trace,
    base: Option<&'a Trace>,
    target: Target,
}

impl Look<'_> {
    /// The question as it was resolved.
    fn ask(&self) -> Ask {
        let Target { position, token, versus } = self.target;
        let versus = versus.map_or(Versus::Nothing, Versus::Token);
        Ask { position: isize::try_from(position).ok(), token: Some(token), versus }
    }

    fn fill(&self, panel: Panel, found: &mut Inspection) -> Result<(), EngineError> {
        let Self { loaded, trace, base, target } = *self;
        let cfg = &loaded.info.config;
        let provenance = Provenance {
            prompt: Some(loaded.tokenizer.decode(&found.tokens.ids)),
            bos: Some(found.tokens.bos.clone()).filter(|bos| !bos.is_empty()),
            interventions: found.interventions.clone(),
            ..loaded.provenance(None)
        };
        let question = Question { ask: self.ask(), ..Question::default() };
        let context =
            Context { lm: &loaded.decoder, tokenizer: &loaded.tokenizer, provenance: &provenance, question: &question };
        match panel {
            Panel::Distributions { top } => {
                found.distributions = Some(distributions(trace, base, &loaded.tokenizer, top)?);
            }
            Panel::AttentionHead { layer, head } => {
                found.attention = Some(Arc::new(attention::head_figure(trace, context, layer, head)?));
            }
            Panel::HeadGrid { side } => {
                let (side, cells) = attention::thumbnails(trace, cfg, side)?;
                let grid = HeadGrid { n_layers: cfg.n_layers, n_heads: cfg.n_heads, side, cells };
                found.head_grid = Some(Arc::new(grid));
            }
            Panel::LogitLens => {
                let mut figures = LogitLens.read(trace, context)?.into_iter().map(Arc::new);
                (found.logit_lens, found.trajectory) = (figures.next(), figures.next());
            }
            Panel::Why => {
                found.why = Some(Arc::new(why::tell(trace, base, target, loaded)?));
            }
        }
        Ok(())
    }
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
    let law = |check: &verify::Check| Law {
        name: check.name,
        about: check.about,
        verdict: check.verdict.to_string(),
        deviation: check.deviation,
        tolerance: check.tolerance.to_string(),
        remark: check.reason.as_ref().or(check.at.as_ref()).cloned(),
    };
    let laws = report.checks.iter().map(law).collect();
    Ok(Verified { n_hold: named(Verdict::Holds).count(), failed, laws })
}

/// Generates with the model as it is, after what was run before.
fn generate_on(
    loaded: &Loaded,
    remembered: &mut Remembered,
    ids: &[u32],
    how: &Generation,
    cancel: &CancelToken,
    sink: &mut dyn EventSink,
) -> Result<Vec<u32>, EngineError> {
    Prompt::from_ids(ids.to_vec(), loaded.info.config.d_vocab)?;
    let mut sampler = Sampler::new(how.sampling);
    let mut said = ids.to_vec();
    let n_tokens = how.n_tokens.min(loaded.info.config.n_ctx.saturating_sub(ids.len()));
    for done in 1..=n_tokens {
        let rows = remembered.rows(&loaded.decoder, &said, cancel)?;
        let Some(row) = rows.last() else { break };
        let id = sampler.choose(&row.logits, &said);
        said.push(id);
        sink.send(Event::Token { id, visible: loaded.tokenizer.visible(id) });
        sink.send(Event::Progress(Progress { done, total: n_tokens, unit: "tokens" }));
        if loaded.tokenizer.eos() == Some(id) {
            break;
        }
    }
    Ok(said.split_off(ids.len()))
}

/// The hooks a panel needs.
fn needs(loaded: &Loaded, panel: Panel) -> Result<TracePlan, EngineError> {
    let cfg = &loaded.info.config;
    match panel {
        Panel::Distributions { .. } => Ok(TracePlan::default()),
        Panel::HeadGrid { .. } => Ok(TracePlan::sites(cfg, &[Site::Pattern])),
        Panel::LogitLens => Ok(LogitLens.needs(cfg, &Question::default())),
        Panel::Why => Ok(DirectLogitAttribution.needs(cfg, &Question::default())),
        Panel::AttentionHead { layer, head } => {
            check("layer", layer, cfg.n_layers)?;
            check("head", head, cfg.n_heads)?;
            Ok(TracePlan::new([HookPoint::block(layer, Site::Pattern)]))
        }
    }
}

pub(super) fn check(what: &'static str, found: usize, n: usize) -> Result<(), EngineError> {
    if found < n { Ok(()) } else { Err(EngineError::OutOfRange { what, found, last: n.saturating_sub(1) }) }
}

fn distributions(
    trace: &Trace,
    base: Option<&Trace>,
    tokenizer: &Tokenizer,
    top: usize,
) -> Result<Vec<Distribution>, EngineError> {
    let at = |position: usize| {
        let follows = trace.ids.get(position + 1).copied();
        let next = next_token(&trace.logits_at(position)?, top, follows)?;
        let base = base.map(|base| base.logits_at(position)).transpose()?;
        Ok(distribution(position, &next, base.map(|logits| log_softmax(&logits)).as_deref(), tokenizer))
    };
    (0..trace.ids.len()).map(at).collect()
}

/// Names the tokens of a ranking; `base` are the model's own log-probabilities where interventions change them.
fn distribution(position: usize, next: &NextToken, base: Option<&[f64]>, tokenizer: &Tokenizer) -> Distribution {
    let candidate = |ranked: &Ranked| Candidate {
        rank: ranked.rank,
        id: ranked.id,
        text: tokenizer.text(ranked.id),
        visible: tokenizer.visible(ranked.id),
        logit: ranked.logit,
        logprob: ranked.logprob,
        prob: ranked.logprob.exp(),
        base: base.and_then(|base| base.get(ranked.id as usize)).map(|logprob| logprob.exp()),
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
    interventions: Interventions,
}

fn generate(
    loaded: &Loaded,
    ids: &[u32],
    how: &Generation,
    cancel: &CancelToken,
    sink: &mut dyn EventSink,
) -> Result<Vec<u32>, EngineError> {
    Prompt::from_ids(ids.to_vec(), loaded.info.config.d_vocab)?;
    let mut sampler = Sampler::new(how.sampling);
    let lm = Intervened::new(&loaded.decoder, &how.interventions);
    let mut cache = lm.new_cache();
    let mut next = ids.to_vec();
    let (mut said, mut chosen) = (ids.to_vec(), Vec::new());
    // the context may be filled to its last position, and no further
    let room = loaded.info.config.n_ctx.saturating_sub(ids.len());
    let n_tokens = how.n_tokens.min(room);
    for done in 1..=n_tokens {
        let logits = last_logits(&lm, &next, &mut cache, &mut cancel.clone())?;
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

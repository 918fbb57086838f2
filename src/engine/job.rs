//! One function a request, on a loaded model.

use std::sync::Arc;

use super::kv::{Remembered, Row};
use super::{
    Branches, Candidate, Chain, Distribution, EngineError, Event, EventSink, HeadGrid, InputMethod, Inspection, Law,
    Loaded, Outcome, Panel, Progress, Request, Tokens, Verified, chain, evaluate, figures, inputs, patch, why,
};
use crate::figure::Provenance;
use crate::hook::Head;
use crate::intervene::{Intervened, Interventions, Runs, Spec};
use crate::lens::attention::{self, Thumbnails};
use crate::lens::distribution::{NextToken, Ranked, next_token};
use crate::lens::dla::DirectLogitAttribution;
use crate::lens::logit_lens::{self, LogitLens};
use crate::lens::{Ask, Context, Lens as _, LensError, Question, Target, Versus};
use crate::model::load::Precision;
use crate::model::sample::{Sampler, Sampling, log_softmax};
use crate::model::{CancelToken, CausalLm as _, last_logits};
use crate::probe::diff;
use crate::text::{BosPolicy, Prompt, Tokenizer};
use crate::trace::{Trace, TracePlan};
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
            let how = Generation { n_tokens, sampling };
            let ids = if interventions.is_empty() {
                generate(loaded, &ids, how, sink, |said| {
                    let rows = remembered.rows(&loaded.decoder, said, cancel)?;
                    Ok(rows.last().map_or_else(Vec::new, |row| row.logits.clone()))
                })
            } else {
                let lm = Intervened::new(&loaded.decoder, &interventions);
                let mut cache = lm.new_cache();
                generate(loaded, &ids, how, sink, |said| {
                    Ok(last_logits(&lm, &said[cache.len()..], &mut cache, &mut cancel.clone())?)
                })
            };
            ids.map(|ids| Outcome::Generated { ids })
        }
        Request::Chain { ids, interventions, sampling } => {
            follow(loaded, remembered, (&ids, &interventions), sampling, cancel)
                .map(|found| Outcome::Chain(Arc::new(found)))
        }
        Request::Inputs { ids, ask, method } => {
            let found = inputs::inputs((loaded, remembered), (&ids, ask, method), cancel, sink)?;
            Ok(Outcome::Inputs(Arc::new(found)))
        }
        Request::Attribution { ids, ask } => {
            let asked = (&ids[..], ask, InputMethod::GradientXInput);
            let found = inputs::inputs((loaded, remembered), asked, cancel, sink)?;
            Ok(Outcome::Attribution(found.parts.iter().map(|part| part.share.now).collect()))
        }
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

    /// Cells a side of thumbnails, if those are asked for.
    fn side(&self) -> Option<usize> {
        self.panels.iter().find_map(|panel| if let Panel::HeadGrid { side } = panel { Some(*side) } else { None })
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
pub(super) fn prepare(
    loaded: &Loaded,
    ids: &[u32],
    specs: &[String],
    cancel: &CancelToken,
) -> Result<Interventions, EngineError> {
    let specs = Spec::parse_all(specs)?;
    // the prompts that specs name begin as this one begins
    let has_bos = !ids.is_empty() && ids.first().copied() == loaded.tokenizer.bos();
    let bos = if has_bos { BosPolicy::Always } else { BosPolicy::Never };
    let name = |text: &str| Ok::<_, EngineError>((text.to_owned(), Prompt::new(&loaded.tokenizer, text, bos)?.ids));
    let named = specs.iter().filter_map(Spec::prompt).map(name).collect::<Result<Vec<_>, _>>()?;
    let runs = Runs { ids: Some(ids), named: &named, ..Runs::default() };
    Ok(Interventions::prepare(&specs, &loaded.decoder, runs, cancel)?)
}

fn inspect(loaded: &Loaded, asked: Asked<'_>, cancel: &CancelToken) -> Result<Inspection, EngineError> {
    let cfg = &loaded.info.config;
    Prompt::from_ids(asked.ids.to_vec(), cfg.d_vocab)?;
    let mut plan = TracePlan::default();
    for panel in asked.panels {
        plan = plan.union(&needs(loaded, panel)?);
    }
    let interventions = prepare(loaded, asked.ids, asked.specs, cancel)?;
    let mut small = asked.side().map(|side| Thumbnails::new(cfg, asked.ids.len(), side));
    let on_base = if interventions.is_empty() { small.as_mut() } else { None };
    let base = Trace::record(&loaded.decoder, asked.ids, &plan, &mut (cancel.clone(), on_base))?;
    // the question is about what the model itself says, so that it stays the same when interventions change
    let position = asked.ask.position_in(asked.ids.len())?;
    let target = asked.ask.resolve(position, &base.logits_at(position)?)?;
    let (trace, base) = if interventions.is_empty() {
        (base, None)
    } else {
        let mut tap = (interventions.tap(0), (cancel.clone(), small.as_mut()));
        (Trace::record(&loaded.decoder, asked.ids, &plan, &mut tap)?, Some(base))
    };
    let look = Look { loaded, trace: &trace, base: base.as_ref(), target, small };
    let mut found = Inspection {
        tokens: tokens(&loaded.tokenizer, asked.ids, String::new()),
        ask: asked.ask,
        interventions: asked.specs.to_vec(),
        ..Inspection::default()
    };
    for panel in asked.panels {
        cancel.check()?;
        look.fill(panel, &mut found)?;
    }
    Ok(found)
}

/// A forward pass, and that of the model as it is if interventions changed it.
struct Look<'a> {
    loaded: &'a Loaded,
    trace: &'a Trace,
    base: Option<&'a Trace>,
    target: Target,
    small: Option<Thumbnails>,
}

impl Look<'_> {
    /// The question as it was resolved.
    fn ask(&self) -> Ask {
        let Target { position, token, versus } = self.target;
        let versus = versus.map_or(Versus::Nothing, Versus::Token);
        Ask { position: isize::try_from(position).ok(), token: Some(token), versus }
    }

    fn fill(&self, panel: &Panel, found: &mut Inspection) -> Result<(), EngineError> {
        let Self { loaded, trace, base, target, .. } = *self;
        match *panel {
            Panel::Distributions { top } => {
                found.distributions = Some(distributions(trace, base, &loaded.tokenizer, top)?);
            }
            Panel::AttentionHead { layer, head } => {
                let head = Head { layer, head };
                let read = |trace: &Trace, context: Context<'_>| {
                    let figures = [attention::head_figure, attention::written_figure];
                    Ok(figures.map(|figure| figure(trace, context, head).map(Arc::new)))
                };
                let (now, base) = self.both(found, read)?;
                let [attention, written] = now;
                found.head = Some(head);
                (found.attention, found.written) = (Some(attention?), Some(written?));
                if let Some([attention, written]) = base {
                    (found.base.attention, found.base.written) = (Some(attention?), Some(written?));
                }
            }
            Panel::HeadGrid { .. } => {
                let (n_layers, n_heads) = (loaded.info.config.n_layers, loaded.info.config.n_heads);
                let grid =
                    |small: &Thumbnails| HeadGrid { n_layers, n_heads, side: small.side, cells: small.cells.clone() };
                found.head_grid = self.small.as_ref().map(grid).map(Arc::new);
            }
            Panel::LogitLens { ref watch } => {
                let (now, base) = self.both(found, |trace, context| logit_lens::screen(trace, context, watch))?;
                (found.lens_tops, found.watched) = (now.tops, watch.clone());
                (found.logit_lens, found.trajectory) = (Some(Arc::new(now.grid)), Some(Arc::new(now.trajectory)));
                if let Some(base) = base {
                    (found.base.logit_lens, found.base.trajectory) =
                        (Some(Arc::new(base.grid)), Some(Arc::new(base.trajectory)));
                }
            }
            Panel::Why => {
                found.why = Some(Arc::new(why::tell(trace, base, target, loaded)?));
            }
        }
        Ok(())
    }

    /// What a lens reads of the run, and of that of the model as it is if that is another one.
    fn both<T>(
        &self,
        found: &Inspection,
        read: impl Fn(&Trace, Context<'_>) -> Result<T, LensError>,
    ) -> Result<(T, Option<T>), EngineError> {
        let question = Question { ask: self.ask(), ..Question::default() };
        let of = |trace: &Trace, specs: &[String]| {
            let provenance = Provenance {
                prompt: Some(self.loaded.tokenizer.decode(&found.tokens.ids)),
                bos: Some(found.tokens.bos.clone()).filter(|bos| !bos.is_empty()),
                interventions: specs.to_vec(),
                ..self.loaded.provenance(None)
            };
            let Loaded { decoder: lm, tokenizer, .. } = self.loaded;
            read(trace, Context { lm, tokenizer, provenance: &provenance, question: &question })
        };
        let base = self.base.map(|base| of(base, &[])).transpose()?;
        Ok((of(self.trace, &found.interventions)?, base))
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

/// The hooks a panel needs.
fn needs(loaded: &Loaded, panel: &Panel) -> Result<TracePlan, EngineError> {
    let cfg = &loaded.info.config;
    match *panel {
        // thumbnails are made while the model runs
        Panel::Distributions { .. } | Panel::HeadGrid { .. } => Ok(TracePlan::default()),
        Panel::LogitLens { .. } => Ok(LogitLens.needs(cfg, &Question::default())),
        Panel::Why => Ok(DirectLogitAttribution.needs(cfg, &Question::default())),
        Panel::AttentionHead { layer, head } => {
            check("layer", layer, cfg.n_layers)?;
            check("head", head, cfg.n_heads)?;
            Ok(attention::head_needs(layer))
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

/// How tokens are appended.
#[derive(Clone, Copy)]
struct Generation {
    n_tokens: usize,
    sampling: Sampling,
}

/// Appends tokens one by one; `next` gives the logits after all those so far.
fn generate(
    loaded: &Loaded,
    ids: &[u32],
    how: Generation,
    sink: &mut dyn EventSink,
    mut next: impl FnMut(&[u32]) -> Result<Vec<f32>, EngineError>,
) -> Result<Vec<u32>, EngineError> {
    Prompt::from_ids(ids.to_vec(), loaded.info.config.d_vocab)?;
    let mut sampler = Sampler::new(how.sampling);
    let mut said = ids.to_vec();
    // the context may be filled to its last position, and no further
    let n_tokens = how.n_tokens.min(loaded.info.config.n_ctx.saturating_sub(ids.len()));
    for done in 1..=n_tokens {
        let id = sampler.choose(&next(&said)?, &said);
        said.push(id);
        sink.send(Event::Token { id, visible: loaded.tokenizer.visible(id) });
        sink.send(Event::Progress(Progress { done, total: n_tokens, unit: "tokens" }));
        if loaded.tokenizer.eos() == Some(id) {
            break;
        }
    }
    Ok(said.split_off(ids.len()))
}

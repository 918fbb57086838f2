//! Why this token? Everything the other lenses know about one question, on one screen.
//!
//! What the model says and how sure it is; when the answer appeared in the layers; which components, heads and source
//! tokens pushed it over its rival, directly; and what happens without the strongest of them, which is measured by
//! running the model again, not inferred.

use std::fmt::Write as _;

use serde::Serialize;

use super::head_atlas;
use super::{ProbeError, Step, Subject};
use crate::hook::Head;
use crate::intervene::{Intervened, Interventions, Runs, Spec};
use crate::lens::atlas::Atlas;
use crate::lens::dla::{self, Attribution, Carried, Component, DirectLogitAttribution, Share};
use crate::lens::logit_lens::{self, LogitLens, Readings};
use crate::lens::{Context, Lens as _, LensError, Target};
use crate::model::sample::{argmax, log_softmax, ranking};
use crate::model::{CausalLm as _, last_logits};
use crate::trace::Trace;

/// How many components are taken out.
const N_ABLATED: usize = 3;
/// How many entries of each kind are told.
const N_TOLD: usize = 4;
/// How many layers are told.
const N_LAYERS_TOLD: usize = 8;

/// The answer to "why this token?".
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The model, its precision.
    pub model: String,
    /// Number types and arithmetic.
    pub precision: String,
    /// Whether a BOS was added, and why.
    pub bos: String,
    /// The tokens of the prompt, as people see them.
    pub tokens: Vec<String>,
    /// The position that is asked about.
    pub position: usize,
    /// Token A.
    pub token: Named,
    /// Token B, unless the question is about A alone.
    pub versus: Option<Named>,
    /// Entropy of the distribution.
    pub entropy_bits: f64,
    /// The most probable tokens, best first.
    pub says: Vec<Said>,
    /// The logit of A minus that of B (or A's alone), after the soft-cap if there is one.
    pub logit_difference: f64,
    /// A through the layers.
    pub layers: Vec<Layer>,
    /// The first layer with A on top, if any has.
    pub first_on_top: Option<String>,
    /// The layer from which on A stays on top, if it does.
    pub settles: Option<String>,
    /// What each component adds to the difference directly, strongest first.
    pub components: Vec<Pushed>,
    /// What they do not add up to.
    pub remainder: f64,
    /// Every head, strongest first.
    pub heads: Vec<HeadPush>,
    /// What all heads carried from each position, first to last.
    pub sources: Vec<SourcePush>,
    /// The strongest components taken out, each and all together.
    pub ablations: Vec<Ablation>,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its id.
    pub id: u32,
    /// Its text as people see it.
    pub text: String,
}

/// A probable next token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    /// The token.
    #[serde(flatten)]
    pub token: Named,
    /// Its probability.
    pub prob: f64,
    /// Its logit.
    pub logit: f64,
}

/// One layer's view.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Layer {
    /// `embed`, or the layer.
    pub layer: String,
    /// Its top token.
    pub top: String,
    /// That token's probability.
    pub top_prob: f64,
    /// A's natural log-probability.
    pub logprob: f64,
    /// A's rank.
    pub rank: usize,
    /// KL(final ‖ lens), nats.
    pub kl: f64,
}

/// A component and what it adds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pushed {
    /// Its name.
    pub component: String,
    /// To the logit of A minus that of B.
    pub difference: f64,
}

/// A head and what it adds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadPush {
    /// Its name.
    pub head: String,
    /// To the logit of A minus that of B.
    pub difference: f64,
    /// What the head atlas calls it.
    pub role: Option<&'static str>,
    /// The position it carried most from.
    pub mostly_from: usize,
    /// What it carried from there.
    pub from_there: f64,
}

/// A position and what heads carried from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourcePush {
    /// The position.
    pub position: usize,
    /// Its token.
    pub token: String,
    /// To the logit of A minus that of B.
    pub difference: f64,
    /// The head that carried most of it.
    pub mostly_through: String,
}

/// What happens without some components.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ablation {
    /// The interventions, as `--do` takes them.
    pub specs: Vec<String>,
    /// The logit difference without them.
    pub logit_difference: f64,
    /// A's log-probability without them.
    pub logprob: f64,
    /// How much A's log-probability falls.
    pub logprob_fall: f64,
    /// What is on top without them.
    pub top: String,
}

/// Answers the subject's question.
///
/// # Errors
/// A question that has no answer, a model that cannot be run, or cancellation.
pub fn explain(subject: &Subject<'_>, tell: &mut dyn FnMut(Step)) -> Result<Explanation, ProbeError> {
    let Subject { lm, tokenizer, provenance, question, cancel, prompt, .. } = *subject;
    let cfg = lm.config();
    let plan = LogitLens.needs(cfg, question).union(&DirectLogitAttribution.needs(cfg, question));
    let trace = Trace::record(lm, &prompt.ids, &plan, &mut cancel.clone())?;
    let context = Context { lm, tokenizer, provenance, question };
    let target = context.target(&trace)?;
    let readings = logit_lens::read(&trace, context, 1, &[target.token])?;
    let found = dla::attribute(&trace, lm, target)?;
    let atlas = match subject.atlas {
        Some(atlas) => atlas.clone(),
        None => head_atlas::measure(lm, tokenizer, cancel, tell)?,
    };
    let telling = Telling { subject, trace: &trace, target, found: &found };
    telling.tell(&readings, &atlas)
}

/// What an explanation is put together from.
struct Telling<'a> {
    subject: &'a Subject<'a>,
    trace: &'a Trace,
    target: Target,
    found: &'a Attribution,
}

impl Telling<'_> {
    fn tell(&self, readings: &Readings, atlas: &Atlas) -> Result<Explanation, ProbeError> {
        let logits = self.trace.logits_at(self.target.position)?;
        let logprobs = log_softmax(&logits);
        let said = |&id: &u32| Said {
            token: self.named(id),
            prob: logprobs[id as usize].exp(),
            logit: f64::from(logits[id as usize]),
        };
        let provenance = self.subject.provenance;
        let (layers, first_on_top, settles) = self.layers(readings);
        Ok(Explanation {
            model: provenance.model.clone(),
            precision: provenance.precision.clone(),
            bos: self.subject.prompt.bos.to_string(),
            tokens: self.trace.ids.iter().map(|&id| self.visible(id)).collect(),
            position: self.target.position,
            token: self.named(self.target.token),
            versus: self.target.versus.map(|id| self.named(id)),
            entropy_bits: crate::model::sample::entropy_bits(&logprobs),
            says: ranking(&logits).iter().take(N_TOLD).map(said).collect(),
            logit_difference: self.target.logit(&logits),
            layers,
            first_on_top,
            settles,
            components: self.components(),
            remainder: self.found.remainder().difference(),
            heads: self.heads(atlas)?,
            sources: self.sources()?,
            ablations: self.ablations(logprobs[self.target.token as usize])?,
        })
    }

    fn visible(&self, id: u32) -> String {
        self.subject.tokenizer.visible(id)
    }

    fn named(&self, id: u32) -> Named {
        Named { id, text: self.visible(id) }
    }

    fn layers(&self, readings: &Readings) -> (Vec<Layer>, Option<String>, Option<String>) {
        let stages = readings.of_position(self.target.position);
        let name = |stage: usize| readings.stages[stage].to_string();
        let layer = |(stage, reading): (usize, &logit_lens::Reading)| {
            let (top, logprob) = reading.top.first().copied().unwrap_or_default();
            Layer {
                layer: name(stage),
                top: self.visible(top),
                top_prob: logprob.exp(),
                logprob: reading.watched[0].logprob,
                rank: reading.watched[0].rank,
                kl: reading.kl,
            }
        };
        let first = stages.iter().position(|reading| reading.watched[0].rank == 1);
        let last_other = stages.iter().rposition(|reading| reading.watched[0].rank > 1);
        let settles = last_other.map_or(0, |stage| stage + 1);
        let settles = (settles < stages.len()).then(|| name(settles));
        (stages.iter().enumerate().map(layer).collect(), first.map(name), settles)
    }

    fn components(&self) -> Vec<Pushed> {
        let pushed = |(component, share): &(Component, Share)| Pushed {
            component: component.to_string(),
            difference: share.difference(),
        };
        let mut components: Vec<Pushed> = self.found.components.iter().map(pushed).collect();
        components.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
        components
    }

    fn heads(&self, atlas: &Atlas) -> Result<Vec<HeadPush>, LensError> {
        let pushed = |(head, share): (Head, Share)| {
            let sources = self.found.sources(self.trace, head)?;
            let most = dla::strongest_source(&sources);
            Ok(HeadPush {
                head: head.to_string(),
                difference: share.difference(),
                role: atlas.head(head).role(),
                mostly_from: most.map_or(0, |source| source.position),
                from_there: most.map_or(0.0, |source| source.share.difference()),
            })
        };
        self.found.strongest_heads(self.found.heads.len()).into_iter().map(pushed).collect()
    }

    fn sources(&self) -> Result<Vec<SourcePush>, LensError> {
        let push = |carried: Carried| SourcePush {
            position: carried.position,
            token: self.visible(self.trace.ids[carried.position]),
            difference: carried.share.difference(),
            mostly_through: carried.most.map_or_else(String::new, |source| source.head.to_string()),
        };
        Ok(self.found.carried(self.trace)?.into_iter().map(push).collect())
    }

    /// The components that pushed hardest towards A, as `--do` names them: heads and MLPs.
    fn strongest_for_a(&self) -> Vec<String> {
        let heads = self.found.heads.iter().map(|(head, share)| (head.to_string(), share.difference()));
        let mlps = self.found.components.iter().filter_map(|(component, share)| match component {
            Component::Mlp(layer) => Some((format!("L{layer}.mlp"), share.difference())),
            _ => None,
        });
        let mut all: Vec<(String, f64)> = heads.chain(mlps).filter(|(_, difference)| *difference > 0.0).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.into_iter().take(N_ABLATED).map(|(name, _)| format!("zero:{name}")).collect()
    }

    fn ablations(&self, base: f64) -> Result<Vec<Ablation>, ProbeError> {
        let specs = self.strongest_for_a();
        let mut sets: Vec<Vec<String>> = specs.iter().map(|spec| vec![spec.clone()]).collect();
        if specs.len() > 1 {
            sets.push(specs);
        }
        sets.into_iter().map(|specs| self.without(specs, base)).collect()
    }

    fn without(&self, specs: Vec<String>, base: f64) -> Result<Ablation, ProbeError> {
        let (lm, cancel) = (self.subject.lm, self.subject.cancel);
        let ids = &self.trace.ids[..=self.target.position];
        let runs = Runs { ids: Some(ids), ..Runs::default() };
        let interventions = Interventions::prepare(&Spec::parse_all(&specs)?, lm, runs, cancel)?;
        let intervened = Intervened::new(lm, &interventions);
        let logits = last_logits(&intervened, ids, &mut intervened.new_cache(), &mut cancel.clone())?;
        let logprob = self.target.logprob(&logits);
        let logit_difference = self.target.logit(&logits);
        let top = self.visible(argmax(&logits));
        Ok(Ablation { specs, logit_difference, logprob, logprob_fall: base - logprob, top })
    }
}

impl Explanation {
    /// The explanation as a screen of text, at most 80 columns where names are short.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write_answer(&mut text);
        self.write_layers(&mut text);
        self.write_pushes(&mut text);
        self.write_ablations(&mut text);
        text
    }

    fn write_answer(&self, text: &mut String) {
        let _ = writeln!(text, "{} · {}", self.model, self.precision);
        let _ = writeln!(text, "{}\n", self.tokens.concat());
        let _ = writeln!(text, "WHAT IT SAYS after {} {}", self.position, self.tokens[self.position]);
        for said in &self.says {
            let _ = writeln!(text, "  {:6.2} %  {:<16} logit {:7.3}", said.prob * 100.0, said.token.text, said.logit);
        }
        let odds = self.versus.as_ref().map_or_else(String::new, |rival| {
            let times = self.logit_difference.exp();
            format!(
                "; {} against {}: logit difference {:.3}, odds {times:.1}",
                self.token.text, rival.text, self.logit_difference
            )
        });
        let _ = writeln!(text, "  entropy {:.2} bits{odds}\n", self.entropy_bits);
    }

    fn write_layers(&self, text: &mut String) {
        let _ = writeln!(text, "WHEN (logit lens)    top token         rank of {}   kl to the end", self.token.text);
        let step = self.layers.len().div_ceil(N_LAYERS_TOLD).max(1);
        // counted from the end, so that the last one is told
        let told = |number: usize| (self.layers.len() - 1 - number).is_multiple_of(step);
        for (_, layer) in self.layers.iter().enumerate().filter(|(number, _)| told(*number)) {
            let top = format!("{} {:.2}", layer.top, layer.top_prob);
            let _ = writeln!(text, "  layer {:<12} {top:<18} {:<10} {:8.3}", layer.layer, layer.rank, layer.kl);
        }
        let when = match (&self.first_on_top, &self.settles) {
            (Some(first), Some(settles)) if first == settles => format!("on top from layer {settles} on"),
            (Some(first), Some(settles)) => format!("first on top in layer {first}, for good from layer {settles} on"),
            (Some(first), None) => format!("on top in layer {first}, and not at the end"),
            (None, _) => "never on top".to_owned(),
        };
        let _ = writeln!(text, "  {} is {when}\n", self.token.text);
    }

    fn write_pushes(&self, text: &mut String) {
        let over = self.versus.as_ref().map_or_else(String::new, |rival| format!(" over {}", rival.text));
        let _ = writeln!(
            text,
            "WHO PUSHED {}{over}, directly (adds up; remainder {:.0e})",
            self.token.text, self.remainder
        );
        for pushed in self.components.iter().take(N_TOLD) {
            let _ = writeln!(text, "  {:<14} {:+8.3}", pushed.component, pushed.difference);
        }
        for head in self.heads.iter().take(N_TOLD) {
            let from = format!("{} {}", head.mostly_from, self.tokens[head.mostly_from]);
            let role = head.role.map_or_else(String::new, |role| format!("  {role} head"));
            let (name, push, there) = (&head.head, head.difference, head.from_there);
            let _ = writeln!(text, "  {name:<14} {push:+8.3}  mostly from {from} ({there:+.3}){role}");
        }
        let mut sources: Vec<&SourcePush> = self.sources.iter().collect();
        sources.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
        let told = sources
            .iter()
            .take(N_TOLD)
            .map(|source| format!("{} {} {:+.3}", source.position, source.token, source.difference));
        let _ = writeln!(text, "  from the tokens: {}\n", told.collect::<Vec<_>>().join(", "));
    }

    fn write_ablations(&self, text: &mut String) {
        let heading = format!("log p({})", self.token.text);
        let _ = writeln!(text, "WITHOUT THEM, measured      difference  {heading:<18}  then on top");
        for ablation in &self.ablations {
            let what = match ablation.specs.as_slice() {
                [one] => format!("--do {one}"),
                all => format!("all {}", all.len()),
            };
            let fall = format!("{:.3} ({:+.3})", ablation.logprob, -ablation.logprob_fall);
            let _ = writeln!(text, "  {what:<24}  {:+10.3}  {fall:<18}  {}", ablation.logit_difference, ablation.top);
        }
    }
}

//! Why A rather than B: what each part of the model adds to the difference of their logits, as rows.

use super::{EngineError, Loaded};
use crate::hook::Head;
use crate::lens::dla::{self, Attribution, Component, Neuron, Source};
use crate::lens::{LensError, Target};
use crate::model::sample::{argmax, log_softmax};
use crate::trace::Trace;

/// Neurons of a block, and source tokens of a head, that are told one by one.
const N_TOLD: usize = 24;

/// From this share on, what a head wrote is not what it carried from positions: an intervention changed it.
const EDITED_FROM: f64 = 0.02;

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: u32,
    /// Its text as people see it.
    pub visible: String,
}

/// A number, and what it is in the model without interventions if there are any.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pair {
    /// The number.
    pub now: f64,
    /// Without interventions.
    pub base: Option<f64>,
}

impl Pair {
    /// The larger of both, without signs: what is taken out stays where it was in an order by this.
    pub fn size(self) -> f64 {
        self.now.abs().max(self.base.unwrap_or(0.0).abs())
    }
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// An embedding, or biases of norms and of the unembedding.
    Fixed,
    /// What attention of a block adds.
    Attention(usize),
    /// What the MLP of a block adds.
    Mlp(usize),
    /// A head.
    Head(Head),
    /// A neuron of a block's MLP.
    Neuron {
        /// The block.
        layer: usize,
        /// The neuron.
        index: usize,
    },
    /// What a head carried from a position; all heads, if none is named.
    Source {
        /// The head.
        head: Option<Head>,
        /// The position.
        position: usize,
    },
    /// A token of the prompt.
    Input(usize),
    /// What the parts named do not add up to.
    Rest,
}

/// What a part is mostly about.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// For a head the position, for a position the head.
    pub name: String,
    /// What came from or through there.
    pub share: f64,
}

/// One part of the sum.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Its name: `L3.mlp`, `L3H2`, `5 ␣a`.
    pub name: String,
    /// What it adds to the logit of A minus that of B, or to A's alone.
    pub share: Pair,
    /// Where most of it comes from.
    pub mostly: Option<Origin>,
    /// The activation of a neuron, the attention weight on a position, the share of a token of the prompt in all.
    pub value: Option<f64>,
}

/// What the model says.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The probability of A.
    pub prob: f64,
    /// The most probable token.
    pub top: Named,
    /// Its probability.
    pub top_prob: f64,
}

/// The answer to [`Panel::Why`](super::Panel::Why).
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    /// The position that is asked about.
    pub position: usize,
    /// Token A.
    pub token: Named,
    /// Token B, unless the question is about A alone.
    pub versus: Option<Named>,
    /// What the model says.
    pub says: Answer,
    /// What it says without interventions, if there are any.
    pub base: Option<Answer>,
    /// The difference of logits that the parts add up to, before a soft-cap.
    pub logit: Pair,
    /// Embeddings, attention and MLPs, first to last; the remainder at the end.
    pub components: Vec<Part>,
    /// Every head, block by block.
    pub heads: Vec<Part>,
    /// The strongest neurons of each block; none where experts split the MLP.
    pub neurons: Vec<Part>,
    /// What all heads carried from each position, first to last.
    pub sources: Vec<Part>,
    /// What each head carried from its strongest positions.
    pub head_sources: Vec<Part>,
}

impl Why {
    /// The intervention that takes a part out.
    pub fn without(&self, kind: PartKind) -> Option<String> {
        match kind {
            PartKind::Attention(layer) => Some(format!("zero:L{layer}.attn")),
            PartKind::Mlp(layer) => Some(format!("zero:L{layer}.mlp")),
            PartKind::Head(head) => Some(format!("zero:{head}")),
            PartKind::Neuron { layer, index } => Some(format!("zero:L{layer}N{index}")),
            PartKind::Source { head, position } => {
                let heads = head.map_or_else(|| "L*H*".to_owned(), |head| head.to_string());
                Some(format!("zero-attention:{heads}:{}->{position}", self.position))
            }
            // the token that the question is asked after always reads itself
            PartKind::Input(position) if position < self.position => {
                Some(format!("knockout:L*H*:{}-->{position}", position + 1))
            }
            PartKind::Input(_) | PartKind::Fixed | PartKind::Rest => None,
        }
    }
}

/// Splits the target's logits, also those of the model without interventions if that is another run.
pub(super) fn tell(now: &Trace, base: Option<&Trace>, target: Target, loaded: &Loaded) -> Result<Why, EngineError> {
    let run = |trace| Ok(Run { trace, found: dla::attribute(trace, &loaded.decoder, target)? });
    let base = base.map(run).transpose();
    let telling = Telling { now: run(now).map_err(lens)?, base: base.map_err(lens)?, target, loaded };
    telling.tell()
}

const fn lens(error: LensError) -> EngineError {
    EngineError::Lens(error)
}

struct Run<'a> {
    trace: &'a Trace,
    found: Attribution,
}

struct Telling<'a> {
    now: Run<'a>,
    base: Option<Run<'a>>,
    target: Target,
    loaded: &'a Loaded,
}

/// A head's sources, in both runs.
struct Carried {
    head: Head,
    now: Vec<Source>,
    base: Option<Vec<Source>>,
}

impl Carried {
    fn at(&self, position: usize) -> Pair {
        let share = |sources: &[Source]| sources.get(position).map_or(0.0, |source| source.share.difference());
        Pair { now: share(&self.now), base: self.base.as_deref().map(share) }
    }

    fn strongest(&self) -> Option<usize> {
        (0..self.now.len()).max_by(|&a, &b| self.at(a).size().total_cmp(&self.at(b).size()))
    }
}

impl Telling<'_> {
    fn tell(&self) -> Result<Why, EngineError> {
        let carried = self.carried()?;
        Ok(Why {
            position: self.target.position,
            token: self.named(self.target.token),
            versus: self.target.versus.map(|id| self.named(id)),
            says: self.answer(self.now.trace)?,
            base: self.base.as_ref().map(|base| self.answer(base.trace)).transpose()?,
            logit: self.both(|found| found.logits.difference()),
            components: self.components(),
            heads: self.heads(&carried),
            neurons: self.neurons(),
            sources: self.sources(&carried),
            head_sources: carried.iter().flat_map(|carried| self.sources_of(carried)).collect(),
        })
    }

    fn both(&self, value: impl Fn(&Attribution) -> f64) -> Pair {
        Pair { now: value(&self.now.found), base: self.base.as_ref().map(|base| value(&base.found)) }
    }

    fn named(&self, id: u32) -> Named {
        Named { id, visible: self.loaded.tokenizer.visible(id) }
    }

    fn answer(&self, trace: &Trace) -> Result<Answer, EngineError> {
        let logits = trace.logits_at(self.target.position)?;
        let logprobs = log_softmax(&logits);
        let prob = |id: u32| logprobs[id as usize].exp();
        let top = argmax(&logits);
        Ok(Answer { prob: prob(self.target.token), top: self.named(top), top_prob: prob(top) })
    }

    fn label(&self, position: usize) -> String {
        let id = self.now.trace.ids.get(position);
        format!("{position} {}", id.map_or_else(String::new, |&id| self.loaded.tokenizer.visible(id)))
    }

    fn components(&self) -> Vec<Part> {
        let all = &self.now.found.components;
        let part = |(at, (component, _)): (usize, &(Component, dla::Share))| {
            let kind = match *component {
                Component::Attention(layer) => PartKind::Attention(layer),
                Component::Mlp(layer) => PartKind::Mlp(layer),
                _ => PartKind::Fixed,
            };
            plain(kind, component.to_string(), self.both(|found| found.components[at].1.difference()))
        };
        let remainder = self.both(|found| found.remainder().difference());
        all.iter().enumerate().map(part).chain([plain(PartKind::Rest, "remainder".into(), remainder)]).collect()
    }

    fn carried(&self) -> Result<Vec<Carried>, EngineError> {
        let of = |&(head, share): &(Head, dla::Share)| {
            let base = self.base.as_ref().map(|base| base.found.sources(base.trace, head)).transpose()?;
            let mut now = self.now.found.sources(self.now.trace, head)?;
            let sum = |value: fn(f64) -> f64| now.iter().map(|source| value(source.share.difference())).sum::<f64>();
            // what an intervention wrote into a head came from no position
            if base.is_some() && (sum(|x| x) - share.difference()).abs() > EDITED_FROM * sum(f64::abs) {
                for source in &mut now {
                    source.share = dla::Share::default();
                }
            }
            Ok(Carried { head, now, base })
        };
        self.now.found.heads.iter().map(of).collect::<Result<_, LensError>>().map_err(lens)
    }

    fn heads(&self, carried: &[Carried]) -> Vec<Part> {
        let head = |(at, carried): (usize, &Carried)| {
            let most = carried.strongest();
            let origin = |position| Origin { name: self.label(position), share: carried.at(position).now };
            Part {
                mostly: most.map(origin),
                ..plain(
                    PartKind::Head(carried.head),
                    carried.head.to_string(),
                    self.both(|found| found.heads[at].1.difference()),
                )
            }
        };
        carried.iter().enumerate().map(head).collect()
    }

    fn sources(&self, carried: &[Carried]) -> Vec<Part> {
        let sum = |position: usize| {
            let all = || carried.iter().map(move |carried| (carried, carried.at(position)));
            let base = self.base.as_ref().map(|_| all().filter_map(|(_, share)| share.base).sum());
            let share = Pair { now: all().map(|(_, share)| share.now).sum(), base };
            let most = all().max_by(|a, b| a.1.size().total_cmp(&b.1.size()));
            let mostly = most.map(|(by, share)| Origin { name: by.head.to_string(), share: share.now });
            Part { mostly, ..plain(PartKind::Source { head: None, position }, self.label(position), share) }
        };
        (0..=self.target.position).map(sum).collect()
    }

    fn sources_of(&self, carried: &Carried) -> Vec<Part> {
        let head = Some(carried.head);
        let part = |position: usize| Part {
            value: carried.now.get(position).map(|source| source.weight),
            ..plain(PartKind::Source { head, position }, self.label(position), carried.at(position))
        };
        strongest((0..carried.now.len()).map(part).collect())
    }

    fn neurons(&self) -> Vec<Part> {
        let mut out = Vec::new();
        let all = &self.now.found.neurons;
        let mut first = 0;
        while let Some(&Neuron { layer, .. }) = all.get(first) {
            let n = all[first..].iter().take_while(|neuron| neuron.layer == layer).count();
            let part = |at: usize| {
                let Neuron { index, activation, .. } = all[at];
                Part {
                    value: Some(activation),
                    ..plain(
                        PartKind::Neuron { layer, index },
                        format!("L{layer}N{index}"),
                        self.both(|found| found.neurons[at].share.difference()),
                    )
                }
            };
            out.extend(strongest((first..first + n).map(part).collect()));
            first += n;
        }
        out
    }
}

pub(super) const fn plain(kind: PartKind, name: String, share: Pair) -> Part {
    Part { kind, name, share, mostly: None, value: None }
}

/// The strongest parts, strongest first.
fn strongest(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_by(|a, b| b.share.size().total_cmp(&a.share.size()));
    parts.truncate(N_TOLD);
    parts
}

//! What the attributions to the prompt's tokens share: the question they answer, the gradient at the embeddings, and
//! scores of tokens as a figure.

use std::ops::Range;

use candle_core::{D, Tensor};

use super::{ProbeError, Subject};
use crate::figure::{Cell, Column, Content, Figure, Table};
use crate::hook::{HookPoint, Site};
use crate::lens::Target;
use crate::model::decoder::Decoder;
use crate::model::{CancelToken, Result, Tap, ids_tensor};
use crate::text::{Granularity, Tokenizer};
use crate::trace::{Gradients, Metric, Quantity, Trace, TracePlan};

/// Where embeddings enter the residual stream; learned positions are added after it.
pub(super) const EMBED: HookPoint = HookPoint::model(Site::Embed);

/// How the attributions to the prompt's tokens are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InputOptions {
    /// How large a piece of the prompt gets a number of its own.
    pub granularity: Granularity,
    /// How many gradients an integral may take; [`MAX_STEPS`](super::integrated_gradients::MAX_STEPS) unless given.
    pub steps: Option<usize>,
    /// What a token is replaced by; an ordinary token unless given.
    pub filler: Option<u32>,
}

/// What captions say of the rest of the prompt.
pub(super) const LATER: &str = "Tokens after the position have no say.";

/// The pieces of a prompt, up to a position, that get a number each.
pub(super) struct Pieces<'a> {
    subject: &'a Subject<'a>,
    position: usize,
    /// As ranges of positions.
    pub units: Vec<Range<usize>>,
}

/// The question of a probe, resolved by one run.
pub(super) struct Asked<'a> {
    pub pieces: Pieces<'a>,
    target: Target,
    /// The metric of the prompt as it is.
    pub value: f64,
}

impl<'a> Asked<'a> {
    pub(super) fn new(subject: &'a Subject<'a>) -> Result<Self, ProbeError> {
        let pieces = Pieces::new(subject)?;
        let ids = &subject.prompt.ids;
        let trace = Trace::record(subject.lm, ids, &TracePlan::default(), &mut subject.cancel.clone())?;
        let logits = trace.logits_at(pieces.position)?;
        let target = subject.question.ask.resolve(pieces.position, &logits)?;
        Ok(Self { pieces, target, value: target.logit(&logits) })
    }

    /// The target's logit, or its difference from its rival's, as something to differentiate.
    pub(super) const fn metric(&self) -> Metric {
        let quantity = match self.target.versus {
            Some(versus) => Quantity::Difference(self.target.token, versus),
            None => Quantity::Logit(self.target.token),
        };
        Metric { position: self.target.position, quantity }
    }

    /// The metric in words: `logit(␣mat) - logit(␣chair) after 5 ␣a`.
    pub(super) fn describe(&self) -> String {
        let logit = |id: u32| format!("logit({})", self.pieces.subject.tokenizer.visible(id));
        let rival = self.target.versus.map_or_else(String::new, |rival| format!(" - {}", logit(rival)));
        format!("{}{rival} after {}", logit(self.target.token), self.pieces.position_label())
    }
}

impl<'a> Pieces<'a> {
    /// Those of the position that is asked about.
    pub(super) fn new(subject: &'a Subject<'a>) -> Result<Self, ProbeError> {
        let ids = &subject.prompt.ids;
        let position = subject.question.ask.position_in(ids.len())?;
        let units = subject.inputs.granularity.units(subject.tokenizer, &ids[..=position]);
        Ok(Self { subject, position, units })
    }

    /// The position that is asked about.
    pub(super) const fn position(&self) -> usize {
        self.position
    }

    /// A piece as a person sees it, numbered by its first token: `3 ␣sat`.
    pub(super) fn label(&self, unit: &Range<usize>) -> String {
        let visible = |&id: &u32| self.subject.tokenizer.visible(id);
        format!("{} {}", unit.start, self.subject.prompt.ids[unit.clone()].iter().map(visible).collect::<String>())
    }

    /// The token at the position.
    pub(super) fn position_label(&self) -> String {
        self.label(&(self.position..self.position + 1))
    }

    /// The sums of scores of tokens over each piece.
    pub(super) fn sums(&self, tokens: &[f64]) -> Vec<f64> {
        self.units.iter().map(|unit| tokens[unit.clone()].iter().sum()).collect()
    }

    /// A table of one score for each piece, and its share of the sum of all without their signs.
    pub(super) fn scores(&self, title: &str, caption: String, tokens: &[f64]) -> Result<Figure, ProbeError> {
        let scores = self.sums(tokens);
        let all: f64 = scores.iter().map(|score| score.abs()).sum();
        let share = |score: f64| if all > 0.0 { 100.0 * score / all } else { 0.0 };
        let row = |&score: &f64| vec![Cell::number(score, 4), Cell::number(share(score), 1)];
        let columns = [Column::new("score", ""), Column::new("share", "%")];
        self.table(title, caption, &columns, scores.iter().map(row))
    }

    /// A table of some numbers for each piece.
    pub(super) fn table(
        &self,
        title: &str,
        caption: String,
        columns: &[Column],
        rows: impl Iterator<Item = Vec<Cell>>,
    ) -> Result<Figure, ProbeError> {
        let first = Column::new(self.subject.inputs.granularity.name(), "");
        let columns = std::iter::once(first).chain(columns.iter().cloned()).collect();
        let labelled = |(unit, row): (&Range<usize>, Vec<Cell>)| {
            std::iter::once(Cell::Text(self.label(unit))).chain(row).collect()
        };
        let table = Table::new(columns, self.units.iter().zip(rows).map(labelled).collect())?;
        Ok(self.figure(title, caption, Content::Table(table)))
    }

    /// A table of named numbers.
    pub(super) fn numbers(&self, title: &str, caption: &str, rows: &[(&str, Cell)]) -> Result<Figure, ProbeError> {
        let rows = rows.iter().map(|(name, value)| vec![Cell::Text((*name).into()), value.clone()]).collect();
        let table = Table::new(vec![Column::new("quantity", ""), Column::new("value", "")], rows)?;
        Ok(self.figure(title, caption.into(), Content::Table(table)))
    }

    pub(super) fn figure(&self, title: &str, caption: String, content: Content) -> Figure {
        Figure { title: title.into(), caption, provenance: self.subject.provenance.clone(), content }
    }
}

/// The metric of a prompt, and its gradient with respect to its embeddings, by position.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingGradient {
    /// The metric.
    pub value: f64,
    /// ‖∇‖₂ at each position.
    pub norms: Vec<f64>,
    /// ∇ · e at each position.
    pub products: Vec<f64>,
}

/// Differentiates the metric of a prompt.
///
/// # Errors
/// A model that cannot be run or differentiated, or cancellation.
pub fn embedding_gradient(
    lm: &Decoder,
    ids: &[u32],
    metric: Metric,
    cancel: &CancelToken,
) -> Result<EmbeddingGradient, ProbeError> {
    let plan = TracePlan::new([EMBED]);
    let found = Gradients::record(&lm.differentiable()?, &ids_tensor(ids)?, metric, &plan, &mut cancel.clone())?;
    let (gradient, x) = (found.gradient(EMBED)?.squeeze(0)?, found.activation(EMBED)?.squeeze(0)?);
    let norms = numbers(&gradient.sqr()?.sum(D::Minus1)?.sqrt()?)?;
    let products = numbers(&(gradient * x)?.sum(D::Minus1)?)?;
    Ok(EmbeddingGradient { value: found.values[0], norms, products })
}

/// A tensor of one axis in f64.
pub(super) fn numbers(x: &Tensor) -> candle_core::Result<Vec<f64>> {
    Ok(x.to_vec1::<f32>()?.into_iter().map(f64::from).collect())
}

/// Puts a tensor in the place of the embeddings.
pub(super) struct Embeddings(pub Tensor);

impl Tap for Embeddings {
    fn wants(&self, at: HookPoint) -> bool {
        at == EMBED
    }

    fn visit(&mut self, _: HookPoint, _: Tensor) -> Result<Tensor> {
        Ok(self.0.clone())
    }
}

/// The embeddings of a sequence, `[1, pos, d_model]`.
pub(super) fn embeddings(lm: &Decoder, ids: &[u32], cancel: &CancelToken) -> Result<Tensor, ProbeError> {
    let trace = Trace::record(lm, ids, &TracePlan::new([EMBED]), &mut cancel.clone())?;
    Ok(trace.get(EMBED)?.unsqueeze(0)?)
}

/// A text that says nothing in particular, of ordinary tokens in a usual order.
const ORDINARY: &str = " There are some people who like to go to the same place each year, and there are others who \
                        would rather see a new one as often as they can.";

/// As many tokens as `ids`, of an ordinary text; a BOS at the front stays.
///
/// Where both sequences would have the same token, the ordinary one is taken that follows it.
///
/// # Errors
/// A tokenizer that cannot read the text.
pub fn ordinary(tokenizer: &Tokenizer, ids: &[u32], bos: Option<u32>) -> Result<Vec<u32>, ProbeError> {
    let text = tokenizer.encode(ORDINARY)?;
    let at = |position: usize| text.get(position % text.len().max(1)).copied().unwrap_or(0);
    let kept = usize::from(bos.is_some() && bos == ids.first().copied());
    let other = |(position, &id): (usize, &u32)| {
        (position..position + text.len()).map(at).find(|&ordinary| ordinary != id).unwrap_or(id)
    };
    let rest = ids[kept..].iter().enumerate().map(other);
    Ok(ids[..kept].iter().copied().chain(rest).collect())
}

/// The ordinary token that a token is replaced by unless another is asked for.
pub(super) fn filler(tokenizer: &Tokenizer) -> Result<u32, ProbeError> {
    match tokenizer.id_of(" the") {
        Some(the) => Ok(the),
        None => Ok(tokenizer.encode(ORDINARY)?.first().copied().unwrap_or(0)),
    }
}

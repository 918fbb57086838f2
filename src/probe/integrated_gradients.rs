//! Integrated gradients (Sundararajan et al. 2017): what each token adds on the way from another sequence to this one.
//!
//! `IG_i = (e_i - e'_i) · ∫ ∇_{e_i} m(e' + α (e - e')) dα`, for α from 0 to 1. The scores add up to the metric's
//! difference between the two ends, so that the error of the integral is known, and not only in all: also on each part
//! of the way. The parts that miss most are halved until it is small.
//!
//! The other end matters. Norms make a decoder nearly blind to the length of its input, so that on the way from zero
//! everything happens at the very start, and no sensible number of steps sees it. Here the way leads from the
//! embeddings of ordinary tokens.

use candle_core::{D, Tensor};

use super::input::{self, Asked, EMBED, Embeddings};
use super::{Probe, ProbeError, Step, Subject};
use crate::figure::{Cell, Figure};
use crate::model::decoder::{Decoder, Differentiable};
use crate::model::{CancelToken, CausalLm as _, ids_tensor};
use crate::trace::{Gradients, Metric, TracePlan};

/// How many gradients an integral takes at most, unless another number is asked for.
pub const MAX_STEPS: usize = 128;
/// The integral is good enough once its parts miss this share of the difference.
const GOOD: f64 = 5e-3;
/// The share of the difference that may be missing without a warning.
const WARN: f64 = 0.05;
/// Parts that the way is cut into at first.
const N_PARTS: usize = 4;

/// Abscissae and weights of the Gauss-Legendre rule on 0..1 with eight points.
const RULE: [(f64, f64); 8] = [
    (0.019_855_071_751_231_88, 0.050_614_268_145_188_13),
    (0.101_666_761_293_186_63, 0.111_190_517_226_687_24),
    (0.237_233_795_041_835_5, 0.156_853_322_938_943_64),
    (0.408_282_678_752_175_1, 0.181_341_891_689_181),
    (0.591_717_321_247_825, 0.181_341_891_689_181),
    (0.762_766_204_958_164_5, 0.156_853_322_938_943_64),
    (0.898_333_238_706_813_4, 0.111_190_517_226_687_24),
    (0.980_144_928_248_768_1, 0.050_614_268_145_188_13),
];

/// The probe.
pub struct IntegratedGradients;

/// An integral along the straight way between the embeddings of two sequences.
#[derive(Debug, Clone, PartialEq)]
pub struct Integral {
    /// One score for each position.
    pub scores: Vec<f64>,
    /// The metric of the sequence.
    pub value: f64,
    /// The metric of the other one.
    pub baseline: f64,
    /// Gradients that it took.
    pub steps: usize,
}

impl Integral {
    /// What the scores add up to.
    pub fn sum(&self) -> f64 {
        self.scores.iter().sum()
    }

    /// How much the sum misses of the difference between the ends, as a share of it.
    pub fn completeness_error(&self) -> f64 {
        let difference = self.value - self.baseline;
        if difference == 0.0 { self.sum().abs() } else { ((self.sum() - difference) / difference).abs() }
    }
}

/// The straight way between two embeddings, `[1, pos, d_model]`.
struct Way<'a> {
    lm: &'a Differentiable,
    ids: &'a [u32],
    from: Tensor,
    difference: Tensor,
    metric: Metric,
    cancel: &'a CancelToken,
}

/// The integral over a part of the way, whose ends' values tell its error.
struct Part {
    start: f64,
    end: f64,
    values: [f64; 2],
    scores: Vec<f64>,
}

impl Part {
    fn error(&self) -> f64 {
        (self.scores.iter().sum::<f64>() - (self.values[1] - self.values[0])).abs()
    }
}

impl Way<'_> {
    /// The embeddings at several places, `[place, pos, d_model]`.
    fn embeddings(&self, places: &[f64]) -> Result<Tensor, ProbeError> {
        let at = |&place: &f64| &self.from + (&self.difference * place)?;
        Ok(Tensor::cat(&places.iter().map(at).collect::<candle_core::Result<Vec<_>>>()?, 0)?)
    }

    /// The metric at several places.
    fn values(&self, places: &[f64]) -> Result<Vec<f64>, ProbeError> {
        let lm = self.lm.decoder();
        let ids = ids_tensor(self.ids)?.repeat((places.len(), 1))?;
        let mut tap = (self.cancel.clone(), Embeddings(self.embeddings(places)?));
        let hidden = lm.forward(&ids, &mut lm.new_cache(), &mut tap)?;
        Ok(input::numbers(&self.metric.of(lm, &hidden)?)?)
    }

    /// The integral from `start` to `end`, where the metric has these values.
    fn part(&self, [start, end]: [f64; 2], values: [f64; 2]) -> Result<Part, ProbeError> {
        let places = RULE.map(|(place, _)| start + place * (end - start));
        let ids = ids_tensor(self.ids)?.repeat((places.len(), 1))?;
        let mut tap = (self.cancel.clone(), Embeddings(self.embeddings(&places)?));
        let found = Gradients::record(self.lm, &ids, self.metric, &TracePlan::new([EMBED]), &mut tap)?;
        let slopes = found.gradient(EMBED)?.broadcast_mul(&self.difference)?.sum(D::Minus1)?; // [place, pos]
        let mut scores = vec![0.0; self.ids.len()];
        for (row, (_, weight)) in slopes.to_vec2::<f32>()?.iter().zip(RULE) {
            scores.iter_mut().zip(row).for_each(|(sum, &slope)| *sum += weight * (end - start) * f64::from(slope));
        }
        Ok(Part { start, end, values, scores })
    }
}

/// Integrates from the embeddings of `baseline` to those of `ids`, which are as many.
///
/// # Errors
/// A model that cannot be run or differentiated, or cancellation.
pub fn integrate(
    lm: &Decoder,
    [ids, baseline]: [&[u32]; 2],
    metric: Metric,
    max_steps: usize,
    cancel: &CancelToken,
    tell: &mut dyn FnMut(Step),
) -> Result<Integral, ProbeError> {
    let [to, from] = [ids, baseline].map(|ids| input::embeddings(lm, ids, cancel));
    let (to, from) = (to?, from?);
    let difference = (to - &from)?;
    let way = Way { lm: &lm.differentiable()?, ids, from, difference, metric, cancel };
    let max_parts = (max_steps / RULE.len()).max(1);
    let n_first = N_PARTS.min(max_parts);
    let ends: Vec<f64> = (0..=n_first).map(|end| end as f64 / n_first as f64).collect();
    let values = way.values(&ends)?;
    let (baseline, value) = (values[0], values[n_first]);
    let mut parts = Vec::new();
    let mut n_done = 0;
    let mut told = |n_new: usize| {
        n_done += n_new;
        tell(Step { done: n_done, total: max_parts });
        n_done
    };
    for (ends, values) in ends.windows(2).zip(values.windows(2)) {
        parts.push(way.part([ends[0], ends[1]], [values[0], values[1]])?);
        told(1);
    }
    let mut n_taken = n_first;
    while n_taken + 2 <= max_parts && parts.iter().map(Part::error).sum::<f64>() > GOOD * (value - baseline).abs() {
        let worst =
            (0..parts.len()).fold(0, |worst, at| if parts[at].error() > parts[worst].error() { at } else { worst });
        let Part { start, end, values: [before, after], .. } = parts.swap_remove(worst);
        let middle = f64::midpoint(start, end);
        let between = way.values(&[middle])?[0];
        parts.push(way.part([start, middle], [before, between])?);
        parts.push(way.part([middle, end], [between, after])?);
        n_taken = told(2);
    }
    let mut scores = vec![0.0; ids.len()];
    for part in &parts {
        scores.iter_mut().zip(&part.scores).for_each(|(sum, score)| *sum += score);
    }
    Ok(Integral { scores, value, baseline, steps: n_taken * RULE.len() })
}

impl Probe for IntegratedGradients {
    fn name(&self) -> &'static str {
        "integrated-gradients"
    }

    fn about(&self) -> &'static str {
        "what each token of the prompt adds to the answer on the way from an ordinary text, with the error shown"
    }

    fn run(&self, subject: &Subject<'_>, tell: &mut dyn FnMut(Step)) -> Result<Vec<Figure>, ProbeError> {
        let asked = Asked::new(subject)?;
        let (ids, bos) = (&subject.prompt.ids, subject.prompt.bos.id());
        let baseline = input::ordinary(subject.tokenizer, ids, bos)?;
        let steps = subject.inputs.steps.unwrap_or(MAX_STEPS);
        let found = integrate(subject.lm, [ids, &baseline], asked.metric(), steps, subject.cancel, tell)?;
        let error = found.completeness_error();
        let warning = if error > WARN {
            format!(
                "Warning: the scores miss {:.1} % of the difference that they should add up to; do not trust them. ",
                100.0 * error
            )
        } else {
            String::new()
        };
        let caption = format!(
            "{warning}Integrated gradients of {} on the straight way from the embeddings of an ordinary text (There are \
             some people who ...) to those of the prompt. {}",
            asked.describe(),
            input::LATER,
        );
        let rows = [
            ("metric of the prompt", Cell::number(found.value, 4)),
            ("metric of the ordinary text", Cell::number(found.baseline, 4)),
            ("difference", Cell::number(found.value - found.baseline, 4)),
            ("sum of the scores", Cell::number(found.sum(), 4)),
            ("completeness error (%)", Cell::number(100.0 * error, 2)),
            ("gradients taken", Cell::Integer(i64::try_from(found.steps).unwrap_or(i64::MAX))),
        ];
        let check = "The scores should add up to the difference. Gauss-Legendre rule of eight points on each part of \
                     the way; the part that misses most is halved until the parts miss less than 0.5 %, or until the \
                     steps are used up.";
        Ok(vec![
            asked.pieces.scores("Integrated gradients", caption, &found.scores)?,
            asked.pieces.numbers("Completeness", check, &rows)?,
        ])
    }
}

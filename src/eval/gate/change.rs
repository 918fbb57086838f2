//! How one metric changed, and what the gate says of it.

use serde::Serialize;

use super::interval::{self, Estimate, FEWEST, Method, Side};
use super::pairs::{Pair, TaskPairs};
use super::{Gate, is_named};
use crate::eval::stats::{Power, normal_quantile};
use crate::eval::task::{Aggregation, Better, Bounds, MetricSpec, Observed};

/// What a gate says. The worst of several counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The new run is worse by less than the margin, if at all.
    Pass,
    /// Too few items to tell.
    Inconclusive,
    /// The new run is worse by more than the margin, or beyond a value that was set.
    Fail,
}

impl Verdict {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        }
    }
}

/// What a difference is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Shares of 1.
    Share,
    /// The metric's own unit.
    Own,
    /// The natural log of new over old: for small changes, the share by which it changed.
    Ratio,
}

/// One metric of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The task.
    pub task: String,
    /// The metric's name.
    pub metric: String,
    /// The filter's name.
    pub filter: String,
    /// Which direction is better.
    pub better: Better,
    /// Items that both runs have it of.
    pub n: usize,
    /// Independent units among them: clusters, or the items themselves.
    pub units: usize,
    /// Its value in the old run, over these items.
    pub old: f64,
    /// Its value in the new run.
    pub new: f64,
    /// What the difference is counted in.
    pub unit: Unit,
    /// New minus old, or the log of their ratio.
    pub difference: f64,
    /// The lower bound of the difference, which holds alone; none with too few items.
    pub low: Option<f64>,
    /// The upper one.
    pub high: Option<f64>,
    /// How the bounds were found.
    pub method: Method,
    /// The two-sided p of no difference.
    pub p: Option<f64>,
    /// The same after Holm, over the metrics of this comparison.
    pub p_holm: Option<f64>,
    /// Right before, wrong now.
    pub lost: Vec<String>,
    /// Wrong before, right now.
    pub gained: Vec<String>,
    /// What is asked of it.
    pub bounds: Bounds,
    /// What the gate says; none where nothing is asked.
    pub verdict: Option<Verdict>,
    /// Why, where that is not the margin.
    pub reason: Option<String>,
    /// How many items would tell; none where these are enough.
    pub needed: Option<usize>,
}

impl Change {
    /// None if no item has the metric in both runs, its values are not of one kind, or they become a p.
    pub(super) fn of(task: &TaskPairs<'_>, metric: &MetricSpec, gate: &Gate) -> Option<Self> {
        if metric.aggregation.is_p() {
            return None;
        }
        let pairs = task.values(metric);
        let old = metric.aggregation.of(pairs.iter().map(|pair| pair.old))?;
        let new = metric.aggregation.of(pairs.iter().map(|pair| pair.new))?;
        let unit = unit(metric.aggregation, &pairs);
        let difference = if unit == Unit::Ratio { (new / old).ln() } else { new - old };
        let (lost, gained) = (flipped(&pairs, (true, false)), flipped(&pairs, (false, true)));
        let found = estimate(metric, &pairs, lost.len(), gained.len(), gate.confidence)?;
        // where less is better, yes is what is wrong
        let (lost, gained) = if metric.better == Better::Lower { (gained, lost) } else { (lost, gained) };
        let bounds = asked(metric, gate, unit);
        let mut change = Self {
            task: task.task.name.clone(),
            metric: metric.metric.clone(),
            filter: metric.filter.clone(),
            better: metric.better,
            n: pairs.len(),
            units: found.units,
            old,
            new,
            unit,
            difference,
            low: found.bounds.map(|bounds| bounds.0),
            high: found.bounds.map(|bounds| bounds.1),
            method: found.method,
            p: found.p,
            p_holm: None,
            lost,
            gained,
            bounds,
            verdict: None,
            reason: None,
            needed: None,
        };
        change.judge();
        if change.verdict == Some(Verdict::Inconclusive) {
            change.needed = bounds.margin.and_then(|margin| needed(&found, pairs.len(), margin, gate.confidence));
        }
        Some(change)
    }

    /// `task metric`, and the filter if there is one.
    pub fn name(&self) -> String {
        let filter = if self.filter == "none" { String::new() } else { format!(",{}", self.filter) };
        format!("{} {}{filter}", self.task, self.metric)
    }

    /// Limits are of the value itself; the margin is of the bounds of the difference.
    fn judge(&mut self) {
        let Bounds { margin, min, max } = self.bounds;
        if let Some(min) = min.filter(|min| self.new < *min) {
            self.verdict = Some(Verdict::Fail);
            self.reason = Some(format!("{} is below the least that passes, {min}", self.new));
        } else if let Some(max) = max.filter(|max| self.new > *max) {
            self.verdict = Some(Verdict::Fail);
            self.reason = Some(format!("{} is above the most that passes, {max}", self.new));
        } else if let Some(margin) = margin {
            self.verdict = Some(self.against(margin));
        } else if min.or(max).is_some() {
            self.verdict = Some(Verdict::Pass);
        }
    }

    fn against(&self, margin: f64) -> Verdict {
        let (Some(low), Some(high)) = (self.low, self.high) else { return Verdict::Inconclusive };
        let (least, most) = if self.better == Better::Lower { (-high, -low) } else { (low, high) };
        if least > -margin {
            Verdict::Pass
        } else if most < -margin {
            Verdict::Fail
        } else {
            Verdict::Inconclusive
        }
    }
}

/// What the suite asks, else what the command line does. A number without a scale of its own has no margin by default.
fn asked(metric: &MetricSpec, gate: &Gate, unit: Unit) -> Bounds {
    let given = |all: &[(String, f64)]| all.iter().find(|(name, _)| is_named(metric, name)).map(|(_, value)| *value);
    let is_gated = metric.better != Better::Neither && unit != Unit::Own;
    Bounds {
        margin: metric.bounds.margin.or_else(|| is_gated.then_some(gate.margin)),
        min: given(&gate.min).or(metric.bounds.min),
        max: given(&gate.max).or(metric.bounds.max),
    }
}

fn unit(aggregation: Aggregation, pairs: &[Pair<'_>]) -> Unit {
    let is_flag = |pair: &Pair<'_>| matches!((pair.old, pair.new), (Observed::Flag(_), Observed::Flag(_)));
    match aggregation {
        Aggregation::F1
        | Aggregation::Auroc
        | Aggregation::Ece
        | Aggregation::Aurc
        | Aggregation::LengthControlledShare => Unit::Share,
        Aggregation::Perplexity | Aggregation::WeightedPerplexity | Aggregation::BitsPerByte => Unit::Ratio,
        Aggregation::Mean if pairs.iter().all(is_flag) => Unit::Share,
        Aggregation::Mean
        | Aggregation::Median
        | Aggregation::Ratio
        | Aggregation::McNemar
        | Aggregation::SignFlip
        | Aggregation::LengthControlled => Unit::Own,
    }
}

fn estimate(metric: &MetricSpec, pairs: &[Pair<'_>], lost: usize, gained: usize, confidence: f64) -> Option<Estimate> {
    let aggregation = metric.aggregation;
    if aggregation == Aggregation::Mean {
        let is_independent = interval::units(pairs) == pairs.len();
        if unit(aggregation, pairs) == Unit::Share && is_independent {
            return Some(interval::of_flags(lost, gained, pairs.len(), confidence));
        }
        let number = |pair: &Pair<'_>| Some(pair.new.number()? - pair.old.number()?);
        let differences: Vec<f64> = pairs.iter().map(number).collect::<Option<_>>()?;
        return Some(interval::of_means(pairs, &differences, confidence));
    }
    let is_ratio = unit(aggregation, pairs) == Unit::Ratio;
    let value = |drawn: &[(usize, Side)], is_old: &dyn Fn(Side) -> bool| {
        let one = |(at, side): &(usize, Side)| if is_old(*side) { pairs[*at].old } else { pairs[*at].new };
        aggregation.of(drawn.iter().map(one)).unwrap_or(f64::NAN)
    };
    let difference = |drawn: &[(usize, Side)]| {
        let old = value(drawn, &|side| side == Side::AsIs);
        let new = value(drawn, &|side| side == Side::Swapped);
        if is_ratio { (new / old).ln() } else { new - old }
    };
    Some(interval::of_statistic(pairs, confidence, difference))
}

/// The items whose right and wrong went this way.
fn flipped(pairs: &[Pair<'_>], wanted: (bool, bool)) -> Vec<String> {
    let is = |pair: &&Pair<'_>| is_right(pair.old).zip(is_right(pair.new)) == Some(wanted);
    pairs.iter().filter(is).map(|pair| pair.id.to_owned()).collect()
}

fn is_right(value: &Observed) -> Option<bool> {
    match value {
        Observed::Flag(flag) => Some(*flag),
        Observed::Classes { gold, predicted } => Some(gold == predicted),
        // whether the answer is right is not what is compared, but how well its signal ranks it
        Observed::Number(_)
        | Observed::Text { .. }
        | Observed::Ratio { .. }
        | Observed::Judged { .. }
        | Observed::Contrast { .. } => None,
    }
}

/// How many items let an equally good run pass four times in five, if they vary as much; for shares, at least as many
/// as let it pass where none flips.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, which saturates")]
fn needed(found: &Estimate, n: usize, margin: f64, confidence: f64) -> Option<usize> {
    if margin <= 0.0 || !found.variance.is_finite() {
        return None;
    }
    let power = Power { alpha: 2.0 * (1.0 - confidence), ..Power::default() };
    let varying = power.items(margin, found.variance) as usize;
    // where none flips, the lower bound is -z²/(n + z²)
    let steady = normal_quantile(confidence).powi(2) * (1.0 - margin) / margin;
    let fewest = if found.method == Method::Tango { steady as usize + 1 } else { FEWEST };
    Some(varying.max(fewest).max(n + 1))
}

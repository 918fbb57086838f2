//! Two records of one suite: what changed, whether it is more than chance, and whether a gate lets it through.
//!
//! The gate asks whether the new run is worse by less than a margin (non-inferiority), not whether a difference is
//! significant: a small suite would pass that for lack of power.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::Serialize;

use super::pair_record::{Contents, Header};
use super::scorer::{ItemRecord, Probe};
use super::stats::{Paired, Power, SignFlip, holm, mcnemar, normal_quantile, tango};

/// What a gate is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// How much worse the new run may be, as a share of the items.
    pub margin: f64,
    /// How sure each bound is, such as 0.95.
    pub confidence: f64,
}

impl Default for Gate {
    fn default() -> Self {
        Self { margin: 0.02, confidence: 0.95 }
    }
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The new run is worse by less than the margin, if at all.
    Pass,
    /// Too few items to tell.
    Inconclusive,
    /// The new run is worse by more than the margin.
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

/// One metric of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Its name.
    pub metric: String,
    /// Its share in the old run.
    pub old: f64,
    /// Its share in the new run.
    pub new: f64,
    /// The paired difference.
    pub paired: Paired,
    /// The bounds of the difference (Tango 1998), each of which holds alone.
    pub low: f64,
    /// The upper one.
    pub high: f64,
    /// `McNemar`'s exact two-sided p.
    pub p: f64,
    /// The same after Holm, over the metrics of this comparison.
    pub p_holm: f64,
    /// The p of flipping the signs of the differences.
    pub p_permutation: f64,
    /// Right before, wrong now.
    pub lost: Vec<String>,
    /// Wrong before, right now.
    pub gained: Vec<String>,
    /// What the gate says.
    pub verdict: Verdict,
    /// How many items would tell, with as many flips among them; none where these are enough or the margin is zero.
    pub needed: Option<usize>,
}

/// Two runs, compared item by item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The old run.
    pub old: Header,
    /// The new run.
    pub new: Header,
    /// Items that both have.
    pub n: usize,
    /// Items that only one has, which are left out.
    pub unmatched: Vec<String>,
    /// Each metric.
    pub changes: Vec<Change>,
    /// The worst verdict of any metric.
    pub verdict: Verdict,
}

/// Two records that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was run.
    #[error("compare two records: the {which} one is empty")]
    Empty {
        /// Old or new.
        which: &'static str,
    },
    /// The items have no name in common.
    #[error("compare two records: no item is in both")]
    NothingShared,
    /// They asked different things.
    #[error("compare a run of `{old}` with one of `{new}`: the suites differ")]
    OtherSuite {
        /// The suite of the old record, with the beginning of its hash.
        old: String,
        /// That of the new one.
        new: String,
    },
}

/// A metric: its name, and whether an item is right.
type Metric = (&'static str, fn(&ItemRecord) -> &Probe, fn(&Probe) -> bool);

const METRICS: [Metric; 4] = [
    ("forward exact match", |item| &item.forward.plain, |probe| probe.exact_match),
    ("reverse exact match", |item| &item.reverse.plain, |probe| probe.exact_match),
    ("forward gold best", |item| &item.forward.plain, |probe| probe.best),
    ("reverse gold best", |item| &item.reverse.plain, |probe| probe.best),
];

/// Compares what two records hold.
///
/// # Errors
/// If one is empty, the suites differ, or no item is in both.
pub fn compare(old: &Contents, new: &Contents, gate: Gate) -> Result<Comparison, Error> {
    let header = |contents: &Contents, which| contents.header.clone().ok_or(Error::Empty { which });
    let (old_header, new_header) = (header(old, "old")?, header(new, "new")?);
    if old_header.suite_hash != new_header.suite_hash {
        return Err(Error::OtherSuite { old: suite(&old_header), new: suite(&new_header) });
    }
    let (pairs, unmatched) = joined(&old.items, &new.items);
    if pairs.is_empty() {
        return Err(Error::NothingShared);
    }
    let mut changes: Vec<Change> = METRICS.iter().map(|metric| change(metric, &pairs, gate)).collect();
    let p: Vec<f64> = changes.iter().map(|change| change.p).collect();
    for (change, adjusted) in changes.iter_mut().zip(holm(&p)) {
        change.p_holm = adjusted;
    }
    let verdict = changes.iter().map(|change| change.verdict).max().unwrap_or(Verdict::Inconclusive);
    Ok(Comparison { old: old_header, new: new_header, n: pairs.len(), unmatched, changes, verdict })
}

fn suite(header: &Header) -> String {
    let hash: String = header.suite_hash.chars().take(8).collect();
    format!("{} {hash}", header.suite)
}

/// The items that both have, in the old order, and the names of the others.
fn joined<'a>(old: &'a [ItemRecord], new: &'a [ItemRecord]) -> (Vec<(&'a ItemRecord, &'a ItemRecord)>, Vec<String>) {
    let mut rest: HashMap<&str, &ItemRecord> = new.iter().map(|item| (item.item.id.as_str(), item)).collect();
    let (mut pairs, mut unmatched) = (Vec::new(), Vec::new());
    for item in old {
        match rest.remove(item.item.id.as_str()) {
            Some(other) => pairs.push((item, other)),
            None => unmatched.push(item.item.id.clone()),
        }
    }
    unmatched
        .extend(new.iter().filter(|item| rest.contains_key(item.item.id.as_str())).map(|item| item.item.id.clone()));
    (pairs, unmatched)
}

fn change(metric: &Metric, pairs: &[(&ItemRecord, &ItemRecord)], gate: Gate) -> Change {
    let (name, probe, is_right) = metric;
    let right = |item: &ItemRecord| is_right(probe(item));
    let flipped = |wanted: (bool, bool)| -> Vec<String> {
        let found = pairs.iter().filter(|(old, new)| (right(old), right(new)) == wanted);
        found.map(|(old, _)| old.item.id.clone()).collect()
    };
    let (lost, gained) = (flipped((true, false)), flipped((false, true)));
    let number = |item: &ItemRecord| f64::from(u8::from(right(item)));
    let scores: Vec<(f64, f64)> = pairs.iter().map(|(old, new)| (number(old), number(new))).collect();
    let differences: Vec<f64> = scores.iter().map(|(old, new)| new - old).collect();
    let n = pairs.len();
    let share = |of: fn(&(f64, f64)) -> f64| scores.iter().map(of).sum::<f64>() / n as f64;
    let (low, high) = tango(gained.len(), lost.len(), n, gate.confidence);
    let verdict = judged(low, high, gate);
    Change {
        metric: (*name).to_owned(),
        old: share(|scores| scores.0),
        new: share(|scores| scores.1),
        paired: Paired::of(&scores),
        low,
        high,
        p: mcnemar(gained.len(), lost.len()),
        p_holm: 1.0,
        p_permutation: SignFlip::default().test(&differences).p,
        needed: (verdict == Verdict::Inconclusive && gate.margin > 0.0)
            .then(|| needed(gained.len() + lost.len(), n, gate)),
        lost,
        gained,
        verdict,
    }
}

fn judged(low: f64, high: f64, gate: Gate) -> Verdict {
    if low > -gate.margin {
        Verdict::Pass
    } else if high < -gate.margin {
        Verdict::Fail
    } else {
        Verdict::Inconclusive
    }
}

/// How many items let an equally good run pass four times in five, if as many flip; at least as many as let it pass
/// where none flips.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, which saturates")]
fn needed(flipped: usize, n: usize, gate: Gate) -> usize {
    let power = Power { alpha: 2.0 * (1.0 - gate.confidence), ..Power::default() };
    let flipping = power.items(gate.margin, flipped as f64 / n as f64);
    // where none flips, the lower bound is -z²/(n + z²)
    let steady = normal_quantile(gate.confidence).powi(2) * (1.0 - gate.margin) / gate.margin;
    (flipping as usize).max(steady as usize + 1).max(n + 1)
}

//! The bounds of a paired difference, by the method that fits what is compared.

use serde::Serialize;

use super::pairs::Pair;
use crate::eval::stats::{Bootstrap, Clustered, Mean, SignFlip, mcnemar, tango};

/// Fewer independent units than this have no bounds that can be trusted.
pub(super) const FEWEST: usize = 20;
/// With fewer clusters the formula is too narrow, and they are resampled.
const CLUSTERS: usize = 30;
/// Resamples of a statistic that is not a mean.
const RESAMPLES: usize = 2000;

/// How the bounds of a difference were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The score interval of a paired difference of shares: Tango 1998. The test is `McNemar`'s.
    Tango,
    /// Student's, from standard errors clustered as Miller 2024 has them. The test flips signs, a cluster at a time.
    StudentT,
    /// Items or clusters are resampled, `BCa`. The test swaps old and new, or flips signs.
    Bootstrap,
}

impl Method {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tango => "Tango",
            Self::StudentT => "t",
            Self::Bootstrap => "bootstrap",
        }
    }
}

/// A difference, new minus old.
pub(super) struct Estimate {
    /// The bounds, each of which holds alone; none if nothing can be said.
    pub(super) bounds: Option<(f64, f64)>,
    /// The two-sided p of no difference.
    pub(super) p: Option<f64>,
    pub(super) method: Method,
    /// Independent units.
    pub(super) units: usize,
    /// The variance of one unit's difference, for what a larger suite would see.
    pub(super) variance: f64,
}

/// Of shares of items that are independent.
pub(super) fn of_flags(lost: usize, gained: usize, n: usize, confidence: f64) -> Estimate {
    Estimate {
        bounds: Some(tango(gained, lost, n, confidence)),
        p: Some(mcnemar(gained, lost)),
        method: Method::Tango,
        units: n,
        variance: (gained + lost) as f64 / n as f64,
    }
}

/// Of means.
pub(super) fn of_means(pairs: &[Pair<'_>], differences: &[f64], confidence: f64) -> Estimate {
    let groups = groups(pairs);
    let sums: Vec<f64> = groups.iter().map(|group| group.iter().map(|at| differences[*at]).sum()).collect();
    let name = |at: usize| pairs[at].cluster.map_or_else(|| format!("\0{at}"), str::to_owned);
    let names: Vec<String> = (0..pairs.len()).map(name).collect();
    let found = Clustered::of(names.iter().map(String::as_str).zip(differences.iter().copied()));
    let p = Some(SignFlip::default().test(&sums).p);
    let units = groups.len();
    let variance = found.stderr.map_or(0.0, |stderr| stderr.powi(2) * units as f64);
    let is_clustered = units < pairs.len();
    if is_clustered && units < CLUSTERS {
        let mean = |drawn: &[usize]| {
            let n: usize = drawn.iter().map(|group| groups[*group].len()).sum();
            drawn.iter().map(|group| sums[*group]).sum::<f64>() / n as f64
        };
        return Estimate { bounds: resampled(units, confidence, mean), p, method: Method::Bootstrap, units, variance };
    }
    let bounds = found.interval(2.0 * confidence - 1.0).filter(|_| units >= FEWEST);
    Estimate { bounds, p, method: Method::StudentT, units, variance }
}

/// Of whatever a sample of items gives.
pub(super) fn of_statistic(
    pairs: &[Pair<'_>],
    confidence: f64,
    difference: impl Fn(&[(usize, Side)]) -> f64,
) -> Estimate {
    let groups = groups(pairs);
    let members = |drawn: &[usize], side: &dyn Fn(usize) -> Side| -> Vec<(usize, Side)> {
        drawn.iter().flat_map(|group| groups[*group].iter().map(|at| (*at, side(*group)))).collect()
    };
    let units = groups.len();
    let all: Vec<usize> = (0..units).collect();
    let bounds = resampled(units, confidence, |drawn| difference(&members(drawn, &|_| Side::AsIs)));
    let swapped = |sides: &[bool]| {
        let side = |group: usize| if sides[group] { Side::Swapped } else { Side::AsIs };
        difference(&members(&all, &side))
    };
    let p = SignFlip { draws: RESAMPLES, ..SignFlip::default() }.swap(units, swapped);
    let alone: Vec<f64> = all.iter().map(|group| difference(&members(&[*group], &|_| Side::AsIs))).collect();
    let variance = Mean::of(&alone).stderr.map_or(0.0, |stderr| stderr.powi(2) * units as f64);
    Estimate { bounds, p: p.is_finite().then_some(p), method: Method::Bootstrap, units, variance }
}

/// Whether an item's values stand where they were observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    AsIs,
    Swapped,
}

fn resampled(units: usize, confidence: f64, statistic: impl Fn(&[usize]) -> f64) -> Option<(f64, f64)> {
    if units < FEWEST {
        return None;
    }
    let bootstrap = Bootstrap { resamples: RESAMPLES, confidence: 2.0 * confidence - 1.0, ..Bootstrap::default() };
    bootstrap.interval(units, statistic).map(|found| (found.low, found.high))
}

/// How many are independent of each other.
pub(super) fn units(pairs: &[Pair<'_>]) -> usize {
    groups(pairs).len()
}

/// The places of the items of each cluster; an item without one is alone.
fn groups(pairs: &[Pair<'_>]) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (at, pair) in pairs.iter().enumerate() {
        match pair.cluster {
            None => found.push(vec![at]),
            Some(cluster) => {
                let group = *known.entry(cluster).or_insert_with(|| {
                    found.push(Vec::new());
                    found.len() - 1
                });
                found[group].push(at);
            }
        }
    }
    found
}

//! Counts the scores of a run.

use serde::{Deserialize, Serialize};

use super::item::Seen;
use super::pair_record::Header;
use super::scorer::{DirectionScore, ItemRecord};
use super::stats::{Mean, Proportion, mcnemar};

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// What was run on what.
    pub header: Header,
    /// Items scored.
    pub n: usize,
    /// One for each value of `seen` that occurs; items without it come last, as "all".
    pub groups: Vec<Group>,
}

/// The items that the embedded model's training data state in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Which way; none if it is not known.
    pub seen: Option<Seen>,
    /// The same in words.
    pub label: String,
    /// Asking a for b.
    pub forward: Direction,
    /// Asking b for a.
    pub reverse: Direction,
    /// Exact answers in both directions, item by item.
    pub pairs: Pairs,
}

/// One direction of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Items.
    pub n: usize,
    /// Greedy answers that are the name and nothing else.
    pub exact_match: Proportion,
    /// Names that are more likely than all their controls.
    pub best: Proportion,
    /// The share of best that guessing gives.
    pub chance: f64,
    /// Log-likelihood of the name minus the mean over its controls, in nats.
    pub lift: Mean,
    /// Log-probability per token of the name, in nats.
    pub mean_logprob: Mean,
    /// The median rank of the name's first token in the vocabulary.
    pub median_first_rank: f64,
    /// Exact match with the fact in context.
    pub in_context_exact_match: Proportion,
    /// Best with the fact in context.
    pub in_context_best: Proportion,
}

/// Right or wrong in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pairs {
    /// Right in both.
    pub both: usize,
    /// Right forward, wrong in reverse.
    pub forward_only: usize,
    /// Wrong forward, right in reverse.
    pub reverse_only: usize,
    /// Wrong in both.
    pub neither: usize,
    /// `McNemar`'s exact two-sided p.
    pub mcnemar_p: f64,
}

impl RunSummary {
    /// Counts scores.
    pub fn new(header: Header, scores: &[ItemRecord]) -> Self {
        let kinds = [Some(Seen::Ab), Some(Seen::Ba), Some(Seen::Both), None];
        let groups = kinds.into_iter().filter_map(|seen| {
            let of: Vec<&ItemRecord> = scores.iter().filter(|score| score.item.seen == seen).collect();
            (!of.is_empty()).then(|| Group::new(seen, &of))
        });
        Self { n: scores.len(), groups: groups.collect(), header }
    }
}

impl Group {
    fn new(seen: Option<Seen>, scores: &[&ItemRecord]) -> Self {
        Self {
            seen,
            label: label(seen).into(),
            forward: Direction::new(scores.iter().map(|score| &score.forward).collect()),
            reverse: Direction::new(scores.iter().map(|score| &score.reverse).collect()),
            pairs: Pairs::new(scores),
        }
    }
}

fn label(seen: Option<Seen>) -> &'static str {
    match seen {
        Some(Seen::Ab) => "stated forward only",
        Some(Seen::Ba) => "stated reverse only",
        Some(Seen::Both) => "stated both ways",
        None => "all",
    }
}

impl Direction {
    #[expect(clippy::needless_pass_by_value, reason = "a list of references made for this call")]
    fn new(scores: Vec<&DirectionScore>) -> Self {
        let plain = || scores.iter().map(|score| &score.plain);
        let in_context = || scores.iter().map(|score| &score.in_context);
        let controls = plain().map(|probe| probe.controls.len()).min().unwrap_or(0);
        Self {
            n: scores.len(),
            exact_match: Proportion::of(plain().map(|probe| probe.exact_match)),
            best: Proportion::of(plain().map(|probe| probe.best)),
            chance: 1.0 / (controls + 1) as f64,
            lift: Mean::of(&plain().map(|probe| probe.lift).collect::<Vec<_>>()),
            mean_logprob: Mean::of(&plain().map(|probe| probe.mean_logprob).collect::<Vec<_>>()),
            median_first_rank: median(plain().map(|probe| probe.gold.first_rank()).collect()),
            in_context_exact_match: Proportion::of(in_context().map(|probe| probe.exact_match)),
            in_context_best: Proportion::of(in_context().map(|probe| probe.best)),
        }
    }
}

impl Pairs {
    fn new(scores: &[&ItemRecord]) -> Self {
        let right = |score: &ItemRecord| (score.forward.plain.exact_match, score.reverse.plain.exact_match);
        let count = |wanted| scores.iter().filter(|score| right(score) == wanted).count();
        let (forward_only, reverse_only) = (count((true, false)), count((false, true)));
        Self {
            both: count((true, true)),
            forward_only,
            reverse_only,
            neither: count((false, false)),
            mcnemar_p: mcnemar(forward_only, reverse_only),
        }
    }
}

fn median(mut ranks: Vec<usize>) -> f64 {
    ranks.sort_unstable();
    let Some(last) = ranks.len().checked_sub(1) else { return 0.0 };
    (ranks[last / 2] + ranks[ranks.len() / 2]) as f64 / 2.0
}

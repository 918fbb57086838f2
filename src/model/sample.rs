//! Turns logits into probabilities and picks the next token.

mod words;

use rand::{Rng, RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use self::words::ChainError;

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 takes the most probable token.
    pub temperature: f64,
    /// Keep only the `k` most probable tokens.
    pub top_k: Option<usize>,
    /// Keep the smallest set of most probable tokens whose probabilities reach `p`.
    pub top_p: Option<f64>,
    /// Keep tokens that are at least this share as probable as the most probable one.
    pub min_p: Option<f64>,
    /// What tokens lose that have been said.
    pub penalties: Penalties,
    /// In which order all this happens.
    pub order: Order,
    /// Seed of the random numbers.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: None,
            top_p: None,
            min_p: None,
            penalties: Penalties::default(),
            order: Order::default(),
            seed: 0,
        }
    }
}

/// What tokens lose that have been said: in the prompt, or since.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalties {
    /// Positive logits are divided by it, others multiplied with it (Keskar et al. 2019); 1 changes nothing.
    pub repetition: f64,
    /// Taken from the logit of what has been said at all.
    pub presence: f64,
    /// Taken from the logit for each time it has been said.
    pub frequency: f64,
    /// How many of the last tokens count; all of them unless given.
    pub window: Option<usize>,
}

impl Default for Penalties {
    fn default() -> Self {
        Self { repetition: 1.0, presence: 0.0, frequency: 0.0, window: None }
    }
}

impl Penalties {
    /// The logit of a token that has been said `count` times.
    fn apply(self, logit: f64, count: usize) -> f64 {
        if count == 0 {
            return logit;
        }
        let repeated = if logit > 0.0 { logit / self.repetition } else { logit * self.repetition };
        repeated - self.presence - self.frequency * count as f64
    }
}

/// Whose order the chain has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// transformers: penalties, temperature, top-k (equals of the last one stay), top-p, min-p.
    #[default]
    Transformers,
    /// llama.cpp: penalties, top-k, top-p, min-p, and the temperature last.
    LlamaCpp,
}

/// What removes a token from the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// It is not among the `k` most probable.
    TopK,
    /// More probable tokens reach `p` without it.
    TopP,
    /// It is too improbable beside the first.
    MinP,
    /// At temperature 0 only the first is taken.
    Greedy,
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TopK => "top-k",
            Self::TopP => "top-p",
            Self::MinP => "min-p",
            Self::Greedy => "greedy",
        })
    }
}

/// A token on its way through the chain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: u32,
    /// As the model gives it.
    pub logit: f32,
    /// After the penalties.
    pub penalised: f64,
    /// Divided by the temperature.
    pub scaled: f64,
    /// What removed it; nothing if it can be chosen.
    pub cut_by: Option<Filter>,
    /// The probability of choosing it; those of all candidates sum to 1.
    pub prob: f64,
}

/// Natural-log probabilities of logits `[d_vocab]`, accumulated in f64.
pub fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let max = f64::from(max);
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum();
    let log_sum = max + sum.ln();
    logits.iter().map(|&logit| f64::from(logit) - log_sum).collect()
}

/// Entropy in bits of natural-log probabilities.
pub fn entropy_bits(logprobs: &[f64]) -> f64 {
    let terms = logprobs.iter().filter(|logprob| logprob.is_finite()).map(|logprob| logprob.exp() * logprob);
    (-terms.sum::<f64>() / std::f64::consts::LN_2).max(0.0)
}

/// KL(p ‖ q) of natural-log probabilities, in nats.
pub fn kl(p: &[f64], q: &[f64]) -> f64 {
    let term = |(p, q): (&f64, &f64)| if p.is_finite() { p.exp() * (p - q) } else { 0.0 };
    p.iter().zip(q).map(term).sum::<f64>().max(0.0)
}

/// Token ids by falling logit; equal logits by rising id.
pub fn ranking(logits: &[f32]) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..u32::try_from(logits.len()).unwrap_or(u32::MAX)).collect();
    ids.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
    ids
}

/// The token with the highest logit; of equals the one with the lowest id.
pub fn argmax(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().fold(0, |best, (id, &logit)| if logit > logits[best] { id } else { best });
    u32::try_from(best).unwrap_or(0)
}

/// Chooses tokens, remembering its random state between them.
pub struct Sampler {
    sampling: Sampling,
    rng: ChaCha8Rng,
}

impl Sampler {
    /// A sampler that starts from the seed.
    pub fn new(sampling: Sampling) -> Self {
        Self { sampling, rng: ChaCha8Rng::seed_from_u64(sampling.seed) }
    }

    /// The token after `said`, whose logits these are.
    pub fn choose(&mut self, logits: &[f32], said: &[u32]) -> u32 {
        let kept = kept_tokens(logits, said, &self.sampling);
        match kept.as_slice() {
            [(only, _)] => *only,
            kept => draw(kept, &mut self.rng),
        }
    }
}

/// The tokens that sampling can choose after `said`, with probabilities that sum to 1, by falling probability.
pub fn kept_tokens(logits: &[f32], said: &[u32], sampling: &Sampling) -> Vec<(u32, f64)> {
    if sampling.temperature <= 0.0 && sampling.penalties == Penalties::default() {
        return vec![(argmax(logits), 1.0)];
    }
    let kept = chain(logits, said, sampling).into_iter().filter(|candidate| candidate.cut_by.is_none());
    kept.map(|candidate| (candidate.id, candidate.prob)).collect()
}

/// Every token's way through the chain after `said`, by falling logit after the penalties.
pub fn chain(logits: &[f32], said: &[u32], sampling: &Sampling) -> Vec<Candidate> {
    let temperature = if sampling.temperature > 0.0 { sampling.temperature } else { 1.0 };
    let mut candidates = penalised(logits, said, sampling.penalties);
    for candidate in &mut candidates {
        candidate.scaled = candidate.penalised / temperature;
    }
    // what the filters compare: transformers divides by the temperature before them, llama.cpp after
    let weight = |candidate: &Candidate| match sampling.order {
        Order::Transformers => candidate.scaled,
        Order::LlamaCpp => candidate.penalised,
    };
    let weights: Vec<f64> = candidates.iter().map(weight).collect();
    let mut n = candidates.len();
    let mut cut = |n: &mut usize, left: usize, filter: Filter| {
        // something always stays, whatever the numbers are
        let left = left.clamp(1, *n);
        for candidate in &mut candidates[left..*n] {
            candidate.cut_by = Some(filter);
        }
        *n = left;
    };
    if let Some(k) = sampling.top_k {
        let left = after_top_k(&weights[..n], k, sampling.order);
        cut(&mut n, left, Filter::TopK);
    }
    if let Some(p) = sampling.top_p {
        let left = after_top_p(&weights[..n], p);
        cut(&mut n, left, Filter::TopP);
    }
    if let Some(share) = sampling.min_p {
        let least = weights[0] + share.ln();
        let left = weights[..n].partition_point(|&weight| weight >= least);
        cut(&mut n, left, Filter::MinP);
    }
    if sampling.temperature <= 0.0 {
        cut(&mut n, 1, Filter::Greedy);
    }
    let scaled: Vec<f64> = candidates[..n].iter().map(|candidate| candidate.scaled).collect();
    for (candidate, prob) in candidates.iter_mut().zip(softmax(&scaled)) {
        candidate.prob = prob;
    }
    candidates
}

/// The candidates after the penalties, by falling logit; equals by rising id.
fn penalised(logits: &[f32], said: &[u32], penalties: Penalties) -> Vec<Candidate> {
    let window = penalties.window.unwrap_or(said.len()).min(said.len());
    let mut counts = vec![0usize; logits.len()];
    for &id in &said[said.len() - window..] {
        if let Some(count) = counts.get_mut(id as usize) {
            *count += 1;
        }
    }
    let candidate = |(id, (&logit, &count)): (u32, (&f32, &usize))| {
        let penalised = penalties.apply(f64::from(logit), count);
        Candidate { id, logit, penalised, scaled: penalised, cut_by: None, prob: 0.0 }
    };
    let mut candidates: Vec<Candidate> = (0..).zip(logits.iter().zip(&counts)).map(candidate).collect();
    candidates.sort_by(|a, b| b.penalised.total_cmp(&a.penalised).then(a.id.cmp(&b.id)));
    candidates
}

/// How many of falling `weights` are among the `k` largest.
fn after_top_k(weights: &[f64], k: usize, order: Order) -> usize {
    let k = k.clamp(1, weights.len());
    match order {
        Order::Transformers => weights.partition_point(|&weight| weight >= weights[k - 1]),
        Order::LlamaCpp => k,
    }
}

/// How many of falling `weights` it takes to reach the share `p` of them all.
fn after_top_p(weights: &[f64], p: f64) -> usize {
    let mut before = 0.0;
    let mut reaches = |prob: &f64| {
        let needed = before < p;
        before += prob;
        needed
    };
    softmax(weights).iter().take_while(|prob| reaches(prob)).count()
}

/// Probabilities of log-weights: each one's exponential over the sum of all.
pub fn softmax(weights: &[f64]) -> Vec<f64> {
    let max = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = weights.iter().map(|weight| (weight - max).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|exponential| exponential / sum).collect()
}

fn draw(kept: &[(u32, f64)], rng: &mut impl Rng) -> u32 {
    let mut left: f64 = rng.random();
    for &(id, prob) in kept {
        left -= prob;
        if left < 0.0 {
            return id;
        }
    }
    kept[kept.len() - 1].0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_worked_distribution() {
        // probabilities 1/2, 1/4, 1/4: 1.5 bits
        let logits = [2f32.ln(), 0.0, 0.0];
        let logprobs = log_softmax(&logits);
        assert!((logprobs[0].exp() - 0.5).abs() < 1e-7);
        assert!((entropy_bits(&logprobs) - 1.5).abs() < 1e-7);
        assert_eq!(ranking(&logits), [0, 1, 2]);
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
    }

    #[test]
    fn truncation_keeps_what_it_says_and_sums_to_one() {
        let logits: Vec<f32> = [0.4f32, 0.3, 0.2, 0.1].iter().map(|p| p.ln()).collect();
        let kept = |top_k, top_p| {
            kept_tokens(&logits, &[], &Sampling { temperature: 1.0, top_k, top_p, ..Sampling::default() })
        };
        let cases = [
            (None, None, 4),
            (Some(2), None, 2),
            (None, Some(0.65), 2),
            (None, Some(0.71), 3),
            (Some(3), Some(0.1), 1),
        ];
        for (top_k, top_p, n) in cases {
            let kept = kept(top_k, top_p);
            assert_eq!(kept.len(), n, "{top_k:?} {top_p:?}");
            assert!((kept.iter().map(|(_, prob)| prob).sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert!((kept(Some(2), None)[0].1 - 4.0 / 7.0).abs() < 1e-6);
    }

    #[test]
    fn a_constant_changes_nothing_unless_a_soft_cap_follows() {
        let logits = [1.0f32, 3.0, -2.0];
        let logprobs = |of: &dyn Fn(f32) -> f32| log_softmax(&logits.map(of));
        let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let plain = logprobs(&|z| z);
        assert!(apart(&plain, &logprobs(&|z| z + 5.0)) < 1e-6);
        let capped = |z: f32| 3.0 * (z / 3.0).tanh();
        assert!(apart(&logprobs(&capped), &logprobs(&|z| capped(z + 1.0))) > 0.1);
    }

    #[test]
    fn penalties_are_those_worked_by_hand() {
        let penalties = Penalties { repetition: 2.0, presence: 0.5, frequency: 0.25, window: Some(3) };
        let sampling = Sampling { temperature: 1.0, penalties, ..Sampling::default() };
        // the first 0 is outside the window; 2 is said twice
        let found = chain(&[4.0, -1.0, 3.0], &[0, 1, 2, 2], &sampling);
        let of = |id| found.iter().find(|candidate| candidate.id == id).unwrap().penalised;
        for (id, expected) in [(0, 4.0), (1, -2.75), (2, 0.5)] {
            assert!((of(id) - expected).abs() < 1e-12, "{id}");
        }
        assert_eq!(found.iter().map(|candidate| candidate.id).collect::<Vec<_>>(), [0, 2, 1]);
    }

    #[test]
    fn the_order_of_the_chain_matters_and_is_told() {
        let logits: Vec<f32> = [0.5f32, 0.3, 0.15, 0.05].iter().map(|p| p.ln()).collect();
        let cut = |order| {
            let sampling = Sampling { temperature: 2.0, top_p: Some(0.75), order, ..Sampling::default() };
            chain(&logits, &[], &sampling).iter().map(|candidate| candidate.cut_by).collect::<Vec<_>>()
        };
        // at temperature 2 the shares are flatter: three tokens are needed for 75 %
        assert_eq!(cut(Order::Transformers), [None, None, None, Some(Filter::TopP)]);
        assert_eq!(cut(Order::LlamaCpp), [None, None, Some(Filter::TopP), Some(Filter::TopP)]);
    }

    #[test]
    fn equals_and_greed() {
        let sampling = |order| Sampling { temperature: 1.0, top_k: Some(1), order, ..Sampling::default() };
        assert_eq!(kept_tokens(&[1.0, 1.0, 0.0], &[], &sampling(Order::Transformers)).len(), 2);
        assert_eq!(kept_tokens(&[1.0, 1.0, 0.0], &[], &sampling(Order::LlamaCpp)), [(0, 1.0)]);
        let penalties = Penalties { presence: 2.0, ..Penalties::default() };
        let greedy = Sampling { penalties, ..Sampling::default() };
        assert_eq!(kept_tokens(&[1.0, 0.5], &[0], &greedy), [(1, 1.0)]);
        assert_eq!(chain(&[1.0, 0.5], &[0], &greedy)[1].cut_by, Some(Filter::Greedy));
    }

    #[test]
    fn logits_that_are_no_numbers_leave_something_to_choose() {
        let all =
            Sampling { temperature: 0.7, top_k: Some(2), top_p: Some(0.5), min_p: Some(0.5), ..Sampling::default() };
        for logits in [[f32::NAN; 3], [f32::INFINITY, 0.0, f32::NAN], [f32::NEG_INFINITY; 3]] {
            assert!(!kept_tokens(&logits, &[], &all).is_empty());
        }
    }

    #[test]
    fn sampling_follows_the_distribution_and_the_seed() {
        let logits: Vec<f32> = [0.7f32, 0.2, 0.1].iter().map(|p| p.ln()).collect();
        let draws = |seed| {
            let mut sampler = Sampler::new(Sampling { temperature: 1.0, seed, ..Sampling::default() });
            (0..5000).map(|_| sampler.choose(&logits, &[])).collect::<Vec<_>>()
        };
        let share = draws(1).iter().filter(|&&id| id == 0).count() as f64 / 5000.0;
        assert!((share - 0.7).abs() < 0.03, "{share}");
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }
}

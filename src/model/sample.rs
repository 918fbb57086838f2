//! Turns logits into probabilities and picks the next token.

use rand::{Rng, RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 takes the most probable token.
    pub temperature: f64,
    /// Keep only the `k` most probable tokens.
    pub top_k: Option<usize>,
    /// Keep the smallest set of most probable tokens whose probabilities reach `p`.
    pub top_p: Option<f64>,
    /// Seed of the random numbers.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.0, top_k: None, top_p: None, seed: 0 }
    }
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

    /// The next token: temperature first, then top-k, then top-p, as in transformers.
    pub fn choose(&mut self, logits: &[f32]) -> u32 {
        if self.sampling.temperature <= 0.0 {
            return argmax(logits);
        }
        let kept = kept_tokens(logits, &self.sampling);
        draw(&kept, &mut self.rng)
    }
}

/// The tokens that sampling can choose, with probabilities that sum to 1, by falling probability.
pub fn kept_tokens(logits: &[f32], sampling: &Sampling) -> Vec<(u32, f64)> {
    let temperature = if sampling.temperature > 0.0 { sampling.temperature } else { 1.0 };
    let order = ranking(logits);
    let k = sampling.top_k.unwrap_or(order.len()).clamp(1, order.len());
    let max = f64::from(logits[order[0] as usize]);
    let weight = |id: u32| ((f64::from(logits[id as usize]) - max) / temperature).exp();
    let mut kept: Vec<(u32, f64)> = order.into_iter().take(k).map(|id| (id, weight(id))).collect();
    normalise(&mut kept);
    if let Some(p) = sampling.top_p {
        let mut before = 0.0;
        let n = kept
            .iter()
            .take_while(|(_, prob)| {
                let keep = before < p;
                before += prob;
                keep
            })
            .count();
        kept.truncate(n.max(1));
        normalise(&mut kept);
    }
    kept
}

fn normalise(kept: &mut [(u32, f64)]) {
    let sum: f64 = kept.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in kept {
        *weight /= sum;
    }
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
        let kept = |top_k, top_p| kept_tokens(&logits, &Sampling { temperature: 1.0, top_k, top_p, seed: 0 });
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
    fn sampling_follows_the_distribution_and_the_seed() {
        let logits: Vec<f32> = [0.7f32, 0.2, 0.1].iter().map(|p| p.ln()).collect();
        let draws = |seed| {
            let mut sampler = Sampler::new(Sampling { temperature: 1.0, seed, ..Sampling::default() });
            (0..5000).map(|_| sampler.choose(&logits)).collect::<Vec<_>>()
        };
        let share = draws(1).iter().filter(|&&id| id == 0).count() as f64 / 5000.0;
        assert!((share - 0.7).abs() < 0.03, "{share}");
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }
}

//! How the next token would be sampled: every token of the vocabulary on its way through the chain.

use super::Candidate;
use crate::lens::LensError;
use crate::model::sample::{self, Filter, Sampling, entropy_bits, log_softmax, ranking};
use crate::text::Tokenizer;
use crate::trace::TraceError;

/// A token on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// What the model says of it.
    pub candidate: Candidate,
    /// Its probability after penalties and temperature, before anything is cut.
    pub scaled: f64,
    /// What cuts it; nothing if it can be chosen.
    pub cut_by: Option<Filter>,
    /// The probability of choosing it.
    pub chosen: f64,
}

/// The whole vocabulary after the last of some tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The tokens before.
    pub ids: Vec<u32>,
    /// What was changed in the forward pass, as typed.
    pub interventions: Vec<String>,
    /// How a token is sampled.
    pub sampling: Sampling,
    /// Entropy in bits of what the model says.
    pub entropy_bits: f64,
    /// Tokens that can be chosen; the links begin with them.
    pub n_kept: usize,
    /// The share of the probability that is cut.
    pub cut: f64,
    /// Every token, the most probable after the penalties first.
    pub links: Vec<Link>,
}

/// Follows every token; `base` are logits without interventions, if there are any.
///
/// # Errors
/// Logits that are no numbers.
pub(super) fn follow(
    logits: &[f32],
    base: Option<&[f32]>,
    (ids, interventions): (&[u32], &[String]),
    sampling: Sampling,
    tokenizer: &Tokenizer,
) -> Result<Chain, LensError> {
    if logits.iter().any(|logit| logit.is_nan()) {
        return Err(TraceError::NotANumber { at: "logits".into() }.into());
    }
    let logprobs = log_softmax(logits);
    let base = base.map(log_softmax);
    let mut ranks = vec![0; logits.len()];
    for (index, id) in ranking(logits).into_iter().enumerate() {
        ranks[id as usize] = index + 1;
    }
    let all = sample::chain(logits, ids, &sampling);
    let scaled = shares(&all.iter().map(|candidate| candidate.scaled).collect::<Vec<_>>());
    let link = |(candidate, scaled): (&sample::Candidate, f64)| {
        let id = candidate.id as usize;
        let base = base.as_ref().and_then(|base| base.get(id)).map(|logprob| logprob.exp());
        let (rank, logit, logprob) = (ranks[id], candidate.logit, logprobs[id]);
        let (text, visible) = (tokenizer.text(candidate.id), tokenizer.visible(candidate.id));
        let said = Candidate { rank, id: candidate.id, text, visible, logit, logprob, prob: logprob.exp(), base };
        Link { candidate: said, scaled, cut_by: candidate.cut_by, chosen: candidate.prob }
    };
    let links: Vec<Link> = all.iter().zip(scaled).map(link).collect();
    let n_kept = links.iter().take_while(|link| link.cut_by.is_none()).count();
    let cut = links.iter().skip(n_kept).map(|link| link.scaled).sum();
    let (ids, interventions) = (ids.to_vec(), interventions.to_vec());
    Ok(Chain { ids, interventions, sampling, entropy_bits: entropy_bits(&logprobs), n_kept, cut, links })
}

/// The shares of numbers in the sum of their exponentials.
fn shares(values: &[f64]) -> Vec<f64> {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = values.iter().map(|value| (value - most).exp()).sum();
    values.iter().map(|value| (value - most).exp() / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_worked_by_hand() {
        let found = shares(&[2.0f64.ln(), 1.0f64.ln(), f64::NEG_INFINITY]);
        assert!((found[0] - 2.0 / 3.0).abs() < 1e-12 && (found[1] - 1.0 / 3.0).abs() < 1e-12, "{found:?}");
        assert!(found[2].abs() < 1e-12);
    }
}

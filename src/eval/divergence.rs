//! How far apart the distributions of two models are along one text, at each of its tokens.
//!
//! One model is run, its rows are kept, and then the other one: both need never be in memory together. Kept are one
//! f32 for each token of the text and of the vocabulary.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::Serialize;

use super::against::Divergences;
use super::hash::hex_of_bytes;
use super::request::{Loglikelihood, round9};
use super::scheduler;
use super::task::Task;
use crate::model::sample::{kl, log_softmax};
use crate::model::{CancelToken, CausalLm, NoTap, ids_tensor};
use crate::text::Tokenizer;

/// The distributions of both models at the tokens of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Divergence {
    /// The tokens that both models' texts end with.
    pub ids: Vec<u32>,
    /// KL(A ‖ B) in nats of the distributions in place of each token.
    pub a_b: Vec<f64>,
    /// KL(B ‖ A).
    pub b_a: Vec<f64>,
}

impl Divergence {
    /// The mean over the tokens: KL(A ‖ B), then KL(B ‖ A).
    pub fn mean(&self) -> [f64; 2] {
        [&self.a_b, &self.b_a].map(|all| round9(all.iter().sum::<f64>() / all.len().max(1) as f64))
    }
}

/// What a model says along the texts of some tasks.
pub struct Rows {
    /// Hash of all tokens, which both models must have in common.
    vocabulary: String,
    of: HashMap<(String, String), Row>,
}

/// The log-probabilities of all tokens in place of each token of a text's end.
struct Row {
    ids: Vec<u32>,
    logprobs: Vec<Vec<f32>>,
}

/// Two models whose tokens differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("compare distributions: the two models have other tokens, so that no token of one is one of the other")]
pub struct OtherTokens;

impl Rows {
    /// Runs the model along the texts that these tasks name; none if they name none.
    ///
    /// # Errors
    /// What keeps the model from being run, with the item.
    pub fn of(
        tasks: &[Task],
        wanted: &dyn Fn(&str, &str) -> bool,
        (lm, tokenizer): (&dyn CausalLm, &Tokenizer),
        cancel: &CancelToken,
    ) -> Result<Option<Self>, scheduler::Error> {
        let mut of = HashMap::new();
        for task in tasks {
            let Some(paired) = task.grader.paired() else { continue };
            for item in task.items.iter().filter(|item| wanted(&task.name, &item.id)) {
                let Some(text) = paired.text(item) else { continue };
                cancel.check()?;
                of.insert((task.name.clone(), item.id.clone()), row(&text, lm, tokenizer)?);
            }
        }
        Ok((!of.is_empty()).then(|| Self { vocabulary: vocabulary(tokenizer), of }))
    }

    /// How far apart this model, A, is from model B, item by item. An item whose texts end in no common token is left out.
    ///
    /// # Errors
    /// If the models have other tokens.
    pub fn against(&self, b: &Self) -> Result<Divergences, OtherTokens> {
        let width = |rows: &Self| rows.of.values().next().and_then(|row| row.logprobs.first()).map(Vec::len);
        if self.vocabulary != b.vocabulary || width(self) != width(b) {
            return Err(OtherTokens);
        }
        let apart = |(name, a): (&(String, String), &Row)| Some((name.clone(), between(a, b.of.get(name)?)?));
        Ok(self.of.iter().filter_map(apart).collect())
    }
}

/// All tokens, in a hash.
fn vocabulary(tokenizer: &Tokenizer) -> String {
    let pieces: Vec<Vec<u8>> = (0..).take(tokenizer.vocab_size()).map(|id| tokenizer.bytes(id)).collect();
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    hex_of_bytes(&pieces)
}

fn row(text: &Loglikelihood, lm: &dyn CausalLm, tokenizer: &Tokenizer) -> Result<Row, scheduler::Error> {
    let split = text.split(tokenizer, lm.config().n_ctx)?;
    let n_scored = text_tokens(&split.ids[split.boundary..], text.continuation.len(), tokenizer);
    let from = split.ids.len() - n_scored;
    let hidden = lm.forward(&ids_tensor(&split.ids)?, &mut lm.new_cache(), &mut NoTap)?;
    let mut logprobs = Vec::with_capacity(n_scored);
    if n_scored > 0 {
        let before = hidden.narrow(1, from - 1, n_scored).map_err(crate::model::Error::from)?;
        let logits = lm.logits(&before)?;
        let rows: Vec<Vec<f32>> =
            logits.squeeze(0).and_then(|logits| logits.to_vec2()).map_err(crate::model::Error::from)?;
        #[expect(clippy::cast_possible_truncation, reason = "rows are kept in f32, as logits are")]
        let kept = |row: Vec<f32>| log_softmax(&row).into_iter().map(|logprob| logprob as f32).collect();
        logprobs.extend(rows.into_iter().map(kept));
    }
    Ok(Row { ids: split.ids[from..].to_vec(), logprobs })
}

/// How many of the last tokens are of the text alone, which has this many bytes.
fn text_tokens(scored: &[u32], n_bytes: usize, tokenizer: &Tokenizer) -> usize {
    let mut left = n_bytes;
    let fits = |id: &&u32| {
        let n = tokenizer.bytes(**id).len();
        let fits = n <= left;
        left = left.saturating_sub(n);
        fits
    };
    scored.iter().rev().take_while(fits).count()
}

/// Both distributions at the tokens that both texts end with.
fn between(a: &Row, b: &Row) -> Option<Divergence> {
    let n = a.ids.iter().rev().zip(b.ids.iter().rev()).take_while(|(a, b)| a == b).count();
    let last = |row: &Row| -> Vec<Vec<f64>> {
        row.logprobs[row.logprobs.len() - n..]
            .iter()
            .map(|row| row.iter().map(|logprob| f64::from(*logprob)).collect())
            .collect()
    };
    let (of_a, of_b) = (last(a), last(b));
    let both = |from: &[Vec<f64>], to: &[Vec<f64>]| from.iter().zip(to).map(|(p, q)| round9(kl(p, q))).collect();
    let ids = a.ids[a.ids.len() - n..].to_vec();
    (n > 0).then(|| Divergence { ids, a_b: both(&of_a, &of_b), b_a: both(&of_b, &of_a) })
}

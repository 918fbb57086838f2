//! Next-token distributions: the most probable tokens after each position, entropy and surprisal.

use super::{Context, Lens, LensError, Question};
use crate::figure::{Cell, Column, Content, Figure, Table};
use crate::model::DecoderConfig;
use crate::model::sample::{entropy_bits, log_softmax, ranking};
use crate::trace::{Trace, TraceError, TracePlan};

/// One possible next token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// 1 for the most probable.
    pub rank: usize,
    /// Its id.
    pub id: u32,
    /// Logit.
    pub logit: f32,
    /// Natural log of the probability.
    pub logprob: f64,
}

/// The distribution after one position.
#[derive(Debug, Clone, PartialEq)]
pub struct NextToken {
    /// Entropy in bits.
    pub entropy_bits: f64,
    /// The most probable tokens, best first.
    pub top: Vec<Ranked>,
    /// The token asked for.
    pub asked: Option<Ranked>,
}

/// Ranks the `k` most probable of `logits` `[d_vocab]`, and one token that is asked for.
pub fn next_token(logits: &[f32], k: usize, ask: Option<u32>) -> Result<NextToken, LensError> {
    if logits.iter().any(|logit| logit.is_nan()) {
        return Err(TraceError::NotANumber { at: "logits".into() }.into());
    }
    let logprobs = log_softmax(logits);
    let order = ranking(logits);
    let at = |rank: usize, id: u32| Ranked { rank, id, logit: logits[id as usize], logprob: logprobs[id as usize] };
    let asked = ask.and_then(|id| order.iter().position(|&other| other == id).map(|index| at(index + 1, id)));
    let top = order.iter().take(k).enumerate().map(|(index, &id)| at(index + 1, id)).collect();
    Ok(NextToken { entropy_bits: entropy_bits(&logprobs), top, asked })
}

/// The lens: how well each token of the prompt was foreseen.
pub struct NextTokens;

impl Lens for NextTokens {
    fn name(&self) -> &'static str {
        "distribution"
    }

    fn about(&self) -> &'static str {
        "how well each token of the prompt was foreseen, and what was expected instead"
    }

    fn needs(&self, _: &DecoderConfig, _: &Question) -> TracePlan {
        TracePlan::default()
    }

    fn read(&self, trace: &Trace, context: Context<'_>) -> Result<Vec<Figure>, LensError> {
        let names = ["position", "token", "entropy_bits", "top", "top_prob", "next", "next_rank", "surprisal_bits"];
        let columns = names.iter().map(|name| Column::new(name, "")).collect();
        let rows = (0..trace.ids.len()).map(|position| row(trace, context, position)).collect::<Result<_, _>>()?;
        Ok(vec![Figure {
            title: "Next-token distributions".into(),
            caption: "After each position: entropy, the most probable token, and rank and surprisal of the token that \
                      follows in the prompt."
                .into(),
            provenance: context.provenance.clone(),
            content: Content::Table(Table::new(columns, rows)?),
        }])
    }
}

fn row(trace: &Trace, context: Context<'_>, position: usize) -> Result<Vec<Cell>, LensError> {
    let follows = trace.ids.get(position + 1).copied();
    let next = next_token(&trace.logits_at(position)?, 1, follows)?;
    let visible = |id: u32| Cell::Text(context.tokenizer.visible(id));
    let number = |n: usize| Cell::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    let top = next.top.first();
    let bits = |ranked: &Ranked| Cell::number((-ranked.logprob / std::f64::consts::LN_2).max(0.0), 2);
    Ok(vec![
        number(position),
        visible(trace.ids[position]),
        Cell::number(next.entropy_bits, 2),
        top.map_or(Cell::Empty, |top| visible(top.id)),
        top.map_or(Cell::Empty, |top| Cell::number(top.logprob.exp(), 4)),
        follows.map_or(Cell::Empty, visible),
        next.asked.as_ref().map_or(Cell::Empty, |asked| number(asked.rank)),
        next.asked.as_ref().map_or(Cell::Empty, bits),
    ])
}

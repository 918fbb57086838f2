//! Next-token distributions: the most probable tokens after each position, entropy and surprisal.

use super::{Context, Lens, LensError, Question};
use crate::figure::{Cell, Column, Content, Figure, Table};
use crate::model::DecoderConfig;
use crate::model::sample::{Candidate, Order, chain, entropy_bits, log_softmax, ranking};
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
        "what comes next and how it would be chosen, and how well each token of the prompt was foreseen"
    }

    fn needs(&self, _: &DecoderConfig, _: &Question) -> TracePlan {
        TracePlan::default()
    }

    fn read(&self, trace: &Trace, context: Context<'_>) -> Result<Vec<Figure>, LensError> {
        let position = context.question.ask.position_in(trace.ids.len())?;
        Ok(vec![sampling_chain(trace, context, position)?, foreseen(trace, context)?])
    }
}

/// What sampling makes of the logits at a position.
fn sampling_chain(trace: &Trace, context: Context<'_>, position: usize) -> Result<Figure, LensError> {
    let (logits, sampling) = (trace.logits_at(position)?, &context.question.sampling);
    let logprobs = log_softmax(&logits);
    let entropy = entropy_bits(&logprobs);
    let order = ranking(&logits);
    let mut ranks = vec![0; logits.len()];
    for (index, &id) in order.iter().enumerate() {
        ranks[id as usize] = index + 1;
    }
    let candidates = chain(&logits, &trace.ids[..=position], sampling);
    let (first, rest) = candidates.split_at(context.question.top.min(candidates.len()));
    let watched = rest.iter().filter(|candidate| context.question.watch.contains(&candidate.id));
    let row = |candidate: &Candidate| {
        let id = candidate.id as usize;
        vec![
            Cell::Integer(i64::try_from(ranks[id]).unwrap_or(i64::MAX)),
            Cell::Text(context.tokenizer.visible(candidate.id)),
            Cell::Integer(i64::from(candidate.id)),
            Cell::number(f64::from(candidate.logit), 3),
            Cell::number(logprobs[id].exp(), 4),
            Cell::number(candidate.penalised, 3),
            Cell::number(candidate.scaled, 3),
            Cell::Text(candidate.cut_by.map_or_else(|| "kept".to_owned(), |filter| filter.to_string())),
            Cell::number(candidate.prob, 4),
        ]
    };
    let names = ["rank", "token", "id", "logit", "prob", "penalised", "scaled", "cut_by", "final"];
    let columns = names.iter().map(|name| Column::new(name, "")).collect();
    let excluded: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.cut_by.is_some()).collect();
    let mass: f64 = excluded.iter().map(|candidate| logprobs[candidate.id as usize].exp()).sum();
    Ok(Figure {
        title: format!("After {}", context.label(trace, position)),
        caption: format!(
            "Entropy {entropy:.3} bits, margin between the first two logits {:.3}. {}; {} tokens are cut, {:.2} % of \
             the probability.",
            margin(&logits, &order),
            order_note(sampling.order),
            excluded.len(),
            mass * 100.0
        ),
        provenance: context.provenance.clone(),
        content: Content::Table(Table::new(columns, first.iter().chain(watched).map(row).collect())?),
    })
}

const fn order_note(order: Order) -> &'static str {
    match order {
        Order::Transformers => "The chain is transformers': penalties, temperature, top-k, top-p, min-p",
        Order::LlamaCpp => "The chain is llama.cpp's: penalties, top-k, top-p, min-p, temperature",
    }
}

/// How far the largest logit is above the second.
fn margin(logits: &[f32], order: &[u32]) -> f64 {
    match order {
        [first, second, ..] => f64::from(logits[*first as usize]) - f64::from(logits[*second as usize]),
        _ => 0.0,
    }
}

fn foreseen(trace: &Trace, context: Context<'_>) -> Result<Figure, LensError> {
    let names = ["position", "token", "entropy_bits", "top", "top_prob", "next", "next_rank", "surprisal_bits"];
    let columns = names.iter().map(|name| Column::new(name, "")).collect();
    let rows = (0..trace.ids.len()).map(|position| row(trace, context, position)).collect::<Result<_, _>>()?;
    Ok(Figure {
        title: "Next-token distributions".into(),
        caption: "After each position: entropy, the most probable token, and rank and surprisal of the token that \
                  follows in the prompt."
            .into(),
        provenance: context.provenance.clone(),
        content: Content::Table(Table::new(columns, rows)?),
    })
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

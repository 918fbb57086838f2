//! What each head does, measured on a stimulus that only position and repetition can explain.
//!
//! Random tokens, then the same tokens again (Olsson et al. 2022). In the second half a head scores by the weight it
//! puts, on average, on the token before (previous token), on the earlier copy of the same token (duplicate token), and
//! on the token after that copy (induction): the scores are means of diagonals of the pattern.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{Probe, ProbeError, Step, Subject};
use crate::figure::{Cell, Column, Content, Figure, Provenance, Table};
use crate::hook::{Head, HookPoint, Site};
use crate::intervene::{Interventions, Runs, Spec};
use crate::lens::atlas::{Atlas, HeadScores, ROLE_FROM};
use crate::model::decoder::Decoder;
use crate::model::sample::log_softmax;
use crate::model::{CancelToken, CausalLm as _};
use crate::text::Tokenizer;
use crate::trace::{Trace, TracePlan};

/// Tokens of the random half: short enough for small models, which copy over no long distance.
const HALF: usize = 20;
/// Stimuli whose scores are averaged.
const N_STIMULI: u64 = 8;

/// The probe.
pub struct HeadAtlas;

/// `half` random tokens and the same again, after a BOS if there is one: `bos + 2 * half` positions.
///
/// The tokens are drawn from `ids` without repetition as long as there are enough.
pub fn repeated_tokens(bos: Option<u32>, ids: &[u32], half: usize, seed: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut pool = ids.to_vec();
    let mut random = Vec::with_capacity(half);
    while random.len() < half && !ids.is_empty() {
        if pool.is_empty() {
            pool = ids.to_vec();
        }
        random.push(pool.swap_remove(rng.random_range(0..pool.len())));
    }
    bos.into_iter().chain(random.iter().copied()).chain(random.iter().copied()).collect()
}

/// The scores of one head from its pattern `[query][key]` on a stimulus whose second half has `half` tokens.
///
/// A BOS shifts queries and keys alike, so that distances stay.
fn score(pattern: &[Vec<f32>], half: usize) -> HeadScores {
    let first = pattern.len().saturating_sub(half);
    let mean = |key: &dyn Fn(usize) -> Option<usize>| {
        let weight = |query: usize| key(query).and_then(|key| pattern[query].get(key)).copied().map_or(0.0, f64::from);
        (first..pattern.len()).map(weight).sum::<f64>() / half.max(1) as f64
    };
    HeadScores {
        previous_token: mean(&|query| query.checked_sub(1)),
        duplicate_token: mean(&|query| query.checked_sub(half)),
        induction: mean(&|query| (query + 1).checked_sub(half)),
        first_token: mean(&|_| Some(0)),
    }
}

/// The share of a head's whole attention on a prompt that goes to the token before, to earlier copies of the same
/// token, to the tokens after those copies, and to the first token (`TransformerLens`' head detectors, measure "mul").
///
/// A head that does nothing else still scores low where there is little to look at.
pub fn shares(pattern: &[Vec<f32>], ids: &[u32]) -> HeadScores {
    let mut sums = HeadScores::default();
    let n = pattern.len().max(1) as f64;
    for (query, row) in pattern.iter().enumerate() {
        for (key, &weight) in row.iter().enumerate().take(query + 1) {
            let share = f64::from(weight) / n;
            let mut count = |counts: bool, of: fn(&mut HeadScores) -> &mut f64| {
                if counts {
                    *of(&mut sums) += share;
                }
            };
            count(key + 1 == query, |sums| &mut sums.previous_token);
            count(key < query && ids[key] == ids[query], |sums| &mut sums.duplicate_token);
            count(key > 0 && ids[key - 1] == ids[query], |sums| &mut sums.induction);
            count(key == 0, |sums| &mut sums.first_token);
        }
    }
    sums
}

fn add(sum: &mut HeadScores, one: &HeadScores) {
    let n = N_STIMULI as f64;
    sum.previous_token += one.previous_token / n;
    sum.duplicate_token += one.duplicate_token / n;
    sum.induction += one.induction / n;
    sum.first_token += one.first_token / n;
}

/// The stimuli of a model.
fn stimuli(lm: &Decoder, tokenizer: &Tokenizer) -> (usize, Vec<Vec<u32>>) {
    let cfg = lm.config();
    let half = HALF.min(cfg.n_ctx.saturating_sub(1) / 2).max(1);
    let n_tokens = u32::try_from(tokenizer.vocab_size().min(cfg.d_vocab)).unwrap_or(u32::MAX);
    let ids: Vec<u32> = (0..n_tokens).filter(|&id| !tokenizer.is_special(id)).collect();
    let bos = tokenizer.bos().filter(|_| tokenizer.adds_bos());
    (half, (0..N_STIMULI).map(|seed| repeated_tokens(bos, &ids, half, seed)).collect())
}

/// Scores every head.
///
/// # Errors
/// A model that cannot be run, or cancellation.
pub fn measure(
    lm: &Decoder,
    tokenizer: &Tokenizer,
    cancel: &CancelToken,
    tell: &mut dyn FnMut(Step),
) -> Result<Atlas, ProbeError> {
    let cfg = lm.config();
    let plan = TracePlan::sites(cfg, &[Site::Pattern]);
    let (half, stimuli) = stimuli(lm, tokenizer);
    let mut scores = vec![HeadScores::default(); cfg.n_layers * cfg.n_heads];
    for (done, ids) in stimuli.iter().enumerate() {
        let trace = Trace::record(lm, ids, &plan, &mut cancel.clone())?;
        for (layer, heads) in scores.chunks_mut(cfg.n_heads).enumerate() {
            let patterns = trace.get(HookPoint::block(layer, Site::Pattern))?.to_vec3::<f32>()?;
            heads.iter_mut().zip(&patterns).for_each(|(sum, pattern)| add(sum, &score(pattern, half)));
        }
        tell(Step { done: done + 1, total: stimuli.len() });
    }
    Ok(Atlas::new(cfg.n_heads, scores))
}

/// Mean surprisal, in nats, of the second half's tokens but the first, averaged over the stimuli.
///
/// # Errors
/// A model that cannot be run, or cancellation.
pub fn induction_loss(
    lm: &Decoder,
    tokenizer: &Tokenizer,
    ablated: &[Head],
    cancel: &CancelToken,
) -> Result<f64, ProbeError> {
    let (half, stimuli) = stimuli(lm, tokenizer);
    let specs: Vec<String> = ablated.iter().map(|head| format!("zero:{head}")).collect();
    let without = Interventions::prepare(&Spec::parse_all(&specs)?, lm, Runs::default(), cancel)?;
    let mut sum = 0.0;
    for ids in &stimuli {
        let mut tap = (cancel.clone(), without.tap(0));
        let trace = Trace::record(lm, ids, &TracePlan::default(), &mut tap)?;
        let first = ids.len() - half;
        for position in first..ids.len() - 1 {
            let logprobs = log_softmax(&trace.logits_at(position)?);
            sum -= logprobs[ids[position + 1] as usize];
        }
    }
    Ok(sum / (stimuli.len() * half.saturating_sub(1).max(1)) as f64)
}

impl Probe for HeadAtlas {
    fn name(&self) -> &'static str {
        "head-atlas"
    }

    fn about(&self) -> &'static str {
        "which heads look at the previous token, at duplicates, or do induction; confirmed by ablation"
    }

    fn reads_atlas(&self) -> bool {
        true
    }

    fn run(&self, subject: &Subject<'_>, tell: &mut dyn FnMut(Step)) -> Result<Vec<Figure>, ProbeError> {
        let Subject { lm, tokenizer, cancel, provenance, .. } = *subject;
        let atlas = match subject.atlas {
            Some(atlas) => atlas.clone(),
            None => measure(lm, tokenizer, cancel, tell)?,
        };
        let caption = format!(
            "Mean weight in the second of two equal halves of random tokens, {N_STIMULI} stimuli: on the token after \
             the earlier copy (induction), on the earlier copy, on the token before, on the first token. A role is \
             named from {ROLE_FROM} on. The prompt plays no part."
        );
        let here = "The share of each head's whole attention on the prompt that goes to such tokens; where little is \
                    repeated, little can."
            .to_owned();
        Ok(vec![
            scores_figure("Head atlas", caption, &atlas, provenance)?,
            confirmation(subject, &atlas)?,
            scores_figure("On this prompt", here, &on_prompt(subject)?, provenance)?,
        ])
    }
}

/// The shares of every head on the subject's prompt.
fn on_prompt(subject: &Subject<'_>) -> Result<Atlas, ProbeError> {
    let (cfg, ids) = (subject.lm.config(), &subject.prompt.ids);
    let plan = TracePlan::sites(cfg, &[Site::Pattern]);
    let trace = Trace::record(subject.lm, ids, &plan, &mut subject.cancel.clone())?;
    let mut scores = Vec::new();
    for layer in 0..cfg.n_layers {
        let patterns = trace.get(HookPoint::block(layer, Site::Pattern))?.to_vec3::<f32>()?;
        scores.extend(patterns.iter().map(|pattern| shares(pattern, ids)));
    }
    Ok(Atlas::new(cfg.n_heads, scores))
}

fn scores_figure(title: &str, caption: String, atlas: &Atlas, provenance: &Provenance) -> Result<Figure, ProbeError> {
    let names = ["head", "role", "induction", "duplicate_token", "previous_token", "first_token"];
    let mut heads: Vec<(usize, &HeadScores)> = atlas.scores().iter().enumerate().collect();
    heads.sort_by(|a, b| b.1.induction.total_cmp(&a.1.induction).then(a.0.cmp(&b.0)));
    let row = |(at, scores): &(usize, &HeadScores)| {
        let number = |value| Cell::number(value, 3);
        vec![
            Cell::Text(atlas.name(*at).to_string()),
            scores.role().map_or(Cell::Empty, |role| Cell::Text(role.into())),
            number(scores.induction),
            number(scores.duplicate_token),
            number(scores.previous_token),
            number(scores.first_token),
        ]
    };
    Ok(Figure {
        title: title.into(),
        caption,
        provenance: provenance.clone(),
        content: Content::Table(Table::new(
            names.map(|name| Column::new(name, "")).to_vec(),
            heads.iter().map(row).collect(),
        )?),
    })
}

/// At most so many heads are taken out to confirm what they are called.
const N_ABLATED: usize = 3;

/// The strongest induction heads, and as many that have the least to do with copying.
fn strongest_and_controls(atlas: &Atlas) -> (Vec<Head>, Vec<Head>) {
    let by_induction = atlas.by(|scores| scores.induction);
    let half = (by_induction.len() / 2).max(1);
    let is_one = |&(at, &head): &(usize, &Head)| {
        at == 0 || (at < N_ABLATED.min(half) && atlas.head(head).role() == Some("induction"))
    };
    let strongest: Vec<_> = by_induction.iter().enumerate().filter(is_one).map(|(_, &head)| head).collect();
    let idle = |scores: &HeadScores| -scores.induction.max(scores.previous_token).max(scores.duplicate_token);
    let controls = atlas.by(idle).into_iter().filter(|head| !strongest.contains(head)).take(strongest.len()).collect();
    (strongest, controls)
}

/// What the loss on the second half becomes without the strongest induction heads, and without as many others.
fn confirmation(subject: &Subject<'_>, atlas: &Atlas) -> Result<Figure, ProbeError> {
    let (strongest, controls) = strongest_and_controls(atlas);
    let loss = |ablated: &[Head]| induction_loss(subject.lm, subject.tokenizer, ablated, subject.cancel);
    let intact = loss(&[])?;
    let named = |heads: &[Head]| heads.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let row = |what: &str, heads: &[Head], loss: f64| {
        vec![Cell::Text(what.into()), Cell::Text(named(heads)), Cell::number(loss, 3), Cell::number(loss - intact, 3)]
    };
    let rows = vec![
        row("none", &[], intact),
        row("strongest induction heads", &strongest, loss(&strongest)?),
        row("heads of no such role", &controls, loss(&controls)?),
    ];
    let columns = [("ablated", ""), ("heads", ""), ("loss", "nats"), ("rise", "nats")];
    Ok(Figure {
        title: "Induction, confirmed by ablation".into(),
        caption: "Mean surprisal of the second half's tokens, with the heads' hook_z set to zero. If the strongest \
                  induction heads do the copying, the loss rises more without them than without as many heads that \
                  look at no previous, duplicate or induction token."
            .into(),
        provenance: subject.provenance.clone(),
        content: Content::Table(Table::new(columns.map(|(name, unit)| Column::new(name, unit)).to_vec(), rows)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagonals_of_a_hand_worked_pattern() {
        // BOS a b a b: query 3 (the second a) looks at key 1 (its copy) and key 2 (the token after)
        let mut pattern = vec![vec![0f32; 5]; 5];
        pattern[3] = vec![0.1, 0.2, 0.7, 0., 0.];
        pattern[4] = vec![0.1, 0., 0.3, 0.6, 0.];
        let scores = score(&pattern, 2);
        let expected = [
            (scores.induction, 0.65),
            (scores.duplicate_token, 0.25),
            (scores.previous_token, 0.65),
            (scores.first_token, 0.1),
        ];
        for (found, expected) in expected {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn shares_of_uniform_attention_are_those_worked_by_hand() {
        // tokens 0 5 7 5 7, row i is 1 / (i + 1)
        let row = |query: usize| (0..5).map(|key| if key <= query { 1.0 / (query + 1) as f32 } else { 0.0 }).collect();
        let pattern: Vec<Vec<f32>> = (0..5).map(row).collect();
        let found = shares(&pattern, &[0, 5, 7, 5, 7]);
        let expected = [(found.previous_token, 0.2567), (found.duplicate_token, 0.09), (found.induction, 0.09)];
        for (found, expected) in expected {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn the_stimulus_repeats_itself_and_nothing_else() {
        let ids: Vec<u32> = (10..40).collect();
        let stimulus = repeated_tokens(Some(1), &ids, 12, 7);
        assert_eq!(stimulus.len(), 25);
        assert_eq!(stimulus[1..13], stimulus[13..]);
        let distinct: std::collections::BTreeSet<u32> = stimulus[1..13].iter().copied().collect();
        assert_eq!(distinct.len(), 12);
        assert_eq!(repeated_tokens(Some(1), &ids, 12, 7), stimulus);
        assert_eq!(repeated_tokens(None, &[5], 3, 0), [5; 6]);
    }
}

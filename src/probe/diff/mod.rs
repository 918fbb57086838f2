//! Two runs side by side: two prompts in one model, or one text in two models (base and chat, f16 and quantised).
//!
//! Prompts are aligned token by token. Where the runs part is told in the output (a strip of divergences), in the layers
//! (the logit lens, the residual stream), in attention, and in what each component adds to the answer.

mod align;
mod branches;

use candle_core::{D, Tensor};

use self::align::aligned;
pub use self::branches::{branches, parting};
use super::ProbeError;
use crate::figure::{Cell, Column, Content, Figure, Heatmap, HeatmapAxis, Provenance, Scale, Table};
use crate::hook::{HookPoint, Site};
use crate::lens::distribution::next_token;
use crate::lens::dla::{Attribution, DirectLogitAttribution, attribute};
use crate::lens::logit_lens::{LogitLens, stages};
use crate::lens::{Context, Lens as _, Question, Target};
use crate::model::decoder::Decoder;
use crate::model::sample::{argmax, kl, log_softmax};
use crate::model::{CancelToken, CausalLm as _};
use crate::text::{Prompt, Tokenizer};
use crate::trace::{Trace, TracePlan};

/// One of the two runs.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The model.
    pub lm: &'a Decoder,
    /// Names of tokens.
    pub tokenizer: &'a Tokenizer,
    /// The prompt.
    pub prompt: &'a Prompt,
    /// Where the numbers come from.
    pub provenance: &'a Provenance,
}

/// Compares two runs; the question's tokens are those of run A.
///
/// # Errors
/// Models of different vocabularies, a question that has no answer, or cancellation.
pub fn diff(a: Side<'_>, b: Side<'_>, question: &Question, cancel: &CancelToken) -> Result<Vec<Figure>, ProbeError> {
    figures(&Pair::of(a, b, question, cancel)?, cancel)
}

/// The same, and both distributions at every aligned position: the `top` most probable tokens of either.
///
/// # Errors
/// Those of [`diff`].
pub fn diff_at(
    a: Side<'_>,
    b: Side<'_>,
    question: &Question,
    top: usize,
    cancel: &CancelToken,
) -> Result<(Vec<Figure>, Vec<AtPosition>), ProbeError> {
    let pair = Pair::of(a, b, question, cancel)?;
    let mut positions = Vec::with_capacity(pair.positions.len());
    for &at in &pair.positions {
        cancel.check()?;
        positions.push(pair.at(at, top)?);
    }
    Ok((figures(&pair, cancel)?, positions))
}

/// Both distributions at a position.
#[derive(Debug, Clone, PartialEq)]
pub struct AtPosition {
    /// The position in run A and in run B.
    pub positions: [usize; 2],
    /// KL(A ‖ B) and KL(B ‖ A) in nats.
    pub kl: [f64; 2],
    /// The most probable token of each.
    pub top: [u32; 2],
    /// The most probable tokens of either with their probabilities in both, by the larger of the two.
    pub tokens: Vec<(u32, [f64; 2])>,
}

fn figures(pair: &Pair<'_>, cancel: &CancelToken) -> Result<Vec<Figure>, ProbeError> {
    let [a, b] = pair.sides;
    let mut figures = vec![pair.strip()?, pair.attribution()?];
    let same_shape = a.lm.config().n_layers == b.lm.config().n_layers && a.lm.config().d_model == b.lm.config().d_model;
    if same_shape {
        figures.extend([pair.lens(cancel)?, pair.streams()?]);
    }
    if same_shape && a.lm.config().n_heads == b.lm.config().n_heads && pair.is_one_to_one() {
        figures.push(pair.patterns()?);
    }
    Ok(figures)
}

/// Both runs, and which positions belong together.
struct Pair<'a> {
    sides: [Side<'a>; 2],
    traces: [Trace; 2],
    question: &'a Question,
    positions: Vec<(usize, usize)>,
    target: Target,
}

/// The sites whose streams are compared, with what they are called.
const STREAMS: [(Site, &str); 3] =
    [(Site::AttnOut, "attn_out"), (Site::MlpOut, "mlp_out"), (Site::ResidPost, "resid_post")];

impl<'a> Pair<'a> {
    /// Both runs, of models with one vocabulary.
    fn of(a: Side<'a>, b: Side<'a>, question: &'a Question, cancel: &CancelToken) -> Result<Self, ProbeError> {
        let (of_a, of_b) = (a.lm.config().d_vocab, b.lm.config().d_vocab);
        if of_a != of_b {
            return Err(ProbeError::Vocabularies { a: of_a, b: of_b });
        }
        Self::run(a, b, question, cancel)
    }

    /// Both distributions at a pair of positions.
    fn at(&self, (a, b): (usize, usize), top: usize) -> Result<AtPosition, ProbeError> {
        let logits = [self.traces[0].logits_at(a)?, self.traces[1].logits_at(b)?];
        let logprobs = [log_softmax(&logits[0]), log_softmax(&logits[1])];
        let mut ids = Vec::new();
        for logits in &logits {
            ids.extend(next_token(logits, top, None)?.top.iter().map(|ranked| ranked.id));
        }
        ids.sort_unstable();
        ids.dedup();
        let prob = |side: usize, id: u32| logprobs[side].get(id as usize).map_or(0.0, |logprob| logprob.exp());
        let mut tokens: Vec<(u32, [f64; 2])> = ids.into_iter().map(|id| (id, [prob(0, id), prob(1, id)])).collect();
        tokens.sort_by(|x, y| y.1[0].max(y.1[1]).total_cmp(&x.1[0].max(x.1[1])));
        let [p, q] = &logprobs;
        let top = [argmax(&logits[0]), argmax(&logits[1])];
        Ok(AtPosition { positions: [a, b], kl: [kl(p, q), kl(q, p)], top, tokens })
    }

    fn run(a: Side<'a>, b: Side<'a>, question: &'a Question, cancel: &CancelToken) -> Result<Self, ProbeError> {
        let run = |side: Side<'a>| {
            let cfg = side.lm.config();
            let plan = LogitLens.needs(cfg, question).union(&DirectLogitAttribution.needs(cfg, question));
            let plan = plan.union(&TracePlan::sites(cfg, &[Site::ResidPost]));
            Trace::record(side.lm, &side.prompt.ids, &plan, &mut cancel.clone())
        };
        let traces = [run(a)?, run(b)?];
        let positions = aligned(&traces[0].ids, &traces[1].ids);
        let context = Context { lm: a.lm, tokenizer: a.tokenizer, provenance: a.provenance, question };
        let target = context.target(&traces[0])?;
        Ok(Self { sides: [a, b], traces, question, positions, target })
    }

    /// Whether every position of one run belongs to the same position of the other.
    fn is_one_to_one(&self) -> bool {
        self.traces[0].ids.len() == self.traces[1].ids.len()
            && self.positions.len() == self.traces[0].ids.len()
            && self.positions.iter().all(|(a, b)| a == b)
    }

    fn visible(&self, side: usize, position: usize) -> String {
        self.sides[side].tokenizer.visible(self.traces[side].ids[position])
    }

    fn figure(&self, title: &str, caption: String, content: Content) -> Figure {
        Figure { title: title.into(), caption, provenance: self.sides[0].provenance.clone(), content }
    }

    /// `mat` in both runs, or `cat | dog`.
    fn pair_label(&self, (a, b): (usize, usize)) -> String {
        let (left, right) = (self.visible(0, a), self.visible(1, b));
        if left == right { format!("{a} {left}") } else { format!("{a} {left}|{right}") }
    }

    /// Output beside output.
    fn strip(&self) -> Result<Figure, ProbeError> {
        let names = ["position", "a", "b", "top_a", "prob_a", "top_b", "prob_b", "kl_a_b", "kl_b_a", "js"];
        let units = ["", "", "", "", "", "", "", "nats", "nats", "nats"];
        let columns = names.iter().zip(units).map(|(name, unit)| Column::new(name, unit)).collect();
        let rows = self.positions.iter().map(|&pair| self.strip_row(pair)).collect::<Result<_, ProbeError>>()?;
        let caption = format!(
            "a: {}. b: {}. KL(a ‖ b) = Σ a (ln a − ln b); js: Jensen–Shannon divergence, at most ln 2.",
            self.describe(0),
            self.describe(1)
        );
        Ok(self.figure("Two runs", caption, Content::Table(Table::new(columns, rows)?)))
    }

    fn describe(&self, side: usize) -> String {
        let from = self.sides[side].provenance;
        let prompt = from.prompt.as_deref().unwrap_or_default();
        format!("{}, {}, \"{prompt}\"", from.model, from.precision)
    }

    fn strip_row(&self, (a, b): (usize, usize)) -> Result<Vec<Cell>, ProbeError> {
        let logits = [self.traces[0].logits_at(a)?, self.traces[1].logits_at(b)?];
        let logprobs = [log_softmax(&logits[0]), log_softmax(&logits[1])];
        let mut row = vec![
            Cell::Integer(i64::try_from(a).unwrap_or(i64::MAX)),
            Cell::Text(self.visible(0, a)),
            Cell::Text(self.visible(1, b)),
        ];
        for side in 0..2 {
            let top = argmax(&logits[side]);
            row.push(Cell::Text(self.sides[side].tokenizer.visible(top)));
            row.push(Cell::number(logprobs[side][top as usize].exp(), 4));
        }
        let [p, q] = &logprobs;
        row.extend([kl(p, q), kl(q, p), jensen_shannon(p, q)].map(|value| Cell::number(value, 4)));
        Ok(row)
    }

    /// What each component adds to the difference of the target's logits, in both runs, where their answers are.
    fn attribution(&self) -> Result<Figure, ProbeError> {
        let last_b = self.positions.iter().rev().find(|(a, _)| *a == self.target.position).map(|(_, b)| *b);
        let position_b = last_b.unwrap_or(self.traces[1].ids.len() - 1);
        let found = [
            attribute(&self.traces[0], self.sides[0].lm, self.target)?,
            attribute(&self.traces[1], self.sides[1].lm, Target { position: position_b, ..self.target })?,
        ];
        let of = |side: &Attribution, name: &str| {
            let found = side.components.iter().find(|(component, _)| component.to_string() == name);
            found.map(|(_, share)| share.difference())
        };
        let mut names: Vec<String> = found[0].components.iter().map(|(component, _)| component.to_string()).collect();
        for (component, _) in &found[1].components {
            let name = component.to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let change = |name: &String| of(&found[1], name).unwrap_or(0.0) - of(&found[0], name).unwrap_or(0.0);
        names.sort_by(|x, y| change(y).abs().total_cmp(&change(x).abs()));
        let cell = |value: Option<f64>| value.map_or(Cell::Empty, |value| Cell::number(value, 3));
        let row = |name: &String| {
            let (a, b) = (of(&found[0], name), of(&found[1], name));
            vec![Cell::Text(name.clone()), cell(a), cell(b), Cell::number(change(name), 3)]
        };
        let mut rows: Vec<Vec<Cell>> = names.iter().map(row).collect();
        let logits = [found[0].logits.difference(), found[1].logits.difference()];
        rows.push(vec![
            Cell::Text("logit".into()),
            Cell::number(logits[0], 3),
            Cell::number(logits[1], 3),
            Cell::number(logits[1] - logits[0], 3),
        ]);
        let columns = [("component", ""), ("a", "logit"), ("b", "logit"), ("b_minus_a", "logit")];
        let columns = columns.map(|(name, unit)| Column::new(name, unit)).to_vec();
        let side = self.sides[0];
        let context =
            Context { lm: side.lm, tokenizer: side.tokenizer, provenance: side.provenance, question: self.question };
        let caption = format!(
            "{}; in run b after {position_b} {}. Direct logit attribution in each run, the components that differ most \
             first.",
            context.describe(&self.traces[0], self.target),
            self.visible(1, position_b)
        );
        Ok(self.figure("Where the answer comes from", caption, Content::Table(Table::new(columns, rows)?)))
    }

    /// Where in the layers the runs part: the divergence of their logit lenses.
    fn lens(&self, cancel: &CancelToken) -> Result<Figure, ProbeError> {
        let stages = stages(self.sides[0].lm.config(), self.question.stream);
        let mut values = Vec::new();
        for stage in &stages {
            for pairs in self.positions.chunks(self.batch()) {
                cancel.check()?;
                let a = self.lens_rows(0, stage.at, pairs.iter().map(|pair| pair.0))?;
                let b = self.lens_rows(1, stage.at, pairs.iter().map(|pair| pair.1))?;
                #[expect(clippy::cast_possible_truncation, reason = "grids are shown in f32")]
                let apart = |(a, b): (&Vec<f32>, &Vec<f32>)| jensen_shannon(&log_softmax(a), &log_softmax(b)) as f32;
                values.extend(a.iter().zip(&b).map(apart));
            }
        }
        let rows = HeatmapAxis { name: "layer".into(), labels: stages.iter().map(ToString::to_string).collect() };
        let labels = self.positions.iter().map(|&pair| self.pair_label(pair)).collect();
        let columns = HeatmapAxis { name: "position".into(), labels };
        let scale = Scale::Sequential { low: 0.0, high: std::f32::consts::LN_2 };
        let caption = "Jensen–Shannon divergence between the logit lenses of both runs, at most ln 2.".to_owned();
        let grid = Heatmap::new(rows, columns, values, scale, "nats")?;
        Ok(self.figure("Where the layers part", caption, Content::Heatmap(grid)))
    }

    /// How many positions are unembedded together.
    fn batch(&self) -> usize {
        /// Bytes of logits that exist at a time in each run, unless a single position takes more.
        const BYTES: usize = 16 << 20;
        (BYTES / 4 / self.sides[0].lm.config().d_vocab.max(1)).max(1)
    }

    /// The logit lens of one run at these positions, `[position][d_vocab]`.
    fn lens_rows(
        &self,
        side: usize,
        at: HookPoint,
        positions: impl Iterator<Item = usize>,
    ) -> Result<Vec<Vec<f32>>, ProbeError> {
        let resid = self.rows(side, at, positions)?;
        Ok(self.sides[side].lm.unembed(&resid)?.to_vec2()?)
    }

    /// A run's activation at these positions, `[position, ..]`.
    fn rows(&self, side: usize, at: HookPoint, positions: impl Iterator<Item = usize>) -> Result<Tensor, ProbeError> {
        let stream = self.traces[side].get(at)?;
        let positions: Vec<u32> = positions.map(|position| u32::try_from(position).unwrap_or(u32::MAX)).collect();
        Ok(stream.index_select(&Tensor::new(positions, stream.device())?, 0)?)
    }

    /// How far apart activations are, block by block.
    fn streams(&self) -> Result<Figure, ProbeError> {
        let mut columns = vec![Column::new("layer", "")];
        for (_, name) in STREAMS {
            columns.extend([Column::new(&format!("{name} apart"), ""), Column::new(&format!("{name} cosine"), "")]);
        }
        let row = |layer: usize| {
            let mut row = vec![Cell::Integer(i64::try_from(layer).unwrap_or(i64::MAX))];
            for (site, _) in STREAMS {
                let apart = self.apart(HookPoint::block(layer, site))?;
                row.extend([Cell::Scientific(apart.relative), Cell::number(apart.cosine, 5)]);
            }
            Ok::<_, ProbeError>(row)
        };
        let rows = (0..self.sides[0].lm.config().n_layers).map(row).collect::<Result<_, _>>()?;
        let caption = "Means over the aligned positions: ‖b − a‖ / ‖a‖, and the cosine of a and b.".to_owned();
        Ok(self.figure("Activations, block by block", caption, Content::Table(Table::new(columns, rows)?)))
    }

    fn apart(&self, at: HookPoint) -> Result<Apart, ProbeError> {
        let a = self.rows(0, at, self.positions.iter().map(|pair| pair.0))?;
        let b = self.rows(1, at, self.positions.iter().map(|pair| pair.1))?;
        let sums = |x: &Tensor| -> Result<Vec<f32>, ProbeError> { Ok(x.sum(D::Minus1)?.to_vec1()?) };
        let (aa, bb, ab) = (sums(&a.sqr()?)?, sums(&b.sqr()?)?, sums(&(&a * &b)?)?);
        let dd = sums(&(&b - &a)?.sqr()?)?;
        let n = aa.len().max(1) as f64;
        let mean = |of: &dyn Fn(usize) -> f64| (0..aa.len()).map(of).sum::<f64>() / n;
        let norm = |square: f32| f64::from(square.max(f32::MIN_POSITIVE)).sqrt();
        Ok(Apart {
            relative: mean(&|row| f64::from(dd[row]).sqrt() / norm(aa[row])),
            cosine: mean(&|row| f64::from(ab[row]) / (norm(aa[row]) * norm(bb[row]))),
        })
    }

    /// How differently each head looks.
    fn patterns(&self) -> Result<Figure, ProbeError> {
        let cfg = self.sides[0].lm.config();
        let mut values = Vec::new();
        for layer in 0..cfg.n_layers {
            let at = HookPoint::block(layer, Site::Pattern);
            let apart = (self.traces[0].get(at)? - self.traces[1].get(at)?)?.abs()?;
            // total variation of each row, then the mean over queries
            values.extend((apart.sum(D::Minus1)?.mean(D::Minus1)? * 0.5)?.to_vec1::<f32>()?);
        }
        let axis =
            |name: &str, n: usize| HeatmapAxis { name: name.into(), labels: (0..n).map(|i| i.to_string()).collect() };
        let grid = Heatmap::new(
            axis("layer", cfg.n_layers),
            axis("head", cfg.n_heads),
            values,
            Scale::Probability,
            "total variation",
        )?;
        let caption = "How differently each head looks: half the sum of |b − a| of a query's weights, mean over the \
                       queries; 0 alike, 1 nothing in common."
            .to_owned();
        Ok(self.figure("Attention", caption, Content::Heatmap(grid)))
    }
}

/// How far apart two streams are.
struct Apart {
    relative: f64,
    cosine: f64,
}

/// The Jensen–Shannon divergence of natural-log probabilities, in nats.
fn jensen_shannon(p: &[f64], q: &[f64]) -> f64 {
    let middle: Vec<f64> = p.iter().zip(q).map(|(p, q)| (0.5 * (p.exp() + q.exp())).ln()).collect();
    0.5 * (kl(p, &middle) + kl(q, &middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergences_worked_by_hand() {
        let (p, q) = ([0.5f64.ln(), 0.5f64.ln()], [0.25f64.ln(), 0.75f64.ln()]);
        assert!((kl(&p, &q) - 0.5 * (4.0f64 / 3.0).ln()).abs() < 1e-12);
        assert!(kl(&p, &p).abs() < 1e-15);
        // nothing in common: ln 2
        let (p, q) = ([0.0, f64::NEG_INFINITY], [f64::NEG_INFINITY, 0.0]);
        assert!((jensen_shannon(&p, &q) - std::f64::consts::LN_2).abs() < 1e-12);
    }
}

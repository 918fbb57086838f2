//! Direct logit attribution: which components pushed token A, rather than its rival, straight into the logits.
//!
//! A logit is a product with what the final norm puts out, and that is a sum over everything that was added to the
//! residual stream. With the scales of the norms frozen, each summand's share is its product with one direction
//! (Elhage et al. 2021; Wang et al. 2022). The shares add up to the logit before the soft-cap; what is missing is the
//! remainder, which is always shown. It is the *direct* effect only: what a component does through later ones is
//! counted there.

use candle_core::{DType, Tensor};

use super::{Context, Lens, LensError, Question, Target};
use crate::figure::{Cell, Column, Content, Figure, Heatmap, HeatmapAxis, Scale, Table};
use crate::hook::{Head, HookPoint, Site};
use crate::model::decoder::Decoder;
use crate::model::{CausalLm as _, DecoderConfig, NormPlacement};
use crate::trace::{Trace, TracePlan};

/// The lens.
pub struct DirectLogitAttribution;

/// What a share belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// The token's embedding.
    Embed,
    /// The position's embedding.
    PosEmbed,
    /// What attention of a block adds to the stream.
    Attention(usize),
    /// What the MLP of a block adds to the stream.
    Mlp(usize),
    /// The biases of the norms that stand in the stream itself, and of the final norm.
    NormBiases,
    /// The bias of the unembedding.
    UnembedBias,
}

impl std::fmt::Display for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embed => f.write_str("embed"),
            Self::PosEmbed => f.write_str("pos_embed"),
            Self::Attention(layer) => write!(f, "L{layer}.attn"),
            Self::Mlp(layer) => write!(f, "L{layer}.mlp"),
            Self::NormBiases => f.write_str("norm biases"),
            Self::UnembedBias => f.write_str("unembed bias"),
        }
    }
}

/// Contributions to the logit of A and to that of B, which is 0 without a rival.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Share {
    /// To A's logit.
    pub to_a: f64,
    /// To B's logit.
    pub to_b: f64,
}

impl Share {
    /// To the logit of A minus that of B.
    pub fn difference(self) -> f64 {
        self.to_a - self.to_b
    }

    fn plus(self, other: Self) -> Self {
        Self { to_a: self.to_a + other.to_a, to_b: self.to_b + other.to_b }
    }

    fn minus(self, other: Self) -> Self {
        Self { to_a: self.to_a - other.to_a, to_b: self.to_b - other.to_b }
    }
}

/// One entry of an MLP's hidden layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neuron {
    /// The block.
    pub layer: usize,
    /// The entry of `mlp.hook_post`.
    pub index: usize,
    /// Its value.
    pub activation: f64,
    /// Its share.
    pub share: Share,
}

/// What a head took from one position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// The head.
    pub head: Head,
    /// The position.
    pub position: usize,
    /// The head's weight on it.
    pub weight: f64,
    /// Its share.
    pub share: Share,
}

/// What all heads took from one position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Carried {
    /// The position.
    pub position: usize,
    /// Their share.
    pub share: Share,
    /// The head that took most of it, either way.
    pub most: Option<Source>,
}

/// A logit, or a difference of logits, split into the components that made it.
#[derive(Debug, Clone)]
pub struct Attribution {
    /// The question.
    pub target: Target,
    /// The logits before the soft-cap, as the model computes them.
    pub logits: Share,
    /// Every component; their sum and the remainder are the logits.
    pub components: Vec<(Component, Share)>,
    /// Every head; in each block they and the biases of its output add up to its attention's share.
    pub heads: Vec<(Head, Share)>,
    /// What the biases of each block's attention output add.
    pub attn_biases: Vec<Share>,
    /// The directions of every head's `hook_z`, `[A and B, head, d_head]` a block.
    head_directions: Vec<Tensor>,
    /// Neurons of each block with their shares; empty where experts split it.
    pub neurons: Vec<Neuron>,
    /// What the biases of each block's MLP output add; nothing where experts split it.
    pub mlp_biases: Vec<Option<Share>>,
}

impl Attribution {
    /// What the components do not add up to: rounding, if weights and activations are exact.
    pub fn remainder(&self) -> Share {
        let sum = self.components.iter().fold(Share::default(), |sum, (_, share)| sum.plus(*share));
        self.logits.minus(sum)
    }

    /// The share of one component.
    pub fn share_of(&self, component: Component) -> Share {
        let found = self.components.iter().find(|(other, _)| *other == component);
        found.map_or_else(Share::default, |(_, share)| *share)
    }

    /// The heads that push hardest either way, hardest first.
    pub fn strongest_heads(&self, n: usize) -> Vec<(Head, Share)> {
        strongest(&self.heads, n, |(_, share)| share.difference())
    }

    /// The neurons that push hardest either way, hardest first.
    pub fn strongest_neurons(&self, n: usize) -> Vec<Neuron> {
        strongest(&self.neurons, n, |neuron| neuron.share.difference())
    }

    /// A head's share by the position it came from: `A[q, j] v_j W_O`, which adds up to the head's.
    pub fn sources(&self, trace: &Trace, head: Head) -> Result<Vec<Source>, LensError> {
        let q = self.target.position;
        let pattern = trace.get(HookPoint::block(head.layer, Site::Pattern))?;
        let n_heads = pattern.dim(0)?;
        let weights = pattern.get(head.head)?.get(q)?.to_vec1::<f32>()?;
        let v = trace.get(HookPoint::block(head.layer, Site::V))?; // [pos, kv_head, d_head]
        let group = n_heads / v.dim(1)?;
        let v = v.narrow(1, head.head / group, 1)?.squeeze(1)?; // [pos, d_head]
        let directions = self.head_directions[head.layer].narrow(1, head.head, 1)?.squeeze(1)?;
        let products = v.contiguous()?.matmul(&directions.t()?)?.to_vec2::<f32>()?;
        let source = |(position, (&weight, product)): (usize, (&f32, &Vec<f32>))| Source {
            head,
            position,
            weight: f64::from(weight),
            share: share(product.iter().map(|&value| f64::from(value) * f64::from(weight))),
        };
        Ok(weights.iter().zip(&products).take(q + 1).enumerate().map(source).collect())
    }

    /// What all heads took from each position up to the target's, first to last.
    pub fn carried(&self, trace: &Trace) -> Result<Vec<Carried>, LensError> {
        let nothing = |position| Carried { position, share: Share::default(), most: None };
        let mut carried: Vec<Carried> = (0..=self.target.position).map(nothing).collect();
        for &(head, _) in &self.heads {
            for source in self.sources(trace, head)? {
                let at = &mut carried[source.position];
                at.share = at.share.plus(source.share);
                at.most = at.most.into_iter().chain([source]).reduce(harder);
            }
        }
        Ok(carried)
    }
}

/// The source that pushes hardest either way; of equals the first.
pub fn strongest_source(sources: &[Source]) -> Option<Source> {
    sources.iter().copied().reduce(harder)
}

/// The one of two that pushes harder either way.
fn harder(a: Source, b: Source) -> Source {
    if b.share.difference().abs() > a.share.difference().abs() { b } else { a }
}

fn strongest<T: Clone>(all: &[T], n: usize, value: impl Fn(&T) -> f64) -> Vec<T> {
    let mut order: Vec<&T> = all.iter().collect();
    order.sort_by(|a, b| value(b).abs().total_cmp(&value(a).abs()));
    order.into_iter().take(n).cloned().collect()
}

fn share(mut values: impl Iterator<Item = f64>) -> Share {
    Share { to_a: values.next().unwrap_or(0.0), to_b: values.next().unwrap_or(0.0) }
}

/// The products of `x` `[d]` with each of `directions` `[n, d]`, added up in f64.
fn products(directions: &Tensor, x: &Tensor) -> Result<Share, LensError> {
    let x = x.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    let rows = directions.to_vec2::<f32>()?;
    let dot = |row: &Vec<f32>| row.iter().zip(&x).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    Ok(share(rows.iter().map(dot)))
}

fn products_or_nothing(directions: &Tensor, x: Option<&Tensor>) -> Result<Share, LensError> {
    x.map_or_else(|| Ok(Share::default()), |x| products(directions, x))
}

/// Splits the target's logits.
///
/// # Errors
/// A trace that lacks what [`DirectLogitAttribution`] needs.
pub fn attribute(trace: &Trace, lm: &Decoder, target: Target) -> Result<Attribution, LensError> {
    Walk::new(trace, lm, target)?.run()
}

/// The way back through the stream, from the logits to the embeddings.
struct Walk<'a> {
    trace: &'a Trace,
    lm: &'a Decoder,
    cfg: &'a DecoderConfig,
    position: usize,
    /// The directions at the place of the stream that the walk has come to, `[n, d_model]`.
    directions: Tensor,
    found: Attribution,
}

impl<'a> Walk<'a> {
    fn new(trace: &'a Trace, lm: &'a Decoder, target: Target) -> Result<Self, LensError> {
        let ids: Vec<u32> = std::iter::once(target.token).chain(target.versus).collect();
        let cfg = lm.config();
        let last = trace.get(HookPoint::block(cfg.n_layers - 1, Site::ResidPost))?.narrow(0, target.position, 1)?;
        let logits = lm.unembed_uncapped(&last)?.flatten_all()?.to_vec1::<f32>()?;
        let logits = share(ids.iter().map(|&id| f64::from(logits[id as usize])));
        let found = Attribution {
            target,
            logits,
            components: vec![
                (Component::NormBiases, Share::default()),
                (Component::UnembedBias, share(lm.unembed_bias(&ids)?.into_iter())),
            ],
            heads: Vec::new(),
            attn_biases: Vec::new(),
            head_directions: Vec::new(),
            neurons: Vec::new(),
            mlp_biases: Vec::new(),
        };
        Ok(Self { trace, lm, cfg, position: target.position, directions: lm.unembed_directions(&ids)?, found })
    }

    fn run(mut self) -> Result<Attribution, LensError> {
        self.through_norm(HookPoint::model(Site::LnFinalScale))?;
        let in_stream = self.cfg.placement == NormPlacement::Residual;
        let carried = self.cfg.placement == NormPlacement::Carried;
        for layer in (0..self.cfg.n_layers).rev() {
            let (ln1, ln2) = (HookPoint::block(layer, Site::Ln1Scale), HookPoint::block(layer, Site::Ln2Scale));
            if in_stream {
                self.through_norm(ln2)?;
            }
            self.mlp(layer)?;
            if carried {
                self.through_norm(ln2)?;
            }
            if in_stream {
                self.through_norm(ln1)?;
            }
            self.attention(layer)?;
            if carried {
                self.through_norm(ln1)?;
            }
        }
        self.embeddings()?;
        self.found.heads.reverse();
        self.found.attn_biases.reverse();
        self.found.head_directions.reverse();
        self.found.mlp_biases.reverse();
        Ok(self.found)
    }

    /// The value of a hook at the position, without the position axis.
    fn here(&self, at: HookPoint) -> Result<Tensor, LensError> {
        Ok(self.trace.get(at)?.get(self.position)?)
    }

    fn scale(&self, at: HookPoint) -> Result<f64, LensError> {
        Ok(f64::from(self.here(at)?.flatten_all()?.get(0)?.to_scalar::<f32>()?))
    }

    /// Steps over a norm that the stream itself passes through.
    fn through_norm(&mut self, scale: HookPoint) -> Result<(), LensError> {
        let Some(norm) = self.lm.norm_at(scale) else { return Ok(()) };
        let biases = products_or_nothing(&self.directions, norm.bias())?;
        self.found.components[0].1 = self.found.components[0].1.plus(biases);
        self.directions = norm.before(&self.directions, self.scale(scale)?)?;
        Ok(())
    }

    /// The directions of a sublayer's raw output, before its own norm and scale, and what that norm's bias adds.
    fn raw(&self, post: HookPoint) -> Result<(Tensor, Share), LensError> {
        let scaled = (&self.directions * self.cfg.residual_scale)?;
        let Some(norm) = self.lm.norm_at(post) else { return Ok((scaled, Share::default())) };
        let biases = products_or_nothing(&scaled, norm.bias())?;
        Ok((norm.before(&scaled, self.scale(post)?)?, biases))
    }

    fn attention(&mut self, layer: usize) -> Result<(), LensError> {
        let whole = products(&self.directions, &self.here(HookPoint::block(layer, Site::AttnOut))?)?;
        self.found.components.push((Component::Attention(layer), whole));
        let (raw, norm_bias) = self.raw(HookPoint::block(layer, Site::Ln1PostScale))?;
        let bias = products_or_nothing(&raw, self.lm.attn_out_bias(layer))?;
        self.found.attn_biases.push(bias.plus(norm_bias));
        let directions = self.lm.head_directions(layer, &raw)?; // [n, head, d_head]
        let z = self.here(HookPoint::block(layer, Site::Z))?; // [head, d_head]
        for head in (0..self.cfg.n_heads).rev() {
            let share = products(&directions.narrow(1, head, 1)?.squeeze(1)?, &z.get(head)?)?;
            self.found.heads.push((Head { layer, head }, share));
        }
        self.found.head_directions.push(directions);
        Ok(())
    }

    fn mlp(&mut self, layer: usize) -> Result<(), LensError> {
        let whole = products(&self.directions, &self.here(HookPoint::block(layer, Site::MlpOut))?)?;
        self.found.components.push((Component::Mlp(layer), whole));
        let (raw, norm_bias) = self.raw(HookPoint::block(layer, Site::Ln2PostScale))?;
        let Some(directions) = self.lm.neuron_directions(layer, &raw)? else {
            self.found.mlp_biases.push(None);
            return Ok(());
        };
        let bias = products_or_nothing(&raw, self.lm.mlp_out_bias(layer))?;
        self.found.mlp_biases.push(Some(bias.plus(norm_bias)));
        let directions = directions.to_vec2::<f32>()?;
        let post = self.here(HookPoint::block(layer, Site::MlpPost))?.to_vec1::<f32>()?;
        let neuron = |(index, &activation): (usize, &f32)| {
            let activation = f64::from(activation);
            let share = share(directions.iter().map(|direction| activation * f64::from(direction[index])));
            Neuron { layer, index, activation, share }
        };
        self.found.neurons.extend(post.iter().enumerate().map(neuron));
        Ok(())
    }

    fn embeddings(&mut self) -> Result<(), LensError> {
        for (site, component) in [(Site::Embed, Component::Embed), (Site::PosEmbed, Component::PosEmbed)] {
            if self.cfg.hook_points().contains(&HookPoint::model(site)) {
                let share = products(&self.directions, &self.here(HookPoint::model(site))?)?;
                self.found.components.push((component, share));
            }
        }
        Ok(())
    }
}

impl Lens for DirectLogitAttribution {
    fn name(&self) -> &'static str {
        "dla"
    }

    fn about(&self) -> &'static str {
        "direct logit attribution: what each block, head, neuron and source token adds to A's logit over B's"
    }

    fn reads_atlas(&self) -> bool {
        true
    }

    fn needs(&self, cfg: &DecoderConfig, _: &Question) -> TracePlan {
        let last = TracePlan::new([HookPoint::block(cfg.n_layers - 1, Site::ResidPost)]);
        let sites = [
            Site::Embed,
            Site::PosEmbed,
            Site::AttnOut,
            Site::MlpOut,
            Site::Z,
            Site::V,
            Site::Pattern,
            Site::MlpPost,
            Site::Ln1PostScale,
            Site::Ln2PostScale,
            Site::LnFinalScale,
        ];
        let in_stream = matches!(cfg.placement, NormPlacement::Residual | NormPlacement::Carried);
        let norms: &[Site] = if in_stream { &[Site::Ln1Scale, Site::Ln2Scale] } else { &[] };
        TracePlan::sites(cfg, &sites).union(&TracePlan::sites(cfg, norms)).union(&last)
    }

    fn read(&self, trace: &Trace, context: Context<'_>) -> Result<Vec<Figure>, LensError> {
        let target = context.target(trace)?;
        let found = attribute(trace, context.lm, target)?;
        let mut figures = vec![
            components_figure(&found, trace, context)?,
            heads_figure(&found, trace, context)?,
            sources_figure(&found, trace, context)?,
        ];
        if !found.neurons.is_empty() {
            figures.push(neurons_figure(&found, trace, context)?);
        }
        figures.push(grid_figure(&found, trace, context)?);
        Ok(figures)
    }
}

/// The columns of shares: to A, to B and the difference, or A's alone.
fn share_columns(target: Target) -> Vec<Column> {
    match target.versus {
        Some(_) => ["difference", "to_a", "to_b"].map(|name| Column::new(name, "logit")).to_vec(),
        None => vec![Column::new("logit", "logit")],
    }
}

fn share_cells(target: Target, share: Share) -> Vec<Cell> {
    match target.versus {
        Some(_) => [share.difference(), share.to_a, share.to_b].map(|value| Cell::number(value, 3)).to_vec(),
        None => vec![Cell::number(share.to_a, 3)],
    }
}

fn figure(title: &str, caption: &str, content: Content, context: Context<'_>) -> Figure {
    Figure { title: title.into(), caption: caption.into(), provenance: context.provenance.clone(), content }
}

fn components_figure(found: &Attribution, trace: &Trace, context: Context<'_>) -> Result<Figure, LensError> {
    let row = |name: String, share: Share| -> Vec<Cell> {
        std::iter::once(Cell::Text(name)).chain(share_cells(found.target, share)).collect()
    };
    let mut components = found.components.clone();
    components.sort_by(|a, b| b.1.difference().abs().total_cmp(&a.1.difference().abs()));
    let rows = components.iter().map(|(component, share)| row(component.to_string(), *share));
    // exact arithmetic leaves rounding: it is told in full, not as zero
    let remainder = found.remainder();
    let mut remainder_row = vec![Cell::Text("remainder".into()), Cell::Scientific(remainder.difference())];
    if found.target.versus.is_some() {
        remainder_row.extend([Cell::Scientific(remainder.to_a), Cell::Scientific(remainder.to_b)]);
    }
    let rows = rows.chain([remainder_row, row("logit".into(), found.logits)]).collect();
    let mut columns = vec![Column::new("component", "")];
    columns.extend(share_columns(found.target));
    let capped = match context.lm.config().logits.softcap {
        Some(cap) => {
            let logits = trace.logits_at(found.target.position)?;
            format!(" These are logits before the soft-cap at {cap}; after it: {:.3}.", found.target.logit(&logits))
        }
        None => String::new(),
    };
    let caption = format!(
        "{}. Shares of the logit with the norms' scales frozen; they and the remainder add up to the last row. Direct \
         effects only: what a component does through later ones is counted there.{capped}",
        context.describe(trace, found.target)
    );
    Ok(figure("Direct logit attribution", &caption, Content::Table(Table::new(columns, rows)?), context))
}

fn heads_figure(found: &Attribution, trace: &Trace, context: Context<'_>) -> Result<Figure, LensError> {
    let mut rows = Vec::new();
    for (head, share) in found.strongest_heads(context.question.top) {
        let sources = found.sources(trace, head)?;
        let most = strongest_source(&sources);
        let label = most.map(|source| context.label(trace, source.position)).unwrap_or_default();
        let role = context.question.role(head).map_or(Cell::Empty, |role| Cell::Text(role.into()));
        let mut row = vec![Cell::Text(head.to_string()), role];
        row.extend(share_cells(found.target, share));
        row.extend([Cell::Text(label), most.map_or(Cell::Empty, |source| Cell::number(source.share.difference(), 3))]);
        rows.push(row);
    }
    let mut columns = vec![Column::new("head", ""), Column::new("role", "")];
    columns.extend(share_columns(found.target));
    columns.extend([Column::new("mostly_from", ""), Column::new("from_there", "logit")]);
    let caption = "The heads that push hardest either way, and the position whose value they carried most of it from.";
    Ok(figure("Heads", caption, Content::Table(Table::new(columns, rows)?), context))
}

fn sources_figure(found: &Attribution, trace: &Trace, context: Context<'_>) -> Result<Figure, LensError> {
    let row = |carried: &Carried| {
        let mut row = vec![Cell::Text(context.label(trace, carried.position))];
        row.extend(share_cells(found.target, carried.share));
        row.push(carried.most.map_or(Cell::Empty, |source| Cell::Text(source.head.to_string())));
        row.push(carried.most.map_or(Cell::Empty, |source| Cell::number(source.weight, 3)));
        row
    };
    let rows = found.carried(trace)?.iter().map(row).collect();
    let mut columns = vec![Column::new("source", "")];
    columns.extend(share_columns(found.target));
    columns.extend([Column::new("mostly_through", ""), Column::new("weight", "")]);
    let caption = "What all heads at the position carried from each source position, with the head that carried most \
                   of it and its attention weight. They add up to the attention of all blocks, without its biases.";
    Ok(figure("Source tokens", caption, Content::Table(Table::new(columns, rows)?), context))
}

fn neurons_figure(found: &Attribution, _: &Trace, context: Context<'_>) -> Result<Figure, LensError> {
    let row = |neuron: &Neuron| {
        let mut row =
            vec![Cell::Text(format!("L{}N{}", neuron.layer, neuron.index)), Cell::number(neuron.activation, 3)];
        row.extend(share_cells(found.target, neuron.share));
        row
    };
    let rows = found.strongest_neurons(context.question.top).iter().map(row).collect();
    let mut columns = vec![Column::new("neuron", ""), Column::new("activation", "")];
    columns.extend(share_columns(found.target));
    let caption = "The neurons (entries of mlp.hook_post) that push hardest either way.";
    Ok(figure("Neurons", caption, Content::Table(Table::new(columns, rows)?), context))
}

fn grid_figure(found: &Attribution, trace: &Trace, context: Context<'_>) -> Result<Figure, LensError> {
    let cfg = context.lm.config();
    #[expect(clippy::cast_possible_truncation, reason = "grids are shown in f32")]
    let values: Vec<f32> = found.heads.iter().map(|(_, share)| share.difference() as f32).collect();
    let reach = values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let axis =
        |name: &str, n: usize| HeatmapAxis { name: name.into(), labels: (0..n).map(|i| i.to_string()).collect() };
    let scale = Scale::Diverging { mid: 0.0, reach };
    let grid = Heatmap::new(axis("layer", cfg.n_layers), axis("head", cfg.n_heads), values, scale, "logit")?;
    let caption = format!("Every head's share: {}.", context.describe(trace, found.target));
    Ok(figure("Direct logit attribution of heads", &caption, Content::Heatmap(grid), context))
}

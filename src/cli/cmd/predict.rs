//! `lmscope predict`

use std::io::Write as _;

use serde::Serialize;

use crate::cli::Exit;
use crate::cli::args::{Format, ModelArgs, PromptArgs, SamplingArgs};
use crate::cli::intervene::{self, InterveneArgs};
use crate::cli::output::Output;
use crate::engine::Loaded;
use crate::export::EXPORTERS;
use crate::figure::{Cell, Column, Content, Figure, Provenance, Table};
use crate::intervene::{Intervened, Interventions};
use crate::lens::distribution::next_token;
use crate::model::sample::{Sampler, log_softmax};
use crate::model::{CausalLm as _, KvCache, last_logits};
use crate::text::Prompt;

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope predict \"The cat sat on a\" -k 5 --steps 3 --temperature 0.8 --seed 7 --format json"
)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    intervene: InterveneArgs,
    /// How many of the most probable tokens to show
    #[arg(short, value_name = "K", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    k: u32,
    /// How many tokens to choose, one after the other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Serialize)]
struct Prediction {
    model: String,
    precision: String,
    bos: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    interventions: Vec<String>,
    tokens: Vec<Token>,
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Token {
    id: u32,
    text: String,
}

#[derive(Serialize)]
struct Step {
    position: usize,
    entropy_bits: f64,
    chosen: Token,
    top: Vec<Candidate>,
}

#[derive(Serialize)]
struct Candidate {
    rank: usize,
    id: u32,
    text: String,
    logit: f32,
    logprob: f64,
    prob: f64,
    /// Without the interventions.
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<Base>,
}

#[derive(Clone, Copy, Serialize)]
struct Base {
    rank: usize,
    logprob: f64,
    prob: f64,
}

/// The next token of the model itself, where something was changed in the forward pass.
struct BaseRun<'a> {
    loaded: &'a Loaded,
    cache: KvCache,
}

impl<'a> BaseRun<'a> {
    fn new(loaded: &'a Loaded, interventions: &Interventions) -> Option<Self> {
        (!interventions.is_empty()).then(|| Self { loaded, cache: loaded.decoder.new_cache() })
    }

    /// The distribution after `ids`, which follow those before.
    fn after(&mut self, ids: &[u32], out: &Output) -> anyhow::Result<BaseNext> {
        let logits = last_logits(&self.loaded.decoder, ids, &mut self.cache, &mut out.cancel())?;
        let logprobs = log_softmax(&logits);
        Ok(BaseNext { logits, logprobs })
    }
}

struct BaseNext {
    logits: Vec<f32>,
    logprobs: Vec<f64>,
}

impl BaseNext {
    fn of(&self, id: u32) -> Base {
        let id = id as usize;
        let rank = 1 + self.logits.iter().filter(|&&logit| logit > self.logits[id]).count();
        Base { rank, logprob: self.logprobs[id], prob: self.logprobs[id].exp() }
    }
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let loaded = args.model.open(out)?;
    let prompt = args.prompt.tokenise(&loaded)?;
    let tokenise = |text: &str| args.prompt.tokenise_as_well(&loaded, text);
    let interventions = args.intervene.prepare(&loaded, Some(&prompt), &tokenise, &out.cancel())?;
    let prediction = predict(args, &loaded, &prompt, &interventions, out)?;
    let provenance = intervene::provenance(&loaded, &prompt, &interventions);
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &prediction)?;
            writeln!(out)?;
        }
        Format::Csv => args.format.exporter().write(&[figure(&prediction, provenance)?], out)?,
        Format::Table => EXPORTERS[0].write(&step_figures(&prediction, &loaded, &prompt, &provenance)?, out)?,
    }
    Ok(Exit::Done)
}

fn predict(
    args: &Args,
    loaded: &Loaded,
    prompt: &Prompt,
    interventions: &Interventions,
    out: &Output,
) -> anyhow::Result<Prediction> {
    let name = |id: u32| Token { id, text: loaded.tokenizer.text(id) };
    let mut sampler = Sampler::new(args.sampling.sampling(0.0));
    let lm = Intervened::new(&loaded.decoder, interventions);
    let mut cache = lm.new_cache();
    let mut base_run = BaseRun::new(loaded, interventions);
    let mut next = prompt.ids.clone();
    let mut said = prompt.ids.clone();
    let mut steps = Vec::new();
    for _ in 0..args.steps {
        let logits = last_logits(&lm, &next, &mut cache, &mut out.cancel())?;
        let base = base_run.as_mut().map(|run| run.after(&next, out)).transpose()?;
        let found = next_token(&logits, args.k as usize, None)?;
        let chosen = sampler.choose(&logits, &said);
        said.push(chosen);
        let candidate = |ranked: &crate::lens::distribution::Ranked| Candidate {
            rank: ranked.rank,
            id: ranked.id,
            text: loaded.tokenizer.text(ranked.id),
            logit: ranked.logit,
            logprob: ranked.logprob,
            prob: ranked.logprob.exp(),
            base: base.as_ref().map(|base| base.of(ranked.id)),
        };
        let top = found.top.iter().map(candidate).collect();
        steps.push(Step { position: cache.len() - 1, entropy_bits: found.entropy_bits, chosen: name(chosen), top });
        if loaded.tokenizer.eos() == Some(chosen) || cache.len() == loaded.info.config.n_ctx {
            break;
        }
        next = vec![chosen];
    }
    Ok(Prediction {
        model: loaded.info.name.clone(),
        precision: loaded.info.precision.describe(),
        bos: prompt.bos.to_string(),
        interventions: interventions.specs().to_vec(),
        tokens: prompt.ids.iter().map(|&id| name(id)).collect(),
        steps,
    })
}

/// One table a step, for people.
fn step_figures(
    prediction: &Prediction,
    loaded: &Loaded,
    prompt: &Prompt,
    provenance: &Provenance,
) -> anyhow::Result<Vec<Figure>> {
    let mut context: Vec<u32> = prompt.ids.clone();
    let mut figures = Vec::new();
    for step in &prediction.steps {
        let names = ["rank", "token", "prob", "logit", "logprob", "id"].iter().chain(base_columns(prediction));
        let columns = names.map(|name| Column::new(name, "")).collect();
        let rows = step.top.iter().map(|candidate| {
            let visible = Cell::Text(loaded.tokenizer.visible(candidate.id));
            let mut row = row(candidate);
            let id = row.remove(1);
            row[1] = visible;
            row.push(id);
            row.extend(base_cells(candidate));
            row
        });
        let shown: String = context.iter().map(|&id| loaded.tokenizer.visible(id)).collect();
        figures.push(Figure {
            title: format!("After {shown}"),
            caption: format!(
                "entropy {:.3} bits · chosen {}",
                step.entropy_bits,
                loaded.tokenizer.visible(step.chosen.id)
            ),
            provenance: provenance.clone(),
            content: Content::Table(Table::new(columns, rows.collect())?),
        });
        context.push(step.chosen.id);
    }
    Ok(figures)
}

/// All steps in one table, for files.
fn figure(prediction: &Prediction, provenance: Provenance) -> anyhow::Result<Figure> {
    let names = ["position", "rank", "id", "text", "prob", "logit", "logprob"];
    let names = names.iter().chain(base_columns(prediction));
    let rows = prediction.steps.iter().flat_map(|step| {
        step.top.iter().map(move |candidate| {
            let position = Cell::Integer(i64::try_from(step.position).unwrap_or(i64::MAX));
            std::iter::once(position).chain(row(candidate)).chain(base_cells(candidate)).collect()
        })
    });
    Ok(Figure {
        title: "Next tokens".into(),
        caption: String::new(),
        provenance,
        content: Content::Table(Table::new(names.map(|name| Column::new(name, "")).collect(), rows.collect())?),
    })
}

/// What is shown of the run without interventions, where there are any.
const BASE_COLUMNS: [&str; 3] = ["base_prob", "logprob_change", "base_rank"];

fn base_columns(prediction: &Prediction) -> &'static [&'static str] {
    if prediction.interventions.is_empty() { &[] } else { &BASE_COLUMNS }
}

fn base_cells(candidate: &Candidate) -> Vec<Cell> {
    let cells = |base: Base| {
        let rank = Cell::Integer(i64::try_from(base.rank).unwrap_or(i64::MAX));
        vec![Cell::number(base.prob, 4), Cell::number(candidate.logprob - base.logprob, 3), rank]
    };
    candidate.base.map_or_else(Vec::new, cells)
}

fn row(candidate: &Candidate) -> Vec<Cell> {
    vec![
        Cell::Integer(i64::try_from(candidate.rank).unwrap_or(i64::MAX)),
        Cell::Integer(i64::from(candidate.id)),
        Cell::Text(candidate.text.clone()),
        Cell::number(candidate.prob, 4),
        Cell::number(f64::from(candidate.logit), 3),
        Cell::number(candidate.logprob, 3),
    ]
}

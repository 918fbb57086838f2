//! `lmscope models`

use std::io::Write as _;

use serde::Serialize;

use crate::cli::Exit;
use crate::cli::args::{Format, hub_cache};
use crate::cli::output::Output;
use crate::figure::{Cell, Column, Content, Figure, Provenance, Table};
use crate::hub::{Cache, Cached};
use crate::model::load::architecture_of;
use crate::model::source::ModelSource;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lmscope models\n  lmscope models --format json | jq -r '.[] | select(.complete) | .model'\n\nThe cache is HF_HUB_CACHE, or HF_HOME/hub, or ~/.cache/huggingface/hub. What stands under `model` is what -m takes."
)]
pub(in crate::cli) struct Args {
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Serialize)]
struct Row {
    model: String,
    revision: String,
    architecture: Option<String>,
    format: &'static str,
    bytes: u64,
    complete: bool,
    lacks: Vec<String>,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let cache = hub_cache();
    let rows: Vec<Row> = cache.list()?.into_iter().map(row).collect();
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &rows)?;
            writeln!(out)?;
        }
        Format::Csv | Format::Table => args.format.exporter().write(&[figure(&rows, &cache)?], out)?,
    }
    Ok(Exit::Done)
}

fn row(model: Cached) -> Row {
    // an incomplete model has its configuration, perhaps
    let source = model.found.map_or(ModelSource::Directory(model.snapshot), ModelSource::from);
    Row {
        model: model.name.model_arg(),
        revision: model.commit,
        architecture: architecture_of(&source).ok(),
        format: model.format.name(),
        bytes: model.bytes,
        complete: model.lacks.is_empty(),
        lacks: model.lacks,
    }
}

fn figure(rows: &[Row], cache: &Cache) -> anyhow::Result<Figure> {
    let columns = ["model", "revision", "architecture", "format", "MB", "complete"];
    let line = |row: &Row| {
        let complete = if row.complete { "yes".to_owned() } else { format!("no: lacks {}", row.lacks.join(", ")) };
        vec![
            Cell::Text(row.model.clone()),
            Cell::Text(row.revision.chars().take(8).collect()),
            Cell::Text(row.architecture.clone().unwrap_or_default()),
            Cell::Text(row.format.into()),
            Cell::number(row.bytes as f64 / 1e6, 1),
            Cell::Text(complete),
        ]
    };
    Ok(Figure {
        title: format!("Models in {}", cache.dir().display()),
        caption: match rows.len() {
            0 => "none; `lmscope pull org/name` fetches one".into(),
            n => format!("{n} in all, {:.1} MB", rows.iter().map(|row| row.bytes).sum::<u64>() as f64 / 1e6),
        },
        provenance: Provenance::default(),
        content: Content::Table(Table::new(
            columns.map(|name| Column::new(name, "")).to_vec(),
            rows.iter().map(line).collect(),
        )?),
    })
}

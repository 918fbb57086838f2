//! `lmscope patch`

use std::fmt::Write as _;

use crate::cli::Exit;
use crate::cli::args::{Format, ModelArgs, PromptArgs, TargetArgs};
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::probe::patching::{Direction, Filled, Grid, Metric, PatchSite, Request};

#[derive(clap::Args)]
#[command(after_help = help())]
pub(in crate::cli) struct Args {
    /// The clean prompt
    #[command(flatten)]
    clean: PromptArgs,
    /// The corrupted prompt: as many tokens
    #[arg(value_name = "CORRUPTED")]
    corrupted: String,
    /// What to patch, one or several of the sites below; a grid each
    #[arg(long, value_name = "SITES", value_delimiter = ',', default_value = "resid_pre")]
    sites: Vec<String>,
    /// denoise puts clean activations into the corrupted run, noise the other way round
    #[arg(long, value_name = "denoise|noise", default_value = "denoise")]
    direction: String,
    /// What to measure, one of the metrics below
    #[arg(long, value_name = "METRIC", default_value = "recovery")]
    metric: String,
    #[command(flatten)]
    target: TargetArgs,
    /// How many of the strongest cells to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    #[command(flatten)]
    model: ModelArgs,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Every site and metric.
fn help() -> String {
    let mut text = "Sites:\n".to_owned();
    for site in PatchSite::ALL {
        let _ = writeln!(text, "  {site:<12} {}", site.about());
    }
    text.push_str("\nMetrics:\n");
    for metric in Metric::ALL {
        let _ = writeln!(text, "  {metric:<12} {}", metric.about());
    }
    text.push_str(
        "\nUnless given, A is what the clean prompt is followed by and B what the corrupted one is.\n\nExample:\n  \
         lmscope patch \"The cat sat on a\" \"The dog sat on a\" --sites resid_pre,head --metric logit-diff",
    );
    text
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let sites: Vec<PatchSite> = args.sites.iter().map(|site| site.parse()).collect::<Result<_, _>>()?;
    let direction: Direction = args.direction.parse()?;
    let metric: Metric = args.metric.parse()?;
    let loaded = args.model.open()?;
    let clean = args.clean.tokenise(&loaded)?;
    let corrupted = args.clean.tokenise_as_well(&loaded, &args.corrupted)?;
    let ask = args.target.ask(&loaded.tokenizer)?;
    let provenance = loaded.provenance(Some(&clean));
    let mut figures = Vec::new();
    for site in sites {
        let request = Request { site, direction, metric, ask };
        let prompts = [&clean, &corrupted];
        let grid = Grid::new(&loaded.decoder, &loaded.tokenizer, prompts, request, &out.cancel())?;
        let mut bar = Progress::new("{msg} {wide_bar} {pos}/{len} {eta}");
        let mut tell = |filled: Filled| bar.tell(filled.done as u64, filled.total as u64, site.name());
        let cells = grid.fill(&out.cancel(), &mut tell)?;
        figures.extend(grid.figures(&cells, &loaded.tokenizer, &provenance, args.top)?);
    }
    args.format.exporter().write(&figures, out)?;
    Ok(Exit::Done)
}

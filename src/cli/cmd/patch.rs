//! `lmscope patch`

use std::fmt::Write as _;

use crate::cli::Exit;
use crate::cli::args::{ModelArgs, PromptArgs, TargetArgs};
use crate::cli::figures::FigureArgs;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::engine::Loaded;
use crate::figure::Figure;
use crate::probe::patching::{Direction, Filled, Grid, Measure, Metric, PatchSite, Request};
use crate::probe::path::{self, Paths, Receivers, Through};
use crate::text::Prompt;

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
    /// Patch only what flows from each head and MLP to these receivers: logits, L3H0.q, L3H0.k, L3H0.v, L3.mlp
    #[arg(long, value_name = "RECEIVERS", conflicts_with = "sites")]
    to: Option<String>,
    /// What may carry it there, besides the residual stream
    #[arg(long, value_enum, default_value = "direct", requires = "to")]
    through: Carrier,
    /// Estimate all cells by attribution patching and run only the N with the largest estimates; the others are marked ~
    #[arg(long, value_name = "N", conflicts_with = "to")]
    estimate: Option<usize>,
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
    #[command(flatten)]
    figures: FigureArgs,
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

/// What may lie on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Carrier {
    /// Nothing: all other heads and MLPs are frozen
    Direct,
    /// MLPs: all other heads are frozen
    Mlps,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    args.figures.check()?;
    let sites: Vec<PatchSite> = args.sites.iter().map(|site| site.parse()).collect::<Result<_, _>>()?;
    let receivers: Option<Receivers> = args.to.as_deref().map(str::parse).transpose()?;
    let direction: Direction = args.direction.parse()?;
    let metric: Metric = args.metric.parse()?;
    let loaded = args.model.open(out)?;
    let clean = args.clean.tokenise(&loaded)?;
    let corrupted = args.clean.tokenise_as_well(&loaded, &args.corrupted)?;
    let ask = args.target.ask(&loaded.tokenizer)?;
    let (measure, prompts) = (Measure { direction, metric, ask }, [&clean, &corrupted]);
    let figures = match receivers {
        Some(receivers) => vec![patch_paths(args, &loaded, prompts, (receivers, measure), out)?],
        None => {
            let grids = sites.into_iter().map(|site| fill(args, &loaded, prompts, Request { site, measure }, out));
            grids.collect::<anyhow::Result<Vec<_>>>()?.concat()
        }
    };
    args.figures.write(&figures, out)?;
    Ok(Exit::Done)
}

fn fill(
    args: &Args,
    loaded: &Loaded,
    prompts: [&Prompt; 2],
    request: Request,
    out: &Output,
) -> anyhow::Result<Vec<Figure>> {
    filled(loaded, prompts, request, (args.estimate, args.top), out)
}

/// A grid, of which at most so many cells are run where it is estimated first, and its strongest cells.
pub(super) fn filled(
    loaded: &Loaded,
    prompts: [&Prompt; 2],
    request: Request,
    (estimate, top): (Option<usize>, usize),
    out: &Output,
) -> anyhow::Result<Vec<Figure>> {
    let grid = Grid::new(&loaded.decoder, &loaded.tokenizer, prompts, request, &out.cancel())?;
    let mut bar = Progress::new(BAR);
    let mut tell = |filled: Filled| bar.tell(filled.done as u64, filled.total as u64, request.site.name());
    let cells = match estimate {
        None => grid.fill(&out.cancel(), &mut tell)?,
        Some(n) => grid.fill_best(n, &out.cancel(), &mut tell)?,
    };
    Ok(grid.figures(&cells, &loaded.tokenizer, &loaded.provenance(Some(prompts[0])), top)?)
}

/// The effects of all senders on the receivers.
fn patch_paths(
    args: &Args,
    loaded: &Loaded,
    prompts: [&Prompt; 2],
    (receivers, measure): (Receivers, Measure),
    out: &Output,
) -> anyhow::Result<Figure> {
    let through = match args.through {
        Carrier::Direct => Through::Direct,
        Carrier::Mlps => Through::Mlps,
    };
    let request = path::Request { receivers, through, measure };
    let paths = Paths::new(&loaded.decoder, &loaded.tokenizer, prompts, request, &out.cancel())?;
    let (mut bar, mut done) = (Progress::new(BAR), 0);
    let mut tell = |_, total: usize| {
        done += 1;
        bar.tell(done, total as u64, "senders");
    };
    let effects = paths.run(&out.cancel(), &mut tell)?;
    Ok(paths.figure(&effects, &loaded.tokenizer, &loaded.provenance(Some(prompts[0])))?)
}

const BAR: &str = "{msg} {wide_bar} {pos}/{len} {eta}";

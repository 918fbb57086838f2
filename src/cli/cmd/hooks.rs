//! `lmscope hooks`

use std::io::Write as _;

use crate::cli::Exit;
use crate::cli::args::ModelArgs;
use crate::cli::output::Output;
use crate::hook::Axis;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope hooks -m ~/models/gpt2")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    model: ModelArgs,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let cfg = args.model.open(out)?.info.config;
    let size = |axis: &Axis| match axis {
        Axis::Pos | Axis::Query | Axis::Key => axis.name().to_owned(),
        Axis::One => "1".to_owned(),
        axis => format!("{axis}={}", cfg.axis_len(*axis, 0)),
    };
    for at in cfg.hook_points() {
        let axes: Vec<String> = at.site().axes().iter().map(size).collect();
        writeln!(out, "{:<36} [{}]", at.to_string(), axes.join(", "))?;
    }
    Ok(Exit::Done)
}
